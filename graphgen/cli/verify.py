"""`graphgen verify`: run a picture's workflow again, and say where and why what comes out is not what came out then."""

from __future__ import annotations

import json
from argparse import ArgumentTypeError
from collections.abc import Sequence
from pathlib import Path

from graphgen.cli.call import DONE, FAILED, WRONG, Parser, check_call, places_of, read_assignments, show_problems
from graphgen.cli.interrupt import Interrupt
from graphgen.cli.progress import Progress
from graphgen.cli.screen import Screen, style
from graphgen.cli.words import count
from graphgen.config import Config
from graphgen.control import Control
from graphgen.engine import Engine
from graphgen.errors import WorkflowError
from graphgen.graph import Graph
from graphgen.record import Difference
from graphgen.verify import Verdict, psnr, read_record_of, verify

_MOST = 8
"""Causes and nodes that are named."""


def parser() -> Parser:
    """Return the options of the command."""
    made = Parser(
        "verify",
        "Run a picture's workflow again; compare its pixels, and every value with its run record. Writes nothing.",
        "FILE [--tolerance NUMBER] [--set name=value ...] [--json]",
    )
    made.add_argument("file", metavar="FILE", help="a picture graphgen made")
    words = "how far pixels may be apart, 1 being from black to white: 0.004 is one step of 8 bits"
    made.add_argument("--tolerance", metavar="NUMBER", type=_tolerance, help=words)
    made.add_argument("--set", metavar="name=value", action="append", default=[], help="type a path again")
    made.add_json("the verdict")
    return made


def execute(arguments: Sequence[str]) -> int:
    """Do what the call says; return the exit code: 0 the same, 1 different, 2 it cannot be told."""
    call = parser().parse_args(arguments)
    given = read_assignments(call.set)
    screen, path, control = Screen(), Path(call.file), Control()
    places: dict[str, str] = {}
    try:
        with Engine(Config.load(), use_cache=False) as engine:
            record = read_record_of(engine, path)
            workflow = engine.read(path)
            places = places_of(workflow, given)
            graph, _ = check_call(engine, workflow, given)
            with Interrupt(control, live=screen.live and not call.json) as interrupt:
                if call.json:
                    verdict = verify(engine, path, graph, record, tolerance=call.tolerance, control=control)
                else:
                    with Progress(screen, [*record.nodes], verbose=False) as listen:
                        verdict = verify(
                            engine, path, graph, record, tolerance=call.tolerance, listen=listen, control=control
                        )
    except WorkflowError as error:
        if call.json:
            screen.line(json.dumps({"status": "refused", "problems": [item.to_json() for item in error.problems]}))
        show_problems(screen, call.file, error.problems, places, most=20)
        return WRONG
    if call.json:
        screen.line(json.dumps(verdict.to_json()))
    else:
        screen.line()
        _show(screen, verdict, graph, tolerant=call.tolerance is not None)
    if verdict.status == "cancelled":
        return interrupt.code
    return WRONG if verdict.status == "failed" else DONE if verdict.same else FAILED


def _show(screen: Screen, verdict: Verdict, graph: Graph, *, tolerant: bool) -> None:
    if verdict.status != "done":
        screen.line(f"{style('cannot tell:', 'red')} the run was not carried out to its end")
        return
    if not verdict.differing:
        _show_agreement(screen, verdict)
        return
    word, how = ("near enough", "yellow") if verdict.same else ("different", "red")
    first, *others = verdict.differing
    outputs = " and ".join(first.outputs)
    screen.line(f"{style(word, how)}: '{first.node}' ({first.type}) is the first to give another {outputs}")
    for cause in _causes(first, graph)[:_MOST]:
        screen.line(f"  {cause}")
    if first.causes and verdict.showing is not None and not tolerant:
        screen.line("  set that back to compare exactly, or say with --tolerance how far apart pixels may be")
    if others:
        more = f" and {len(others) - _MOST:,} more" if len(others) > _MOST else ""
        screen.line(f"  then: {', '.join(item.node for item in others[:_MOST])}{more}")
    if verdict.showing is not None:
        screen.line(_apart(verdict))


def _show_agreement(screen: Screen, verdict: Verdict) -> None:
    """Say what it means that all values are what the record says: the file is right, or was changed afterwards."""
    gave = f"{count(verdict.compared, 'node')} gave what they gave then"
    if verdict.showing is None:
        screen.line(f"{style('the same', 'green')}: {gave}; what the file shows cannot be compared")
    elif verdict.showing:
        screen.line(f"{style('the same', 'green')}: {gave}, and the picture shows it")
    else:
        word, how = ("near enough", "yellow") if verdict.same else ("different", "red")
        screen.line(f"{style(word, how)}: {gave}, but the picture was changed afterwards, or saved with losses")
        screen.line(_apart(verdict))


def _apart(verdict: Verdict) -> str:
    if verdict.showing:
        return "the picture shows what the run gives now all the same"
    if verdict.distance is None:
        return "the picture is of another size than what the run gives now"
    largest, ratio = verdict.distance.largest, psnr(verdict.distance)
    return f"the pictures are at most {largest:.4g} apart (1 is from black to white), {ratio:.1f} dB"


def _causes(difference: Difference, graph: Graph) -> Sequence[str]:
    if not graph.nodes[difference.node].spec.pure:
        return ("it gives something else every time",)
    unknown = "nothing that the record names has changed: the node is not repeatable, or the processor is another"
    return difference.causes or (unknown,)


def _tolerance(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number <= 1:
        raise ArgumentTypeError(f"must be a number from 0 to 1 (got '{text}'), such as 0.004")
    return number
