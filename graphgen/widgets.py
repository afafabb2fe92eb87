"""Marks on a setting that tell an editor how to show it, and the engine what it may hold.

They stand in an annotation, `strength: Annotated[float, Field(ge=0, le=1), Slider(step=0.05)] = 0.8`, and add a
`widget` object to the setting's JSON Schema, so that an editor needs no second protocol.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Literal, TypeAlias

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

RootName: TypeAlias = Literal["models", "inputs", "outputs", "data"]

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
    """Show a text as a file chosen inside one of the roots; `kinds` are media types or suffixes an editor offers."""

    kind = "file"
    root: RootName = "inputs"
    kinds: tuple[str, ...] = ()


@dataclass(frozen=True)
class Wireable:
    """Say whether a setting may be wired instead of typed in (it may, unless marked `Wireable(False)`)."""

    allowed: bool = True
