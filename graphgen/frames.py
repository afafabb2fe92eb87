"""Tasks and reports as frames between an engine and a worker process: JSON, and beside it bytes and open files.

A frame is a head (three numbers: the bytes of its JSON, the bytes beside it, the open files beside it), a JSON object,
and what goes beside it: short images one after another, then one byte for each open file that is handed over. Nothing
is ever pickled.
"""

from __future__ import annotations

import json
import select
import socket
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil
from struct import Struct
from threading import Lock
from time import monotonic
from typing import Any

from graphgen.cache.crossing import Image, receive_file, receive_value, send_value
from graphgen.cache.stored import Backing, StoredValue
from graphgen.codec import ValueCodec
from graphgen.context import Preview
from graphgen.errors import LaneError
from graphgen.jsontypes import JSON
from graphgen.tasks import (
    Adapted,
    Asked,
    Expanded,
    Failed,
    Finished,
    Item,
    Logged,
    Measured,
    Partial,
    Progress,
    Report,
    Shown,
    Started,
    Stopped,
    Task,
    Used,
)

_HEAD = Struct(">IQI")
_CHUNK = 1 << 20  # bytes read at once
_CLOSE_ON_EXEC = getattr(socket, "MSG_CMSG_CLOEXEC", 0)


@dataclass(frozen=True, slots=True)
class Frame:
    """One message: its fields, which whoever takes them checks, and the images beside it."""

    fields: Mapping[str, Any]
    images: list[Image] = field(default_factory=list)


class Connection:
    """One end of a pair of sockets. Any thread may send; one receives."""

    def __init__(self, end: socket.socket) -> None:
        self._socket = end
        self._sending = Lock()
        self._poll = select.poll()
        self._poll.register(end, select.POLLIN)
        self._buffer = bytearray()
        self._files: deque[int] = deque()

    def fileno(self) -> int:
        """Return the descriptor, to wait on."""
        return self._socket.fileno()

    def send(self, frame: Frame) -> None:
        """Send a frame, waiting until there is room for it.

        Raises:
            OSError: nobody reads any more.
        """
        data, files = _pack(frame)
        with self._sending:
            self._socket.sendall(data)
            for file in files:
                socket.send_fds(self._socket, [b"\0"], [file.fileno()])

    def try_send(self, frame: Frame) -> bool:
        """Send a short frame if there is room for it at once; tell whether it went out."""
        data, _ = _pack(frame)
        with self._sending:
            try:
                return self._socket.send(data, socket.MSG_DONTWAIT) == len(data)
            except OSError:
                return False

    def receive(self, timeout: float | None = None) -> Frame | None:
        """Return the next frame, or None when it is not all there within so many seconds (None: wait for it).

        Raises:
            EOFError: the other end is closed.
            LaneError: what comes is no frame.
        """
        deadline = None if timeout is None else monotonic() + timeout
        while (wanted := self._wanted()) or self._files_wanted():
            left = None if deadline is None else max(0, ceil((deadline - monotonic()) * 1000))
            if not self._poll.poll(left):
                return None
            try:
                self._read(wanted)
            except ConnectionError as error:
                raise EOFError from error
        return self._unpack()

    def close(self) -> None:
        """Close this end."""
        self._socket.close()
        while self._files:
            receive_file(self._files.popleft())

    def _wanted(self) -> int:
        """Return how many bytes are missing, as far as is known."""
        if len(self._buffer) < _HEAD.size:
            return _HEAD.size - len(self._buffer)
        size, beside, _ = _HEAD.unpack_from(self._buffer)
        return int(_HEAD.size + size + beside - len(self._buffer))

    def _files_wanted(self) -> int:
        return int(_HEAD.unpack_from(self._buffer)[2]) - len(self._files)

    def _read(self, wanted: int) -> None:
        """Read some of a frame, never beyond its end: open files come with the very byte they were sent with."""
        if wanted:
            data = self._socket.recv(min(wanted, _CHUNK))
            self._buffer += data
        else:
            data, files, *_ = socket.recv_fds(self._socket, 1, 1, _CLOSE_ON_EXEC)
            self._files += files
            if data and not files:
                raise LaneError("an open file got lost between two processes; allow more with `ulimit -n`")
        if not data:
            raise EOFError

    def _unpack(self) -> Frame:
        size, _, _ = _HEAD.unpack_from(self._buffer)
        view, end = memoryview(bytes(self._buffer)), _HEAD.size + size
        self._buffer.clear()
        files = [receive_file(self._files.popleft()) for _ in range(len(self._files))]
        try:
            fields, images = json.loads(bytes(view[_HEAD.size : end])), list[Image]()
            for length in fields.pop("images"):
                images.append(files.pop(0) if length is None else bytes(view[end : end + length]))
                end += length or 0
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise LaneError(f"a process sent something that is no frame: {bytes(view[:60])!r}") from error
        return Frame(fields, images)


def _pack(frame: Frame) -> tuple[bytes, list[Backing]]:
    """Return a frame's bytes, and the files that go beside it."""
    short = [image for image in frame.images if isinstance(image, bytes)]
    files = [image for image in frame.images if isinstance(image, Backing)]
    sizes = [len(image) if isinstance(image, bytes) else None for image in frame.images]
    text = json.dumps({**frame.fields, "images": sizes}, separators=(",", ":")).encode()
    return b"".join([_HEAD.pack(len(text), sum(map(len, short)), len(files)), text, *short]), files


# --- what frames say ------------------------------------------------------------------------------------------------


def task_frame(task: Task, **more: JSON) -> Frame:
    """Write a task."""
    images: list[Image] = []
    inputs: JSON = {socket: [send_value(one, images) for one in values] for socket, values in task.inputs.items()}
    fields: dict[str, JSON] = {"task": task.id, "type": task.type, "settings": task.settings, "inputs": inputs}
    fields |= {"watched": task.watched, "key": task.key, "lazy": list(task.lazy), "forced": task.forced}
    fields |= {"streams": list(task.streams), "streamed": task.streamed}
    return Frame({**fields, **more}, images)


def read_task(frame: Frame, codec: ValueCodec) -> Task:
    """Read a task.

    Raises:
        LaneError: one of its values is of a type that is not known here.
    """
    said = frame.fields
    inputs = {
        socket: tuple(receive_value(one, frame.images, codec) for one in values)
        for socket, values in said["inputs"].items()
    }
    watched, lazy, forced = said["watched"], tuple(said["lazy"]), said["forced"]
    made = Task(said["task"], said["type"], said["settings"], inputs, watched, said["key"], lazy, forced=forced)
    return made._replace(streams=tuple(said["streams"]), streamed=said["streamed"])


def feed_frame(task: int, socket: str, items: Sequence[StoredValue], *, last: bool) -> Frame:
    """Write items for a task's stream."""
    images: list[Image] = []
    sent: JSON = [send_value(item, images) for item in items]
    return Frame({"feed": task, "socket": socket, "items": sent, "last": last}, images)


def read_feed(frame: Frame, codec: ValueCodec) -> list[StoredValue]:
    """Read the items of a stream.

    Raises:
        LaneError: one of them is of a type that is not known here.
    """
    return [receive_value(one, frame.images, codec) for one in frame.fields["items"]]


def report_frame(task: int, report: Report, **more: JSON) -> Frame:
    """Write a report."""
    images: list[Image] = []
    match report:
        case Started():
            fields: dict[str, JSON] = {"report": "started"}
        case Progress(done, total, stage):
            fields = {"report": "progress", "done": done, "total": total, "stage": stage}
        case Shown(preview):
            fields = {"report": "shown", "media_type": preview.media_type}
            images.append(preview.data)
        case Partial(count, summaries):
            fields = {"report": "partial", "count": count, "summaries": dict(summaries)}
        case Item(value):
            fields = {"report": "item", "value": send_value(value, images)}
        case Logged(level, message):
            fields = {"report": "logged", "level": level, "message": message}
        case Adapted(words, exact):
            fields = {"report": "adapted", "words": words, "exact": exact}
        case Used(stamps):
            fields = {"report": "used", "stamps": list(stamps)}
        case Measured(loading, working, weights):
            costs: JSON = {name: list(cost) for name, cost in weights.items()}
            fields = {"report": "measured", "loading": loading, "working": working, "weights": costs}
        case Finished(values, seconds):
            fields = {"report": "finished", "values": _send_values(values, images), "seconds": seconds}
        case Asked(socket):
            fields = {"report": "asked", "socket": socket}
        case Expanded(subgraph, values, seconds):
            fields = {"report": "expanded", "values": _send_values(values, images), "seconds": seconds}
            fields["subgraph"] = dict(subgraph)
        case Failed(error, traceback, inputs):
            fields = {"report": "failed", "error": error, "traceback": traceback, "inputs": inputs}
        case Stopped():
            fields = {"report": "stopped"}
    return Frame({"task": task, **fields, **more}, images)


def read_report(frame: Frame, codec: ValueCodec) -> Report:
    """Read a report.

    Raises:
        LaneError: the frame is no report, or one of its values is of a type that is not known here.
    """
    said = frame.fields
    try:
        match said["report"]:
            case "started":
                return Started()
            case "progress":
                return Progress(said["done"], said["total"], said["stage"])
            case "shown":
                (data,) = (image for image in frame.images if isinstance(image, bytes))
                return Shown(Preview(data, said["media_type"]))
            case "partial":
                return Partial(said["count"], {str(key): str(text) for key, text in said["summaries"].items()})
            case "item":
                return Item(receive_value(said["value"], frame.images, codec))
            case "logged":
                return Logged(said["level"], said["message"])
            case "adapted":
                return Adapted(str(said["words"]), bool(said["exact"]))
            case "used":
                return Used(tuple(map(str, said["stamps"])))
            case "measured":
                weights = {name: (int(size), float(seconds)) for name, (size, seconds) in said["weights"].items()}
                return Measured(said["loading"], said["working"], weights)
            case "finished":
                return Finished(_receive_values(frame, codec), said["seconds"])
            case "asked":
                return Asked(said["socket"])
            case "expanded":
                return Expanded(said["subgraph"], _receive_values(frame, codec), said["seconds"])
            case "failed":
                return Failed(said["error"], said["traceback"], said["inputs"])
            case "stopped":
                return Stopped()
    except (LookupError, ValueError, TypeError, AttributeError) as error:
        raise LaneError(f"a worker sent a report that cannot be read: {said}") from error
    raise LaneError(f"a worker sent an unknown report: {said['report']!r}")


def _send_values(values: Mapping[str, StoredValue], images: list[Image]) -> JSON:
    return {name: send_value(value, images) for name, value in values.items()}


def _receive_values(frame: Frame, codec: ValueCodec) -> dict[str, StoredValue]:
    return {name: receive_value(one, frame.images, codec) for name, one in frame.fields["values"].items()}
