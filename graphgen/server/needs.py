"""What workflows need of a machine beside graphgen: models, pictures and kinds of nodes; and whether it is there.

In: documents, as they lie in their files, in order or not. Out: names. Nothing is checked or opened for it: a document
is looked through once, and then each name costs a look at the disk. So a list of many can tell which of them run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeAlias

from pydantic import BaseModel

from graphgen.errors import PathError
from graphgen.registry import Registry
from graphgen.widgets import File, RootName

NeedKind: TypeAlias = Literal["model", "input", "node"]
_KINDS: Mapping[RootName, NeedKind] = {"models": "model", "inputs": "input"}
_ROOTS: Mapping[NeedKind, RootName] = {kind: root for root, kind in _KINDS.items()}


class Need(NamedTuple):
    """Something that a workflow names: a file of the models or inputs root, or a kind of node."""

    kind: NeedKind
    name: str


class Machine:
    """What is installed, and where files lie: `path_of` returns where a name lies in a root, or raises PathError."""

    def __init__(self, registry: Registry, path_of: Callable[[RootName, str], Path]) -> None:
        self._registry = registry
        self._path_of = path_of

    def needs_of(self, document: Mapping[str, Any]) -> tuple[Need, ...]:
        """List what a workflow names, without repetitions, models first."""
        subgraphs = _members(document, "subgraphs")
        found = dict.fromkeys(need for node in _nodes_of(document) for need in self._of_node(node, subgraphs))
        return tuple(sorted(found, key=lambda need: (need.kind != "model", need.kind != "input")))

    def lacks(self, needs: tuple[Need, ...], known: dict[Need, bool]) -> list[Need]:
        """Return those needs that are not met; `known` remembers what was looked up for others of one list."""
        for need in needs:
            if need not in known:
                known[need] = self._has(need)
        return [need for need in needs if not known[need]]

    def find(self, need: Need) -> Path | None:
        """Return where a model or an input lies; None where it is not there."""
        try:
            return self._path_of(_ROOTS[need.kind], need.name)
        except (PathError, OSError):
            return None

    def renamed(self, document: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
        """Return a workflow that reads its inputs by other names; those that are not given stay."""
        changed = deepcopy(dict(document))
        for node in _nodes_of(changed):
            spec, settings = self._registry.nodes.get(str(node.get("type"))), node.get("settings")
            if spec is None or not isinstance(settings, dict):
                continue
            for setting, need, _ in _files_of(spec.model):
                name = settings.get(setting)
                if need == "input" and isinstance(name, str):
                    settings[setting] = names.get(name, name)
        return changed

    def _of_node(self, node: Mapping[str, Any], subgraphs: Mapping[str, Any]) -> Iterator[Need]:
        kind = node.get("type")
        if not isinstance(kind, str) or node.get("mode") in ("mute", "bypass"):
            return
        spec = self._registry.nodes.get(kind)
        if spec is not None:
            settings, wires = _members(node, "settings"), _members(node, "inputs")
            for setting, need, usual in _files_of(spec.model):
                name = settings.get(setting, usual)
                if isinstance(name, str) and name and setting not in wires:
                    yield Need(need, name)
        elif kind not in self._registry.subgraphs and kind.removeprefix("subgraph.") not in subgraphs:
            yield Need("node", kind)

    def _has(self, need: Need) -> bool:
        return need.kind != "node" and self.find(need) is not None


@cache
def _files_of(model: type[BaseModel]) -> tuple[tuple[str, NeedKind, object], ...]:
    """Return a node's settings that name files: each with its root's kind, and what it is if nothing is said."""
    return tuple(
        (name, _KINDS[mark.root], info.get_default())
        for name, info in model.model_fields.items()
        for mark in info.metadata
        if isinstance(mark, File) and mark.root in _KINDS
    )


def _nodes_of(document: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the nodes of a document and of its subgraphs."""
    for graph in (document, *_members(document, "subgraphs").values()):
        yield from (node for node in _members(graph, "nodes").values() if isinstance(node, Mapping))


def _members(holder: object, name: str) -> Mapping[str, Any]:
    """Return an object in a document that may be anything."""
    found = holder.get(name) if isinstance(holder, Mapping) else None
    return found if isinstance(found, Mapping) else {}
