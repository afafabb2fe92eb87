"""Write the generated pages of docs/: `python docs/generate.py`; with `--check`, say which are out of date."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from itertools import groupby
from pathlib import Path

import examples

from graphgen.catalogue import all_nodes
from graphgen.cli.words import limits, value_text
from graphgen.jsontypes import JSON
from graphgen.plugins import find_plugins
from graphgen.registry import Registry, build_registry
from graphgen.spec import NodeSpec, SettingSpec

PAGE = Path(__file__).parent / "nodes.md"


def page(registry: Registry) -> str:
    """Return docs/nodes.md: every built-in node with its inputs, settings and outputs."""
    own = {plugin.name for plugin in registry.plugins if plugin.distribution == "graphgen"}
    specs = [spec for spec in all_nodes(registry).values() if _pack(spec) in own]
    lines = ["# Nodes", "", "Made by `make docs` from the nodes themselves; `graphgen nodes NAME` shows the same.", ""]
    for pack, members in groupby(specs, key=_pack):
        lines += [f"## {pack}", ""]
        for spec in members:
            lines += [f"### {spec.id}", "", spec.description, *_yields(spec), "", *_table(spec), ""]
    return "\n".join(lines).rstrip() + "\n"


def _pack(spec: NodeSpec) -> str:
    return spec.id.partition(".")[0]


def _table(spec: NodeSpec) -> Iterator[str]:
    yield "| | name | type | |"
    yield "| --- | --- | --- | --- |"
    for item in spec.inputs:
        many = ", any number" if item.many else ", item by item" if item.stream else ""
        yield f"| input | `{item.name}` | {item.type}{many} | {item.description} |"
    properties = spec.settings_schema().get("properties", {})
    assert isinstance(properties, Mapping)  # noqa: S101 - JSON Schema describes settings by an object
    for setting in spec.settings:
        schema = properties[setting.name]
        yield f"| setting | `{setting.name}` | {_kind(setting, schema)} | {_about(schema)} |"
    for output in spec.outputs:
        yield f"| output | `{output.name}` | {output.type} | {output.description} |"


def _yields(spec: NodeSpec) -> list[str]:
    told = {"items": "It gives its list item by item.", "values": "It shows partial values while it works."}
    return ["", told[spec.yields]] if spec.yields else []


def _kind(setting: SettingSpec, schema: JSON) -> str:
    if not isinstance(schema, Mapping):
        return ""
    choices = schema.get("enum")
    if isinstance(choices, list):
        return " or ".join(f"`{choice}`" for choice in choices)
    return ", ".join(filter(None, (setting.type_text, limits(schema))))


def _about(schema: JSON) -> str:
    if not isinstance(schema, Mapping):
        return ""
    default = f" Default: `{value_text(schema['default'])}`." if "default" in schema and schema["default"] != "" else ""
    return f"{schema.get('description', '')}{default}".strip()


def main(arguments: list[str]) -> int:
    """Write the pages and pictures, or with `--check` compare them."""
    registry = build_registry(find_plugins())
    made = {PAGE: page(registry), **examples.pages(registry)}
    stale = [path for path, text in made.items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    forgotten = [path for path in sorted(examples.GRAPHS.glob("*.svg")) if path not in made]
    for path in [*stale, *forgotten] if "--check" in arguments else ():
        print(f"{path} is out of date; run `make docs`", file=sys.stderr)
    if "--check" in arguments:
        return 1 if stale or forgotten else 0
    for path in forgotten:
        path.unlink()
    for path in stale:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(made[path], encoding="utf-8")
        print(f"wrote {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
