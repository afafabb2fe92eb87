"""What `@node` makes of a function, and how it refuses what cannot be a node."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal, NamedTuple

import pytest
from packs import maths, streams
from packs.maths import Point
from pydantic import Field

from graphgen import (
    Context,
    Family,
    File,
    Files,
    Lazy,
    Migration,
    NoValue,
    Preview,
    Seed,
    Slider,
    Stream,
    TextArea,
    Wireable,
    node,
)  # fmt: skip
from graphgen.errors import DefinitionError
from graphgen.execution import prepare
from graphgen.jsontypes import JSON
from graphgen.node import spec_of
from graphgen.settings import read_settings
from graphgen.spec import NodeSpec


class Sides(NamedTuple):
    """Two outputs that may be blocked."""

    even: int | NoValue
    odd: Annotated[int | NoValue, Field(description="Where it is odd.")]


class Two(NamedTuple):
    """Two outputs."""

    first: int
    second: Annotated[Point, Field(description="Where.")]


@node(category="x", title="Show everything", version=2, device="gpu", migrations={1: Migration()})
def everything(
    context: Context,
    point: Annotated[Point, Field(description="Where to begin.")],
    other: Point | None = None,
    *points: Annotated[Point, Family("flux")],
    seed: Annotated[int, Seed()] = 0,
    strength: Annotated[float, Field(ge=0, le=1), Slider(step=0.05)] = 0.5,
    text: Annotated[str, TextArea(lines=5)],
    path: Annotated[str, File(root="models", kinds=(".safetensors",)), Wireable(False)] = "emoji",
    mode: Literal["a", "b"] = "a",
    sizes: list[int] | None = None,
) -> Two:
    """Use every kind of socket.

    And say more about it.
    """
    return Two(seed, point)


def test_a_function_stays_what_it_is() -> None:
    assert everything(Context(), Point(3), text="x") == (0, Point(3))
    assert everything.__name__ == "everything"


def test_sockets_settings_and_outputs_are_read_from_the_signature() -> None:
    spec = spec_of(everything)
    assert (spec.title, spec.version, spec.device, spec.context) == ("Show everything", 2, "gpu", "context")
    assert spec.description.startswith("Use every kind of socket.\n\nAnd say")
    assert [(item.name, str(item.type), item.required, item.many) for item in spec.inputs] == [
        ("point", "point", True, False),
        ("other", "point?", False, False),
        ("points", "point<flux>", False, True),
    ]
    assert spec.inputs[0].description == "Where to begin."
    assert [(item.name, str(item.type), item.required, item.wireable) for item in spec.settings] == [
        ("seed", "int", False, True),
        ("strength", "float", False, True),
        ("text", "str", True, True),
        ("path", "str", False, False),
        ("mode", "str", False, True),
        ("sizes", "list[int]?", False, True),
    ]
    assert [(item.name, str(item.type), item.description) for item in spec.outputs] == [
        ("first", "int", ""),
        ("second", "point", "Where."),
    ]
    assert spec.classes == (Point,)


def test_the_schema_carries_limits_defaults_and_widgets() -> None:
    properties = spec_of(everything).settings_schema()["properties"]
    assert isinstance(properties, dict)
    assert properties["strength"] == {
        "default": 0.5,
        "maximum": 1,
        "minimum": 0,
        "title": "Strength",
        "type": "number",
        "widget": {"kind": "slider", "step": 0.05},
    }
    assert properties["seed"]["maximum"] == 2**53 - 1
    assert properties["text"]["widget"] == {"kind": "text_area", "lines": 5}
    assert properties["path"]["widget"] == {"kind": "file", "root": "models", "kinds": [".safetensors"]}


def test_one_output_is_named_by_its_type() -> None:
    names = {spec.id: [output.name for output in spec.outputs] for spec in map(spec_of, maths.register_nodes())}
    assert names["add"] == ["int"]
    assert names["scale"] == ["float"]
    assert names["shift"] == ["ints"]
    assert names["pixel"] == ["pixel"]
    assert names["split"] == ["half", "rest"]


def test_outputs_may_say_that_they_are_blocked_for_type_checkers() -> None:
    @node(category="test")
    def sides(value: int) -> Sides:
        blocked = NoValue("it is on the other side")
        return Sides(blocked, value) if value % 2 else Sides(value, blocked)

    @node(category="test")
    def half(value: int) -> Annotated[int | NoValue, Field(description="A half.")]:
        return NoValue("it is odd") if value % 2 else value // 2

    assert [(item.name, str(item.type), item.description) for item in spec_of(sides).outputs] == [
        ("even", "int", ""),
        ("odd", "int", "Where it is odd."),
    ]
    assert [(item.name, item.description) for item in spec_of(half).outputs] == [("int", "A half.")]


def test_title_and_description_have_defaults() -> None:
    @node(category="x")
    def very_plain() -> None: ...

    spec = spec_of(very_plain)
    assert (spec.title, spec.description, spec.outputs) == ("Very plain", "", ())


def test_a_spec_is_json() -> None:
    shown = spec_of(everything).to_json()
    assert shown["wireable"] == ["seed", "strength", "text", "mode", "sizes"]
    once: dict[str, JSON] = {"many": False, "stream": False}
    assert shown["inputs"] == [
        {
            "name": "point",
            "title": "Point",
            "type": "point",
            "description": "Where to begin.",
            "required": True,
            **once,
        },
        {"name": "other", "title": "Other", "type": "point?", "description": "", "required": False, **once},
        {
            "name": "points",
            "title": "Points",
            "type": "point<flux>",
            "description": "",
            "required": False,
            "many": True,
            "stream": False,
        },
    ]
    assert shown["yields"] is None


def test_generators_and_streams_are_told_by_their_types() -> None:
    def told(function: Callable[..., object]) -> tuple[object, ...]:
        spec = spec_of(function)
        return spec.yields, spec.asynchronous, [(item.name, str(item.type)) for item in spec.outputs]

    assert told(streams.counting) == ("items", False, [("ints", "list[int]")])
    assert told(streams.counting_async) == ("items", True, [("ints", "list[int]")])
    assert told(streams.halved) == ("values", False, [("int", "int")])
    assert told(streams.halved_async) == ("values", True, [("int", "int")])
    assert told(streams.extent) == ("values", False, [("low", "int"), ("high", "int")])
    shown = spec_of(streams.added).to_json()
    assert shown["inputs"] == [
        {
            "name": "values",
            "title": "Values",
            "type": "list[int]",
            "description": "",
            "required": True,
            "many": False,
            "stream": True,
        },
        {
            "name": "base",
            "title": "Base",
            "type": "int?",
            "description": "",
            "required": False,
            "many": False,
            "stream": False,
        },
    ]


def test_streams_may_be_described_and_optional() -> None:
    @node(category="x")
    def f(
        some: Annotated[Stream[Colour], Field(description="The colours.")], more: Stream[int] | None = None
    ) -> Annotated[Stream[Colour | Preview], Field(description="Them again.")]:
        yield from some

    spec = spec_of(f)
    assert [(item.name, str(item.type), item.description, item.stream) for item in spec.inputs] == [
        ("some", "list[colour]", "The colours.", True),
        ("more", "list[int]?", "", True),
    ]
    assert [(item.name, str(item.type), item.description) for item in spec.outputs] == [
        ("colours", "list[colour]", "Them again.")
    ]
    assert spec.classes == (Colour,)


def test_a_test_calls_a_generator_node_as_any_function() -> None:
    assert list(streams.plus([1, 2], add=3)) == [4, 5]
    assert streams.added(iter([1, 2, 3]), most=2) == 3
    assert list(streams.extent([4, 1])) == [(4, 4), (1, 4)]


def test_settings_may_have_names_that_pydantic_uses() -> None:
    @node(category="x")
    def awkward(*, copy: int = 1, json: str = "x", schema: bool = True, model_path: str = "", dict: int = 2) -> int:  # noqa: A002
        return copy

    spec = spec_of(awkward)
    settings = read_settings(spec, {"copy": 5}, frozenset(), "a", [])
    assert settings.values == {"copy": 5, "json": "x", "schema": True, "model_path": "", "dict": 2}


def test_a_context_may_stand_after_the_star() -> None:
    @node(category="x")
    def late(value: int, *, context: Context, factor: int = 2) -> int:
        return value * factor if context.device == "cpu" else 0

    spec = spec_of(late)
    assert [item.name for item in spec.settings] == ["factor"]
    call = prepare(spec, {"factor": 3}, {"value": [5]}, Context())
    assert call.function(*call.arguments, **call.settings) == 15


@pytest.mark.parametrize(
    ("given", "canonical"),
    [
        ({"value": 7}, '{"value":7}'),
        ({"value": 7.0}, '{"value":7}'),
        ({}, '{"value":0}'),
    ],
)
def test_whole_numbers_may_be_written_with_a_point(given: dict[str, Any], canonical: str) -> None:
    problems: list[Any] = []
    spec = spec_of(maths.number)
    assert read_settings(spec, given, frozenset(), "n", problems).canonical == canonical
    assert problems == []


def test_optional_whole_numbers_too() -> None:
    @node(category="x")
    def maybe(*, steps: int | None = None) -> int:
        return steps or 0

    assert read_settings(spec_of(maybe), {"steps": 7.0}, frozenset(), "m", []).values == {"steps": 7}


@dataclass(frozen=True)
class Colour:
    """A type that is no setting."""

    red: int


def _no_type() -> object:
    def f(dots) -> int: ...  # type: ignore[no-untyped-def,empty-body]

    return f


def _no_return() -> object:
    def f(dots: int): ...  # type: ignore[no-untyped-def]

    return f


def _keywords() -> object:
    def f(**rest: int) -> int: ...  # type: ignore[empty-body]

    return f


def _untyped_keywords() -> object:
    def f(**rest) -> int: ...  # type: ignore[no-untyped-def,empty-body]

    return f


def _default_on_a_wire() -> object:
    def f(dots: int = 3) -> int: ...  # type: ignore[empty-body]

    return f


def _bad_default() -> object:
    def f(*, dots: Annotated[int, Field(ge=1)] = 0) -> int: ...  # type: ignore[empty-body]

    return f


def _nan_default() -> object:
    def f(*, size: float = float("nan")) -> int: ...  # type: ignore[empty-body]

    return f


def _default_of_another_type() -> object:
    def f(*, dots: int = 3.5) -> int: ...  # type: ignore[empty-body,assignment]

    return f


def _class_as_setting() -> object:
    def f(*, colour: Colour) -> int: ...  # type: ignore[empty-body]

    return f


def _underscore() -> object:
    def f(*, _dots: int = 1) -> int: ...  # type: ignore[empty-body]

    return f


def _accent() -> object:
    def f(größe: int) -> int: ...  # type: ignore[empty-body]

    return f


def _two_contexts() -> object:
    def f(one: Context, two: Context) -> int: ...  # type: ignore[empty-body]

    return f


def _generator_of_a_list() -> object:
    def f() -> list[int]:  # type: ignore[misc]
        yield 1

    return f


def _async_generator_of_a_value() -> object:
    async def f() -> int:  # type: ignore[misc]
        yield 1

    return f


def _plain_promise_of_an_async_generator() -> object:
    async def f() -> Iterator[int]:  # type: ignore[misc]
        yield 1

    return f


def _stream_without_yield() -> object:
    def f() -> Stream[int]:
        return [1]

    return f


def _generator_of_nothing() -> object:
    def f() -> Iterator[None]:
        yield

    return f


def _generator_of_previews() -> object:
    def f() -> Iterator[Preview]:
        yield Preview(b"")

    return f


class Pair(NamedTuple):
    """Two values."""

    left: int
    right: int


def _stream_of_pairs() -> object:
    def f() -> Stream[Pair]:
        yield Pair(1, 2)

    return f


def _many_streams() -> object:
    def f(*values: Stream[int]) -> int: ...  # type: ignore[empty-body]

    return f


def _lazy_stream() -> object:
    def f(values: Lazy[Stream[int]]) -> int: ...  # type: ignore[empty-body]

    return f


def _stream_in_a_list() -> object:
    def f(values: list[Stream[int]]) -> int: ...  # type: ignore[empty-body]

    return f


def _stream_as_setting() -> object:
    def f(*, values: Stream[int]) -> int: ...  # type: ignore[empty-body]

    return f


def _plain_stream_on_the_loop() -> object:
    async def f(values: Stream[int]) -> int: ...  # type: ignore[empty-body]

    return f


def _bare_list() -> object:
    def f(images: list) -> int: ...  # type: ignore[type-arg,empty-body]

    return f


def _unreadable() -> object:
    def f(x: Nowhere) -> int: ...  # type: ignore[name-defined,empty-body]  # noqa: F821

    return f


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (_no_type, "parameter 'dots' has no type; write 'dots: int', for example"),
        (_no_return, "the function has no return type; write '-> Image', for example, or '-> None'"),
        (_keywords, "'**rest' has no sockets; name each setting after the star"),
        (_untyped_keywords, "'**rest' has no sockets; name each setting after the star"),
        (
            _default_on_a_wire,
            "the wire 'dots' has the default 3; a wire may default to None only, or make it a setting by moving it "
            "after the star",
        ),
        (_bad_default, "the default of setting 'dots' must be at least 1 (got 0)"),
        (_nan_default, "the default of setting 'size' must be a finite number (got NaN)"),
        (_default_of_another_type, "the default of setting 'dots' must be a whole number (got "),
        (_class_as_setting, "setting 'colour' is of type colour, which cannot be typed in; settings are int, float"),
        (_underscore, "parameter '_dots' becomes a socket; name it in letters a-z first"),
        (_accent, "parameter 'größe' becomes a socket; name it in letters a-z first"),
        (_two_contexts, "one and two are both a Context; keep one"),
        (
            _generator_of_a_list,
            "yields values; write '-> Stream[Image]' where they are the items of a list, or '-> Iterator[Image]' where "
            "each is a better one than the last",
        ),
        (
            _async_generator_of_a_value,
            "yields values; write '-> AsyncStream[Image]' where they are the items",
        ),
        (_plain_promise_of_an_async_generator, "yields values; write '-> AsyncStream[Image]' where they are the items"),
        (
            _stream_without_yield,
            "promises Stream, but yields nothing; yield its values, or write '-> list[Image]', for example",
        ),
        (_generator_of_nothing, "yields nothing that could travel along a wire; write '-> Iterator[Image]'"),
        (_generator_of_previews, "yields nothing that could travel along a wire; write '-> Iterator[Image]'"),
        (_stream_of_pairs, "yields items of several lists, and a stream is one list; name a class of items"),
        (_many_streams, "'*values' cannot be a stream; only single wires can"),
        (_lazy_stream, "parameter 'values': a stream is an input as a whole, Stream[Image] of a plain "),
        (_stream_in_a_list, "parameter 'values': a stream is an input as a whole, Stream[Image] of a plain "),
        (_stream_as_setting, "parameter 'values': a stream is an input as a whole, Stream[Image] of a plain "),
        (
            _plain_stream_on_the_loop,
            "parameter 'values': a stream is an input as a whole, Stream[Image] of a plain ",
        ),
        (_bare_list, "parameter 'images': list says too little; write 'list[Image]', for example"),
        (_unreadable, "the annotation 'Nowhere' cannot be read at run time; import it outside TYPE_CHECKING"),
    ],
)
def test_mistakes_are_refused_with_the_words_to_write(make: Callable[[], Any], words: str) -> None:
    function = make()
    with pytest.raises(DefinitionError) as caught:
        node(category="x")(function)
    assert str(caught.value).startswith(f"test_node.{make.__name__}.<locals>.f: {words}")


def test_only_functions_become_nodes() -> None:
    with pytest.raises(DefinitionError, match="is a type; @node stands above a function"):
        node(category="x")(Colour)
    with pytest.raises(DefinitionError, match=r"is not a node; put @node\(category='...'\) above it"):
        spec_of(test_only_functions_become_nodes)


def _behaviour(**behaviour: Any) -> NodeSpec:
    @node(category="x", **behaviour)
    def f() -> int:
        return 1

    return spec_of(f)


@pytest.mark.parametrize(
    ("behaviour", "words"),
    [
        ({"version": 0}, "version=0; versions count from 1"),
        ({"version": 2, "migrations": {2: Migration()}}, r"migrations from versions \[2\]; allowed are 1 to 1"),
        ({"keyless": ["loud"]}, r"keyless names \['loud'\]; it names sockets and settings of the node"),
        ({"effect": True}, "an effect node returns Files, which the engine writes; write '-> Files'"),
    ],
)
def test_impossible_behaviour_is_refused(behaviour: dict[str, Any], words: str) -> None:
    with pytest.raises(DefinitionError, match=words):
        _behaviour(**behaviour)


def test_what_a_node_asks_for_is_in_its_key() -> None:
    with pytest.raises(DefinitionError, match=r"keyless names \['value'\]; what a node asks for is part of its key"):

        @node(category="x", keyless=("value",))
        def f(value: Lazy[int]) -> int:
            return 1


def test_effects_do_not_yield() -> None:
    with pytest.raises(DefinitionError, match="an effect node gives its files at once; write 'return' in place of 'yi"):

        @node(category="x", effect=True)
        def f() -> Iterator[Files]:
            yield Files(())


def test_async_nodes_have_no_device() -> None:
    with pytest.raises(DefinitionError, match="an async node runs on the event loop, not on a device; drop async"):

        @node(category="x", device="gpu")
        async def f() -> int:
            return 1


def test_an_effect_node_returns_files() -> None:
    @node(category="x", effect=True)
    def f() -> Files:
        return Files(())

    assert spec_of(f).effect


def test_node_without_brackets_or_category_says_what_to_write() -> None:
    def lost() -> None:
        """Do nothing."""

    with pytest.raises(DefinitionError, match=r"lost: @node stands without brackets; write @node\(category='image'\)"):
        node(lost)
    with pytest.raises(DefinitionError, match="has no category"):
        node()(lost)
