"""A sweep: one workflow with many values of its parameters, planned together and carried out as one run.

In: a workflow, and for some parameters a list of values each. Out: one plan for all; carried out, one event stream, and
what each variation gave. The variations are laid into one graph in which nodes with the same recipe key stand once, so
what they share runs once. A node that all share keeps its name; another has the number of its first variation behind
it, as in `sample@2`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from math import prod
from typing import Literal, TypeAlias

from graphgen.control import Control
from graphgen.effects import check_folder, write_files
from graphgen.engine import Engine, Source
from graphgen.errors import NodeError, Problem, WorkflowError
from graphgen.events import Event, NodeSkipped, RunStatus
from graphgen.files import Files
from graphgen.forcing import Force
from graphgen.graph import Graph, GraphNode
from graphgen.jsontypes import JSON
from graphgen.outcome import Outcome
from graphgen.outputs import Outputs
from graphgen.plan import Plan, make_plan
from graphgen.provenance import Chronicle
from graphgen.report import Report
from graphgen.wires import Wire

How: TypeAlias = Literal["product", "zip"]


MOST = 10_000
"""Variations of one sweep: a slip of the pen in a range is refused, not planned."""


@dataclass(frozen=True)
class Variation:
    """What one combination of the parameters' values gave; `failures` are those of the nodes that it needs.

    `swept` are the values that differ between the variations, `parameters` all that were given. `blocked` says of
    outputs that a node blocked why they are not there.
    """

    number: int
    swept: Mapping[str, JSON]
    parameters: Mapping[str, JSON]
    status: RunStatus
    outputs: Outputs
    failures: tuple[NodeError, ...]
    blocked: Mapping[str, str]


@dataclass(frozen=True)
class SweepReport:
    """How a sweep ended: what each variation gave, in order, and the run as a whole."""

    variations: tuple[Variation, ...]
    run: Report


@dataclass(frozen=True)
class Part:
    """A variation before it runs: its values, its plan, and what its nodes are called in the whole."""

    number: int
    swept: Mapping[str, JSON]
    parameters: Mapping[str, JSON]
    plan: Plan
    names: Mapping[str, str]

    def chronicle(self, whole: Chronicle) -> Chronicle:
        """Return the variation's part of what is written down of the whole."""
        outcome, part = whole.outcome, Outcome()
        for name, known in self.names.items():
            if known in outcome.seconds:
                part.seconds[name] = outcome.seconds[known]
            if known in outcome.digests:
                part.digests[name] = outcome.digests[known]
            if known in outcome.strayed:
                part.strayed.add(name)
            if known in outcome.weights:
                part.weights[name] = outcome.weights[known]
            if self.plan.graph.nodes[name].zone:
                inside = (used for label, used in outcome.weights.items() if label.startswith(f"{known}/"))
                part.weights[name] = part.weights.get(name, set()).union(*inside)
        return Chronicle(self.plan, part, self.parameters, whole.archive)


@dataclass(frozen=True)
class SweepPlan:
    """A sweep before it runs: its variations, and one plan for all of them."""

    parts: tuple[Part, ...]
    plan: Plan

    def users(self) -> dict[str, list[int]]:
        """Map each node of the plan to the numbers of the variations that need it."""
        found: dict[str, list[int]] = {}
        for part in self.parts:
            for known in dict.fromkeys(part.names.values()):
                found.setdefault(known, []).append(part.number)
        return found


def combine(axes: Mapping[str, Sequence[JSON]], how: How = "product") -> list[dict[str, JSON]]:
    """Return the combinations of values: all of them, the last axis turning fastest, or the first of each, and so on.

    Raises:
        WorkflowError: a list is empty, lists that are zipped differ in length, or there are too many combinations.
    """
    lengths = {name: len(values) for name, values in axes.items()}
    problems = [
        Problem("bad_value", name, "has no values to go through", cure="give one or more")
        for name, length in lengths.items()
        if not length
    ]
    if how == "zip" and len(set(lengths.values())) > 1:
        told = ", ".join(f"{name} has {length}" for name, length in lengths.items())
        cure = "give each as many values, or take all combinations"
        problems.append(Problem("bad_value", "", f"lists of different lengths: {told}", cure=cure))
    number = prod(lengths.values()) if how == "product" else max(lengths.values(), default=1)
    if number > MOST:
        message = f"there are {number:,} combinations of values"
        problems.append(Problem("too_large", "", message, number, f"up to {MOST:,}", "give fewer values"))
    if problems:
        raise WorkflowError(problems)
    rows = product(*axes.values()) if how == "product" else zip(*axes.values(), strict=True)
    return [dict(zip(axes, row, strict=True)) for row in rows]


def sweep(
    engine: Engine,
    source: Source,
    axes: Mapping[str, Sequence[JSON]],
    parameters: Mapping[str, JSON] | None = None,
    *,
    how: How = "product",
    targets: Sequence[str] | None = None,
    force: Force = (),
    listen: Callable[[Event], None] | None = None,
    control: Control | None = None,
    previews: bool = True,
    priority: int = 0,
) -> SweepReport:
    """Carry a workflow out with each combination of values of some parameters, as one run.

    Args:
        engine: What carries it out.
        source: The workflow.
        axes: The values that each parameter takes.
        parameters: The values of other parameters, the same in all variations.
        how: `product` combines each value with each, `zip` takes them side by side.
        targets: Node names; the workflow's own targets by default.
        force: Nodes that run again in every variation, whatever is kept of them.
        listen: Receives the events of all variations, in this thread.
        control: Cancels all of it from another thread.
        previews: Whether `listen` wants the pictures that nodes show while they work.
        priority: As in `Engine.execute`.

    Raises:
        WorkflowError: a variation cannot run as written; tells what is wrong with any of them.
        PathError: files are made, and the outputs folder cannot be written to.
    """
    planned = plan_sweep(engine, source, axes, parameters, how=how, targets=targets, force=force)
    return carry_out(engine, planned, listen=listen, control=control, previews=previews, priority=priority)


def plan_sweep(
    engine: Engine,
    source: Source,
    axes: Mapping[str, Sequence[JSON]],
    parameters: Mapping[str, JSON] | None = None,
    *,
    how: How = "product",
    targets: Sequence[str] | None = None,
    force: Force = (),
) -> SweepPlan:
    """Check all variations of a workflow and plan them as one run; the arguments are those of `sweep`.

    Raises:
        WorkflowError: a variation cannot run as written; tells what is wrong with any of them, each thing once, and
            with which values where only some have it.
    """
    parts, graph = _lay_together(_plan_each(engine, source, combine(axes, how), parameters or {}, targets, force))
    again = {part.names[name] for part in parts for name in part.plan.forced}
    return SweepPlan(tuple(parts), engine.plan(graph, force=again))


def carry_out(
    engine: Engine,
    planned: SweepPlan,
    *,
    identity: str | None = None,
    listen: Callable[[Event], None] | None = None,
    control: Control | None = None,
    previews: bool = True,
    priority: int = 0,
) -> SweepReport:
    """Carry a planned sweep out; the arguments are those of `Engine.execute`.

    Raises:
        PathError: files are made, and the outputs folder cannot be written to.
    """
    parts = planned.parts
    home = {known: (part, name) for part in reversed(parts) for name, known in part.names.items()}
    written: dict[str, list[str]] = {}
    folder = engine.config.roots.outputs
    if any(node.writes_files for node in planned.plan.graph.nodes.values()):
        check_folder(folder)

    def take(node: str, files: Files, whole: Chronicle) -> tuple[str, ...]:
        part, name = home[node]
        made_by = part.chronicle(whole).provenance(name)
        names = write_files(files, folder, engine.registry.formats, made_by)
        written.setdefault(node, []).extend(names)
        return names

    skipped: set[str] = set()

    def hear(event: Event) -> None:
        if isinstance(event, NodeSkipped):
            skipped.add(event.node)
        if listen:
            listen(event)

    previews = previews and listen is not None
    report = engine.execute(
        planned.plan,
        identity=identity,
        listen=hear,
        control=control,
        previews=previews,
        take=take,
        priority=priority,
    )
    places = {file: place for place, file in enumerate(report.files)}
    for files in written.values():
        files.sort(key=places.__getitem__)
    failures: dict[str, list[NodeError]] = {}
    for failure in report.failures:
        failures.setdefault(_root_of(failure.node, home), []).append(failure)
    stopped = skipped if report.status == "cancelled" else set()
    return SweepReport(tuple(_result(part, report, failures, stopped, written) for part in parts), report)


_Planned: TypeAlias = tuple[Mapping[str, JSON], Mapping[str, JSON], Plan]
"""A variation: the values swept, all values given, its plan."""


def _plan_each(
    engine: Engine,
    source: Source,
    combinations: Sequence[Mapping[str, JSON]],
    parameters: Mapping[str, JSON],
    targets: Sequence[str] | None,
    force: Force,
) -> list[_Planned]:
    """Check and plan each variation by itself, looking nothing up."""
    workflow = engine.read(source)
    planned: list[_Planned] = []
    problems: dict[str, tuple[Problem, list[Mapping[str, JSON]]]] = {}
    for values in combinations:
        try:
            given = {**parameters, **values}
            graph = engine.check(workflow, given)
            planned.append((values, given, make_plan(graph, None, engine.device, engine.path_of, targets, force)))
        except WorkflowError as error:
            for problem in error.problems:
                problems.setdefault(str(problem), (problem, []))[1].append(values)
    if problems:
        sets = {name: parameter.sets for name, parameter in workflow.parameters.items()}
        raise WorkflowError([_narrowed(*found, combinations, sets) for found in problems.values()])
    return planned


def _narrowed(
    problem: Problem,
    rows: Sequence[Mapping[str, JSON]],
    combinations: Sequence[Mapping[str, JSON]],
    sets: Mapping[str, Sequence[str]],
) -> Problem:
    """Say with which values a problem comes that only some variations have, unless its place says so."""
    first = rows[0]
    shared = {
        name: value
        for name, value in first.items()
        if problem.place not in (name, *sets.get(name, ()))
        and all(row[name] == value for row in rows)
        and any(row[name] != value for row in combinations)
    }
    if not shared:
        return problem
    values = " and ".join(f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in shared.items())
    return replace(problem, message=f"{problem.message} (with {values})")


def _lay_together(planned: Sequence[_Planned]) -> tuple[list[Part], Graph]:
    """Lay the variations' graphs into one, in which nodes with the same key stand once."""
    users: dict[str, int] = {}
    for _, _, plan in planned:
        for used in {key for key in plan.keys.values() if key}:
            users[used] = users.get(used, 0) + 1
    parts: list[Part] = []
    nodes: dict[str, GraphNode] = {}
    by_key: dict[str, str] = {}
    outputs: dict[str, Wire] = {}
    targets: dict[str, None] = {}
    for number, (swept, given, plan) in enumerate(planned, 1):
        names: dict[str, str] = {}
        for name in plan.recipes:
            key = plan.keys[name]
            fresh = name if key and users[key] == len(planned) else f"{name}@{number}"
            known = names[name] = by_key.setdefault(key, fresh) if key else fresh
            if known not in nodes:
                nodes[known] = _renamed(plan.graph.nodes[name], known, names)
        parts.append(Part(number, swept, given, plan, names))
        targets |= dict.fromkeys(names[name] for name in plan.targets)
        for output, wire in plan.graph.outputs.items():
            if wire.node in names:
                outputs[f"{output}@{number}"] = Wire(names[wire.node], wire.output)
    return parts, replace(planned[0][2].graph, nodes=nodes, outputs=outputs, targets=tuple(targets))


def _renamed(node: GraphNode, name: str, names: Mapping[str, str]) -> GraphNode:
    wires = {
        socket: tuple(Wire(names[wire.node], wire.output) for wire in wires) for socket, wires in node.wires.items()
    }
    return node._replace(name=name, wires=wires)


def _root_of(label: str, known: Mapping[str, object]) -> str:
    """Return the node of the whole graph that a label names, or that what it names stands in."""
    while label not in known and "/" in label:
        label = label.rpartition("/")[0]
    return label


def _result(
    part: Part,
    report: Report,
    failures: Mapping[str, Sequence[NodeError]],
    stopped: Collection[str],
    written: Mapping[str, Sequence[str]],
) -> Variation:
    """Say what a variation gave."""
    names = dict.fromkeys(part.names.values())
    outputs = {name: f"{name}@{part.number}" for name in part.plan.graph.outputs}
    own = [failure for name in names for failure in failures.get(name, ())]
    left = any(part.names[target] in stopped for target in part.plan.targets)
    status: RunStatus = "failed" if own else "cancelled" if left else "done"
    files = [file for name in names for file in written.get(name, ())]
    found = {name: report.outputs.stored[known] for name, known in outputs.items() if known in report.outputs.stored}
    blocked = {name: report.blocked[known] for name, known in outputs.items() if known in report.blocked}
    return Variation(part.number, part.swept, part.parameters, status, Outputs(found, files), tuple(own), blocked)
