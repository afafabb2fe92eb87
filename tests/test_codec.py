"""Values as bytes and back: the same value, the same digest, never a pickle, never NaN."""

from __future__ import annotations

import json
from dataclasses import dataclass
from types import MappingProxyType

import pytest
from cache_kit import ARRAYS, Array
from hypothesis import given
from hypothesis import strategies as st
from packs.maths import Pixel, Point

from graphgen.codec import Buffer, BufferCodec, Encoded, Raw, ValueCodec
from graphgen.errors import DefinitionError
from graphgen.types import build_table


@dataclass(frozen=True)
class Holder:
    """A value that holds others."""

    point: Point | None
    items: tuple[object, ...] = ()
    names: object = None


@dataclass(frozen=True)
class Stranger:
    """A class that is not registered."""

    x: int


CODEC = ValueCodec(build_table([Point, Pixel, Holder]), {ARRAYS.classname: ARRAYS})

scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(st.characters(codec="utf-8"))
values = st.recursive(
    scalars | st.binary() | st.builds(Point, st.integers(), st.integers()) | st.builds(Pixel, colour=st.text()),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(st.text(), inner, max_size=4)
        | st.builds(Holder, st.none(), st.lists(inner, max_size=3).map(tuple), inner)
    ),
    max_leaves=12,
)


def again(value: object) -> object:
    encoded = CODEC.encode(value)
    copies = tuple(Buffer(b.dtype, b.shape, bytearray(b.data)) for b in encoded.buffers)
    return CODEC.decode(Encoded(encoded.document, copies, encoded.digest, encoded.shareable))


@given(value=values)
def test_values_come_back_as_they_were(value: object) -> None:
    made = again(value)
    assert made == value
    assert type(made) is type(value)
    assert CODEC.encode(made).digest == CODEC.encode(value).digest


@given(first=values, second=values)
def test_different_values_have_different_digests(first: object, second: object) -> None:
    same = CODEC.encode(first).digest == CODEC.encode(second).digest
    assert same == (repr(CODEC.encode(first)) == repr(CODEC.encode(second)))


@given(items=st.lists(values, max_size=4))
def test_a_list_is_the_same_put_together_of_parts_that_stay_encoded(items: list[object]) -> None:
    whole = CODEC.encode(items)
    parts = [Raw(part, whole.buffers) for part in json.loads(whole.document)]
    alone = [CODEC.encode(part) for part in parts]
    assert [part.digest for part in alone] == [CODEC.encode(item).digest for item in items]
    again = [Raw(json.loads(part.document), part.buffers) for part in alone]
    assert CODEC.encode(again).digest == whole.digest


def test_parts_keep_the_order_of_their_arrays_and_texts_that_look_like_marks() -> None:
    items = [
        Holder(None, (Array(b"1", (1,)), b"two"), {"$buffer": Array(b"3", (1,)), "$bytes": 7, "a": b"four"}),
        {"$map": [Array(b"5", (1,))], "$tuple": (b"six", Array(b"5", (1,)))},
    ]
    whole = CODEC.encode(items)
    parts = [Raw(part, whole.buffers) for part in json.loads(whole.document)]
    assert [CODEC.encode(part).digest for part in parts] == [CODEC.encode(item).digest for item in items]
    assert CODEC.encode([*reversed(parts)]).digest == CODEC.encode([*reversed(items)]).digest


def test_kinds_are_told_apart() -> None:
    kinds = [1, 1.0, True, "1", None, "null", [1], (1,), {"1": 1}, b"1", Point(1), Pixel(1), 0.0, -0.0, float("inf")]
    assert len({CODEC.encode(value).digest for value in kinds}) == len(kinds)


def test_the_order_of_a_mapping_does_not_matter() -> None:
    assert CODEC.encode({"a": 1, "b": 2}).digest == CODEC.encode({"b": 2, "a": 1}).digest


def test_arrays_become_buffers_and_count_by_content_shape_and_type() -> None:
    arrays = [Array(b"abcd", (4,)), Array(b"abcd", (2, 2)), Array(b"abcd", (1,), "I32"), Array(b"abce", (4,))]
    assert len({CODEC.encode(array).digest for array in arrays}) == 4
    assert again(Holder(None, (arrays[0], arrays[0]))) == Holder(None, (arrays[0], arrays[0]))


@pytest.mark.parametrize(
    ("value", "shareable"),
    [
        (7, True),
        ((1, "a", None), True),
        (Holder(Point(1), ((1,),)), True),
        ([1], False),
        (Holder(None, ([1],)), False),
        ({"a": 1}, False),
        (Holder(None, names=MappingProxyType({"a": 1})), False),
        (Array(b"a", (1,)), False),
    ],
)
def test_only_what_nobody_can_change_is_shared(value: object, shareable: bool) -> None:
    assert CODEC.encode(value).shareable is shareable


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (float("nan"), "NaN has no place on a wire"),
        (Holder(None, (1.0, float("nan"))), "NaN has no place on a wire"),
        (Stranger(1), "Stranger is not registered; return it from register_types()"),
        ({1: 2}, "a mapping on a wire has the key 1; keys must be texts"),
        ({1, 2}, "a value of type builtins.set cannot travel along a wire"),
        ([10**5000], "cannot travel along a wire: Exceeds the limit"),
        (object(), "a value of type builtins.object cannot travel along a wire"),
    ],
)
def test_what_cannot_travel_is_refused_with_the_reason(value: object, words: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        CODEC.encode(value)
    assert words in str(caught.value)


def test_a_codecs_own_error_is_not_mistaken_for_nan() -> None:
    def refuse(value: object) -> Buffer:
        raise ValueError("the array is on another planet")

    name = f"{Array.__module__}.{Array.__qualname__}"
    codec = ValueCodec(build_table([]), {name: BufferCodec(name, refuse, lambda buffer: buffer)})
    with pytest.raises(ValueError, match="on another planet"):
        codec.encode(Array(b"a", (1,)))


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"$stranger": {"x": 1}}, "no plugin knows the stored type 'stranger'; install the one that wrote it"),
        ({"$buffer": ["other.Array", 0]}, "no plugin can read a stored other.Array"),
        ({"a": 1, "b": 2}, "an object without a mark"),
    ],
)
def test_what_was_stored_by_a_plugin_that_is_gone_says_so(document: object, words: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        CODEC.decode(Encoded(json.dumps(document), (), "", False))
    assert words in str(caught.value)
