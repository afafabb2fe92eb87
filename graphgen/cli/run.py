"""`graphgen run`: carry a workflow out and show what happens, or say what would happen and why."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from time import perf_counter

from graphgen.cli.call import (
    DONE,
    FAILED,
    WRONG,
    CallError,
    Parser,
    check_call,
    places_of,
    read_assignments,
    read_source,
    show_problems,
)
from graphgen.cli.facts import show_notes
from graphgen.cli.foretold import foretold
from graphgen.cli.interrupt import Interrupt
from graphgen.cli.parameters import show_parameters, show_values
from graphgen.cli.progress import Progress, summary
from graphgen.cli.screen import Screen, style
from graphgen.cli.stdout import reserved_stdout
from graphgen.cli.words import count, duration
from graphgen.config import Config
from graphgen.control import Control
from graphgen.engine import Engine
from graphgen.errors import WorkflowError
from graphgen.events import Event, event_json
from graphgen.jsontypes import JSON
from graphgen.parameters import describe_parameters
from graphgen.plan import Plan
from graphgen.report import Report
from graphgen.workflow import Workflow

_STATES = {
    "cached": ("cached", "dim"),
    "run": ("runs", "green"),
    "may run": ("may run", "yellow"),
    "equal": ("shared", "dim"),
    "not needed": ("not needed", "dim"),
}


def parser() -> Parser:
    """Return the options of the command."""
    made = Parser(
        "run",
        "Run a workflow. What has not changed since an earlier run is not computed again.",
        "FILE [--set name=value ...] [-o DIR] [--only NODE ...] [--force NODE ... | --force-all] [--explain] "
        "[--no-cache] [--workers HOW] [--json] [--verbose]",
        add_help=False,
    )
    made.add_argument("file", metavar="FILE", nargs="?", help="a workflow, a picture graphgen made, or - for stdin")
    made.add_argument("--set", metavar="name=value", action="append", default=[], help="set a parameter")
    made.add_argument("-o", "--outputs", metavar="DIR", help="the folder for the files it writes")
    made.add_argument("--only", metavar="NODE", action="append", help="run this node and what it needs, nothing else")
    made.add_argument("--force", metavar="NODE", action="append", help="run this node again, whatever is kept of it")
    made.add_argument("--force-all", action="store_true", help="run everything again, and keep what comes of it")
    made.add_argument("--explain", action="store_true", help="say what would run and why, and run nothing")
    made.add_argument("--no-cache", action="store_true", help="compute everything, keep nothing")
    made.add_argument(
        "--workers", metavar="HOW", help="run nodes as `thread`s, or each `process` apart, safe from crashes"
    )
    made.add_json("an object for each event")
    made.add_argument("--verbose", action="store_true", help="show tracebacks, and each node of a large workflow")
    made.add_argument("-h", "--help", action="store_true", help="show this, and FILE's own parameters")
    return made


def execute(arguments: Sequence[str]) -> int:
    """Do what the call says; return the exit code."""
    began = perf_counter()
    call = parser().parse_args(arguments)
    screen = Screen()
    if call.file is None:
        if not call.help:
            raise CallError("FILE is missing; `graphgen run workflow.json` runs that workflow")
        screen.line(parser().format_help().rstrip())
        return DONE
    given = read_assignments(call.set)
    places: dict[str, str] = {}
    try:
        with Engine(
            Config.load({"outputs": call.outputs, "workers": call.workers}), use_cache=not call.no_cache
        ) as engine:
            workflow = read_source(engine, call.file)
            if call.help:
                return _help(screen, engine, workflow)
            places = places_of(workflow, given)
            graph, values = check_call(engine, workflow, given)
            plan = engine.plan(graph, call.only, "all" if call.force_all else call.force or ())
            if call.explain:
                return _explain(screen, engine, plan, call)
            return _run(screen, engine, plan, values, call, began)
    except WorkflowError as error:
        if call.json:
            _emit({"event": "run_refused", "problems": [problem.to_json() for problem in error.problems]})
        show_problems(screen, call.file, error.problems, places, most=20)
        return WRONG


def _help(screen: Screen, engine: Engine, workflow: Workflow) -> int:
    screen.line(style(workflow.name or "A workflow without a name", "bold"))
    if workflow.description:
        screen.rows([(workflow.description,)], indent=0)
    screen.line()
    show_parameters(screen, describe_parameters(workflow, engine.registry))
    screen.line()
    screen.line(parser().format_help().rstrip())
    return DONE


# --- running --------------------------------------------------------------------------------------------------------


def _run(screen: Screen, engine: Engine, plan: Plan, values: Mapping[str, JSON], call: Namespace, began: float) -> int:
    control, identity = Control(), _identity(call.file)

    def execute(listen: Callable[[Event], None]) -> Report:
        return engine.execute(
            plan, identity=identity, parameters=values, listen=listen, control=control, previews=False
        )

    with Interrupt(control, live=screen.live and not call.json) as interrupt:
        if call.json:
            with reserved_stdout() as write:
                report = execute(lambda event: write(json.dumps(event_json(event)) + "\n"))
        else:
            _show_head(screen, engine, plan, call.file)
            with Progress(screen, [*plan.recipes], verbose=call.verbose) as progress:
                report = execute(progress)
            if progress.told:
                screen.line()
            _show_end(screen, plan, report, perf_counter() - began)
    return {"done": DONE, "failed": FAILED, "cancelled": interrupt.code}[report.status]


def _show_head(screen: Screen, engine: Engine, plan: Plan, file: str) -> None:
    workflow = plan.graph.workflow
    running = f"{count(len(plan.order), 'node')} to run" if plan.order else "nothing to run"
    cached = f", {len(plan.cached):,} cached" if plan.cached else ""
    estimate = engine.estimate(plan)
    costs = f"; {foretold(estimate)}" if estimate.nodes else ""
    screen.line(f"{style(workflow.name or file, 'bold')}: {running}{cached}{costs}")
    show_values(screen, describe_parameters(workflow, engine.registry))
    show_notes(screen, plan.graph)
    screen.line()


def _show_end(screen: Screen, plan: Plan, report: Report, seconds: float) -> None:
    for file in report.files:
        screen.line(f"{style(screen.symbols.file, 'green')} {_short(file)}")
    given = [
        (name, value.summary())
        for name, value in report.outputs.stored.items()
        if not plan.graph.nodes[plan.graph.outputs[name].node].spec.effect
    ]
    given += [(name, f"no value: {reason}") for name, reason in report.blocked.items()]
    screen.rows(given, ["cyan"], indent=0)
    screen.line(summary(report, seconds))


def _short(path: str) -> str:
    """Return a path from the current folder where it lies inside."""
    try:
        return str(Path(path).relative_to(Path.cwd()))
    except ValueError:
        return path


def _identity(file: str) -> str:
    """Name a workflow for `--explain`: by its file, or by the folder where it was piped in."""
    return str(Path(file).resolve())


# --- explaining -----------------------------------------------------------------------------------------------------


def _explain(screen: Screen, engine: Engine, plan: Plan, call: Namespace) -> int:
    found = engine.explain(plan, _identity(call.file))
    types = {name: node.spec.id for name, node in plan.graph.nodes.items()}
    estimate = engine.estimate(plan)
    if call.json:
        for item in found:
            line = {"node": item.node, "type": types[item.node], "state": item.state, "reasons": item.reasons}
            _emit({**line, "seconds": estimate.nodes.get(item.node)})
        return DONE
    workflow = plan.graph.workflow
    screen.line(style(workflow.name or call.file, "bold"))
    screen.line(_compared(engine, call))
    rows = []
    for item in found:
        word, how = _STATES[item.state]
        took = estimate.nodes.get(item.node)
        rows.append((item.node, style(word, how), "" if took is None else duration(took), "; ".join(item.reasons)))
    screen.rows(rows)
    counts = f"{len(plan.order):,} would run, {len(plan.cached):,} cached"
    screen.line("; ".join(filter(None, [counts, foretold(estimate)])))
    return DONE


def _compared(engine: Engine, call: Namespace) -> str:
    """Say what the reasons are told against."""
    if call.no_cache:
        return "without the cache and what it knows of earlier runs"
    last = engine.last_run(_identity(call.file))
    against = f"compared with its last run, {last:%Y-%m-%d %H:%M}" if last else "no run of it is recorded"
    return f"{against}; what is cached may come from any run"


# --- JSON -----------------------------------------------------------------------------------------------------------


def _emit(line: JSON) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()
