"""What plugins contribute, collected: what fits together is in, what does not is reported, whole."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from engine_kit import registry
from packs import maths, probe

from graphgen import DeviceInfo, Diagnosis, hookimpl, node
from graphgen.plugins import Plugin, module_plugins
from graphgen.registry import Registry, build_registry


@node(category="x")
def one() -> int:
    """Give one."""
    return 1


class Pack:
    """A plugin that contributes what it is given."""

    def __init__(self, *functions: Callable[..., object], types: list[type] | None = None) -> None:
        self.functions = list(functions)
        self.types = types or []

    @hookimpl
    def register_nodes(self) -> list[Callable[..., object]]:
        return self.functions

    @hookimpl
    def register_types(self) -> list[type]:
        return self.types


def only_error(made: Registry) -> str:
    (found,) = made.broken
    return f"{found.name}: {found.error}"


def test_ids_are_the_pack_and_the_function() -> None:
    made = build_registry(module_plugins({"first": Pack(one), "second": Pack(one)}))
    assert sorted(made.nodes) == ["first.one", "second.one"]
    assert made.nodes["first.one"].function is one


def test_types_of_signatures_and_registered_ones_are_known() -> None:
    assert {"point", "pixel", "files", "output_file"} <= set(registry().types.classes)
    assert registry().types.ancestors["pixel"] == {"point"}


def test_two_nodes_of_one_id_break_their_plugin() -> None:
    made = build_registry(module_plugins({"p": Pack(one, one)}))
    assert only_error(made) == "p: the node 'p.one' is already given by the plugin 'p'; rename it"
    made = build_registry([Plugin("p", Pack(one), "a"), Plugin("p", Pack(one), "b")])
    assert "p.one" in made.nodes
    assert "already given by the plugin 'p'" in only_error(made)


def test_two_types_of_one_name_break_the_second_plugin_and_leave_the_first() -> None:
    @dataclass(frozen=True)
    class Point:
        z: int

    made = build_registry([Plugin("maths", maths), Plugin("late", Pack(one, types=[Point]))])
    assert "maths.add" in made.nodes
    assert "late.one" not in made.nodes
    assert "two socket types are named 'point'" in only_error(made)


def test_a_class_that_is_not_frozen_breaks_its_plugin() -> None:
    @dataclass
    class Loose:
        x: int

    assert "is not a frozen dataclass" in only_error(build_registry(module_plugins({"p": Pack(types=[Loose])})))


def test_a_hook_that_does_not_exist_breaks_its_plugin() -> None:
    class Hopeful:
        @hookimpl
        def register_unicorns(self) -> list[object]:
            return []

    assert "unknown hook 'register_unicorns'" in only_error(build_registry(module_plugins({"p": Hopeful()})))


def test_a_hook_that_raises_or_leaves_breaks_its_plugin_only() -> None:
    class Rude:
        @hookimpl
        def register_nodes(self) -> list[object]:
            raise SystemExit(1)

    made = build_registry(module_plugins({"rude": Rude(), "polite": Pack(one)}))
    assert list(made.nodes) == ["polite.one"]
    assert only_error(made) == "rude: SystemExit: 1"
    assert "register_nodes" in made.broken[0].traceback


def test_something_that_is_no_node_breaks_its_plugin() -> None:
    made = build_registry(module_plugins({"p": Pack(only_error)}))
    assert "only_error is not a node; put @node(category='...') above it" in only_error(made)


def test_devices_and_diagnoses_come_from_all_plugins_and_failures_stop_nobody() -> None:
    class Ill:
        @hookimpl
        def find_devices(self) -> list[DeviceInfo]:
            raise OSError("the driver is gone")

        @hookimpl
        def diagnose(self) -> list[Diagnosis]:
            raise OSError("the driver is gone")

    class Well:
        @hookimpl
        def find_devices(self) -> list[DeviceInfo]:
            return [DeviceInfo("cuda:0", "float16")]

        @hookimpl
        def diagnose(self) -> list[Diagnosis]:
            return [Diagnosis("torch", "2.13")]

    made = build_registry(module_plugins({"ill": Ill(), "well": Well()}))
    assert [device.kind for device in made.find_devices()] == ["cuda"]
    assert [(line.subject, line.finding) for line in made.diagnose()] == [
        ("ill", "OSError: the driver is gone"),
        ("torch", "2.13"),
    ]


def test_the_catalogue_is_json() -> None:
    catalogue = registry().catalogue()
    assert isinstance(catalogue["nodes"], dict)
    assert catalogue["nodes"]["maths.add"]["outputs"] == [
        {"name": "int", "title": "Int", "type": "int", "description": ""}
    ]
    assert list(catalogue["nodes"]) == sorted(registry().nodes)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("maths.nubmer", "did you mean 'maths.number'?"),
        ("number", "did you mean 'maths.number'?"),
        ("numbr", "did you mean 'maths.number'?"),
        ("probe.number", "did you mean 'maths.number'?"),
        ("xyzzy", None),
    ],
)
def test_a_node_is_suggested_by_either_part_of_its_name(written: str, meant: str | None) -> None:
    assert registry().suggest(written) == meant


def test_all_nodes_of_one_name_are_suggested() -> None:
    twice = build_registry(module_plugins({"maths": maths, "sums": maths}))
    assert twice.suggest("add") == "did you mean 'maths.add' or 'sums.add'?"


def test_formats_are_found_by_suffix() -> None:
    assert registry().formats[".note"] == probe.register_formats()[0]
