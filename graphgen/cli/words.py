"""Numbers, sizes and limits in words for people."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from graphgen.jsontypes import JSON
from graphgen.widgets import LARGEST_SEED

Schema = Mapping[str, JSON]


def duration(seconds: float) -> str:
    """Return a time: `80 ms`, `6.8 s`, `2 min 05 s`, `1 h 02 min`."""
    if seconds < 0.0995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 9.95 and seconds != int(seconds):
        return f"{seconds:.1f} s"
    if seconds < 59.5:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02} s"
    return f"{minutes // 60} h {minutes % 60:02} min"


def size(count: int) -> str:
    """Return a number of bytes: `512 B`, `3.4 MiB`, `20 GiB`."""
    value, unit = float(count), "B"
    for larger in ("KiB", "MiB", "GiB", "TiB"):
        if value < 1024:
            break
        value, unit = value / 1024, larger
    return f"{value:.0f} {unit}" if unit == "B" or value >= 10 else f"{value:.1f} {unit}"


def count(number: int, noun: str) -> str:
    """Return a number of things: `1 node`, `7 nodes`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def value_text(value: JSON) -> str:
    """Return a value as it is written in a workflow; nothing for a value that is absent."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return "" if value is None else json.dumps(value, ensure_ascii=False)


def limits(schema: Schema) -> str:
    """Say what a JSON Schema allows besides the type: `1 … 64`, `png, jpeg or webp`, `a file in inputs`."""
    inner = _without_null(schema)
    choices = inner.get("enum")
    if isinstance(choices, Sequence) and not isinstance(choices, str):
        return either([str(item) for item in choices])
    if "const" in inner:
        return str(inner["const"])
    if shown := _widget(inner):
        return shown
    parts = [_range(inner), _length(inner)]
    if "multipleOf" in inner:
        parts.append(f"multiple of {_number(inner['multipleOf'])}")
    if "pattern" in inner:
        parts.append(f"like {inner['pattern']}")
    return ", ".join(part for part in parts if part)


def either(items: Sequence[str]) -> str:
    """Join alternatives: `a, b or c`."""
    return f"{', '.join(items[:-1])} or {items[-1]}" if len(items) > 1 else "".join(items)


def _without_null(schema: Schema) -> Schema:
    several = schema.get("anyOf")
    if isinstance(several, Sequence):
        for item in several:
            if isinstance(item, Mapping) and item.get("type") != "null":
                return {**schema, **item}
    return schema


def _range(schema: Schema) -> str:
    low, high = schema.get("minimum"), schema.get("maximum")
    above, below = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    if low is not None and high is not None:
        return f"{_number(low)} … {_number(high)}"
    parts = [
        f"at least {_number(low)}" if low is not None else "",
        f"more than {_number(above)}" if above is not None else "",
        f"at most {_number(high)}" if high is not None else "",
        f"less than {_number(below)}" if below is not None else "",
    ]
    return ", ".join(part for part in parts if part)


def _number(value: JSON) -> str:
    return "2^53-1" if value == LARGEST_SEED else value_text(value)


def _length(schema: Schema) -> str:
    if schema.get("minItems"):
        return f"at least {schema['minItems']} of them"
    return "not empty" if schema.get("minLength") == 1 else ""


def _widget(schema: Schema) -> str:
    widget = schema.get("widget")
    if not isinstance(widget, Mapping):
        return ""
    if widget.get("kind") in ("file", "mask"):
        return f"a file in {widget.get('root')}"
    return {"color": "a colour, #rrggbb", "curve": "points [x, y], 0 … 1"}.get(str(widget.get("kind")), "")
