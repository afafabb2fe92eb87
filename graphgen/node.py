"""`@node`: a function's signature becomes a NodeSpec.

In: a typed function. Out: the same function with a frozen NodeSpec attached; mistakes are refused here, while the
node is defined, with the words to write instead.

    @node(category="image")
    def invert(image: Image, *, strength: Annotated[float, Field(ge=0, le=1)] = 1.0) -> Image:
        \"\"\"Invert the colours of a picture.\"\"\"

Parameters before the star are wires, those after it settings; `*images: Image` takes any number of wires.
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping
from dataclasses import replace
from types import GenericAlias, UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel, BeforeValidator, ConfigDict, PydanticUserError, ValidationError, create_model
from pydantic.fields import FieldInfo

from graphgen.context import Context, Preview
from graphgen.errors import DefinitionError
from graphgen.expansion import Expansion
from graphgen.files import Files
from graphgen.lazy import Lazy
from graphgen.novalue import NoValue
from graphgen.spec import Device, Fingerprint, Infer, InputSpec, Migration, NodeSpec, OutputSpec, SettingSpec, Yields
from graphgen.stream import AsyncStream, Stream
from graphgen.types import SCALARS, SocketType, class_name, classes_of, socket_type
from graphgen.validation import phrase
from graphgen.widgets import Wireable

F = TypeVar("F", bound=Callable[..., object])

_PROMISES: Mapping[bool, tuple[type, type]] = {False: (Iterator, Stream), True: (AsyncIterator, AsyncStream)}
"""What a generator promises, plain or async: better and better values, or the items of a list."""
_ATTRIBUTE = "__graphgen_node__"
_CONFIG = ConfigDict(
    strict=True, extra="forbid", allow_inf_nan=False, frozen=True, validate_default=True, protected_namespaces=()
)


def node(
    bare: object = None,
    /,
    *,
    category: str = "",
    title: str | None = None,
    version: int = 1,
    device: Device = "cpu",
    cheap: bool = False,
    pure: bool = True,
    effect: bool = False,
    infer: Infer | None = None,
    fingerprint: Fingerprint | None = None,
    migrations: Mapping[int, Migration] | None = None,
    keyless: Collection[str] = (),
    aliases: Collection[str] = (),
) -> Callable[[F], F]:
    """Mark a function as a node.

    Args:
        bare: Nothing; takes the function of an `@node` without brackets, to say what to write instead.
        category: Where a catalogue lists it, such as `sampling`.
        title: Its name for people; the function's name, spaced, by default.
        version: Raise it when the node computes something else than before, or when its sockets or settings change.
        device: `gpu` runs it on a GPU's lane, and on the CPU's where there is no GPU.
        cheap: It takes microseconds: run it inline and do not store its outputs on disk.
        pure: Its outputs depend on its inputs and settings alone. If not, it runs every time.
        effect: It returns `Files`, which the engine writes.
        infer: What is known of the outputs from what is known of the inputs; raises Refusal for what cannot work.
        fingerprint: Identifies what the node reads from outside, such as a file's content.
        migrations: For each older version, how a saved node of that version becomes one of the next.
        keyless: Sockets and settings that change nothing of what comes out, such as previews: no part of its key.
        aliases: Other names that people look for it by, such as what other programs call it.

    Raises:
        DefinitionError: the function cannot be a node; says what to write instead.
    """
    if bare is not None:
        name = getattr(bare, "__qualname__", repr(bare))
        raise DefinitionError(f"{name}: @node stands without brackets; write @node(category='image'), for example")
    if not category:
        raise DefinitionError("@node has no category; write @node(category='image'), for example")

    def mark(function: F) -> F:
        spec = _read_spec(
            function,
            category=category,
            title=title or function.__name__.replace("_", " ").capitalize(),
            version=version,
            device=device,
            cheap=cheap,
            pure=pure,
            effect=effect,
            infer=infer,
            fingerprint=fingerprint,
            migrations=dict(migrations or {}),
            keyless=frozenset(keyless),
            aliases=tuple(aliases),
        )
        _check_behaviour(spec)
        setattr(function, _ATTRIBUTE, spec)
        return function

    return mark


def spec_of(function: Callable[..., object]) -> NodeSpec:
    """Return the NodeSpec of a function marked `@node`.

    Raises:
        DefinitionError: the function is not marked.
    """
    spec = getattr(function, _ATTRIBUTE, None)
    if not isinstance(spec, NodeSpec):
        name = getattr(function, "__qualname__", repr(function))
        raise DefinitionError(f"{name} is not a node; put @node(category='...') above it")
    return spec


def _read_spec(function: Callable[..., object], **behaviour: Any) -> NodeSpec:
    name = _check_function(function)
    hints = _hints(function, name)
    asynchronous = inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)
    yields, blocks = None, _says_it_blocks(hints.get("return"))
    if "return" in hints:
        hints["return"], yields = _read_yields(function, hints["return"], name)
        hints |= _fields_of(hints["return"])
    inputs: list[InputSpec] = []
    settings: dict[str, inspect.Parameter] = {}
    contexts: list[str] = []
    parameters = inspect.signature(function).parameters
    for parameter in parameters.values():
        annotation = _annotation(parameter, hints, name)
        if Context in classes_of(annotation):
            contexts.append(parameter.name)
        elif parameter.kind is parameter.KEYWORD_ONLY:
            settings[parameter.name] = parameter
        else:
            inputs.append(_read_input(parameter, annotation, name, asynchronous=asynchronous))
    if len(contexts) > 1:
        raise DefinitionError(f"{name}: {' and '.join(contexts)} are both a Context; keep one")
    outputs = _read_outputs(hints, name)
    return NodeSpec(
        id=function.__name__,
        description=_about(function),
        asynchronous=asynchronous,
        inputs=tuple(inputs),
        settings=tuple(_read_setting(parameter, hints[parameter.name], name) for parameter in settings.values()),
        outputs=outputs,
        model=_settings_model(function.__name__, settings, hints, name),
        function=function,
        arguments=tuple(key for key, item in parameters.items() if item.kind is not item.KEYWORD_ONLY),
        context=contexts[0] if contexts else None,
        yields=yields,
        blocks=blocks,
        classes=tuple(dict.fromkeys(cls for hint in hints.values() for cls in classes_of(hint) if _travels(cls))),
        **behaviour,
    )


def _check_function(function: Callable[..., object]) -> str:
    """Return the name by which mistakes are reported."""
    name = f"{function.__module__}.{getattr(function, '__qualname__', function)}"
    if not inspect.isfunction(function):
        raise DefinitionError(f"{name}: is a {type(function).__name__}; @node stands above a function")
    return name


def _about(function: Callable[..., object]) -> str:
    """Return a docstring without what the function raises: that is for callers, not for those who wire nodes."""
    return inspect.cleandoc(function.__doc__ or "").partition("\n\nRaises:\n")[0]


def _travels(cls: type) -> bool:
    return cls is not Context and not issubclass(cls, tuple)


def _hints(function: Callable[..., object], name: str) -> dict[str, object]:
    try:
        hints = get_type_hints(function, include_extras=True)
    except NameError as error:
        raise DefinitionError(
            f"{name}: the annotation {error.name!r} cannot be read at run time; import it outside TYPE_CHECKING"
        ) from error
    return hints


def _fields_of(returned: object) -> dict[str, object]:
    """Return the types of a NamedTuple's fields, each an output that may be blocked; none for other types."""
    if isinstance(returned, type) and issubclass(returned, tuple) and hasattr(returned, "_fields"):
        hints = get_type_hints(returned, include_extras=True)
        return {f"return {field}": _without(hint, (NoValue,)) for field, hint in hints.items()}
    return {}


def _read_yields(function: Callable[..., object], returned: object, name: str) -> tuple[object, Yields | None]:
    """Return what a function gives in the end, and what it yields on the way; None if it does not.

    Any output may be blocked, any node may return a graph, any generator may show previews; saying so is for type
    checkers.
    """
    marks = get_args(returned)[1:] if get_origin(returned) is Annotated else ()
    bare = get_args(returned)[0] if marks else returned
    origin, asynchronous = get_origin(bare), inspect.isasyncgenfunction(function)
    values, items = _PROMISES[asynchronous]
    yielding = asynchronous or inspect.isgeneratorfunction(function)
    if yielding != (origin in (*_PROMISES[False], *_PROMISES[True])) or (yielding and origin not in (values, items)):
        raise DefinitionError(f"{name}: {_promise_instead(origin, yielding=yielding, asynchronous=asynchronous)}")
    if not yielding:
        return _without(returned, (NoValue, Expansion)), None
    inner = _without(get_args(bare)[0], (NoValue, Expansion, Preview))
    if inner in (None, type(None), Preview):
        raise DefinitionError(
            f"{name}: yields nothing that could travel along a wire; write '-> {_name(values)}[Image]'"
        )
    if origin is items and _fields_of(inner):
        cure = "name a class of items, or yield better and better lists"
        raise DefinitionError(f"{name}: yields items of several lists, and a stream is one list; {cure}")
    whole: object = GenericAlias(list, inner) if origin is items else inner
    return (Annotated[(whole, *marks)] if marks else whole), "items" if origin is items else "values"


def _says_it_blocks(annotation: object) -> bool:
    """Tell whether an annotation says that an output may be blocked, by itself or in a graph that is returned."""
    return annotation is NoValue or annotation is Expansion or any(map(_says_it_blocks, get_args(annotation)))


def _promise_instead(origin: object, *, yielding: bool, asynchronous: bool) -> str:
    """Say what to write as the return type of a function that yields, or that does not though it says so."""
    values, items = map(_name, _PROMISES[asynchronous])
    if not yielding:
        return f"promises {_name(origin)}, but yields nothing; yield its values, or write '-> list[Image]', for example"
    return (
        f"yields values; write '-> {items}[Image]' where they are the items of a list, or '-> {values}[Image]' where "
        "each is a better one than the last"
    )


def _name(cls: object) -> str:
    return getattr(cls, "__name__", str(cls))


def _without(annotation: object, words: tuple[type, ...]) -> object:
    """Take classes out of a union, also one within Annotated, if that leaves one type."""
    if get_origin(annotation) is Annotated:
        inner, *marks = get_args(annotation)
        return Annotated[(_without(inner, words), *marks)]
    others = [part for part in get_args(annotation) if part not in words]
    united = get_origin(annotation) in (Union, UnionType) and len(get_args(annotation)) > len(others)
    return others[0] if united and len(others) == 1 else annotation


def _annotation(parameter: inspect.Parameter, hints: Mapping[str, object], name: str) -> object:
    if parameter.kind is parameter.VAR_KEYWORD:
        raise DefinitionError(f"{name}: '**{parameter.name}' has no sockets; name each setting after the star")
    if parameter.name not in hints:
        raise DefinitionError(
            f"{name}: parameter '{parameter.name}' has no type; write '{parameter.name}: int', for example"
        )
    if not parameter.name.isascii() or parameter.name.startswith("_"):
        raise DefinitionError(f"{name}: parameter '{parameter.name}' becomes a socket; name it in letters a-z first")
    return hints[parameter.name]


def _read_input(parameter: inspect.Parameter, annotation: object, name: str, *, asynchronous: bool) -> InputSpec:
    lazy, listed = _within(annotation, Lazy), _within(annotation, AsyncStream if asynchronous else Stream)
    kind = _socket(listed or lazy or annotation, parameter.name, name)
    if parameter.default is None:
        kind = replace(kind, optional=True)
    elif parameter.default is not parameter.empty:
        raise DefinitionError(
            f"{name}: the wire '{parameter.name}' has the default {parameter.default!r}; "
            "a wire may default to None only, or make it a setting by moving it after the star"
        )
    many = parameter.kind is parameter.VAR_POSITIONAL
    if many and (lazy or listed):
        raise DefinitionError(
            f"{name}: '*{parameter.name}' cannot be {'lazy' if lazy else 'a stream'}; only single wires can"
        )
    return InputSpec(parameter.name, kind, _description(annotation), many, lazy is not None, listed is not None)


def _within(annotation: object, mark: type) -> object | None:
    """Return what `Lazy[...]` or `Stream[...]`, itself or within Annotated or a union with None, makes of a socket.

    None if the mark is not there.
    """
    if get_origin(annotation) is mark:
        inside: object = get_args(annotation)[0]
        return inside if mark is Lazy else GenericAlias(list, inside)
    if get_origin(annotation) is Annotated:
        return _within(get_args(annotation)[0], mark)
    parts = get_args(annotation) if get_origin(annotation) in (Union, UnionType) else ()
    inner: list[Any] = [found for part in parts if (found := _within(part, mark)) is not None]
    union: object = inner[0] | None if inner else None  # a class, of which a union can be made
    return union


def _read_setting(parameter: inspect.Parameter, annotation: object, name: str) -> SettingSpec:
    marks = get_args(annotation)[1:] if get_origin(annotation) is Annotated else ()
    wireable = all(mark.allowed for mark in marks if isinstance(mark, Wireable))
    kind = _socket(annotation, parameter.name, name)
    inner = kind
    while inner.item:
        inner = inner.item
    if inner.name not in SCALARS.values():
        raise DefinitionError(
            f"{name}: setting '{parameter.name}' is of type {kind}, which cannot be typed in; settings are int, float, "
            "str, bool, Literal or a list of these; move it before the star to make it a wire"
        )
    return SettingSpec(parameter.name, kind, parameter.default is parameter.empty, wireable)


def _read_outputs(hints: Mapping[str, object], name: str) -> tuple[OutputSpec, ...]:
    if "return" not in hints:
        raise DefinitionError(f"{name}: the function has no return type; write '-> Image', for example, or '-> None'")
    returned = hints["return"]
    if returned is type(None):
        return ()
    several = {key.removeprefix("return "): hint for key, hint in hints.items() if key.startswith("return ")}
    if several:
        return tuple(OutputSpec(key, _socket(hint, key, name), _description(hint)) for key, hint in several.items())
    kind = _socket(returned, "return", name)
    bare = replace(kind, optional=False, families=())
    return (OutputSpec(bare.name if bare.item is None else f"{bare.item.name}s", kind, _description(returned)),)


def _socket(annotation: object, parameter: str, name: str) -> SocketType:
    if _mentions(annotation, (Stream, AsyncStream)):
        raise DefinitionError(
            f"{name}: parameter '{parameter}': a stream is an input as a whole, Stream[Image] of a plain node and "
            "AsyncStream[Image] of an async one; it is neither lazy, nor a setting, nor a part of another type"
        )
    try:
        return socket_type(annotation)
    except DefinitionError as error:
        raise DefinitionError(f"{name}: parameter '{parameter}': {error}") from error


def _mentions(annotation: object, classes: tuple[type, ...]) -> bool:
    return get_origin(annotation) in classes or any(_mentions(part, classes) for part in get_args(annotation))


def _description(annotation: object) -> str:
    marks = get_args(annotation)[1:] if get_origin(annotation) is Annotated else ()
    return next((mark.description for mark in marks if isinstance(mark, FieldInfo) and mark.description), "")


def _settings_model(
    title: str, settings: Mapping[str, inspect.Parameter], hints: Mapping[str, object], name: str
) -> type[BaseModel]:
    fields: dict[str, Any] = {
        key: (_whole(hints[key]), ... if parameter.default is parameter.empty else parameter.default)
        for key, parameter in settings.items()
    }
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Field name .* shadows an attribute")  # `copy` is a good name for one
            model: type[BaseModel] = create_model(title, __config__=_CONFIG, **fields)
        _check_defaults(model, settings, name)
    except (PydanticUserError, NameError, ValueError, TypeError) as error:
        told = error.message if isinstance(error, PydanticUserError) else error  # without the address of a manual
        raise DefinitionError(f"{name}: the settings cannot be read: {told}") from error
    return model


def _check_defaults(model: type[BaseModel], settings: Mapping[str, inspect.Parameter], name: str) -> None:
    required = {key for key, parameter in settings.items() if parameter.default is parameter.empty}
    try:
        model.model_validate({key: item.default for key, item in settings.items() if key not in required})
    except ValidationError as error:
        wrong = [detail for detail in error.errors() if detail["type"] != "missing"]
        if wrong:
            place = ".".join(str(part) for part in wrong[0]["loc"])
            raise DefinitionError(f"{name}: the default of setting '{place}' {phrase(wrong[0])}") from error


def _whole(annotation: object) -> object:
    """Let 7.0 stand for 7 in whole-number settings: JSON written by a browser does not tell them apart."""
    bare = get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation
    whole = bare is int or set(get_args(bare)) == {int, type(None)}
    return Annotated[annotation, BeforeValidator(_as_whole)] if whole else annotation


def _as_whole(value: object) -> object:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _check_behaviour(spec: NodeSpec) -> None:
    name = f"{spec.function.__module__}.{spec.id}"
    if spec.version < 1:
        raise DefinitionError(f"{name}: version={spec.version}; versions count from 1")
    if wrong := sorted(version for version in spec.migrations if not 1 <= version < spec.version):
        raise DefinitionError(f"{name}: migrations from versions {wrong}; allowed are 1 to {spec.version - 1}")
    if unknown := sorted(item for item in spec.keyless if not spec.input(item) and not spec.setting(item)):
        raise DefinitionError(f"{name}: keyless names {unknown}; it names sockets and settings of the node")
    if asked := sorted(spec.keyless & spec.lazy):
        raise DefinitionError(f"{name}: keyless names {asked}; what a node asks for is part of its key: drop Lazy")
    if spec.effect and [output.type.name for output in spec.outputs] != [class_name(Files)]:
        raise DefinitionError(f"{name}: an effect node returns Files, which the engine writes; write '-> Files'")
    if spec.effect and spec.yields:
        raise DefinitionError(f"{name}: an effect node gives its files at once; write 'return' in place of 'yield'")
    if spec.asynchronous and spec.device == "gpu":
        raise DefinitionError(f"{name}: an async node runs on the event loop, not on a device; drop async")
