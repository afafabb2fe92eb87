"""`graphgen nodes`: the catalogue by pack, or one node's page."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence

from graphgen.catalogue import all_nodes
from graphgen.cli.call import DONE, CallError, Parser, installed
from graphgen.cli.screen import Screen, style
from graphgen.cli.words import Schema, limits, value_text
from graphgen.errors import did_you_mean
from graphgen.jsontypes import JSON
from graphgen.registry import Registry
from graphgen.spec import InputSpec, NodeSpec, OutputSpec


def parser() -> Parser:
    """Return the options of the command."""
    made = Parser("nodes", "List the nodes, those of a pack or about a word, or show one node.", "[NAME] [--json]")
    about = "a node such as images.save, a pack such as images, or a word to look for"
    made.add_argument("name", metavar="NAME", nargs="?", help=about)
    made.add_json("the catalogue")
    return made


def execute(arguments: Sequence[str]) -> int:
    """Do what the call says; return the exit code."""
    call = parser().parse_args(arguments)
    registry, _ = installed()
    screen = Screen()
    specs = all_nodes(registry)
    spec = specs.get(call.name or "")
    found = [spec] if spec else _of_pack(specs, call.name) or _speaking_of(registry, specs, call.name)
    if call.json:
        catalogue: Mapping[str, JSON] = spec.to_json() if spec else _catalogue(registry, found)
        screen.line(json.dumps(catalogue))
    elif spec:
        _show_page(screen, spec, subgraph=spec.id in registry.subgraphs)
    else:
        if call.name and call.name != found[0].id.partition(".")[0]:
            near = registry.suggest(call.name)
            screen.line(f"no node or pack is called '{call.name}'; {f'{near} ' if near else ''}These speak of it:\n")
        _show_list(screen, found)
    for plugin in registry.broken:
        cure = "`graphgen plugins` tells more"
        screen.error(f"{style('warning:', 'yellow')} the plugin '{plugin.name}' is broken: {plugin.error}; {cure}")
    return DONE


def _of_pack(specs: Mapping[str, NodeSpec], pack: str | None) -> list[NodeSpec]:
    """Return a pack's nodes, or all; none where there is no such pack."""
    return [spec for name, spec in specs.items() if pack is None or name.partition(".")[0] == pack]


def _speaking_of(registry: Registry, specs: Mapping[str, NodeSpec], text: str) -> list[NodeSpec]:
    """Return the nodes whose id, title, aliases or description have words that begin as those of a text; at least one.

    Raises:
        CallError: there is none.
    """
    broken = next((item for item in registry.broken if item.name == text.partition(".")[0]), None)
    if broken:
        cure = "`graphgen plugins --verbose` shows where it failed"
        raise CallError(f"the plugin '{broken.name}' is broken: {broken.error}; {cure}")
    wanted = _words(text)
    searched = () if "." in text or not wanted else specs.values()
    found = [spec for spec in searched if all(any(map(_begins(word), _words_of(spec))) for word in wanted)]
    if not found:
        packs = () if "." in text else tuple(dict.fromkeys(name.partition(".")[0] for name in specs))
        cure = did_you_mean(text, packs) or registry.suggest(text) or "`graphgen nodes` lists them all"
        raise CallError(f"there is no node or pack '{text}'; {cure}")
    return found


def _words(text: str) -> list[str]:
    return re.findall(r"[^\W_]+", text.lower())


def _words_of(spec: NodeSpec) -> list[str]:
    return _words(f"{spec.id} {spec.title} {' '.join(spec.aliases)} {spec.description}")


def _begins(word: str) -> Callable[[str], bool]:
    return lambda found: found.startswith(word)


def _catalogue(registry: Registry, specs: Sequence[NodeSpec]) -> dict[str, JSON]:
    return {**registry.catalogue(), "nodes": {spec.id: spec.to_json() for spec in specs}}


# --- the list -------------------------------------------------------------------------------------------------------


def _show_list(screen: Screen, specs: Sequence[NodeSpec]) -> None:
    packs: dict[str, list[NodeSpec]] = {}
    for spec in specs:
        packs.setdefault(spec.id.partition(".")[0], []).append(spec)
    width = max((len(spec.id) for spec in specs), default=0)
    for number, (pack, members) in enumerate(packs.items()):
        screen.line(("\n" if number else "") + style(pack, "bold"))
        rows = [(spec.id.ljust(width), spec.description.partition("\n")[0]) for spec in members]
        screen.rows(rows, ["cyan"])


# --- a page ---------------------------------------------------------------------------------------------------------


def _show_page(screen: Screen, spec: NodeSpec, *, subgraph: bool) -> None:
    traits = f"{_traits(spec)}, a subgraph" if subgraph else _traits(spec)
    screen.line(f"{style(spec.id, 'bold')}  {style(traits, 'dim')}")
    screen.line()
    screen.rows([(_paragraphs(spec.description),)])
    _show_sockets(screen, "Inputs", spec.inputs)
    _show_settings(screen, spec)
    _show_sockets(screen, "Outputs", spec.outputs)
    screen.line("\n" + style("In a workflow", "bold"))
    screen.rows([(_example(spec),)])


def _traits(spec: NodeSpec) -> str:
    traits = [f"version {spec.version}"]
    if spec.device == "gpu":
        traits.append("runs on the GPU where there is one")
    if not spec.pure:
        traits.append("runs every time")
    if spec.yields:
        traits.append("gives its list item by item" if spec.yields == "items" else "shows partial values")
    if spec.effect:
        traits.append("writes files")
    return ", ".join(traits)


def _paragraphs(text: str) -> str:
    """Join the lines of each paragraph, so that they can be broken anew."""
    return "\n\n".join(" ".join(part.split()) for part in text.split("\n\n"))


def _show_sockets(screen: Screen, title: str, sockets: Sequence[InputSpec] | Sequence[OutputSpec]) -> None:
    if not sockets:
        return
    screen.line("\n" + style(title, "bold"))
    screen.rows([(socket.name, _type(socket), socket.description) for socket in sockets], ["cyan"])


def _type(socket: InputSpec | OutputSpec) -> str:
    text = str(socket.type)
    if isinstance(socket, InputSpec) and socket.many:
        return f"{text}, any number"
    text = f"{text.removesuffix('?')}, optional" if socket.type.optional else text
    return f"{text}, item by item" if isinstance(socket, InputSpec) and socket.stream else text


def _show_settings(screen: Screen, spec: NodeSpec) -> None:
    if not spec.settings:
        return
    schema = spec.settings_schema()
    rows = []
    for setting in spec.settings:
        field = _field(schema, setting.name)
        default = "must be set" if setting.required else f"= {value_text(field.get('default')) or 'null'}"
        notes = [str(field.get("description", "")), "" if setting.wireable else "Cannot be wired."]
        notes.append("Changing it computes nothing again." if setting.name in spec.keyless else "")
        rows.append((setting.name, setting.type_text, default, limits(field), " ".join(filter(None, notes))))
    screen.line("\n" + style("Settings", "bold"))
    screen.rows(rows, ["cyan"])


def _field(schema: Mapping[str, JSON], name: str) -> Schema:
    properties = schema.get("properties")
    field = properties.get(name) if isinstance(properties, Mapping) else None
    return field if isinstance(field, Mapping) else {}


def _example(spec: NodeSpec) -> str:
    """Write the node as it stands in a workflow: what must be wired and set."""
    document: dict[str, object] = {"type": spec.id, "version": spec.version}
    wires: dict[str, object] = {item.name: f"a_node.{item.type.name}" for item in spec.inputs if item.required}
    wires |= {item.name: [f"a_node.{item.type.name}"] for item in spec.inputs if item.many}
    settings = {item.name: "..." for item in spec.settings if item.required}
    if wires:
        document["inputs"] = wires
    if settings:
        document["settings"] = settings
    return f'"{spec.id.rpartition(".")[2]}": {json.dumps(document)}'
