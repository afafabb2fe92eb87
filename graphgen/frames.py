"""Tasks and reports as JSON, and JSON as frames on a pipe: what crosses between an engine and a worker process.

A frame is its length (four bytes, most significant first) and a JSON object. Nothing is ever pickled. Values do not
cross here: they lie in files named by their digests, and frames carry the digests.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any, BinaryIO, TypeAlias

from graphgen.cache import StoredValue
from graphgen.context import Preview
from graphgen.errors import LaneError
from graphgen.jsontypes import JSON
from graphgen.tasks import Failed, Finished, Logged, Progress, Report, Shown, Started, Stopped, Task

Frame: TypeAlias = dict[str, Any]
"""A frame as it was read; whoever takes fields from it checks them."""

_LENGTH = 4  # bytes


def write_frame(file: BinaryIO, frame: Mapping[str, JSON]) -> None:
    """Write a frame at once.

    Raises:
        OSError: nobody reads any more.
    """
    data = json.dumps(frame, separators=(",", ":")).encode()
    file.write(len(data).to_bytes(_LENGTH, "big") + data)
    file.flush()


def read_frame(file: BinaryIO) -> Frame | None:
    """Read a frame; None at the end, also where it comes in the middle of one.

    Raises:
        LaneError: what comes is no frame.
    """
    head = file.read(_LENGTH)
    data = file.read(int.from_bytes(head, "big")) if len(head) == _LENGTH else b""
    if len(head) < _LENGTH or len(data) < int.from_bytes(head, "big"):
        return None
    try:
        frame = json.loads(data)
    except ValueError as error:
        raise LaneError(f"a worker sent something that is no frame: {data[:60]!r}") from error
    if not isinstance(frame, dict):
        raise LaneError(f"a worker sent something that is no frame: {data[:60]!r}")
    return frame


def task_frame(task: Task) -> dict[str, JSON]:
    """Write a task, its inputs as digests."""
    return {
        "task": task.id,
        "type": task.type,
        "settings": task.settings,
        "inputs": {socket: [value.digest for value in values] for socket, values in task.inputs.items()},
        "watched": task.watched,
        "key": task.key,
    }


def report_frame(task: int, report: Report) -> dict[str, JSON]:
    """Write a report, the values it gives as digests."""
    match report:
        case Started():
            fields: dict[str, JSON] = {"report": "started"}
        case Progress(done, total, stage):
            fields = {"report": "progress", "done": done, "total": total, "stage": stage}
        case Shown(preview):
            data = base64.b64encode(preview.data).decode()
            fields = {"report": "shown", "media_type": preview.media_type, "data": data}
        case Logged(level, message):
            fields = {"report": "logged", "level": level, "message": message}
        case Finished(values, seconds):
            digests = {name: value.digest for name, value in values.items()}
            fields = {"report": "finished", "values": digests, "seconds": seconds}
        case Failed(error, traceback, inputs):
            fields = {"report": "failed", "error": error, "traceback": traceback, "inputs": inputs}
        case Stopped():
            fields = {"report": "stopped"}
    return {"task": task, **fields}


def read_report(frame: Frame, values: Mapping[str, StoredValue]) -> Report:
    """Read a report; `values` are those that a finished one names.

    Raises:
        LaneError: the frame is no report.
    """
    try:
        match frame["report"]:
            case "started":
                return Started()
            case "progress":
                return Progress(frame["done"], frame["total"], frame["stage"])
            case "shown":
                return Shown(Preview(base64.b64decode(frame["data"]), frame["media_type"]))
            case "logged":
                return Logged(frame["level"], frame["message"])
            case "finished":
                return Finished(values, frame["seconds"])
            case "failed":
                return Failed(frame["error"], frame["traceback"], frame["inputs"])
            case "stopped":
                return Stopped()
    except (LookupError, ValueError, TypeError) as error:
        raise LaneError(f"a worker sent a report that cannot be read: {frame}") from error
    raise LaneError(f"a worker sent an unknown report: {frame['report']!r}")
