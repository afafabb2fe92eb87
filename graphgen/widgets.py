"""Marks on a setting that tell an editor how to show it, and the engine what it may hold.

They stand in an annotation, `strength: Annotated[float, Field(ge=0, le=1), Slider(step=0.05)] = 0.8`, and add a
`widget` object to the setting's JSON Schema, so that an editor needs no second protocol.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any, ClassVar, Literal, TypeAlias

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

RootName: TypeAlias = Literal["models", "inputs", "outputs", "data"]

_COLOR = re.compile(r"^#[0-9a-fA-F]{6}$")
MOST_POINTS = 64
"""The most points of a curve."""

LARGEST_SEED = 2**53 - 1
"""The largest whole number that a browser does not round."""


@dataclass(frozen=True)
class Widget:
    """The base of all marks: adds its own fields to the JSON Schema under `widget`."""

    kind: ClassVar[str] = ""

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """Add the mark to the setting's JSON Schema."""
        shown = handler(schema)
        shown["widget"] = {
            "kind": self.kind,
            **{
                name: list(value) if isinstance(value, tuple) else value
                for name, value in asdict(self).items()
                if value is not None
            },
        }
        return shown


@dataclass(frozen=True)
class Slider(Widget):
    """Show a number as a slider between its limits."""

    kind = "slider"
    step: float | None = None


@dataclass(frozen=True)
class TextArea(Widget):
    """Show a text over several lines."""

    kind = "text_area"
    lines: int = 3


@dataclass(frozen=True)
class Seed(Widget):
    """Show a whole number as a seed, with dice; allows 0 ... 2^53-1."""

    kind = "seed"

    def __get_pydantic_core_schema__(self, source: type[int], handler: GetCoreSchemaHandler) -> CoreSchema:
        """Limit the number to what a browser can hold exactly."""
        return core_schema.int_schema(ge=0, le=LARGEST_SEED, strict=True)


@dataclass(frozen=True)
class File(Widget):
    """Show a text as a file chosen inside one of the roots; `kinds` are media types or suffixes an editor offers.

    `parts` are the networks that a model must have to be of use, in the words of `describe_model`: `lora`, `vae`, ...
    """

    kind = "file"
    root: RootName = "inputs"
    kinds: tuple[str, ...] = ()
    parts: tuple[str, ...] | None = None


@dataclass(frozen=True)
class PaintedMask(File):
    """Show a text as a mask to paint: a grey PNG that the editor puts into a root, white where it was painted.

    `over` names the node's input whose picture is painted over. An empty text is a mask where nothing is painted.
    """

    kind = "mask"
    kinds: tuple[str, ...] = (".png",)
    over: str = "image"


@dataclass(frozen=True)
class Color(Widget):
    """Show a text as a colour: `#rrggbb`, and nothing else is allowed. Capitals become small letters."""

    kind = "color"

    def __get_pydantic_core_schema__(self, source: type[str], handler: GetCoreSchemaHandler) -> CoreSchema:
        """Refuse what is no colour."""
        return core_schema.no_info_after_validator_function(_read_color, core_schema.str_schema(strict=True))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """Add the mark and the form to the setting's JSON Schema."""
        return {**super().__get_pydantic_json_schema__(schema, handler), "pattern": _COLOR.pattern}


@dataclass(frozen=True)
class Curve(Widget):
    """Show a list of points `[x, y]`, each from 0 to 1 and from left to right, as a curve to bend."""

    kind = "curve"

    def __get_pydantic_core_schema__(
        self, source: type[list[list[float]]], handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """Refuse what is no curve."""
        number = core_schema.float_schema(ge=0, le=1, strict=True, allow_inf_nan=False)
        point = core_schema.list_schema(number, min_length=2, max_length=2, strict=True)
        points = core_schema.list_schema(point, min_length=2, max_length=MOST_POINTS, strict=True)
        return core_schema.no_info_after_validator_function(_read_curve, points)


def _read_color(text: str) -> str:
    if not _COLOR.fullmatch(text):
        raise ValueError("must be a colour, written #rrggbb")
    return text.lower()


def _read_curve(points: list[list[float]]) -> list[list[float]]:
    if any(left[0] >= right[0] for left, right in pairwise(points)):
        raise ValueError("must have points from left to right, no two of them with the same x")
    return points


@dataclass(frozen=True)
class Wireable:
    """Say whether a setting may be wired instead of typed in (it may, unless marked `Wireable(False)`)."""

    allowed: bool = True
