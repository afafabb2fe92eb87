"""A run as a person sees it, event by event.

On a terminal: a line for each node as it ends, and one live line for what runs. Elsewhere: a line for each node as it
ends, and for those that take long also lines on the way. Runs of very many nodes name only those that take time. What
runs inside a map or loop of many turns is told by the count of these.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from threading import Event as Flag
from threading import RLock, Thread
from time import monotonic
from types import TracebackType

from graphgen import events
from graphgen.cli.screen import Screen, cut, pad, style
from graphgen.cli.words import duration
from graphgen.events import Event
from graphgen.report import Report

MANY = 60
"""Nodes from which a run names only those that take time."""
WORTH_NAMING = 0.1
"""Seconds from which a node is named in a run of many."""
TURNS = 16
"""Turns of a map or loop above which they are counted, and not named."""
LONG = 1.0
"""Seconds from which a node that runs is told of where there is no live line."""
TICK = 0.25
"""Seconds between looks at the clock."""
COUNTABLE = 10_000
"""Units beyond which parts of a hundred are told; they are bytes, mostly."""
WAITS = "for another run that computes the same"

_BAR = 24
_TIME = 8


@dataclass
class _Work:
    """A node that runs, or waits: since when, how far, whether that was told, and the last quarter that was.

    `yielded` counts the values that it has given so far, where it gives them one by one.
    What comes before the work itself, such as loading, is a `stage`: told in words, so that the bar only grows.
    """

    since: float
    waits: bool = False
    done: int = 0
    total: int = 0
    stage: str = ""
    stage_since: float = 0.0
    yielded: int = 0
    told: bool = False
    quarter: int = 0


class Progress:
    """Listens to a run and shows it; use it in a `with` block. `names` are the nodes that may be told of.

    `told` says whether anything was, `inside` how many nodes ran that are not among the names: those in maps and loops,
    and in graphs that nodes returned.
    """

    def __init__(
        self, screen: Screen, names: list[str], *, verbose: bool = False, clock: Callable[[], float] = monotonic
    ) -> None:
        self._screen = screen
        self._width = min(max((len(name) for name in names), default=0), 28)
        self._brief = len(names) > MANY and not verbose
        self._verbose = verbose
        self._clock = clock
        self._running: dict[str, _Work] = {}
        self._lock = RLock()
        self.told = False
        self.inside = 0
        self._names = frozenset(names)
        self._counted: set[str] = set()
        """Maps and loops of many turns."""
        self._over = Flag()
        self._ticker = Thread(target=self._tick_on, name="graphgen-screen", daemon=True)

    def __enter__(self) -> Progress:
        self._ticker.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._ticker.join()

    def __call__(self, event: Event) -> None:
        """Show an event."""
        with self._lock:
            self._show(event)
            if not isinstance(event, events.NodeStarted):  # most nodes end at once; the clock shows the others
                self._redraw()

    def tick(self) -> None:
        """Show how time goes by."""
        with self._lock:
            for node, work in self._running.items():
                if not work.told and not self._screen.live and self._clock() - work.since >= LONG:
                    work.told = True
                    when, note = ("waits", WAITS) if work.waits else ("running", _so_far(work))
                    self._line(self._screen.symbols.begun, "dim", node, when, note)
            self._redraw()

    def _tick_on(self) -> None:
        while not self._over.wait(TICK):
            self.tick()

    def _show(self, event: Event) -> None:
        match event:
            case events.NodeFinished(node, seconds, summaries):
                self._finish(node, seconds, summaries)
            case events.NodeStarted(node) | events.NodeProgress(node) | events.NodePartial(node) if self._counts(node):
                pass
            case events.NodeWaiting(node) | events.NodeCached(node) | events.NodeSkipped(node) if self._counts(node):
                pass
            case events.NodeStarted(node):
                self._running[node] = _Work(self._clock())
            case events.NodeWaiting(node):
                self._running[node] = _Work(self._clock(), waits=True)
            case events.NodeProgress():
                self._advance(event)
            case events.NodePartial(node, yielded):
                self._running.setdefault(node, _Work(self._clock())).yielded = yielded
            case events.NodeLog(node, level, message):
                how = "yellow" if level == "warning" else "dim"
                self._screen.line(f"  {self._name(node)}  {style(f'{level}: {message}', how)}")
            case events.NodeCached(node, source):
                self._cached(node, source)
            case events.NodeFailed():
                self._fail(event)
            case events.NodeSkipped(node, because):
                self._skip(node, because)
            case _:
                pass  # the beginning and the end of the run are told by the command; previews are no matter for text

    # --- lines ------------------------------------------------------------------------------------------------------

    def _advance(self, event: events.NodeProgress) -> None:
        work = self._running.setdefault(event.node, _Work(self._clock()))
        if (work.total, work.stage) != (event.total, event.stage):
            work.total, work.stage, work.quarter, work.stage_since = event.total, event.stage, 0, self._clock()
        work.done = event.done
        if event.stage == "turns" and max(event.done, event.total) > TURNS and event.node not in self._counted:
            self._counted.add(event.node)
            self._running = {name: item for name, item in self._running.items() if not self._counts(name)}
        quarter = 4 * event.done // event.total if event.total else 0
        if work.told and work.quarter < quarter < 4:
            percent = f"{100 * work.done // work.total} %"
            when, note = (work.stage, _count(work) or percent) if work.stage else (percent, _count(work))
            self._line(" ", "", event.node, when, note)
        work.quarter = quarter

    def _counts(self, node: str) -> bool:
        """Tell whether a node stands inside a map or loop whose turns are counted."""
        parts = node.split("/") if self._counted else ()
        return any("/".join(parts[:length]) in self._counted for length in range(1, len(parts)))

    def _end(self, node: str) -> bool:
        """Take note that a node is over; return whether to name it: also where it was said that it runs."""
        work = self._running.pop(node, None)
        return not self._brief or (work is not None and work.told)

    def _cached(self, node: str, source: str) -> None:
        if self._end(node):
            note = "the same as a node above" if source == "equal" else ""
            self._line(self._screen.symbols.cached, "dim", node, "cached", note)

    def _finish(self, node: str, seconds: float, summaries: Mapping[str, str]) -> None:
        self.inside += node not in self._names
        if not self._counts(node) and (self._end(node) or seconds >= WORTH_NAMING):
            self._line(self._screen.symbols.done, "green", node, duration(seconds), ", ".join(summaries.values()))

    def _fail(self, event: events.NodeFailed) -> None:
        self._running.pop(event.node, None)
        symbol = style(self._screen.symbols.failed, "red")
        self._screen.error(f"{symbol} {style(event.node, 'red')} ({event.type}): {event.message}")
        if event.inputs:
            self._screen.error(f"    given: {cut(event.inputs, 400)}")
        if event.traceback and self._verbose:
            self._screen.error("\n".join(f"    {line}" for line in event.traceback.splitlines()))
        elif event.traceback:
            self._screen.error(style("    --verbose shows where it was raised", "dim"))

    def _skip(self, node: str, because: str) -> None:
        if self._end(node):
            self._line(self._screen.symbols.skipped, "yellow", node, "skipped", because)

    def _line(self, symbol: str, how: str, node: str, when: str, note: str) -> None:
        line = f"{style(symbol, how)} {self._name(node)}  {when:>{_TIME}}"
        line += f"  {style(note, 'dim')}" if note else ""
        self.told = True
        self._screen.line(cut(line, self._screen.width))

    def _name(self, node: str) -> str:
        return pad(node, self._width)

    # --- the live line ----------------------------------------------------------------------------------------------

    def _redraw(self) -> None:
        if not self._screen.live or not self._running:
            return
        node, work = max(self._running.items(), key=lambda item: (item[1].total > 0, item[1].since))
        running = duration(int(self._clock() - work.since)) if self._clock() - work.since >= LONG else ""
        parts = [style(self._screen.symbols.begun, "cyan"), self._name(node), f" {running:>{_TIME}}"]
        if work.waits:
            parts.append(f" waits {WAITS}")
        elif work.total:
            how_far = _count(work) or f"{100 * work.done // work.total} %"
            parts.append(f" {work.stage or self._bar(work)} {how_far}{self._left(work)}")
        elif work.yielded:
            parts.append(f" {_so_far(work)}")
        others = [name for name in self._running if name != node]
        if others:
            parts.append(style(f" (beside: {', '.join(others[:3])}{' …' if len(others) > 3 else ''})", "dim"))
        self._screen.status(" ".join(parts))

    def _bar(self, work: _Work) -> str:
        filled = min(_BAR * work.done // work.total, _BAR)
        symbols = self._screen.symbols
        return style(symbols.filled * filled, "cyan") + style(symbols.empty * (_BAR - filled), "dim")

    def _left(self, work: _Work) -> str:
        """Estimate how long the work will take still, from what is done of it."""
        if not 0 < work.done < work.total:
            return ""
        seconds = (self._clock() - work.stage_since) * (work.total - work.done) / work.done
        return style(f", {duration(seconds)} left", "dim") if seconds >= 1 else ""


def _count(work: _Work) -> str:
    return f"{work.done}/{work.total}" if work.total <= COUNTABLE else ""


def _so_far(work: _Work) -> str:
    return f"{work.yielded:,} so far" if work.yielded else ""


def summary(report: Report, seconds: float, inside: int) -> str:
    """Say in one line how a run ended; `inside` of the nodes ran in maps, loops and graphs that nodes returned."""
    words = {"done": ("done", "green"), "failed": ("failed", "red"), "cancelled": ("cancelled", "yellow")}
    word, how = words[report.status]
    counts = {"ran": report.ran, "cached": report.cached, "failed": len(report.failures), "skipped": report.skipped}
    told = ", ".join(f"{number:,} {what}" for what, number in counts.items() if number) or "nothing to do"
    told = told.replace(" ran", f" ran ({inside:,} of them inside others)", 1) if inside else told
    return f"{style(word, how)} in {duration(seconds)}: {told}"
