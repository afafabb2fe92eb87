"""What a run would do, told before anybody asks for it: for an editor, as one types.

In: a workflow's document and what is asked of it. Out: for each node what would happen to it, why, and how long it
would take. Nothing runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from graphgen.engine import Engine
from graphgen.errors import Problem, WorkflowError
from graphgen.explain import Explanation
from graphgen.narration import digests_of
from graphgen.plan import Plan
from graphgen.server.checking import Checker
from graphgen.server.requests import Planning
from graphgen.server.salvage import plan_sound_part
from graphgen.server.shapes import Planned, PlannedNode, ProblemView


def planned(checker: Checker, document: Mapping[str, Any], asked: Planning) -> Planned:
    """Say what a run would do; where nodes are wrong, what is told is of the others.

    Raises:
        WorkflowError: nothing of it is in order; tells all that is wrong.
    """
    engine = checker.engine
    plan, wrong = plan_what_can_be(checker, document, asked)
    problems = [problem.to_json() for problem in wrong]
    name = recorded_as(asked.identity or (asked.workflow if isinstance(asked.workflow, str) else ""))
    estimate, last, kept = engine.estimate(plan), engine.last_run(name), kept_values(engine, plan)
    told = engine.explain(plan, name)
    return {
        "nodes": [_node(item, estimate.nodes.get(item.node), kept.get(item.node, {})) for item in told],
        "left_out": dict(plan.graph.left_out),
        "to_run": plan.to_run,
        "cached": plan.found,
        "seconds": estimate.seconds,
        "unknown": list(estimate.unknown),
        "peak_bytes": estimate.peak_bytes,
        "compared": last.timestamp() if last else None,
        "problems": cast("list[ProblemView]", problems),
    }


def plan_what_can_be(
    checker: Checker, document: Mapping[str, Any], asked: Planning
) -> tuple[Plan, tuple[Problem, ...]]:
    """Return the plan of what is asked, or of the nodes that are in order, and what is wrong with the others.

    Raises:
        WorkflowError: nothing of it is in order; tells all that is wrong.
    """
    try:
        return checker.engine.plan(checker.check(document, asked.parameters), asked.targets, asked.force), ()
    except WorkflowError as error:
        sound = plan_sound_part(checker, document, asked, error.problems)
        if sound is None:
            raise
        return sound, error.problems


def kept_values(engine: Engine, plan: Plan) -> dict[str, dict[str, str]]:
    """Return the digests of what is kept of the nodes of a plan, by node and output: in the cache, or pinned."""
    found: dict[str, dict[str, str]] = {}
    for name, key in plan.keys.items():
        if pinned := plan.graph.nodes[name].pinned:
            found[name] = digests_of(pinned)
        elif name in plan.cached:
            found[name] = digests_of(plan.cached[name].values)
        elif key and engine.use_cache and (digests := engine.cache.outputs(key)):
            found[name] = digests
    return found


def recorded_as(identity: str) -> str | None:
    """Return what runs of a workflow are recorded under that goes by something; None where it goes by nothing."""
    return f"server: {identity}" if identity else None


def _node(item: Explanation, seconds: float | None, digests: dict[str, str]) -> PlannedNode:
    because = item.because
    return {
        "node": item.node,
        "state": item.state,
        "because": [
            {"kind": kind, "words": words, "about": about or None, "parts": dict(parts)}
            for kind, words, about, parts in because
        ],
        "seconds": seconds,
        "digests": digests,
    }
