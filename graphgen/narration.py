"""What those who listen to a run are told: events for reports, and values in a few words.

In: a node's name in the whole run, where it runs, and a report. Out: the event.
"""

from __future__ import annotations

from collections.abc import Mapping

from graphgen import events
from graphgen.cache import StoredValue
from graphgen.events import Event
from graphgen.tasks import Lane, Logged, Partial, Progress, Report, Shown, Started


def event_of(name: str, lane: Lane, report: Report) -> Event:
    """Say what a report means for the run."""
    match report:
        case Started(place):
            return events.NodeStarted(name, place or lane.name)
        case Progress(done, total, stage):
            return events.NodeProgress(name, done, total, stage)
        case Shown(preview):
            return events.NodePreview(name, preview.media_type, preview.data)
        case Partial(count, summaries):
            return events.NodePartial(name, count, summaries)
        case Logged(level, message):
            return events.NodeLog(name, level, message)
        case _:
            raise AssertionError(report)


def digests_of(values: Mapping[str, StoredValue]) -> dict[str, str]:
    """Return what identifies values, by output."""
    return {output: value.digest for output, value in values.items()}


def summary_of(value: StoredValue) -> str:
    """Describe a value in a few words; a plugin's codec that fails at it must not fail the run."""
    try:
        return value.summary()
    except Exception:
        return f"{value.size:,} bytes"
