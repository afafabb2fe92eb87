"""Everything plugins contribute, collected once: node id -> NodeSpec, socket types, codecs, loaders, formats.

In: plugins. Out: a frozen `Registry`. A plugin that contributes something impossible joins the broken ones, whole.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from importlib.metadata import version
from itertools import chain
from pathlib import Path
from platform import machine, python_version, system
from typing import Any, NamedTuple, cast

import pluggy
from pydantic import ValidationError

from graphgen import hookspecs, meter
from graphgen.codec import BufferCodec, ValueCodec
from graphgen.conversions import rule_of
from graphgen.errors import DefinitionError, did_you_mean, error_line, nearest
from graphgen.files import Files, OutputFile
from graphgen.hookspecs import Conversion, DeviceInfo, Diagnosis, FileFormat, Renderer, Shipped
from graphgen.jsontypes import JSON
from graphgen.node import spec_of
from graphgen.novalue import NoValue
from graphgen.plugins import BrokenPlugin, Plugin, broken
from graphgen.residency import Loader
from graphgen.spec import NodeSpec
from graphgen.strictjson import read_json
from graphgen.types import ConversionRule, TypeTable, build_table, class_name
from graphgen.validation import problems_of
from graphgen.workflow import Subgraph


class Described(NamedTuple):
    """What plugins tell of a model, or why nothing is known of it."""

    about: Mapping[str, JSON]
    problem: str | None = None


@dataclass(frozen=True)
class Registry:
    """What is installed. Look nodes up by id; `broken` says why some are missing."""

    nodes: Mapping[str, NodeSpec] = field(default_factory=dict)
    codec: ValueCodec = field(default_factory=lambda: ValueCodec(TypeTable(), {}))
    loaders: tuple[Loader, ...] = ()
    shipped: tuple[Shipped, ...] = ()
    formats: Mapping[str, FileFormat] = field(default_factory=dict)
    renderers: Mapping[str, Renderer] = field(default_factory=dict)
    subgraphs: Mapping[str, Subgraph] = field(default_factory=dict)
    translations: Mapping[str, tuple[Path, ...]] = field(default_factory=dict)
    """Files of words by language, not read yet."""
    plugins: tuple[Plugin, ...] = ()
    broken: tuple[BrokenPlugin, ...] = ()

    @property
    def types(self) -> TypeTable:
        """The socket types, as `fits` wants them."""
        return self.codec.types

    def catalogue(self) -> dict[str, JSON]:
        """Return all nodes and the rules of wires as JSON."""
        nodes = {name: spec.to_json() for name, spec in sorted(self.nodes.items())}
        return {"graphgen": version("graphgen"), "nodes": nodes, "types": self.types.to_json()}

    def suggest(self, name: str) -> str | None:
        """Return `did you mean 'samplers.euler'?` for a node whose id, or its part after the dot, is nearly right."""
        functions: dict[str, list[str]] = {}
        for known in (*self.nodes, *self.subgraphs):
            functions.setdefault(known.rpartition(".")[2], []).append(known)
        wanted = name.rpartition(".")[2]
        if wanted not in functions:
            if found := did_you_mean(name, (*self.nodes, *self.subgraphs)):
                return found
            wanted = nearest(wanted, tuple(functions)) or ""
        several = [f"'{known}'" for known in functions.get(wanted, ())]
        return f"did you mean {' or '.join(several)}?" if several else None

    def find_devices(self) -> list[DeviceInfo]:
        """Ask the plugins which accelerators this machine has, best first; one that cannot tell is passed over."""
        found: list[DeviceInfo] = []
        for plugin in self.plugins:
            with suppress(Exception):  # a driver may fail in any way; there is always the CPU
                found += _call(_hooks(plugin), "find_devices")
        return found

    def diagnose(self) -> list[Diagnosis]:
        """Ask the plugins what a person should know about this installation."""
        found: list[Diagnosis] = []
        for plugin in self.plugins:
            try:
                found += _call(_hooks(plugin), "diagnose")
            except Exception as error:  # a doctor that falls ill says so and goes on
                found.append(
                    Diagnosis(plugin.name, error_line(error), "update the plugin, or report this to its author")
                )
        return found

    def describe_model(self, path: Path) -> Described:
        """Ask the plugins what a file or folder of the models root is."""
        problem = None
        for plugin in self.plugins:
            try:
                for told in _hooks(plugin).describe_model(path=path):
                    return Described(cast(Mapping[str, JSON], told))
            except Exception as error:  # files are anybody's, and one that nobody can read is listed all the same
                problem = problem or str(error) or error_line(error)
        return Described({}, problem or "no plugin knows what it holds")

    def convert(self, source: Path, target: Path) -> str | None:
        """Have a plugin convert a file of weights; return what the new one holds, None if no plugin knows the kind.

        Raises:
            ResourceError: the file cannot be converted; says why.
        """
        for plugin in self.plugins:
            for done in _hooks(plugin).convert_weights(source=source, target=target):
                return cast(str, done)
        return None

    def environment(self, type_: str) -> Mapping[str, str]:
        """Return what a node's values depend on besides its inputs: versions, as its run record names them."""
        return self._environments[type_.partition(".")[0]]

    def meter(self, type_: str, device: DeviceInfo) -> Callable[[], int | None] | None:
        """Begin to measure a device's memory for a node; return what tells the most bytes taken since, None if unknown.

        Returns None for nodes that do not run on the device.
        """
        if self.nodes[type_].device != "gpu":
            return None
        for hooks in self._meters:
            with suppress(Exception):  # a figure less is no reason to fail a task
                for found in hooks.measure_memory(device=device.name):
                    return cast(Callable[[], int | None], found)
        return meter.begin() if device.kind == "cpu" else lambda: None

    @cached_property
    def _meters(self) -> list[pluggy.HookRelay]:
        return [_hooks(plugin) for plugin in self.plugins if hasattr(plugin.module, "measure_memory")]

    @cached_property
    def _environments(self) -> Mapping[str, Mapping[str, str]]:
        """What each pack computes with; the plugins of one distribution tell it together."""
        told: dict[str, dict[str, str]] = {}
        for plugin in self.plugins:
            found = told.setdefault(plugin.distribution or plugin.name, {})
            with suppress(Exception):  # a record with a word less is no reason to fail a run
                for words in _hooks(plugin).describe_environment():
                    found |= words
            if plugin.source:
                found[f"source of {plugin.distribution}"] = plugin.source
            if plugin.distribution:
                found[plugin.distribution] = plugin.version
        own = {"graphgen": version("graphgen"), "python": python_version(), "system": f"{system()} {machine()}"}
        packs = {plugin.name: plugin.distribution or plugin.name for plugin in self.plugins}
        return {pack: dict(sorted({**own, **told[name]}.items())) for pack, name in packs.items()}


@dataclass(frozen=True)
class _Contribution:
    """What one plugin contributes."""

    plugin: Plugin
    nodes: tuple[NodeSpec, ...]
    types: tuple[type, ...]
    buffers: tuple[BufferCodec, ...]
    loaders: tuple[Loader, ...]
    shipped: tuple[Shipped, ...]
    formats: tuple[FileFormat, ...]
    renderers: tuple[Renderer, ...]
    subgraphs: Mapping[str, Subgraph]
    translations: tuple[Path, ...]
    conversions: tuple[ConversionRule, ...]

    @property
    def classes(self) -> Iterable[type]:
        """All the classes it brings: those it registers and those its nodes' signatures name."""
        return chain(self.types, *(spec.classes for spec in self.nodes))


def build_registry(plugins: Iterable[Plugin | BrokenPlugin]) -> Registry:
    """Collect what the plugins contribute; what cannot be used is reported in `broken`."""
    contributions: list[_Contribution] = []
    failed: list[BrokenPlugin] = []
    for plugin in plugins:
        if isinstance(plugin, BrokenPlugin):
            failed.append(plugin)
            continue
        try:
            contributions.append(_accept(_collect(plugin), contributions))
        except (Exception, SystemExit) as error:  # a hook may fail in any way; it must not stop the others
            failed.append(broken(plugin.name, plugin.distribution, error))
    return _merge(contributions, failed)


def _accept(new: _Contribution, accepted: Sequence[_Contribution]) -> _Contribution:
    """Refuse a contribution that contradicts an earlier one."""
    build_table(chain(_CORE_TYPES, *(item.classes for item in accepted), new.classes))
    known = {spec.id: item.plugin.name for item in accepted for spec in item.nodes}
    known |= {name: item.plugin.name for item in accepted for name in item.subgraphs}
    for name in (*(spec.id for spec in new.nodes), *new.subgraphs):
        if name in known:
            raise DefinitionError(f"the node '{name}' is already given by the plugin '{known[name]}'; rename it")
        known[name] = new.plugin.name
    return new


_CORE_TYPES = (Files, OutputFile, NoValue)


def _merge(parts: Sequence[_Contribution], failed: Sequence[BrokenPlugin]) -> Registry:
    table = build_table(chain(_CORE_TYPES, *(part.classes for part in parts)))
    rules = chain.from_iterable(part.conversions for part in parts)
    table = replace(table, conversions=tuple(sorted(rules, key=lambda rule: (rule.cost, bool(rule.lossy), rule.node))))
    buffers = {codec.classname: codec for part in parts for codec in part.buffers}
    return Registry(
        nodes={spec.id: spec for part in parts for spec in part.nodes},
        codec=ValueCodec(table, buffers),
        loaders=tuple(chain.from_iterable(part.loaders for part in parts)),
        shipped=tuple(chain.from_iterable(part.shipped for part in parts)),
        formats={item.suffix: item for part in parts for item in part.formats},
        renderers={class_name(item.shows): item for part in parts for item in part.renderers},
        subgraphs={name: subgraph for part in parts for name, subgraph in part.subgraphs.items()},
        translations=_by_language(chain.from_iterable(part.translations for part in parts)),
        plugins=tuple(part.plugin for part in parts),
        broken=tuple(failed),
    )


def _collect(plugin: Plugin) -> _Contribution:
    hooks = _hooks(plugin)
    functions: list[Callable[..., object]] = _call(hooks, "register_nodes")
    conversions: list[Conversion] = _call(hooks, "register_conversions")
    functions += [item.function for item in conversions if item.function not in functions]
    specs = (spec_of(function) for function in functions)
    return _Contribution(
        plugin,
        nodes=tuple(replace(spec, id=f"{plugin.name}.{spec.id}", source=plugin.source) for spec in specs),
        types=tuple(_call(hooks, "register_types")),
        buffers=tuple(_call(hooks, "register_buffers")),
        loaders=tuple(_call(hooks, "register_loaders")),
        shipped=tuple(_call(hooks, "register_shipped")),
        formats=tuple(_call(hooks, "register_formats")),
        renderers=tuple(_call(hooks, "register_renderers")),
        subgraphs=dict(_read_subgraph(plugin, path) for path in _call(hooks, "register_subgraphs")),
        translations=tuple(map(_check_translation, _call(hooks, "register_translations"))),
        conversions=tuple(rule_of(item, plugin.name) for item in conversions),
    )


def _read_subgraph(plugin: Plugin, path: Path) -> tuple[str, Subgraph]:
    """Read a subgraph that a plugin ships; the file's name is the node's."""
    try:
        document = read_json(path.read_text(encoding="utf-8"))
        return f"{plugin.name}.{path.stem}", Subgraph.model_validate(document)
    except ValidationError as error:
        raise DefinitionError(f"{path}: " + "; ".join(map(str, problems_of(error)))) from error


_is_language = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*").fullmatch


def _check_translation(path: Path) -> Path:
    """Return the path of a file of words if it is one by its name; it is read when somebody wants its language."""
    if path.suffix != ".json" or not _is_language(path.stem):
        raise DefinitionError(f"{path}: a file of words is named as its language is, such as ko.json or pt-BR.json")
    if not path.is_file():
        raise DefinitionError(f"{path}: there is no such file")
    return path


def _by_language(paths: Iterable[Path]) -> dict[str, tuple[Path, ...]]:
    found: dict[str, tuple[Path, ...]] = {}
    for path in paths:
        found[path.stem] = (*found.get(path.stem, ()), path)
    return found


def _hooks(plugin: Plugin) -> pluggy.HookRelay:
    """Return one plugin's hooks, refusing implementations of hooks that do not exist."""
    manager = pluggy.PluginManager("graphgen")
    manager.add_hookspecs(hookspecs)
    manager.register(plugin.module, plugin.name)
    manager.check_pending()
    return manager.hook


def _call(hooks: pluggy.HookRelay, name: str) -> list[Any]:
    """Call one hook; a plugin that does not implement it contributes nothing."""
    return list(chain.from_iterable(getattr(hooks, name)()))
