"""What is wrong with values, in graphgen's words: nothing of the library that finds it shows."""

from __future__ import annotations

from typing import Annotated, Literal

import pytest
from pydantic import AfterValidator, BaseModel, Field, JsonValue, ValidationError, create_model
from pydantic_core import PydanticCustomError

from graphgen import node
from graphgen.jsontypes import JSON
from graphgen.node import spec_of
from graphgen.validation import problems_of
from graphgen.workflow import Workflow

NOT_OURS = (
    "pydantic",
    "input should",
    "valid ",
    "value error",
    "assertion",
    "integer",
    "boolean",
    "dictionary",
    "str_",
)
"""How the library would put it."""


def _even(value: int) -> int:
    if value % 2:
        raise ValueError("must be even")
    return value


def _quiet(value: int) -> int:
    if value != 1:
        raise ValueError
    return value


def _own(value: int) -> int:
    if value > 5:
        raise PydanticCustomError("too_loud", "is too loud for {where}", {"where": "a library"})
    return value


@node(category="x")
def everything(
    *,
    whole: Annotated[int, Field(ge=1, le=9, multiple_of=2)] = 2,
    open_: Annotated[int, Field(gt=1, lt=9)] = 2,
    part: Annotated[float, Field(gt=0, lt=1)] = 0.5,
    words: Annotated[str, Field(min_length=2, max_length=3, pattern="^[a-z]*$")] = "ab",
    on: bool = True,
    kind: Literal["plain", "loud"] = "plain",
    size: Literal[1, 2] = 1,
    several: Annotated[list[int], Field(min_length=1, max_length=2)] = [1],  # noqa: B006 - settings copy it
    perhaps: int | None = None,
    even: Annotated[int, AfterValidator(_even)] = 2,
    quiet: Annotated[int, AfterValidator(_quiet)] = 1,
    own: Annotated[int, AfterValidator(_own)] = 1,
) -> int:
    """Have a setting of every kind."""
    return whole


VALUES: list[JSON] = [
    *(None, True, 0, 1, 3, 100, -1, 0.5, 3.9, 7.0, 10**30, float("nan"), float("inf")),
    *("", "a", "AB", "abcd", "loud", "7", "\ud800", [], [1, 2, 3], ["a"], [None], [[1]], {}, {"a": 1}),
]


@pytest.mark.parametrize("setting", [item.name for item in spec_of(everything).settings])
def test_settings_are_refused_in_our_words(setting: str) -> None:
    refused = 0
    for value in VALUES:
        try:
            spec_of(everything).model.model_validate({setting: value})
        except ValidationError as error:
            for problem in problems_of(error, "n"):
                refused += 1
                assert problem.place.startswith(f"n.{setting}")
                assert "(got " in problem.message
                assert not [word for word in NOT_OURS if word in problem.message.lower()], problem.message
    assert refused


def test_workflows_are_refused_in_our_words() -> None:
    good = {"graphgen": 1, "nodes": {"a": {"type": "x.y", "settings": {"v": 1}}}}
    wrong: list[object] = [
        *VALUES,
        object(),
        {1: 2},
        {"a": {"type": object()}},
        {"a": {"type": "x.y", "settings": {"v": {2}}}},
    ]
    for key in ("graphgen", "name", "requires", "parameters", "outputs", "nodes", "view"):
        for value in wrong:
            try:
                Workflow.model_validate({**good, key: value})
            except ValidationError as error:
                for problem in problems_of(error):
                    assert not [word for word in NOT_OURS if word in problem.message.lower()], problem.message


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"even": 3}, "even: must be even (got 3)"),
        ({"quiet": 3}, "quiet: is not allowed (got 3)"),
        ({"own": 9}, "own: is too loud for a library (got 9)"),
        ({"perhaps": "x"}, 'perhaps: must be a whole number (got "x")'),
        ({"several": ["x"]}, 'several.0: must be a whole number (got "x")'),
        ({"size": 3}, "size: must be 1 or 2 (got 3)"),
        ({"words": "\ud800a"}, 'words: must be a text without half characters (got "\ud800a")'),
    ],
)
def test_values_are_refused_word_for_word(values: dict[str, JSON], said: str) -> None:
    with pytest.raises(ValidationError) as caught:
        spec_of(everything).model.model_validate(values)
    assert [str(problem) for problem in problems_of(caught.value)] == [said]


def test_what_json_cannot_hold_is_said_so() -> None:
    endless: list[object] = []
    endless.append(endless)
    holder: type[BaseModel] = create_model("holder", value=(JsonValue, ...))
    for value, said in (
        (endless, "holds itself, which JSON cannot"),
        ({2}, "must be a value that JSON"),
    ):
        with pytest.raises(ValidationError) as caught:
            holder.model_validate({"value": value})
        assert problems_of(caught.value)[0].message.startswith(said)
