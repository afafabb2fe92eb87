"""What people meet in a list of nodes: one name for one thing, titles that stand alone, categories worth opening."""

from collections import Counter
from collections.abc import Iterator, Mapping

import pytest

from graphgen.catalogue import all_nodes
from graphgen.jsontypes import JSON
from graphgen.plugins import find_plugins
from graphgen.registry import build_registry
from graphgen.spec import NodeSpec

GUIDING = ("guiders.", "text.guidance")


@pytest.fixture(scope="module")
def specs() -> list[NodeSpec]:
    registry = build_registry(find_plugins())
    own = {item.name for item in registry.plugins if item.distribution == "graphgen"}
    return [spec for name, spec in all_nodes(registry).items() if name.partition(".")[0] in own]


def settings(specs: list[NodeSpec], *names: str) -> Iterator[tuple[str, Mapping[str, JSON]]]:
    """Yield settings by the last word of their name, as JSON Schema, with the node each belongs to."""
    for spec in specs:
        properties = spec.settings_schema().get("properties")
        assert isinstance(properties, dict)
        for name, schema in properties.items():
            assert isinstance(schema, dict)
            if name.rpartition("_")[2] in names:
                yield spec.id, schema


def test_titles_tell_nodes_apart(specs: list[NodeSpec]) -> None:
    twice = {title for title, count in Counter(spec.title for spec in specs).items() if count > 1}
    assert not twice


def test_descriptions_are_one_sentence_in_a_list(specs: list[NodeSpec]) -> None:
    for spec in specs:
        first = spec.description.partition("\n")[0]
        assert first.endswith("."), spec.id
        assert len(first) <= 120, spec.id


def test_no_category_is_for_one_node(specs: list[NodeSpec]) -> None:
    assert {name for name, count in Counter(spec.category for spec in specs).items() if count < 2} == set()


def test_a_strength_is_0_without_and_1_as_made(specs: list[NodeSpec]) -> None:
    found = dict(settings(specs, "strength"))
    assert {"lora.load", "controlnet.apply", "ip_adapter.apply", "conditioning.area"} <= found.keys()
    for name, schema in found.items():
        low, high = schema["minimum"], schema["maximum"]
        assert isinstance(low, int | float)
        assert isinstance(high, int | float)
        assert low <= 0 < 1 <= high, name
        assert (schema["default"], "widget" in schema) == (1.0, True), name


def test_a_scale_is_a_guidance_scale(specs: list[NodeSpec]) -> None:
    found = [name for name, _ in settings(specs, "scale")]
    assert "guiders.classifier_free" in found
    assert all(name.startswith(GUIDING) for name in found)


def test_a_ratio_is_of_two(specs: list[NodeSpec]) -> None:
    inputs = {spec.id: {item.name for item in spec.inputs} for spec in specs}
    found = dict(settings(specs, "ratio"))
    assert found.keys() == {"conditioning.blend", "latents.blend", "models.merge"}
    assert all(inputs[name] == {"first", "second"} and schema["default"] == 0.5 for name, schema in found.items())


def test_ranges_of_the_schedule_are_shares_of_it(specs: list[NodeSpec]) -> None:
    found = [(name, schema) for name, schema in settings(specs, "start", "end", "at") if schema["type"] == "number"]
    assert len(found) > 10
    for name, schema in found:
        assert (schema["minimum"], schema["maximum"], "widget" in schema) == (0, 1, True), name


def test_no_other_word_is_used_for_them(specs: list[NodeSpec]) -> None:
    assert list(settings(specs, "weight", "amount", "multiplier")) == []
