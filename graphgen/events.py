"""What a run tells the world: frozen events, in the order they happened.

Terminal, server and editor all listen to these and to nothing else. `node` is a node's name in the workflow. Progress
is thinned out by the sender (at most ten a second for each node), so that the number of events is linear in the
number of nodes.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from re import sub
from typing import Literal, TypeAlias

from graphgen.jsontypes import JSON

RunStatus = Literal["done", "failed", "cancelled"]


@dataclass(frozen=True, slots=True)
class RunStarted:
    """A plan begins: how many nodes may run, how many of them are already cached, and what it will take, about.

    `seconds` is the estimate of what is known: all but `unknown` nodes. `peak_bytes` of memory: None if not known.
    """

    run: str
    nodes: int
    cached: int
    targets: tuple[str, ...]
    seconds: float = 0.0
    unknown: int = 0
    peak_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class NodeCached:
    """A node's outputs were found: in `memory`, on `disk`, or shared with an `equal` node at work.

    `digests` identify the values, by output.
    """

    node: str
    source: Literal["memory", "disk", "equal"]
    digests: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NodeStarted:
    """A node begins to run on a lane."""

    node: str
    lane: str


@dataclass(frozen=True, slots=True)
class NodeWaiting:
    """A node waits, because another run or process has begun to compute the same; its result will do for both."""

    node: str


@dataclass(frozen=True, slots=True)
class NodeProgress:
    """A node has done `done` of `total` units of its work; `stage` says of what, when it is not the work itself."""

    node: str
    done: int
    total: int
    stage: str = ""


@dataclass(frozen=True, slots=True)
class NodePreview:
    """A node shows what it is working on."""

    node: str
    media_type: str
    data: bytes


@dataclass(frozen=True, slots=True)
class NodePartial:
    """A node has yielded `count` values so far; `summaries` describe the latest, which may not be what it gives."""

    node: str
    count: int
    summaries: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NodeLog:
    """A node says something to the person running it."""

    node: str
    level: Literal["info", "warning"]
    message: str


@dataclass(frozen=True, slots=True)
class NodeFinished:
    """A node ran to its end; `summaries` describes each output in a few words, `digests` identify the values."""

    node: str
    seconds: float
    summaries: Mapping[str, str] = field(default_factory=dict)
    digests: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NodeFailed:
    """A node raised; `inputs` summarises what it was given."""

    node: str
    type: str
    message: str
    traceback: str
    inputs: str


Skipped: TypeAlias = Literal["failed", "skipped", "no_value", "cancelled"]
"""Why a node is skipped: one it needs failed, was skipped itself or gave no value, or the run was cancelled."""


@dataclass(frozen=True, slots=True)
class NodeSkipped:
    """A node could not run; `about` is the node it is because of, if it is because of one."""

    node: str
    because: str
    kind: Skipped
    about: str = ""


@dataclass(frozen=True, slots=True)
class RunFinished:
    """The run is over; `files` are the files its effect nodes wrote or found in place."""

    run: str
    status: RunStatus
    seconds: float
    ran: int
    cached: int
    failed: int
    skipped: int
    files: tuple[str, ...] = ()


Event: TypeAlias = (
    RunStarted
    | NodeCached
    | NodeStarted
    | NodeWaiting
    | NodeProgress
    | NodePreview
    | NodePartial
    | NodeLog
    | NodeFinished
    | NodeFailed
    | NodeSkipped
    | RunFinished
)


def event_name(event: Event) -> str:
    """Return the event's name in snake case, such as `node_started`."""
    return _NAMES[type(event)]


def event_json(event: Event) -> dict[str, JSON]:
    """Return an event as a JSON object whose `event` key is its name; bytes become base64."""
    shown: dict[str, JSON] = {"event": event_name(event)}
    for item in fields(event):
        value = getattr(event, item.name)
        shown[item.name] = base64.b64encode(value).decode() if isinstance(value, bytes) else _plain(value)
    return shown


def _plain(value: object) -> JSON:
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    assert value is None or isinstance(value, bool | int | float | str)  # noqa: S101 - events hold plain fields only
    return value


_NAMES = {cls: sub(r"(?<!^)(?=[A-Z])", "_", cls.__name__).lower() for cls in Event.__args__}
