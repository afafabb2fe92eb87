"""What a node's result is known by, once its inputs are there: its value key, and the recipe key that was planned.

In: a job. Out: its keys, and the fingerprint of what it reads from outside, which may have changed since the plan.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import cast

from graphgen.execution import settle
from graphgen.inference import PathOf, known_of
from graphgen.jsontypes import JSON
from graphgen.recipe import inputs_by_recipe, inputs_by_value
from graphgen.scope import Job


def planned_key(job: Job) -> str | None:
    """Return the recipe key that the plan gave a node, if what lies above it came out as the plan assumed."""
    scope, node = job.scope, job.node
    strayed = scope.strayed
    if strayed and any(wire.node in strayed for wires in node.keyed_wires.values() for wire in wires):
        strayed.add(node.name)
        return None
    if node.lazy:
        asked = scope.front.asked(node.name)
        text = inputs_by_recipe(node, scope.plan.keys, scope.plan.given, node.lazy - asked)
        return None if text is None else scope.plan.recipes[node.name].key(text)
    return scope.plan.keys[node.name]


def identify(job: Job, planned: str | None, path_of: PathOf) -> None:
    """Give a job its keys, the value key first.

    Raises whatever a plugin's look at the outside world raises.
    """
    name, scope = job.node.name, job.scope
    job.fingerprint = _fingerprint(job, path_of)
    recipe = scope.plan.recipes[name]
    if job.fingerprint != recipe.fingerprint:
        scope.strayed.add(name)
        recipe, planned = recipe._replace(fingerprint=job.fingerprint), None
    keyless = job.node.spec.keyless
    keyed = ((socket, values) for socket, values in job.inputs.items() if socket not in keyless)
    digests = {socket: [value.digest for value in values] for socket, values in keyed}
    if job.node.lazy:  # neither one that waits nor one that was asked for in vain is the same as none
        asked = scope.front.asked(name)
        digests |= {socket: ["blocked" if socket in asked else "waits"] for socket in job.node.lazy - digests.keys()}
    by_value = recipe.key(inputs_by_value(digests))
    job.keys = (by_value, planned) if planned else (by_value,)


def unchanged(job: Job, path_of: PathOf) -> bool:
    """Tell whether what a node read is still what its key says; if not, its result is not kept."""
    if job.node.spec.fingerprint is None or not job.node.spec.pure:
        return True
    try:
        return _fingerprint(job, path_of) == job.fingerprint
    except Exception:  # it went away while it was read: the values serve this run and are not kept
        return False


def _fingerprint(job: Job, path_of: PathOf) -> str:
    """Identify what the node reads from outside, now that all its settings are known."""
    node = job.node
    if node.spec.fingerprint is None:
        return ""
    known = known_of(node, job.scope.plan.graph.nodes, path_of)
    if node.wired_settings:
        wired = {name: job.inputs[name][0].load() for name in node.wired_settings}
        known = replace(known, settings=cast(Mapping[str, JSON], settle(node.spec, node.settings, wired)))
    return node.spec.fingerprint(known)
