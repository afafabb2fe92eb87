"""`graphgen run`: carry a workflow out and show what happens, or say what would happen and why."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

from graphgen.cli.axes import split_axes
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
    short_path,
    show_problems,
)
from graphgen.cli.facts import show_notes
from graphgen.cli.foretold import foretold
from graphgen.cli.interrupt import Interrupt
from graphgen.cli.parameters import show_parameters, show_values
from graphgen.cli.progress import Progress, summary
from graphgen.cli.screen import Screen, style
from graphgen.cli.stdout import reserved_stdout
from graphgen.cli.sweeps import (
    axes_text,
    plan_call,
    result_json,
    show_results,
    show_variations,
    started_json,
    users_text,
)
from graphgen.cli.words import count, duration
from graphgen.config import Config
from graphgen.control import Control
from graphgen.engine import Engine
from graphgen.errors import WorkflowError
from graphgen.events import Event, NodeLog, RunStarted, event_json
from graphgen.forcing import Force
from graphgen.jsontypes import JSON
from graphgen.parameters import describe_parameters
from graphgen.plan import Plan
from graphgen.report import Report
from graphgen.sweep import SweepPlan, SweepReport, carry_out
from graphgen.wirefacts import notes_of
from graphgen.workflow import Workflow

_STATES = {
    "cached": ("cached", "dim"),
    "run": ("runs", "green"),
    "may run": ("may run", "yellow"),
    "equal": ("shared", "dim"),
    "pinned": ("pinned", "cyan"),
    "not needed": ("not needed", "dim"),
}


def parser() -> Parser:
    """Return the options of the command."""
    made = Parser(
        "run",
        "Run a workflow. What has not changed since an earlier run is not computed again.",
        "FILE [--set name=value ...] [--sweep name=values ...] [--zip] [-o DIR] [--only NODE ...] "
        "[--force NODE ... | --force-all] [--explain] "
        "[--no-cache] [--workers HOW] [--json] [--verbose]",
        add_help=False,
    )
    made.add_argument("file", metavar="FILE", nargs="?", help="a workflow, a picture graphgen made, or - for stdin")
    made.add_argument("--set", metavar="name=value", action="append", default=[], help="set a parameter")
    made.add_argument(
        "--sweep",
        metavar="name=values",
        action="append",
        default=[],
        help="run with each of a parameter's values, as in seed=1..4 or sampler=euler,heun; of several parameters "
        "with each combination",
    )
    made.add_argument("--zip", action="store_true", help="take the values of several --sweep side by side")
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
    given, swept = read_assignments(call.set), split_axes(call.sweep)
    if call.zip and not swept:
        raise CallError("--zip takes the values of --sweep side by side, and there is no --sweep")
    places: dict[str, str] = {}
    try:
        with Engine(
            Config.load({"outputs": call.outputs, "workers": call.workers}), use_cache=not call.no_cache
        ) as engine:
            workflow = read_source(engine, call.file)
            if call.help:
                return _help(screen, engine, workflow)
            places = places_of(workflow, given) | places_of(workflow, dict(swept), "--sweep")
            job = _plan(engine, workflow, given, swept, call)
            if call.explain:
                return _explain(screen, engine, job, call)
            return _run(screen, engine, job, call, began)
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


@dataclass(frozen=True)
class _Job:
    """What a call asks for: a plan, the parameters' values, and the variations if it is a sweep."""

    plan: Plan
    values: Mapping[str, JSON]
    sweep: SweepPlan | None = None


def _plan(
    engine: Engine, workflow: Workflow, given: Mapping[str, str], swept: Sequence[tuple[str, str]], call: Namespace
) -> _Job:
    force: Force = "all" if call.force_all else call.force or ()
    if swept:
        planned = plan_call(engine, workflow, given, swept, "zip" if call.zip else "product", call.only, force)
        return _Job(planned.plan, {}, planned)
    graph, values = check_call(engine, workflow, given)
    return _Job(engine.plan(graph, call.only, force), values)


# --- running --------------------------------------------------------------------------------------------------------


def _run(screen: Screen, engine: Engine, job: _Job, call: Namespace, began: float) -> int:
    control, plan = Control(), job.plan
    with Interrupt(control, live=screen.live and not call.json) as interrupt:
        if call.json:
            with reserved_stdout() as write:
                report = _execute_json(engine, job, call, control, write)
        else:
            _show_head(screen, engine, job, call.file)
            with Progress(screen, [*plan.recipes], verbose=call.verbose) as progress:
                report, swept = _execute(engine, job, call, control, progress)
            if progress.told:
                screen.line()
            if job.sweep and swept:
                show_results(screen, job.sweep, swept)
            else:
                _show_given(screen, plan, report)
            screen.line(summary(report, perf_counter() - began, progress.inside))
    return {"done": DONE, "failed": FAILED, "cancelled": interrupt.code}[report.status]


def _execute(
    engine: Engine, job: _Job, call: Namespace, control: Control, listen: Callable[[Event], None]
) -> tuple[Report, SweepReport | None]:
    identity = _identity(call)
    if job.sweep:
        swept = carry_out(engine, job.sweep, identity=identity, listen=listen, control=control, previews=False)
        return swept.run, swept
    report = engine.execute(
        job.plan, identity=identity, parameters=job.values, listen=listen, control=control, previews=False
    )
    return report, None


def _execute_json(engine: Engine, job: _Job, call: Namespace, control: Control, write: Callable[[str], None]) -> Report:
    def tell(line: JSON) -> None:
        write(json.dumps(line) + "\n")

    def hear(event: Event) -> None:
        tell(event_json(event))
        if isinstance(event, RunStarted):
            for place, note in notes_of(job.plan.graph):
                tell(event_json(NodeLog(place, "warning", note)))

    if job.sweep:
        tell(started_json(job.sweep))
    report, swept = _execute(engine, job, call, control, hear)
    for item in swept.variations if swept else ():
        tell(result_json(item))
    return report


def _show_head(screen: Screen, engine: Engine, job: _Job, file: str) -> None:
    plan, workflow = job.plan, job.plan.graph.workflow
    running = f"{count(plan.to_run, 'node')} to run" if plan.to_run else "nothing to run"
    repeating = (name for name in plan.order if name not in plan.replayed and plan.graph.nodes[name].zone)
    running += ", and what they repeat" if any(repeating) else ""
    cached = f", {plan.found:,} cached" if plan.found else ""
    estimate = engine.estimate(plan)
    costs = f"; {foretold(estimate)}" if estimate.nodes else ""
    swept = f"{count(len(job.sweep.parts), 'variation')}, " if job.sweep else ""
    screen.line(f"{style(workflow.name or file, 'bold')}: {swept}{running}{cached}{costs}")
    axes = axes_text(job.sweep) if job.sweep else {}
    show_values(screen, describe_parameters(workflow, engine.registry), axes)
    show_notes(screen, plan.graph)
    screen.line()


def _show_given(screen: Screen, plan: Plan, report: Report) -> None:
    for file in report.files:
        screen.line(f"{style(screen.symbols.file, 'green')} {short_path(file)}")
    given = [
        (name, value.summary())
        for name, value in report.outputs.stored.items()
        if not plan.graph.nodes[plan.graph.outputs[name].node].spec.effect
    ]
    given += [(name, f"no value: {reason}") for name, reason in report.blocked.items()]
    screen.rows(given, ["cyan"], indent=0)


def _identity(call: Namespace) -> str:
    """Name a workflow for `--explain`: by its file, or by the folder where it was piped in; its sweeps apart."""
    return str(Path(call.file).resolve()) + (" --sweep" if call.sweep else "")


# --- explaining -----------------------------------------------------------------------------------------------------


def _explain(screen: Screen, engine: Engine, job: _Job, call: Namespace) -> int:
    plan = job.plan
    found = engine.explain(plan, _identity(call))
    users = job.sweep.users() if job.sweep else {}
    types = {name: node.spec.id for name, node in plan.graph.nodes.items()}
    estimate = engine.estimate(plan)
    if call.json:
        for item in found:
            line = {"node": item.node, "type": types[item.node], "state": item.state, "reasons": item.reasons}
            variations = {"variations": users[item.node]} if job.sweep else {}
            _emit({**line, "seconds": estimate.nodes.get(item.node), **variations})
        return DONE
    workflow = plan.graph.workflow
    screen.line(style(workflow.name or call.file, "bold"))
    screen.line(_compared(engine, call))
    if job.sweep:
        show_variations(screen, job.sweep)
    who = users_text(job.sweep) if job.sweep else {}
    rows = []
    for item in found:
        word, how = _STATES[item.state]
        took = estimate.nodes.get(item.node)
        needed_by = [who[item.node]] if who else []
        cost = "" if took is None else duration(took)
        rows.append((item.node, *needed_by, style(word, how), cost, "; ".join(item.reasons)))
    screen.rows(rows)
    counts = f"{plan.to_run:,} would run, {plan.found:,} cached"
    screen.line("; ".join(filter(None, [counts, foretold(estimate)])))
    return DONE


def _compared(engine: Engine, call: Namespace) -> str:
    """Say what the reasons are told against."""
    if call.no_cache:
        return "without the cache and what it knows of earlier runs"
    last = engine.last_run(_identity(call))
    against = f"compared with its last run, {last:%Y-%m-%d %H:%M}" if last else "no run of it is recorded"
    return f"{against}; what is cached may come from any run"


# --- JSON -----------------------------------------------------------------------------------------------------------


def _emit(line: JSON) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()
