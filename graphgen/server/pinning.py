"""What a client asks to pin: found in a run or in the cache, and put where no full cache reaches it.

In: a workflow's document, the name of a node and, where a run is meant, what its nodes gave. Out: what is to be written
into that node. The document itself is the client's, who may be changing it meanwhile.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from graphgen.engine import Engine
from graphgen.errors import PathError, Problem, WorkflowError
from graphgen.narration import digests_of, summary_of
from graphgen.pinning import Values, pin, place_to_pin
from graphgen.pins import gave_key
from graphgen.plan import Plan
from graphgen.server.checking import Checker
from graphgen.server.planning import plan_what_can_be
from graphgen.server.requests import PinAsked, Planning
from graphgen.server.shapes import Pinned


class Given(NamedTuple):
    """A run: its workflow, its parameters, and the digests of what its nodes gave, by node and output."""

    document: Mapping[str, Any]
    parameters: Mapping[str, Any]
    digests: Mapping[str, Mapping[str, str]]


def pin_node(checker: Checker, document: Mapping[str, Any], asked: PinAsked, given: Given | None) -> Pinned:
    """Keep what a node gave, for as long as workflows are pinned to it; tell what to write into the node.

    Args:
        checker: Of whose engine the cache is, and the pins folder.
        document: The workflow.
        asked: The node, and what is set.
        given: The run that is meant; None where none is.

    Raises:
        WorkflowError: there is no such node, it cannot be pinned, or nothing that it gave is kept; tells how to get it.
        PathError: the pins folder cannot be written to.
    """
    engine, node = checker.engine, asked.node
    workflow = checker.read(document)
    place = place_to_pin(engine, workflow, node)
    values = _kept(checker, document, asked) if given is None else _given(checker, node, given)
    pin(engine, workflow, node, values)
    summaries = {output: summary_of(value) for output, value in values.items()}
    return {"node": node, "place": list(place), "pinned": digests_of(values), "summaries": summaries}


def _kept(checker: Checker, document: Mapping[str, Any], asked: PinAsked) -> Values:
    """Return what the cache holds of a node as the workflow stands."""
    node = asked.node
    planning = Planning(workflow=asked.workflow, parameters=asked.parameters, targets=[node])
    plan, problems = plan_what_can_be(checker, document, planning)
    if own := [problem for problem in problems if problem.place.partition(".")[0] == node]:
        raise WorkflowError(own)
    if node in plan.graph.nodes and plan.graph.nodes[node].pinned:
        raise WorkflowError([Problem("pinned", node, "is pinned already", cure="unpin it, run it, then pin it")])
    if values := _by_key(checker.engine, plan, node):
        return values
    message, cure = "nothing is kept of it as the workflow stands", "run the workflow up to it, then pin it"
    raise WorkflowError([Problem("not_kept", node, message, cure=cure)])


def _given(checker: Checker, node: str, given: Given) -> Values:
    """Return what a node gave in a run, as far as the cache still holds it."""
    digests = given.digests.get(node)
    if not digests:
        message, cure = "gave nothing in that run", "run the workflow up to it, then pin it"
        raise WorkflowError([Problem("not_in_run", node, message, cure=cure)])
    values = _by_digests(checker.engine, digests) or _computed_then(checker, node, given)
    if digests_of(values) != digests:
        message, cure = "what it gave in that run is not kept any more", "run it again, then pin it"
        raise WorkflowError([Problem("not_kept", node, message, cure=cure)])
    return values


def _by_digests(engine: Engine, digests: Mapping[str, str]) -> Values:
    """Return values by what they are; empty where one of them is not found that way."""
    if result := engine.cache.fetch(gave_key(digests)):
        return result.values
    found = {output: value for output, digest in digests.items() if (value := engine.cache.value(digest))}
    return found if len(found) == len(digests) else {}


def _computed_then(checker: Checker, node: str, given: Given) -> Values:
    """Return what the cache holds of a node of a run by how it was computed: small values are found that way alone."""
    try:
        plan = checker.engine.plan(checker.check(given.document, given.parameters), [node])
    except (WorkflowError, PathError):  # a file or plugin that it needed is gone since, and with it the key
        return {}
    return _by_key(checker.engine, plan, node)


def _by_key(engine: Engine, plan: Plan, node: str) -> Values:
    """Return what the cache holds of a node by its key; empty for nothing."""
    if node in plan.cached:
        return plan.cached[node].values
    key = plan.keys.get(node)
    result = engine.cache.fetch(key) if key and engine.use_cache else None
    return result.values if result else {}
