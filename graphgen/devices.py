"""Several devices as one lane: each task goes to the device where its weights are warm, or soonest will be.

In: tasks, and one lane for each device. Out: their reports, the first of which names the device. A device is given one
task at a time; what cannot run yet, or had better wait for a warm device (`placement.py`), is held here.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from threading import RLock, Timer
from time import monotonic
from typing import Protocol

from graphgen.cache import StoredValue
from graphgen.codec import ValueCodec
from graphgen.fairqueue import FairQueue
from graphgen.jsontypes import JSON
from graphgen.placement import UNKNOWN, Candidate, patience, place
from graphgen.residency import Loader
from graphgen.tasks import Lane, Listener, Report, Started, Stopped, Task, Underway


class DeviceLane(Lane, Protocol):
    """A lane with weights of its own."""

    def warm(self) -> Mapping[str, float]:
        """Return the weights it holds, and how many seconds each took to load."""


@dataclass(slots=True, eq=False)
class _Held:
    """A task that waits; `since` is when it was first held back from a free device."""

    task: Task
    listen: Listener
    needs: Collection[str]
    since: float | None = None
    feeds: list[Callable[[Lane], None]] = field(default_factory=list)
    """What its streams were given while it was held."""


class DevicesLane:
    """Runs each task on one of several devices. `needs_of` names the weights that a task asks for."""

    name = "devices"

    def __init__(
        self,
        lanes: Sequence[DeviceLane],
        needs_of: Callable[[Task], Collection[str]],
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._lanes = lanes
        self._needs_of = needs_of
        self._clock = clock
        self._held: FairQueue[_Held] = FairQueue()
        self._running: list[_Held | None] = [None] * len(lanes)
        self._timer: Timer | None = None
        self._lock = RLock()

    def submit(self, task: Task, listen: Listener) -> None:
        """Place the task, or hold it."""
        held = _Held(task, listen, self._needs_of(task))
        with self._lock:
            self._held.put(held, task.run, task.priority)
        self.look()

    def feed(self, task: int, socket: str, items: Sequence[StoredValue], *, last: bool) -> None:
        """Hand the device's lane items of a stream; for a task that is held they are kept."""
        with self._lock:
            for lane, running in zip(self._lanes, self._running, strict=True):
                if running and running.task.id == task:
                    lane.feed(task, socket, items, last=last)
            for held in self._held:
                if held.task.id == task:
                    held.feeds.append(lambda lane: lane.feed(task, socket, items, last=last))

    def cancel(self, task: int) -> None:
        """Ask the task to stop; one that is held has stopped at once."""
        with self._lock:
            held = next((held for held in self._held if held.task.id == task), None)
            lanes = [lane for lane, run in zip(self._lanes, self._running, strict=True) if run and run.task.id == task]
            if held is not None:
                self._held.remove(held)
        for lane in lanes:
            lane.cancel(task)
        if held is not None:
            held.listen(task, Stopped())

    def close(self) -> None:
        """Stop all tasks and close the devices' lanes."""
        with self._lock:
            waiting, timer = tuple(self._held), self._timer
            self._held = FairQueue()
            self._timer = None
        if timer is not None:
            timer.cancel()
            timer.join()
        for held in waiting:
            held.listen(held.task.id, Stopped())
        for lane in self._lanes:
            lane.close()

    def look(self) -> None:
        """Start what may start now, first whose turn it is."""
        with self._lock:
            for held in tuple(self._held):
                if (index := self._place(held)) is not None:
                    self._lanes[index].submit(held.task, partial(self._told, held, index))
                    for feed in held.feeds:
                        feed(self._lanes[index])
            self._wake_in_time()

    def _place(self, held: _Held) -> int | None:
        """Take a device for a held task, if it should run now."""
        waited = 0.0 if held.since is None else self._clock() - held.since
        index = place(held.needs, waited, self._candidates())
        if index is not None:
            self._held.remove(held)
            self._running[index] = held
        elif held.since is None and not all(self._running):
            held.since = self._clock()
        return index

    def _candidates(self) -> list[Candidate]:
        """Describe the devices; what a task that runs there needs is as good as warm."""
        found = []
        for lane, running in zip(self._lanes, self._running, strict=True):
            promised = dict.fromkeys(running.needs, UNKNOWN) if running else {}
            found.append(Candidate(running is None, {**promised, **lane.warm()}))
        return found

    def _wake_in_time(self) -> None:
        """Look again when the first of those held has waited long enough."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        now, candidates = self._clock(), self._candidates()
        due = [patience(held.needs, candidates) + held.since - now for held in self._held if held.since is not None]
        if due and not all(self._running):
            self._timer = Timer(max(min(due), 0.0), self.look)
            self._timer.daemon = True
            self._timer.start()

    def _told(self, held: _Held, index: int, task: int, report: Report) -> None:
        """Pass a report on; the end of a task frees its device."""
        if isinstance(report, Started):
            report = replace(report, place=self._lanes[index].name)
        if not isinstance(report, Underway):
            with self._lock:
                self._running[index] = None
            self.look()
        held.listen(task, report)


def needs_of(task: Task, codec: ValueCodec, loaders: Sequence[Loader]) -> frozenset[str]:
    """Return the identities of the weights that a task's inputs name, without making the values."""
    handled = {handle: loader for loader in loaders for handle in loader.handles}
    marks = {f"${name}": cls for name, cls in codec.types.classes.items() if issubclass(cls, tuple(handled))}
    found: set[str] = set()
    for value in (value for values in task.inputs.values() for value in values):
        if any(f'"{mark}"' in value.document for mark in marks):
            for handle in _handles(json.loads(value.document), marks, codec):
                loader = next(handled[cls] for cls in type(handle).__mro__ if cls in handled)
                with suppress(Exception):  # a plugin's mistake shows when the node asks for the weights
                    found.add(loader.identity(handle))
    return frozenset(found)


def _handles(document: JSON, marks: Mapping[str, type], codec: ValueCodec) -> list[object]:
    """Make the handles inside a value; they hold no buffers."""
    pending, found = [document], list[object]()
    while pending:
        item = pending.pop()
        if isinstance(item, list):
            pending += item
        elif isinstance(item, dict):
            if marks.keys() & item.keys():
                with suppress(Exception):  # not of the form that is known here: the node will say so
                    found.append(codec.read(item))
            else:
                pending += item.values()
    return found
