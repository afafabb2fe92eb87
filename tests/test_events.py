"""Events: frozen, named, and JSON in full."""

from __future__ import annotations

import json
from dataclasses import FrozenInstanceError

import pytest

from graphgen import events
from graphgen.events import Event, event_json, event_name

ALL: list[tuple[Event, str]] = [
    (events.RunStarted("r", 3, 1, ("a",)), "run_started"),
    (events.NodeCached("a", "disk"), "node_cached"),
    (events.NodeStarted("a", "pool"), "node_started"),
    (events.NodeWaiting("a"), "node_waiting"),
    (events.NodeProgress("a", 1, 2, "loading"), "node_progress"),
    (events.NodePreview("a", "image/png", b"\x89PNG"), "node_preview"),
    (events.NodePartial("a", 3, {"int": "7"}), "node_partial"),
    (events.NodeLog("a", "warning", "careful"), "node_log"),
    (events.NodeFinished("a", 0.5, {"int": "7"}), "node_finished"),
    (events.NodeFailed("a", "maths.add", "ValueError", "Traceback", "a: 1"), "node_failed"),
    (events.NodeSkipped("a", "'b' failed", "failed", "b"), "node_skipped"),
    (events.RunFinished("r", "done", 1.5, 1, 2, 3, 4, ("x.png",)), "run_finished"),
]


def test_all_events_are_here() -> None:
    assert {type(event) for event, _ in ALL} == set(Event.__args__)


@pytest.mark.parametrize(("event", "name"), ALL, ids=lambda value: value if isinstance(value, str) else "")
def test_an_event_is_json_under_its_name(event: Event, name: str) -> None:
    shown = json.loads(json.dumps(event_json(event), allow_nan=False))
    assert event_name(event) == shown.pop("event") == name
    assert list(shown) == list(type(event).__slots__)


def test_pictures_are_base64() -> None:
    assert event_json(events.NodePreview("a", "image/png", b"\x89PNG"))["data"] == "iVBORw=="


def test_events_do_not_change() -> None:
    with pytest.raises(FrozenInstanceError):
        events.NodeStarted("a", "pool").node = "b"  # type: ignore[misc]
