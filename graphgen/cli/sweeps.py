"""A sweep in the terminal: its variations read from the call, shown before they run, and what each of them gave."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from graphgen.cli.axes import read_axes
from graphgen.cli.call import absolute_paths, short_path
from graphgen.cli.screen import Screen, cut, style
from graphgen.cli.words import value_text
from graphgen.engine import Engine
from graphgen.errors import Problem, WorkflowError
from graphgen.forcing import Force
from graphgen.jsontypes import JSON
from graphgen.parameters import read_parameters
from graphgen.sweep import How, Part, SweepPlan, SweepReport, Variation, plan_sweep
from graphgen.workflow import Workflow

_LONGEST = 32
_MOST_LISTED = 12
_STATES = {"done": "green", "failed": "red", "cancelled": "yellow"}


def plan_call(
    engine: Engine,
    workflow: Workflow,
    given: Mapping[str, str],
    pairs: Sequence[tuple[str, str]],
    how: How,
    targets: Sequence[str] | None,
    force: Force,
) -> SweepPlan:
    """Check and plan the variations that a call asks for; `pairs` are names of parameters and values as typed.

    Raises:
        WorkflowError: with all that is wrong with the parameters and with any variation, each thing once.
    """
    axes = read_axes(pairs, workflow, engine.registry)
    problems = list(axes.problems)
    twice = [name for name in axes.values if name in given]
    message = "is both set and swept"
    problems += [Problem("set_and_swept", name, message, cure="take one of the two away") for name in twice]
    engine.allow_paths(absolute_paths([*given.values(), *axes.typed]))
    rest = {name: text for name, text in given.items() if name not in twice}
    try:
        values = read_parameters(rest, workflow, engine.registry)
    except WorkflowError as error:
        problems += error.problems
        wrong = {problem.place for problem in error.problems}
        right = {name: text for name, text in rest.items() if name not in wrong}
        values = read_parameters(right, workflow, engine.registry)
    try:
        planned = plan_sweep(engine, workflow, axes.sound, values, how=how, targets=targets, force=force)
    except WorkflowError as error:
        raise WorkflowError([*problems, *error.problems]) from error
    if problems:
        raise WorkflowError(problems)
    return planned


def values_of(swept: Mapping[str, JSON]) -> str:
    """Write a variation's values in a line: `seed=1 steps=20`."""
    return " ".join(f"{name}={cut(value_text(value), _LONGEST)}" for name, value in swept.items())


def axes_text(planned: SweepPlan) -> dict[str, str]:
    """Write the values that each parameter goes through in a line."""
    found: dict[str, str] = {}
    for name in planned.parts[0].swept:
        values = list(dict.fromkeys(cut(value_text(part.swept[name]), _LONGEST) for part in planned.parts))
        more = f", … ({len(values):,} values)" if len(values) > _MOST_LISTED else ""
        found[name] = ", ".join(values[:_MOST_LISTED]) + more
    return found


def users_text(planned: SweepPlan) -> dict[str, str]:
    """Say for each node which variations need it: `all`, or their numbers."""
    everyone = len(planned.parts)
    return {node: _numbers(numbers, everyone) for node, numbers in planned.users().items()}


def show_variations(screen: Screen, planned: SweepPlan) -> None:
    """Show the numbers of the variations, and their values."""
    screen.rows([(f"@{part.number}", values_of(part.swept)) for part in planned.parts], ["cyan"])


def show_results(screen: Screen, planned: SweepPlan, report: SweepReport) -> None:
    """Show what each variation gave: its status, its outputs and its files."""
    rows: list[tuple[str, str, str, str]] = []
    for part, item in zip(planned.parts, report.variations, strict=True):
        status = style(item.status, _STATES[item.status])
        told = [text for text in (_why(item), *_gifts(screen, part, item)) if text]
        first, *more = told or [""]
        rows.append((f"@{item.number}", values_of(item.swept), status, first))
        rows += [("", "", "", text) for text in more]
    screen.rows(rows, ["cyan"], indent=0)


def started_json(planned: SweepPlan) -> dict[str, JSON]:
    """Return what a sweep will do: each variation's values, and what its nodes are called in the events."""
    told: list[JSON] = [
        {"variation": part.number, "parameters": dict(part.swept), "nodes": dict(part.names)} for part in planned.parts
    ]
    return {"event": "sweep_started", "variations": told}


def result_json(item: Variation) -> dict[str, JSON]:
    """Return what a variation gave."""
    return {
        "event": "variation_finished",
        "variation": item.number,
        "parameters": dict(item.swept),
        "status": item.status,
        "outputs": {name: value.summary() for name, value in item.outputs.stored.items()},
        "blocked": dict(item.blocked),
        "files": list(item.outputs.files),
        "failures": [{"node": failure.node, "message": failure.message} for failure in item.failures],
    }


def _gifts(screen: Screen, part: Part, item: Variation) -> list[str]:
    graph = part.plan.graph
    files = [f"{style(screen.symbols.file, 'green')} {short_path(file)}" for file in item.outputs.files]
    outputs = [
        f"{name}  {value.summary()}"
        for name, value in item.outputs.stored.items()
        if not graph.nodes[graph.outputs[name].node].spec.effect
    ]
    return [*files, *outputs, *(f"{name}  no value: {reason}" for name, reason in item.blocked.items())]


def _why(item: Variation) -> str:
    return "; ".join(f"{failure.node}: {failure.message.splitlines()[0]}" for failure in item.failures[:2])


def _numbers(numbers: Sequence[int], everyone: int) -> str:
    """Write numbers in few signs: `1-3, 7`."""
    if len(numbers) == everyone:
        return "all"
    parts: list[list[int]] = []
    for number in numbers:
        if parts and parts[-1][-1] == number - 1:
            parts[-1] = [parts[-1][0], number]
        else:
            parts.append([number])
    return ", ".join("-".join(map(str, part)) for part in parts)
