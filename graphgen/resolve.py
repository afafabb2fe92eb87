"""Names to things: each node to its NodeSpec, migrated to the installed version, and each wire to its ends.

In: a workflow with its subgraphs written out, and the `Registry`. Out: `ResolvedNode`s; what cannot be resolved becomes
a Problem.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from graphgen.errors import Problem, did_you_mean, one_of
from graphgen.faces import find_subgraph
from graphgen.jsontypes import JSON
from graphgen.offers import Offers
from graphgen.registry import Registry
from graphgen.spec import InputSpec, NodeSpec, SettingSpec
from graphgen.subgraphs import Flat
from graphgen.types import SocketType, conversion_of, fits
from graphgen.wires import Wire, misfit, wire_of
from graphgen.workflow import Mode, Node
from graphgen.zones import Zone, make_zone

_NOTHING: Mapping[str, Any] = MappingProxyType({})


class ResolvedNode(NamedTuple):
    """A node whose type is installed.

    `inputs` are its wires as written, `wires` those whose other end was found; `sound` tells that all were, so that
    `infer` may be asked.
    """

    name: str
    spec: NodeSpec
    settings: Mapping[str, JSON]
    inputs: Mapping[str, str | list[str]]
    mode: Mode | None
    renamed_settings: Mapping[str, str] = _NOTHING
    renamed_outputs: Mapping[str, str] = _NOTHING
    wires: Mapping[str, tuple[Wire, ...]] = _NOTHING
    sound: bool = True
    zone: Zone | None = None
    converts: bool = False
    """Whether a wire may need a conversion."""
    pinned: Mapping[str, str] = _NOTHING
    """The digests of the values it is pinned to, by output."""

    @property
    def plain(self) -> bool:
        """Whether it is carried out as it is: by itself, with what its wires bring."""
        return self.mode is None and self.zone is None and not self.converts


def resolve_nodes(flat: Flat, registry: Registry, problems: list[Problem]) -> dict[str, ResolvedNode]:
    """Resolve all nodes that are not muted, then all wires between them."""
    nodes: dict[str, ResolvedNode] = {}
    for name, node in flat.nodes.items():
        if node.mode == "mute" or name in flat.refused:
            continue  # nobody minds what is wrong with a muted one, not even that its plugin is missing
        spec = registry.nodes.get(node.type)
        if node.repeated:
            if found := _resolve_zone(name, node, flat, registry, problems):
                nodes[name] = found
        elif spec is None:
            problems.extend([_unknown_node(name, node.type, registry)] if node.type else [])  # told by its form
        elif resolved := _migrate(name, node, spec, problems):
            nodes[name] = resolved
    offers = Offers(nodes, registry)
    return {name: _resolve_wires(node, flat, nodes, registry, offers, problems) for name, node in nodes.items()}


def _resolve_zone(
    name: str, node: Node, flat: Flat, registry: Registry, problems: list[Problem]
) -> ResolvedNode | None:
    """Resolve a node that is repeated; its settings are its body's."""
    if node.type not in registry.nodes and not find_subgraph(node.type, flat, registry):
        problems.append(_unknown_node(name, node.type, registry))
        return None
    made = make_zone(name, node, flat, registry, problems)
    return ResolvedNode(name, made[0], {}, node.inputs, node.mode, zone=made[1], pinned=node.pinned) if made else None


def _unknown_node(name: str, type_: str, registry: Registry) -> Problem:
    pack = type_.partition(".")[0]
    for plugin in registry.broken:
        if plugin.name == pack:
            message = f"the node '{type_}' is missing because the plugin '{pack}' could not be loaded: {plugin.error}"
            cure = "`graphgen plugins` shows the whole error"
            return Problem("broken_plugin", name, message, type_, cure=cure)
    near = registry.suggest(type_)
    cure = near or "`graphgen nodes` lists those that are"
    if "." in type_ and not any(known.startswith(f"{pack}.") for known in registry.nodes):
        cure = f"install the plugin that provides '{pack}'; {cure}"
    return Problem("unknown_node", name, f"no node '{type_}' is installed", type_, cure=cure)


def _migrate(name: str, node: Node, spec: NodeSpec, problems: list[Problem]) -> ResolvedNode | None:
    saved = node.version or spec.version
    if saved > spec.version:
        message = f"was saved with version {saved} of {spec.id}; version {spec.version} is installed"
        parts: dict[str, JSON] = {"type": spec.id, "installed": spec.version}
        cure = "update the plugin that provides it"
        problems.append(Problem("newer_node", name, message, saved, cure=cure, parts=parts))
        return None
    if saved == spec.version:
        return ResolvedNode(name, spec, node.settings, node.inputs, node.mode, pinned=node.pinned)
    settings: dict[str, JSON] = dict(node.settings)
    inputs = dict(node.inputs)
    names: dict[str, str] = {}
    outputs: dict[str, str] = {}
    for version in range(saved, spec.version):
        if step := spec.migrations.get(version):
            settings = {step.settings.get(key, key): value for key, value in settings.items()}
            inputs = {{**step.inputs, **step.settings}.get(key, key): value for key, value in inputs.items()}
            settings = step.rewrite(settings) if step.rewrite else settings
            names = _chain(names, step.settings)
            outputs = _chain(outputs, step.outputs)
    return ResolvedNode(name, spec, settings, inputs, node.mode, names, outputs, pinned=node.pinned)


def setting_now(node: Node, spec: NodeSpec, name: str) -> str:
    """Return what a saved node's setting is called in the installed version."""
    for version in range(node.version or spec.version, spec.version):
        if step := spec.migrations.get(version):
            name = step.settings.get(name, name)
    return name


def _chain(first: Mapping[str, str], then: Mapping[str, str]) -> dict[str, str]:
    """Compose two renamings."""
    return {old: then.get(new, new) for old, new in first.items()} | {
        old: new for old, new in then.items() if old not in first
    }


def _resolve_wires(
    node: ResolvedNode,
    flat: Flat,
    nodes: Mapping[str, ResolvedNode],
    registry: Registry,
    offers: Offers,
    problems: list[Problem],
) -> ResolvedNode:
    wires: dict[str, tuple[Wire, ...]] = {}
    before, converts = len(problems), False
    for socket, sources in node.inputs.items():
        place = f"{node.name}.{socket}"
        target = _socket(node, socket, place, problems)
        if target is None:
            continue
        texts = sources if isinstance(sources, list) else [sources]
        if not isinstance(target, InputSpec) or not target.many:
            texts = _only_one(texts, place, sources, problems)
        found = [wire for text in texts if (wire := wire_of(text, place, flat, nodes, problems))]
        for wire, out in _misfits(found, target.type, nodes, registry):
            if conversion_of(out, target.type, registry.types):
                converts = True
            else:
                problems.append(misfit(wire, out, place, target.type))
        if len(found) == len(texts):
            wires[socket] = tuple(found)
    if node.mode not in ("bypass", "pin"):
        problems.extend(_missing(node, offers))
    sound = len(problems) == before and len(wires) == len(node.inputs)
    return node._replace(wires=wires, sound=sound, converts=converts)


def _socket(node: ResolvedNode, socket: str, place: str, problems: list[Problem]) -> InputSpec | SettingSpec | None:
    """Find the input or setting a wire goes into, or report why it cannot."""
    spec = node.spec
    if found := spec.input(socket):
        return found
    setting = spec.setting(socket)
    if setting is None:
        known = (*(item.name for item in spec.inputs), *(item.name for item in spec.settings))
        message, cure = f"{spec.id} has no input '{socket}'", did_you_mean(socket, known)
        problems.append(Problem("unknown_input", place, message, None, one_of(known), cure))
        return None
    if not setting.wireable:
        problems.append(
            Problem("not_wireable", place, "this setting cannot be wired", cure="write its value in settings")
        )
        return None
    if socket in node.settings:
        message = "has both a wire and a value"
        problems.append(Problem("wire_and_value", place, message, node.settings[socket], cure="remove one of the two"))
        return None
    return setting


def _only_one(texts: list[str], place: str, sources: str | list[str], problems: list[Problem]) -> list[str]:
    if not isinstance(sources, list) or len(texts) == 1:
        return texts
    if not texts:
        cure = 'write "node.output" instead of the list, or leave it out'
        problems.append(Problem("no_wire", place, "takes one wire, but the list of wires is empty", texts, cure=cure))
        return texts
    message = f"takes one wire, but {len(texts)} come in"
    cure = "keep one of them"
    problems.append(Problem("too_many_wires", place, message, texts, cure=cure, parts={"count": len(texts)}))
    return texts[:1]


def _misfits(
    wires: Iterable[Wire], into: SocketType, nodes: Mapping[str, ResolvedNode], registry: Registry
) -> Iterable[tuple[Wire, SocketType]]:
    """Find the wires that do not fit as they are, and what they bring."""
    for wire in wires:
        source = nodes.get(wire.node)
        output = source.spec.output(wire.output) if source else None
        if output and not fits(output.type, into, registry.types):
            yield wire, output.type


def _missing(node: ResolvedNode, offers: Offers) -> Iterable[Problem]:
    for name in node.spec.required:
        if name not in node.inputs and (item := node.spec.input(name)):
            message = f"nothing is wired here; it takes a value of type {item.type}"
            parts = {"type": str(item.type)}
            cure = offers.cure(node.name, item)
            yield Problem("missing_input", f"{node.name}.{name}", message, cure=cure, parts=parts)
