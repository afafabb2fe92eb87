"""Socket types: what annotations become, what fits what, and what a class must be to travel."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packs.maths import Pixel, Point

from graphgen import Family
from graphgen.errors import DefinitionError
from graphgen.types import SocketType, TypeTable, accepts, build_table, class_name, fits, socket_type


@dataclass(frozen=True)
class HTTPImage2Text:
    """A class with a difficult name."""


class Shape(ABC):
    """An abstract class."""

    @abstractmethod
    def area(self) -> float: ...


@dataclass(frozen=True)
class Circle(Shape):
    """A class behind an abstract one."""

    radius: float

    def area(self) -> float:
        return 3 * self.radius**2


TABLE = build_table([Point, Pixel, Shape, Circle, HTTPImage2Text])


@pytest.mark.parametrize(
    ("annotation", "text"),
    [
        (int, "int"),
        (float, "float"),
        (str, "str"),
        (bool, "bool"),
        (object, "any"),
        (Point, "point"),
        (HTTPImage2Text, "http_image2_text"),
        (list[Point], "list[point]"),
        (list[list[int]], "list[list[int]]"),
        (Point | None, "point?"),
        (list[Point | None] | None, "list[point?]?"),
        (Literal["a", "b"], "str"),
        (Literal[1, 2], "int"),
        (Annotated[Point, Family("flux", "sd3")], "point<flux|sd3>"),
        (Annotated[Point | None, Family("flux")], "point<flux>?"),
        (Annotated[int, "a mark"], "int"),
    ],
)
def test_annotations_become_socket_types(annotation: object, text: str) -> None:
    assert str(socket_type(annotation)) == text


@pytest.mark.parametrize(
    ("annotation", "words"),
    [
        (Any, "Any says too little; write 'object'"),
        (list, "list says too little; write 'list[Image]'"),
        (dict, "dict says too little; put the values into a frozen dataclass"),
        (dict[str, int], "cannot travel along a wire; use a number, a text, a frozen dataclass or list"),
        (tuple[int, int], "cannot travel along a wire"),
        (type(None), "nothing cannot travel along a wire"),
        (int | str, "is a union; a socket takes one type, or that type and None"),
        (int | str | None, "is a union"),
        (Literal["a", 1], "mixes kinds; use texts only or whole numbers only"),
        (3, "3 cannot travel along a wire"),
    ],
)
def test_what_no_wire_can_carry_is_refused_with_the_words_to_write(annotation: object, words: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        socket_type(annotation)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("out", "into", "fitting"),
    [
        (int, int, True),
        (int, float, True),
        (float, int, False),
        (bool, int, False),
        (bool, float, False),
        (int, str, False),
        (Pixel, Point, True),
        (Point, Pixel, False),
        (Circle, Shape, True),
        (Point, Point | None, True),
        (Point | None, Point, False),
        (Point | None, Point | None, True),
        (list[Pixel], list[Point], True),
        (list[int], list[float], True),
        (list[Point], Point, False),
        (Point, list[Point], False),
        (Point, object, True),
        (list[Point], object, True),
        (Point | None, object, False),
        (object, Point, True),
        (object, object, True),
    ],
)
def test_what_fits_what(out: object, into: object, fitting: bool) -> None:
    assert fits(socket_type(out), socket_type(into), TABLE) is fitting


def test_families_must_share_a_member() -> None:
    flux, both, sdxl = (SocketType("point", families=names) for names in (("flux",), ("flux", "sdxl"), ("sdxl",)))
    free = SocketType("point")
    assert fits(flux, both, TABLE)
    assert fits(flux, free, TABLE)
    assert fits(free, flux, TABLE)
    assert not fits(flux, sdxl, TABLE)


def _types(families: bool, wild: bool = True) -> st.SearchStrategy[SocketType]:
    known = ["int", "float", "bool", "str", "point", "pixel", "shape", "circle"]
    names = st.sampled_from([*known, "any"] if wild else known)
    owners = st.sampled_from([(), ("flux",), ("flux", "sd3")]) if families else st.just(())
    leaf = st.builds(SocketType, names, st.none(), st.booleans(), owners)
    return st.recursive(leaf, lambda inner: st.builds(SocketType, st.just("list"), inner, st.booleans()), max_leaves=3)


@given(kind=_types(families=True))
def test_every_type_fits_itself_and_its_optional_self(kind: SocketType) -> None:
    optional = SocketType(kind.name, kind.item, optional=True, families=kind.families)
    assert fits(kind, kind, TABLE)
    assert fits(kind, optional, TABLE)
    assert kind.optional or not fits(optional, kind, TABLE)


@given(out=_types(families=True), into=_types(families=True))
def test_lists_fit_as_their_elements_do(out: SocketType, into: SocketType) -> None:
    assert fits(SocketType("list", out), SocketType("list", into), TABLE) == fits(out, into, TABLE)


@given(first=_types(families=False), second=_types(families=False, wild=False), third=_types(families=False))
def test_what_fits_twice_fits_at_once(first: SocketType, second: SocketType, third: SocketType) -> None:
    if fits(first, second, TABLE) and fits(second, third, TABLE):
        assert fits(first, third, TABLE)


@given(
    value=st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.builds(Point, st.integers()),
        lambda inner: st.lists(inner, max_size=3),
        max_leaves=5,
    ),
    out=_types(families=False, wild=False),
    into=_types(families=False),
)
def test_a_value_is_accepted_wherever_its_type_fits(value: object, out: SocketType, into: SocketType) -> None:
    if accepts(out, value, TABLE) and fits(out, into, TABLE):
        assert accepts(into, value, TABLE)


def test_a_class_must_be_a_frozen_dataclass_whose_fields_can_be_given() -> None:
    @dataclass
    class Loose:
        x: int

    @dataclass(frozen=True)
    class Computed:
        x: int
        y: int = field(init=False, default=3)

    with pytest.raises(DefinitionError, match="Loose travels along wires but is not a frozen dataclass; write @data"):
        build_table([Loose])
    with pytest.raises(DefinitionError, match="the field 'y' is not given to __init__"):
        build_table([Computed])


def test_two_classes_of_one_name_are_refused() -> None:
    def other() -> type:
        @dataclass(frozen=True)
        class Point:
            z: int

        return Point

    with pytest.raises(
        DefinitionError, match=r"two socket types are named 'point': packs\.maths\.Point and .*rename one"
    ):
        build_table([Point, other()])
    assert build_table([Point, Point]).classes == {"point": Point}


def test_the_rules_can_be_given_to_a_browser() -> None:
    assert TABLE.to_json() == {
        "widenings": {"int": ["float"]},
        "anything": "any",
        "ancestors": {"circle": ["shape"], "pixel": ["point"]},
        "conversions": [],
        "lists": "converted item by item",
    }


def test_an_empty_table_knows_numbers() -> None:
    empty: Mapping[str, type] = TypeTable().classes
    assert not empty
    assert fits(SocketType("int"), SocketType("float"), TypeTable())
    assert class_name(Point) == "point"
