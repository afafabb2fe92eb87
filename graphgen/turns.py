"""Zones at work: the turns of a map or a loop, each a scope of its own, and what comes of them.

In: a job whose node is a zone. Out: the zone's values. A map has a bounded number of turns open at a time; a loop has
one. Only what somebody wants is collected, so that a map over ten thousand pictures that are saved holds a few of them.
A map over a list that is still growing opens a turn for each item as it comes, as many at a time as ever.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod
from time import perf_counter
from typing import Protocol, cast

from graphgen.cache import StoredValue
from graphgen.graph import Inside
from graphgen.novalue import NoValue, reason_in
from graphgen.scope import Job, Scope
from graphgen.types import class_name
from graphgen.workflow import LoopClause, MapClause

OPEN_TURNS = 16
"""Turns of a map that are under way at the same time."""


class Opener(Protocol):
    """The scheduler, as far as zones go."""

    def wrap(self, value: object) -> StoredValue:
        """Turn a value into one that travels."""

    def open(self, job: Job, turn: int, given: Mapping[str, StoredValue], ended: Callable[[Scope], None]) -> None:
        """Carry out the body of a zone once; `ended` is called with its scope."""

    def turned(self, job: Job, done: int, total: int) -> None:
        """Tell how many turns are over, and of how many; a total of 0 says that nobody knows."""

    def streamed(self, job: Job) -> bool:
        """Tell whether somebody wants a zone's items as they come."""

    def give(self, job: Job, items: Mapping[str, StoredValue]) -> None:
        """Give the next item of each of a zone's lists."""

    def close(self, job: Job, values: Mapping[str, StoredValue], left_out: Sequence[str]) -> None:
        """Give a zone its values; `left_out` are items that failed, each with the reason."""

    def give_up(self, job: Job, reason: str) -> None:
        """Fail a zone."""


def begin_zone(job: Job, inside: Inside, opener: Opener) -> None:
    """Open the first turns of a zone."""
    feeds = Feeds(job, inside, opener)
    for name, items in feeds.lists.items():
        if not isinstance(items, list):  # an output of any type could not promise a list
            kind = class_name(type(job.inputs[name][0].load()))
            opener.give_up(job, f"its input '{name}' is given a {kind}; it takes a list")
            return
    if isinstance(inside.clause, MapClause):
        MapTurns(job, inside.clause, feeds, opener).begin()
    else:
        LoopTurns(job, inside.clause, feeds, opener).begin()


class Feeds:
    """What comes into a zone from outside: lists, item by item, and all else as it is."""

    def __init__(self, job: Job, inside: Inside, opener: Opener) -> None:
        self._opener = opener
        self._index = inside.clause.index
        over = [name for name in inside.clause.over if name not in job.streams]
        self.lists = {name: cast("list[object]", job.inputs[name][0].carried()) for name in over}
        self.growing = job.streams
        wanted = {output.name for output in inside.graph.nodes["inputs"].spec.outputs}
        self._same: dict[str, StoredValue] = {}
        for socket, values in job.inputs.items():
            if socket in wanted and socket not in self.lists and socket not in self.growing:
                self._same[socket] = values[0]
            self._same |= {f"{socket}__{i}": value for i, value in enumerate(values) if f"{socket}__{i}" in wanted}
        self._absent = wanted - self._same.keys() - self.lists.keys() - self.growing.keys() - {self._index}

    def for_turn(self, turn: int, places: Mapping[str, int]) -> dict[str, StoredValue]:
        """Return what a turn is given: item `places[name]` of each list, and everything else."""
        given = dict(self._same)
        for name, place in places.items():
            growing = self.growing.get(name)
            given[name] = growing.items[place] if growing else self._opener.wrap(self.lists[name][place])
        given |= {name: self._opener.wrap(NoValue("nothing came in")) for name in self._absent}
        if self._index is not None:
            given[self._index] = self._opener.wrap(turn)
        return given


class MapTurns:
    """The turns of a map: independent of each other, a bounded number at a time, results in order."""

    def __init__(self, job: Job, clause: MapClause, feeds: Feeds, opener: Opener) -> None:
        self.job = job
        self._clause = clause
        self._feeds = feeds
        self._opener = opener
        self._lengths = {name: len(items) for name, items in feeds.lists.items()}
        self._growing = next(iter(feeds.growing.values()), None)
        self._total = 0
        """The items, as far as is known."""
        self._idle: float | None = None
        """Since when there has been nothing to do but to wait for items."""
        self._next = 0
        self._open = 0
        self._done = 0
        self._failed: list[str] = []
        self._results: dict[int, Mapping[str, StoredValue]] = {}
        self._streamed = opener.streamed(job)
        self._ended_turns: set[int] = set()
        self._given = 0
        """The turns whose items were given to those who take them as they come, in order."""
        wanted = job.scope.wanted(job.node.name)  # what is kept has to be whole
        keeps = bool(job.keys or job.streams)
        self._names = [item.name for item in job.node.spec.outputs if keeps or item.name in wanted]

    def begin(self) -> None:
        """Open as many turns as may be open, and say how many there will be."""
        if self._growing is not None:
            self._growing.read(self._go_on)
            return
        if self._clause.how == "zip" and len(set(self._lengths.values())) > 1:
            told = ", ".join(f"{name} has {length}" for name, length in self._lengths.items())
            self._opener.give_up(
                self.job, f"a zip goes through lists of one length: {told}; use product, or equal lists"
            )
            return
        lengths = self._lengths.values()
        self._total = prod(lengths) if self._clause.how == "product" else next(iter(lengths))
        self._opener.turned(self.job, 0, self._total)
        self._go_on()

    def _go_on(self) -> None:
        if self.job.dropped:
            return
        if self._growing is not None:
            self._total = len(self._growing.items)
            self._note_idleness()
        stops = self._failed and self._clause.failures == "stop"
        while self._open < OPEN_TURNS and self._next < self._total and not stops:
            turn, self._next, self._open = self._next, self._next + 1, self._open + 1
            self._opener.open(self.job, turn, self._feeds.for_turn(turn, self._places(turn)), self._ended(turn))
        if self._open or not self.job.whole:
            return
        if stops:
            items = "item" if self._total == 1 else "items"
            self._opener.give_up(self.job, f"{len(self._failed)} of {self._total} {items} failed: {self._failed[0]}")
        else:
            self._opener.close(self.job, self._collected(), self._failed)

    def _note_idleness(self) -> None:
        """Leave out of the time that the map took what it waited for items, as for a list that is there."""
        now = perf_counter()
        if self._idle is not None:
            self.job.began += now - self._idle
        self._idle = None if self._open or self._next < self._total or self.job.whole else now

    def _places(self, turn: int) -> dict[str, int]:
        if self._growing is not None:
            return dict.fromkeys(self._feeds.growing, turn)
        if self._clause.how == "zip":
            return dict.fromkeys(self._lengths, turn)
        places: dict[str, int] = {}
        for name, length in reversed(self._lengths.items()):  # the last list turns fastest
            turn, places[name] = divmod(turn, length)
        return places

    def _ended(self, turn: int) -> Callable[[Scope], None]:
        def ended(scope: Scope) -> None:
            self._open -= 1
            self._done += 1
            values = scope.outputs()
            if scope.failed:
                self._failed.append(f"item {turn}: {scope.failed[0]}")
            elif len(values) == len(self.job.node.spec.outputs) and not any(map(_blocked, values.values())):
                self._results[turn] = {name: values[name] for name in self._names}  # without a value, it is left out
            self._opener.turned(self.job, self._done, self._total if self.job.whole else 0)
            if self._streamed and not self.job.dropped:
                self._give(turn)
            self._go_on()

        return ended

    def _give(self, turn: int) -> None:
        """Give the items of this turn, and of those after it, if all before are over."""
        self._ended_turns.add(turn)
        while self._given in self._ended_turns:
            self._ended_turns.remove(self._given)
            self._given += 1
            if items := self._results.get(self._given - 1):
                self._opener.give(self.job, items)

    def _collected(self) -> dict[str, StoredValue]:
        turns = [self._results[turn] for turn in sorted(self._results)]
        return {name: self._opener.wrap([values[name].carried() for values in turns]) for name in self._names}


class LoopTurns:
    """The turns of a loop: one after the other, each given what the last one carries over."""

    def __init__(self, job: Job, clause: LoopClause, feeds: Feeds, opener: Opener) -> None:
        self.job = job
        self._clause = clause
        self._feeds = feeds
        self._opener = opener
        lengths = [len(items) for items in feeds.lists.values()]
        limits = [*lengths, *([clause.times] if clause.times is not None else [])]
        self._total = min(limits) if limits else 0
        self._bounded = bool(limits)
        self._last: Mapping[str, StoredValue] = {}
        self._collected: dict[str, list[object]] = {name: [] for name in clause.collect}
        self._lengths = lengths

    def begin(self) -> None:
        """Open the first turn, if there is one, and say how many there will be."""
        if len(set(self._lengths)) > 1:
            self._opener.give_up(self.job, f"a loop goes through lists of one length, these have {self._lengths}")
        elif self._bounded and not self._total:
            self._opener.close(self.job, self._values(), ())
        else:
            self._opener.turned(self.job, 0, self._total)
            self._turn(0)

    def _turn(self, turn: int) -> None:
        given = self._feeds.for_turn(turn, dict.fromkeys(self._feeds.lists, turn))
        given |= {socket: self._last[output] for socket, output in self._clause.carry.items() if turn}
        self._opener.open(self.job, turn, given, lambda scope: self._ended(turn, scope))

    def _ended(self, turn: int, scope: Scope) -> None:
        values = scope.outputs()
        self._opener.turned(self.job, turn + 1, self._total)
        if scope.failed:
            self._opener.give_up(self.job, f"turn {turn}: {scope.failed[0]}")
            return
        if len(values) < len(scope.plan.graph.outputs) or any(map(_blocked, values.values())):
            self._block(values)
            return
        self._last = values
        for name, items in self._collected.items():
            items.append(values[name].carried())
        if self._is_over(turn + 1):
            self._opener.close(self.job, self._values(), ())
        elif turn + 1 >= self._clause.at_most and not self._bounded:
            message = (
                f"the loop made {self._clause.at_most} turns and '{self._clause.go_on}' is still true; raise at_most"
            )
            self._opener.give_up(self.job, message)
        else:
            self._turn(turn + 1)

    def _block(self, values: Mapping[str, StoredValue]) -> None:
        """End a loop in which a turn gave no value: so does the loop."""
        reasons = (found for value in values.values() if (found := reason_in(value.document)))
        blocked = self._opener.wrap(NoValue(next(reasons, "a part of it was skipped")))
        self._opener.close(self.job, {output.name: blocked for output in self.job.node.spec.outputs}, ())

    def _is_over(self, turns: int) -> bool:
        if self._clause.go_on is not None and not self._last[self._clause.go_on].load():
            return True
        return self._bounded and turns >= self._total

    def _values(self) -> dict[str, StoredValue]:
        """Return the last turn's outputs; without a turn, what would have been carried in."""
        given = {output: socket for socket, output in self._clause.carry.items()}
        values: dict[str, StoredValue] = {}
        for output in self.job.node.spec.outputs:
            name = output.name
            if name in self._collected:
                values[name] = self._opener.wrap(self._collected[name])
            elif self._last:
                values[name] = self._last[name]
            elif given.get(name) in self.job.inputs:
                values[name] = self.job.inputs[given[name]][0]
            else:
                values[name] = self._opener.wrap(NoValue("the loop made no turn"))
        return values


def _blocked(value: StoredValue) -> bool:
    return reason_in(value.document) is not None
