"""Socket types: how a Python annotation becomes the type of a socket, and whether one socket fits another.

In: the annotations of node functions. Out: `SocketType`, which serialises to a short text such as `list[image]?`, and
`fits`, the one function that decides about a wire. Classes are known to the engine by name alone (`Latent` is
`latent`), so that a catalogue of nodes can be read without importing what made it.
"""

from __future__ import annotations

import re
import types
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from functools import cache
from inspect import isabstract
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from graphgen.errors import DefinitionError
from graphgen.jsontypes import JSON

SCALARS: Mapping[type, str] = {bool: "bool", int: "int", float: "float", str: "str"}

_TYPE = re.compile(r"([a-z][a-z0-9_]*)(?:\[(.+)\])?(?:<([A-Za-z0-9_.|-]+)>)?(\?)?")


class Family:
    """Mark a socket as belonging to model families: `Annotated[Latent, Family("flux")]`."""

    def __init__(self, *names: str) -> None:
        self.names = names


@dataclass(frozen=True, slots=True)
class SocketType:
    """The type of a socket: a name, an element type if it is a list, and whether no value is allowed."""

    name: str
    item: SocketType | None = None
    optional: bool = False
    families: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Write the type as text: `image`, `list[image]`, `latent<flux|sd3>?`."""
        inner = f"[{self.item}]" if self.item else ""
        families = f"<{'|'.join(self.families)}>" if self.families else ""
        return f"{self.name}{inner}{families}{'?' if self.optional else ''}"


@dataclass(frozen=True, slots=True)
class ConversionRule:
    """A node that stands in on wires whose ends do not fit: from its `input` to its `output`, at a cost.

    `lossy` says what is lost on the way, and is empty if nothing is. `each` tells that it converts a list item by item.
    """

    source: SocketType
    target: SocketType
    node: str
    input: str
    output: str
    cost: int
    lossy: str = ""
    each: bool = False

    def to_json(self) -> dict[str, JSON]:
        """Return the rule as JSON."""
        ends: dict[str, JSON] = {"from": str(self.source), "to": str(self.target)}
        return {**ends, "node": self.node, "cost": self.cost, "lossy": self.lossy}


@dataclass(frozen=True)
class TypeTable:
    """What the engine knows of socket types: each name's ancestors, and the class behind it where it is loaded.

    `conversions` stand in where types do not fit, the best first.
    """

    ancestors: Mapping[str, frozenset[str]] = field(default_factory=dict)
    classes: Mapping[str, type] = field(default_factory=dict)
    conversions: tuple[ConversionRule, ...] = ()

    def to_json(self) -> dict[str, JSON]:
        """Return the rules of `fits` as data, for a browser that refuses impossible wires while they are dragged."""
        return {
            "widenings": {"int": ["float"]},
            "anything": "any",
            "ancestors": {name: sorted(names) for name, names in sorted(self.ancestors.items()) if names},
            "conversions": [rule.to_json() for rule in self.conversions],
            "lists": "converted item by item",
        }


def fits(out: SocketType, into: SocketType, table: TypeTable) -> bool:
    """Tell whether a value of type `out` may be wired into a socket of type `into`.

    It may when the types are the same, when `out` is a subclass, when it is an int and a float is wanted (never a bool
    for an int), and for lists by element. An optional output fits only an optional input; two sets of families must
    share a member. What an output of any type gives (a switch, say) is checked when it arrives.
    """
    if into.name == "any":
        return into.optional or not out.optional
    if out.optional and not into.optional:
        return False
    if out.name == "any":
        return True
    if out.families and into.families and not set(out.families) & set(into.families):
        return False
    if out.item is not None or into.item is not None:
        return out.item is not None and into.item is not None and fits(out.item, into.item, table)
    if out.name == into.name or (out.name, into.name) == ("int", "float"):
        return True
    return into.name in table.ancestors.get(out.name, frozenset())


def conversion_of(out: SocketType, into: SocketType, table: TypeTable) -> ConversionRule | None:
    """Return the conversion for a wire whose ends do not fit: the cheapest, of equal ones one that loses nothing.

    One conversion, never a chain of them: what it takes must fit `out`, what it gives must fit `into`. Where no rule is
    for whole lists, one for their items is applied to each.
    """
    for rule in table.conversions:
        if fits(out, rule.source, table) and fits(rule.target, into, table):
            return rule
    if out.item is None or into.item is None or out.item.item is not None or (out.optional and not into.optional):
        return None
    found = conversion_of(out.item, into.item, table)
    return found and replace(
        found, source=SocketType("list", item=found.source), target=SocketType("list", item=found.target), each=True
    )


def joins(out: SocketType, into: SocketType, table: TypeTable) -> bool:
    """Tell whether a value may be wired in as it is, or converted."""
    return fits(out, into, table) or conversion_of(out, into, table) is not None


def accepts(kind: SocketType, value: object, table: TypeTable) -> bool:
    """Tell whether a value is of a socket type: the same rules as `fits`, for a value instead of an output."""
    if value is None:
        return kind.optional
    if kind.item is not None:
        item = kind.item
        return isinstance(value, list) and all(accepts(item, one, table) for one in value)
    cls: type = type(value)
    name = class_name(cls)
    if kind.name in (name, "any") or (name, kind.name) == ("int", "float"):
        return True
    return kind.name in table.ancestors.get(name, frozenset())


def socket_type(annotation: object) -> SocketType:
    """Return the socket type of an annotation.

    Allowed: int, float, str, bool, `Literal` of strings or numbers, a class (best a frozen dataclass), `list[T]`,
    `T | None`, `object` for anything, each possibly `Annotated`.

    Raises:
        DefinitionError: the annotation is none of these.
    """
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        families = tuple(name for mark in arguments[1:] if isinstance(mark, Family) for name in mark.names)
        inner = socket_type(arguments[0])
        return replace(inner, families=families) if families else inner
    if origin is Literal:
        return SocketType(_literal_name(arguments))
    if origin is Union or origin is types.UnionType:
        return _optional(arguments, annotation)
    if origin is list:
        return SocketType("list", item=socket_type(arguments[0]))
    if annotation is object:
        return SocketType("any")
    if cure := _BARE.get(annotation if isinstance(annotation, type) else None):
        raise DefinitionError(f"{getattr(annotation, '__name__', annotation)} says too little; {cure}")
    if isinstance(annotation, type):
        return SocketType(SCALARS.get(annotation) or class_name(annotation))
    raise DefinitionError(
        f"{annotation!r} cannot travel along a wire; use a number, a text, a frozen dataclass or list[T]"
    )


def parse_type(text: str) -> SocketType:
    """Return the socket type that a text names, as `str` writes it: `image`, `list[image]`, `latent<flux|sd3>?`.

    Raises:
        ValueError: the text names no type; says what a type looks like.
    """
    found = _TYPE.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"'{text}' is no type; write one as 'image', 'list[image]', 'float' or 'image?'")
    name, item, families, optional = found.groups()
    if (name == "list") != (item is not None):
        raise ValueError(f"'{text}' is no type; only a list has an element type, as in 'list[image]'")
    return SocketType(
        name, parse_type(item) if item else None, bool(optional), tuple(families.split("|")) if families else ()
    )


def classes_of(annotation: object) -> Iterable[type]:
    """Yield the classes an annotation mentions that are socket types of their own (no numbers, no texts)."""
    if get_origin(annotation) is Literal:
        return
    arguments = get_args(annotation)
    if arguments:
        for argument in arguments:
            yield from classes_of(argument)
    elif isinstance(annotation, type) and annotation not in SCALARS and annotation not in (object, type(None)):
        yield annotation


@cache
def class_name(cls: type) -> str:
    """Return a class's name as a socket type: `ImageBatch` is `image_batch`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", cls.__name__).lower()


def build_table(classes: Iterable[type]) -> TypeTable:
    """Collect classes, with their ancestors, into a table.

    Raises:
        DefinitionError: two different classes share a name, or one is neither a frozen dataclass nor abstract.
    """
    known: dict[str, type] = {}
    ancestors: dict[str, frozenset[str]] = {}
    for cls in classes:
        name = class_name(cls)
        if known.setdefault(name, cls) is not cls:
            raise DefinitionError(
                f"two socket types are named '{name}': {_where(known[name])} and {_where(cls)}; rename one"
            )
        _check_class(cls)
        ancestors[name] = frozenset(class_name(base) for base in cls.__mro__[1:] if _is_socket_class(base))
    return TypeTable(ancestors, known)


def _check_class(cls: type) -> None:
    frozen = is_dataclass(cls) and cls.__dataclass_params__.frozen  # type: ignore[attr-defined]  # typeshed hides it
    if not frozen and not isabstract(cls) and not cls.__subclasses__():
        raise DefinitionError(
            f"{_where(cls)} travels along wires but is not a frozen dataclass; write @dataclass(frozen=True)"
        )
    if is_dataclass(cls) and (computed := [item.name for item in fields(cls) if not item.init]):
        raise DefinitionError(
            f"{_where(cls)}: the field '{computed[0]}' is not given to __init__, so a stored value could not be made "
            "again; make it a property"
        )


def _is_socket_class(cls: type) -> bool:
    return cls.__module__ not in ("builtins", "abc", "typing")


def _where(cls: type) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"


_BARE: Mapping[object, str] = {
    Any: "write 'object' for a value of any type",
    list: "write 'list[Image]', for example",
    tuple: "write 'list[Image]', for example, or put the values into a frozen dataclass",
    dict: "put the values into a frozen dataclass",
    set: "write 'list[Image]', for example",
    bytes: "put them into a frozen dataclass, which gives them a name",
    type(None): "nothing cannot travel along a wire; a node without outputs is written '-> None'",
}
"""Annotations that name a container or nothing, but no type a wire could be checked by."""


def _literal_name(choices: tuple[object, ...]) -> str:
    kinds = {type(choice) for choice in choices}
    if len(kinds) == 1 and (kind := kinds.pop()) in SCALARS:
        return SCALARS[kind]
    raise DefinitionError(f"Literal{list(choices)} mixes kinds; use texts only or whole numbers only")


def _optional(arguments: tuple[object, ...], annotation: object) -> SocketType:
    inner = [argument for argument in arguments if argument is not type(None)]
    if len(inner) != 1 or len(arguments) != 2:
        raise DefinitionError(f"{annotation!r} is a union; a socket takes one type, or that type and None")
    return replace(socket_type(inner[0]), optional=True)
