"""Pin nodes of a workflow to what they gave in a run, and unpin them: in a document, and in its file.

In: a workflow, and the values that a node gave. Out: the workflow with the mode `pin` on that node and the digests of
the values, which are written to the pins folder first (pins.py); everything else in a file stays as it is written.

    values = last_values(engine, path, "sample")
    pin_file(engine, path, "sample", values)
    unpin_file(engine, path, "sample")

An editor does the same with a document in hand: `pin` and `unpin` return a changed one.
"""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from graphgen.cache import StoredValue
from graphgen.engine import Engine
from graphgen.errors import PathError, Problem, WorkflowError, did_you_mean, one_of
from graphgen.explain import read_record
from graphgen.faces import find_subgraph, pinned_whole
from graphgen.jsonedit import remove_member, set_member
from graphgen.jsontypes import JSON
from graphgen.pins import blocked, gave_key, hold
from graphgen.recipe import PINNED
from graphgen.record import RunRecord
from graphgen.workflow import Node, Workflow, parse

Values = Mapping[str, StoredValue]


def last_values(
    engine: Engine, path: Path, node: str, parameters: Mapping[str, JSON] | None = None
) -> Mapping[str, StoredValue]:
    """Return what a node gave in the last run of a workflow's file.

    What is not kept any more is computed again, if the workflow and the parameters still say the same.

    Raises:
        WorkflowError: no run of it is recorded, or what it gave is gone.
    """
    entry = read_record(engine.config.roots.cache, str(path.resolve())).get(node)
    run = f"`graphgen run {path} --only {node}`"
    if entry is None:
        place_to_pin(engine, engine.read(path), node)  # it may be no node's name at all
        message = "no run of it is recorded here"
        raise WorkflowError([Problem("not_recorded", node, message, cure=f"run it first: {run}")])
    recipe = entry.get("recipe")
    if isinstance(recipe, Mapping) and recipe.get("environment") == PINNED:
        cure = f"`graphgen unpin {path} {node}`, run it, then pin it"
        raise WorkflowError([Problem("pinned", node, "was pinned in the last run already", cure=cure)])
    key, gave = entry.get("key"), entry.get("gave")
    digests = {str(name): str(digest) for name, digest in gave.items()} if isinstance(gave, Mapping) else None
    if found := _find(engine, str(key or ""), digests):
        return found
    if key and (again := _compute(engine, path, node, parameters, str(key))):
        return again
    raise WorkflowError([Problem("not_kept", node, "what it gave in the last run is not kept any more", cure=run)])


def recorded_values(engine: Engine, record: RunRecord, node: str) -> Mapping[str, StoredValue]:
    """Return what a node gave in a run whose record is at hand: of a report, or in a picture.

    Raises:
        WorkflowError: the record has no such node, or what it gave is not kept here.
    """
    known = record.nodes.get(node)
    if known is None:
        names = tuple(record.nodes)
        message, cure = f"the run record has no node '{node}'", did_you_mean(node, names)
        raise WorkflowError([Problem("unknown_node", node, message, node, one_of(names), cure)])
    found = _find(engine, known.key, known.values or None)
    if found is None:
        cure = "run the picture again, then pin"
        raise WorkflowError([Problem("not_kept", node, "what it gave in that run is not kept here", cure=cure)])
    return found


def pin(engine: Engine, workflow: Workflow, node: str, values: Values) -> Workflow:
    """Return the workflow with a node pinned to values, which are written to the pins folder.

    Raises:
        WorkflowError: there is no such node, it cannot be pinned, or the values do not fit it.
        PathError: the pins folder cannot be written to.
    """
    place = place_to_pin(engine, workflow, node)
    pinned = _changed(workflow, place, {"mode": "pin", "pinned": _hold(engine, node, values)})
    try:
        engine.check(pinned)
    except WorkflowError as error:  # what else is wrong with the workflow is no reason not to pin
        if own := [problem for problem in error.problems if problem.place.partition(".")[0] == node]:
            raise WorkflowError(own) from error
    return pinned


def unpin(engine: Engine, workflow: Workflow, node: str) -> Workflow:
    """Return the workflow with a node that runs again. The values stay: other workflows may be pinned to them.

    Raises:
        WorkflowError: there is no such node, or it is not pinned.
    """
    place = place_of(engine, workflow, node)
    _check_pinned(_node_at(workflow, place), node)
    return _changed(workflow, place, {"mode": None, "pinned": {}})


def pin_file(engine: Engine, path: Path, node: str, values: Values) -> None:
    """Pin a node in a workflow's file, as `pin` does.

    Raises:
        WorkflowError: as `pin`, or it is no workflow's file.
        PathError: the file or the pins folder cannot be written to.
    """
    workflow = _read(engine, path)
    wanted = pin(engine, workflow, node, values)
    place = place_of(engine, workflow, node)
    digests: dict[str, JSON] = {name: value.digest for name, value in values.items()}

    def edit(text: str) -> str:
        return set_member(set_member(text, place, "mode", "pin"), place, "pinned", digests)

    _edit(path, edit, wanted)


def unpin_file(engine: Engine, path: Path, node: str) -> None:
    """Unpin a node in a workflow's file, as `unpin` does.

    Raises:
        WorkflowError: as `unpin`, or it is no workflow's file.
        PathError: the file cannot be written to.
    """
    workflow = _read(engine, path)
    wanted, place = unpin(engine, workflow, node), place_of(engine, workflow, node)
    _edit(path, lambda text: remove_member(remove_member(text, place, "pinned"), place, "mode"), wanted)


def place_to_pin(engine: Engine, workflow: Workflow, node: str) -> tuple[str, ...]:
    """Return the way to a node in a workflow's JSON, as `place_of`, if it is one that gives values of its own.

    Raises:
        WorkflowError: there is none, or it is one that cannot be pinned by itself.
    """
    place = place_of(engine, workflow, node)
    found = _node_at(workflow, place)
    subgraph = None if found.repeated else find_subgraph(found.type, workflow, engine.registry)
    if subgraph is not None:
        raise WorkflowError([pinned_whole(node, subgraph)])
    return place


def place_of(engine: Engine, workflow: Workflow, node: str) -> tuple[str, ...]:
    """Return the way to a node in a workflow's JSON; one inside a subgraph stands where that is defined.

    Raises:
        WorkflowError: there is none, or it is one that cannot be pinned by itself.
    """
    place: tuple[str, ...] = ()
    nodes: Mapping[str, Node] = workflow.nodes
    *around, last = node.split("/")
    for depth, part in enumerate(around):
        found = nodes.get(part)
        full = "/".join(around[: depth + 1])
        if found is None:
            raise WorkflowError([_unknown(node, workflow)])
        if found.repeated:
            message, cure = f"'{full}' is a map or a loop, whose turns are not pinned one by one", f"pin '{full}'"
            raise WorkflowError([Problem("inside_zone", node, message, node, cure=cure)])
        name = found.type.removeprefix("subgraph.")
        if name == found.type or name not in workflow.subgraphs:
            if find_subgraph(found.type, workflow, engine.registry) is None:
                raise WorkflowError([_unknown(node, workflow)])
            message = f"stands in a {found.type}, which comes with a plugin and not with the file"
            raise WorkflowError([Problem("inside_plugin", node, message, node, cure="pin what it is wired to")])
        if _uses(workflow, found.type) > 1:
            message = f"the subgraph '{name}' is used more than once, and a pin inside would hold in all of them"
            cure = "copy the subgraph under another name for this use"
            raise WorkflowError([Problem("used_often", node, message, node, cure=cure)])
        place, nodes = ("subgraphs", name), workflow.subgraphs[name].nodes
    if last not in nodes:
        raise WorkflowError([_unknown(node, workflow)])
    return (*place, "nodes", last)


def _uses(workflow: Workflow, type_: str) -> int:
    parts = (workflow.nodes, *(subgraph.nodes for subgraph in workflow.subgraphs.values()))
    return sum(node.type == type_ for nodes in parts for node in nodes.values())


def _unknown(node: str, workflow: Workflow) -> Problem:
    known = tuple(workflow.nodes)
    message, cure = f"no node is named '{node}'", did_you_mean(node, known)
    return Problem("unknown_node", node, message, node, one_of(known), cure)


def _find(engine: Engine, key: str, digests: Mapping[str, str] | None) -> Values | None:
    """Return what is kept of a result, if it is what the digests say, where they are known."""
    for where in filter(None, (key, gave_key(digests) if digests else "")):
        result = engine.cache.fetch(where)
        given = {name: value.digest for name, value in result.values.items()} if result else None
        if result and digests in (None, given):
            return result.values
    return None


def _compute(engine: Engine, path: Path, node: str, parameters: Mapping[str, JSON] | None, key: str) -> Values | None:
    """Return what a node gives, if its key is still this one."""
    plan = engine.plan(engine.check(path, parameters), [node])
    if plan.keys[node] != key:
        return None
    engine.execute(plan)
    return _find(engine, key, None)


def _hold(engine: Engine, node: str, values: Values) -> dict[str, JSON]:
    """Write values to the pins folder; return their digests."""
    if reason := blocked(values):
        message = f"gave no value to be pinned to: {reason}"
        raise WorkflowError([Problem("blocked", node, message, cure="pin what comes before it")])
    for value in values.values():
        hold(value, engine.config.roots.data)
    return {name: value.digest for name, value in values.items()}


def _read(engine: Engine, path: Path) -> Workflow:
    if path.suffix.lower() in engine.registry.formats:
        cure = "save the workflow that it carries as JSON, and pin there"
        message = "is a picture; what it carries tells how it was made, and is not edited"
        raise WorkflowError([Problem("not_a_workflow", str(path), message, cure=cure)])
    return engine.read(path)


def _node_at(workflow: Workflow, place: tuple[str, ...]) -> Node:
    nodes = workflow.subgraphs[place[1]].nodes if place[0] == "subgraphs" else workflow.nodes
    return nodes[place[-1]]


def _check_pinned(found: Node, node: str) -> None:
    if found.mode != "pin" and not found.pinned:
        raise WorkflowError([Problem("not_pinned", node, "is not pinned", cure="nothing has to be done")])


def _changed(workflow: Workflow, place: tuple[str, ...], update: Mapping[str, JSON]) -> Workflow:
    """Return the workflow with a node changed."""
    node = _node_at(workflow, place).model_copy(update=dict(update))
    if place[0] == "nodes":
        return workflow.model_copy(update={"nodes": {**workflow.nodes, place[-1]: node}})
    subgraph = workflow.subgraphs[place[1]]
    inside = subgraph.model_copy(update={"nodes": {**subgraph.nodes, place[-1]: node}})
    return workflow.model_copy(update={"subgraphs": {**workflow.subgraphs, place[1]: inside}})


def _edit(path: Path, edit: Callable[[str], str], wanted: Workflow) -> None:
    """Change a file at once or not at all; links are followed, and its permissions stay.

    Raises:
        PathError: the file cannot be written to.
    """
    path = path.resolve()
    text = path.read_bytes().decode("utf-8")
    mark = "\ufeff" if text.startswith("\ufeff") else ""
    changed = edit(text.removeprefix(mark))
    assert parse(changed) == wanted  # noqa: S101 - nothing but the node was touched
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        part.write_bytes((mark + changed).encode("utf-8"))
        shutil.copymode(path, part)
        part.replace(path)
    except OSError as error:
        why = f"{path} cannot be written to: {error.strerror or error}"
        raise PathError(why, cure="change its permissions") from error
    finally:
        with suppress(OSError):
            part.unlink()
