"""One node's call: checked settings and input values in, checked output values out.

Every lane calls nodes through here, in whatever thread or process it runs them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple, cast

from pydantic import ValidationError

from graphgen.context import Context
from graphgen.errors import GraphgenError
from graphgen.lazy import Lazy
from graphgen.novalue import NoValue
from graphgen.settings import complete_settings
from graphgen.spec import InputSpec, NodeSpec, OutputSpec
from graphgen.stream import Items
from graphgen.types import TypeTable, accepts, class_name
from graphgen.validation import problems_of


class CallError(GraphgenError):
    """A node was given, or gave, something its signature does not allow."""


class Call(NamedTuple):
    """A node function with its arguments in place."""

    function: Callable[..., object]
    arguments: Sequence[object]
    settings: Mapping[str, object]


def prepare(
    spec: NodeSpec,
    settings: Mapping[str, object],
    inputs: Mapping[str, Sequence[object]],
    context: Context | None,
    waiting: Collection[str] = (),
    types: TypeTable = TypeTable(),  # noqa: B008 - frozen
    streams: Mapping[str, object] = MappingProxyType({}),
) -> Call:
    """Put a node's arguments in place; wired settings are among `inputs`, the context is for nodes that want one.

    `waiting` are lazy inputs that are wired, but not there. `streams` are those whose items are still to come.

    Raises:
        CallError: a wire brings a value of another type, or one that a setting does not allow.
    """
    wired = {name: values[0] for name, values in inputs.items() if spec.setting(name)}
    keywords = settle(spec, settings, wired)
    if spec.context is not None and spec.context not in spec.arguments:
        keywords[spec.context] = context
    arguments: list[object] = []
    for name in spec.arguments:
        if name == spec.context:
            arguments.append(context)
        elif (socket := spec.input(name)) is not None:
            values = inputs.get(name, ())
            _check_input(socket, values, types)
            if socket.stream and (values or name in streams):
                arguments.append(streams[name] if name in streams else Items(cast("list[object]", values[0])))
            elif socket.lazy and (values or name in waiting):
                arguments.append(Lazy(values[0]) if values else Lazy(missing=name))
            else:
                arguments.extend(values if socket.many else (values[0] if values else None,))
    return Call(spec.function, arguments, keywords)


def _check_input(socket: InputSpec, values: Sequence[object], types: TypeTable) -> None:
    """Check what outputs of any type could not promise."""
    for value in values:
        if not accepts(socket.type, value, types):
            found: type = type(value)
            raise CallError(f"its input '{socket.name}' is given a {class_name(found)}; it takes {socket.type}")


def check_item(socket: InputSpec, value: object, place: int, types: TypeTable) -> None:
    """Check an item that comes into a stream.

    Raises:
        CallError: it is not of the stream's type.
    """
    if socket.type.item is not None and not accepts(socket.type.item, value, types):
        found: type = type(value)
        message = f"its input '{socket.name}' is given a {class_name(found)} as item {place + 1}"
        raise CallError(f"{message}; it takes {socket.type}")


def settle(spec: NodeSpec, settings: Mapping[str, object], wired: Mapping[str, object]) -> dict[str, object]:
    """Return all settings of a node that is about to run: those typed in, checked long ago, and what the wires bring.

    Raises:
        CallError: a wired setting has a value that is not allowed.
    """
    if not wired:  # lists are copied, so that a node that changes one spoils no other run
        return {name: list(value) if isinstance(value, list) else value for name, value in settings.items()}
    try:
        return complete_settings(spec, {**settings, **wired})
    except ValidationError as error:
        found = "; ".join(str(problem) for problem in problems_of(error))
        raise CallError(f"a wire brings a value that its setting does not allow: {found}") from error


def outputs_of(spec: NodeSpec, returned: object, types: TypeTable) -> dict[str, object]:
    """Give what a node returned its output's names.

    Raises:
        CallError: it is not what the node's signature promises.
    """
    if not spec.outputs:
        if returned is not None:
            raise CallError(f"returned a {type(returned).__name__}, but its signature says '-> None'")
        return {}
    if isinstance(returned, NoValue):
        return dict.fromkeys((output.name for output in spec.outputs), returned)
    values = returned if len(spec.outputs) > 1 or _named_tuple_of_one(spec, returned) else (returned,)
    if not isinstance(values, tuple) or len(values) != len(spec.outputs):
        names = ", ".join(output.name for output in spec.outputs)
        raise CallError(f"returned a {type(returned).__name__}; it promises {len(spec.outputs)} outputs: {names}")
    named: dict[str, object] = {}
    for output, value in zip(spec.outputs, values, strict=True):
        _check_output(output, value, types)
        named[output.name] = value
    return named


def _named_tuple_of_one(spec: NodeSpec, returned: object) -> bool:
    return isinstance(returned, tuple) and getattr(returned, "_fields", None) == (spec.outputs[0].name,)


def _check_output(output: OutputSpec, value: object, types: TypeTable) -> None:
    if not isinstance(value, NoValue) and not accepts(output.type, value, types):
        raise CallError(f"its output '{output.name}' is a {type(value).__name__}; it promises {output.type}")
