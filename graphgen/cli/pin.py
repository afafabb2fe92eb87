"""`graphgen pin`: let nodes of a workflow's file give what they gave in a run, without running."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from graphgen.cli.call import (
    DONE,
    WRONG,
    Parser,
    absolute_paths,
    places_of,
    read_assignments,
    show_problems,
)
from graphgen.cli.screen import Screen, style
from graphgen.engine import Engine
from graphgen.errors import Problem, WorkflowError
from graphgen.parameters import read_parameters
from graphgen.pinning import Values, last_values, pin_file, recorded_values
from graphgen.verify import read_record_of


def parser() -> Parser:
    """Return the options of the command."""
    made = Parser(
        "pin",
        "Let nodes give what they gave in the last run of the file, without running, until they are unpinned.",
        "FILE NODE [NODE ...] [--from PICTURE | --set name=value ...] [--json]",
    )
    made.add_argument("file", metavar="FILE", help="a workflow, which is changed")
    made.add_argument("nodes", metavar="NODE", nargs="+", help="a node")
    words = "pin to what it gave when this picture was made"
    made.add_argument("--from", dest="picture", metavar="PICTURE", help=words)
    words = "the parameters of the last run, where what it gave has to be computed again"
    made.add_argument("--set", metavar="name=value", action="append", default=[], help=words)
    made.add_json("what was pinned")
    return made


def execute(arguments: Sequence[str]) -> int:
    """Do what the call says; return the exit code."""
    call = parser().parse_args(arguments)
    screen, path, given = Screen(), Path(call.file), read_assignments(call.set)
    places: dict[str, str] = {}
    done: dict[str, dict[str, str]] = {}
    try:
        with Engine() as engine:
            workflow = engine.read(path)
            places = places_of(workflow, given)
            engine.allow_paths(absolute_paths(given))
            values = read_parameters(given, workflow, engine.registry)
            record = read_record_of(engine, Path(call.picture)) if call.picture else None
            found: dict[str, Values] = {}
            problems: list[Problem] = []
            for node in call.nodes:
                try:
                    given_then = recorded_values(engine, record, node) if record else None
                    found[node] = given_then or last_values(engine, path, node, values)
                except WorkflowError as error:
                    problems += error.problems
            if problems:
                raise WorkflowError(problems)
            for node, gave in found.items():
                pin_file(engine, path, node, gave)
                done[node] = {name: value.summary() for name, value in gave.items()}
    except WorkflowError as error:
        if call.json:
            screen.line(json.dumps({"pinned": done, "problems": [item.to_json() for item in error.problems]}))
        show_problems(screen, call.file, error.problems, places, most=20)
        return WRONG
    if call.json:
        screen.line(json.dumps({"pinned": done}))
    else:
        rows = [(style("pinned", "cyan"), node, ", ".join(gave.values())) for node, gave in done.items()]
        screen.rows(rows, indent=0)
    return DONE
