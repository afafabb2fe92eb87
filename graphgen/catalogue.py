"""What there is to build with: the nodes, and the subgraphs that plugins ship, which are listed and shown like nodes.

In: the `Registry`. Out: a `NodeSpec` for each, or all as JSON. Nothing runs by the spec of a subgraph: it is written
out before anything runs (see subgraphs.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from copy import copy
from typing import Any, NoReturn

from pydantic import create_model
from pydantic.fields import FieldInfo

from graphgen.faces import find_subgraph, output_type, setting_behind
from graphgen.jsontypes import JSON
from graphgen.registry import Registry
from graphgen.spec import InputSpec, NodeSpec, OutputSpec, SettingSpec, label_of
from graphgen.types import parse_type
from graphgen.workflow import Node, Subgraph, Workflow


def all_nodes(registry: Registry) -> dict[str, NodeSpec]:
    """Return the specs of the nodes and of the shipped subgraphs, by id, in alphabetical order."""
    faces = {name: face_of(name, subgraph, registry) for name, subgraph in registry.subgraphs.items()}
    return dict(sorted({**registry.nodes, **faces}.items()))


def catalogue_json(registry: Registry) -> dict[str, JSON]:
    """Return all nodes and shipped subgraphs, their categories with titles, and the rules of wires, as JSON."""
    specs = all_nodes(registry)
    categories = {name: label_of(name) for name in sorted({spec.category for spec in specs.values()})}
    nodes = {name: spec.to_json() for name, spec in specs.items()}
    return {**registry.catalogue(), "nodes": nodes, "categories": categories}


def face_of(name: str, subgraph: Subgraph, registry: Registry) -> NodeSpec:
    """Return what a subgraph takes and gives. What is behind a part of it that is not installed is left out."""
    inside = Workflow(nodes=subgraph.nodes)
    ends = {
        key: output_type(end.source, subgraph.nodes, subgraph, inside, registry)
        for key, end in subgraph.outputs.items()
    }
    settings, fields = _settings(subgraph, inside, registry)
    specs = list(_specs(subgraph.nodes, registry, frozenset((name,))))
    pack, _, function = name.partition(".")
    return NodeSpec(
        id=name,
        title=label_of(function),
        category=pack,
        description=subgraph.description,
        version=subgraph.version,
        device="gpu" if any(spec.device == "gpu" for spec in specs) else "cpu",
        cheap=False,
        pure=all(spec.pure for spec in specs),
        effect=any(spec.effect for spec in specs),
        asynchronous=False,
        inputs=tuple(
            InputSpec(key, parse_type(face.type), face.description, face.many) for key, face in subgraph.inputs.items()
        ),
        settings=tuple(settings),
        outputs=tuple(OutputSpec(key, kind, subgraph.outputs[key].description) for key, kind in ends.items() if kind),
        model=create_model("Parameters", **fields),
        function=_never,
        arguments=(),
        context=None,
        classes=(),
    )


def _settings(subgraph: Subgraph, inside: Workflow, registry: Registry) -> tuple[list[SettingSpec], dict[str, Any]]:
    """Return a subgraph's parameters, and fields that take what the settings behind them take."""
    settings: list[SettingSpec] = []
    fields: dict[str, Any] = {}
    for name, parameter in subgraph.parameters.items():
        node, setting, given = setting_behind(parameter.sets[0], inside, registry)
        spec = registry.nodes.get(node.type) if node else None
        behind = spec.setting(setting) if spec else None
        if spec is None or behind is None:
            continue
        field: FieldInfo = copy(spec.model.model_fields[setting])
        field.description = parameter.description or field.description
        if setting in given:
            field.default = given[setting]
        settings.append(SettingSpec(name, behind.type, field.is_required(), behind.wireable))
        fields[name] = (field.annotation, field)
    return settings, fields


def _specs(nodes: Mapping[str, Node], registry: Registry, seen: frozenset[str]) -> Iterator[NodeSpec]:
    """Yield the specs of a subgraph's nodes, other subgraphs looked through."""
    for type_ in _types(nodes):
        subgraph = find_subgraph(type_, Workflow(nodes={}), registry)
        if subgraph is not None and type_ not in seen:
            yield from _specs(subgraph.nodes, registry, seen | {type_})
        elif type_ in registry.nodes:
            yield registry.nodes[type_]


def _types(nodes: Mapping[str, Node]) -> Iterable[str]:
    return dict.fromkeys(node.type for node in nodes.values())


def _never() -> NoReturn:
    raise AssertionError("a subgraph is written out before anything runs")
