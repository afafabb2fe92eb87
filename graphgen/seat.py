"""One worker process and the thread that looks after it: what it runs, what it says, when it must be ended.

In: orders (a task and who listens). Out: its reports, the last of which comes whatever becomes of the worker. One that
dies is replaced when the next order comes; an order that had begun fails in clear words, one that had not is given to
the replacement. All state belongs to the thread; others put messages into its inbox.
"""

from __future__ import annotations

import os
import select
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Thread
from time import monotonic
from typing import Literal, NamedTuple, TypeAlias

from graphgen.cache import StoredValue
from graphgen.cache.crossing import Image, receive_value, send_value
from graphgen.codec import ValueCodec
from graphgen.errors import LaneError
from graphgen.frames import Frame, feed_frame, read_report, task_frame
from graphgen.jsontypes import JSON
from graphgen.partial import Partials
from graphgen.process import WorkerProcess, ending
from graphgen.tasks import Failed, Listener, Report, Started, Stopped, Task, Underway
from graphgen.workshop import summarise_inputs

_LOOK = 0.1
"""Seconds between looks at the clock and at the worker's memory, while something runs."""

_TRIES = 2
"""How many workers may die before an order has begun, until it fails."""

_PAUSE = 10.0
"""Seconds in which no worker is started, after one could not be: all orders fail with the same words meanwhile."""


@dataclass(frozen=True)
class Terms:
    """What a worker is told when it starts, and what its tasks may take.

    `allowed` are the absolute paths that nodes may read, which may change meanwhile; `environment` is added to the
    worker's; `partials` is where partial work is kept. A task may run for `seconds`, the worker may take `own_bytes`
    (None: no limit). `grace` is how many seconds a task has to stop when it is asked to.
    """

    setup: Mapping[str, JSON]
    codec: ValueCodec
    allowed: Collection[str] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    partials: Partials | None = None
    seconds: float | None = None
    own_bytes: int | None = None
    grace: float = 5.0


@dataclass(frozen=True, slots=True)
class Feed:
    """Items for a task's stream; `last` tells that these were all."""

    socket: str
    items: Sequence[StoredValue]
    last: bool


@dataclass(slots=True, eq=False)
class Order:
    """A task on its way: when it began and when it must be over (by `monotonic`), and why it was asked to stop.

    `feeds` is all that its streams were given, of which `fed` pieces went to the worker that has it now.
    """

    task: Task
    listen: Listener
    tries: int = 0
    began: float | None = None
    due: float | None = None
    asked: Literal["", "cancelled", "time"] = ""
    feeds: list[Feed] = field(default_factory=list)
    fed: int = 0

    @property
    def hungry(self) -> bool:
        """Tell whether it waits for another node's items; the time that takes is not its own."""
        return len(self.task.streams) > sum(feed.last for feed in self.feeds[: self.fed])


class Fed(NamedTuple):
    """Tells that there is more in an order's feeds."""

    task: int


_Message: TypeAlias = Order | Fed | int | None
"""An order to begin, or that has more to be fed, the id of a task to cancel, or None: close."""


class Seat:
    """Runs orders on a worker of its own. `turn(seat, order)` is called as each ends, and may give the next.

    `load` counts the orders given and not ended; it belongs to whoever gives them. `warm` tells the weights that the
    worker holds, and how many seconds each took to load.
    """

    def __init__(self, name: str, terms: Terms, turn: Callable[[Seat, Order], Order | None]) -> None:
        self.load = 0
        self.warm: Mapping[str, float] = {}
        self._terms = terms
        self._turn = turn
        self._inbox: deque[_Message] = deque()
        self._bell, self._button = os.pipe()
        os.set_blocking(self._bell, False)
        os.set_blocking(self._button, False)
        self._poll = select.poll()
        self._poll.register(self._bell, select.POLLIN)
        self._orders: dict[int, Order] = {}
        self._worker: WorkerProcess | None = None
        self._ready = False
        self._ended_for: Literal["", "memory", "another"] = ""
        self._refusal = ("", 0.0)
        self._closing = False
        self._thread = Thread(target=self._work, name=f"graphgen-{name}", daemon=True)
        self._thread.start()

    def give(self, order: Order) -> None:
        """Put an order in line."""
        self._post(order)

    def feed(self, task: int) -> None:
        """Look for what an order was fed."""
        self._post(Fed(task))

    def cancel(self, task: int) -> None:
        """Ask a task to stop; one that does not is ended with its worker."""
        self._post(task)

    def close(self) -> None:
        """Ask all tasks to stop, and the worker to end."""
        self._post(None)

    def join(self) -> None:
        """Wait until all is over; call `close` first."""
        self._thread.join(3 * self._terms.grace)
        if self._thread.is_alive() and self._worker is not None:
            self._worker.kill()  # it reads no more of what it is sent
        self._thread.join()
        os.close(self._bell)
        os.close(self._button)

    def _post(self, message: _Message) -> None:
        self._inbox.append(message)
        with suppress(OSError):  # the pipe is full: it will ring anyway
            os.write(self._button, b"\0")

    # --- in the seat's own thread -----------------------------------------------------------------------------------

    def _work(self) -> None:
        try:
            while True:
                while self._inbox:
                    self._take_in(self._inbox.popleft())
                if self._closing and not self._orders:
                    return
                self._wait()
                self._watch(monotonic())
        finally:
            if self._worker is not None:
                self._let_go(self._worker)

    def _take_in(self, message: _Message) -> None:
        if isinstance(message, Order):
            self._begin(message)
        elif isinstance(message, Fed):
            if (order := self._orders.get(message.task)) and self._worker is not None:
                self._send_feeds(order, self._worker)
        elif message is not None:
            if order := self._orders.get(message):
                self._ask_to_stop(order, "cancelled")
        else:
            self._closing = True
            for order in tuple(self._orders.values()):
                self._ask_to_stop(order, "cancelled")

    def _wait(self) -> None:
        """Wait until somebody rings, the worker says something, or it is time to look."""
        for descriptor, _ in self._poll.poll(_LOOK * 1000 if self._orders else None):
            if descriptor == self._bell:
                os.read(self._bell, 4096)
            elif self._worker is not None:
                self._hear(self._worker)

    def _watch(self, now: float) -> None:
        """Ask those to stop whose time is up, and end the worker for those who do not, or for its memory."""
        terms, worker = self._terms, self._worker
        if worker is None:
            return
        for order in self._orders.values():
            if order.due is not None and now >= order.due:
                self._ended_for = "another"
                worker.kill()
                return
            began = now if terms.seconds is None or order.began is None or order.hungry else order.began
            if not order.asked and now - began >= (terms.seconds or 1):
                self._ask_to_stop(order, "time")
        if terms.own_bytes is not None and self._orders and worker.own_bytes() > terms.own_bytes:
            self._ended_for = "memory"
            worker.kill()

    def _begin(self, order: Order) -> None:
        self._orders[order.task.id] = order
        if self._closing:
            self._finish(order, Stopped())
            return
        words, until = self._refusal
        if monotonic() < until:
            self._finish(order, Failed(words, "", ""))
            return
        try:
            worker = self._worker or self._start()
        except LaneError as error:
            self._finish(order, Failed(str(error), "", ""))
            return
        order.tries, order.fed = order.tries + 1, 0
        with suppress(OSError):  # that it is gone is seen when it is read from
            worker.connection.send(task_frame(order.task, allowed=sorted(self._terms.allowed)))
        self._send_feeds(order, worker)

    def _send_feeds(self, order: Order, worker: WorkerProcess) -> None:
        while order.fed < len(order.feeds):
            feed = order.feeds[order.fed]
            order.fed += 1
            with suppress(OSError):
                worker.connection.send(feed_frame(order.task.id, feed.socket, feed.items, last=feed.last))
            if feed.last and order.began is not None:
                order.began = monotonic()

    def _ask_to_stop(self, order: Order, why: Literal["cancelled", "time"]) -> None:
        if not order.asked and self._worker is not None:
            order.asked, order.due = why, monotonic() + self._terms.grace
            if not self._worker.connection.try_send(Frame({"cancel": order.task.id})):
                self._worker.kill()  # it reads no more

    def _finish(self, order: Order, report: Report) -> None:
        """Report how an order ended, and put the next in line."""
        if isinstance(report, Failed) and not report.inputs:
            report = Failed(report.error, report.traceback, summarise_inputs(order.task))
        del self._orders[order.task.id]
        following = self._turn(self, order)
        if following is not None:
            self._inbox.append(following)
        order.listen(order.task.id, report)

    # --- what the worker says ---------------------------------------------------------------------------------------

    def _hear(self, worker: WorkerProcess) -> None:
        try:
            while (frame := worker.connection.receive(0)) is not None:
                self._take(worker, frame)
        except EOFError:
            self._bury(worker)
        except LaneError as error:
            worker.kill()
            self._let_go(worker)
            for order in tuple(self._orders.values()):
                self._finish(order, Failed(str(error), "", ""))

    def _take(self, worker: WorkerProcess, frame: Frame) -> None:
        said = frame.fields
        if "ready" in said:
            self._ready = True
        elif "recall" in said or "remember" in said:
            self._keep_or_answer(worker, frame)
        elif order := self._orders.get(said.get("task", 0)):  # none: a thread that an earlier task left behind
            self._pass_on(order, read_report(frame, self._terms.codec), said.get("warm", self.warm))

    def _pass_on(self, order: Order, report: Report, warm: Mapping[str, float]) -> None:
        if isinstance(report, Underway):
            if isinstance(report, Started):
                order.began = monotonic()
            order.listen(order.task.id, report)
            return
        self.warm = warm
        late = order.asked == "time" and isinstance(report, Failed | Stopped)
        self._finish(order, self._too_slow("it stopped when it was asked to") if late else report)

    def _keep_or_answer(self, worker: WorkerProcess, frame: Frame) -> None:
        """Keep the partial work that a task sends, or send what it asks for."""
        said, partials = frame.fields, self._terms.partials
        if partials is None:
            raise LaneError(f"a worker speaks of partial work, which is not kept here: {said}")
        if "remember" in said:
            value = receive_value(said["value"], frame.images, self._terms.codec)
            partials.remember(said["remember"], value, said["seconds"])
            return
        found, images = partials.recall(said["recall"]), list[Image]()
        seconds, value_said = (found.seconds, send_value(found.values["value"], images)) if found else (0.0, None)
        with suppress(OSError):
            worker.connection.send(Frame({"recalled": said["recall"], "value": value_said, "seconds": seconds}, images))

    # --- its life ---------------------------------------------------------------------------------------------------

    def _start(self) -> WorkerProcess:
        self._worker = WorkerProcess(self._terms.setup, self._terms.environment)
        self._poll.register(self._worker.connection, select.POLLIN)
        return self._worker

    def _let_go(self, worker: WorkerProcess) -> tuple[int, str]:
        self._poll.unregister(worker.connection)
        self._worker, self._ready, self.warm = None, False, {}
        return worker.end(self._terms.grace)

    def _bury(self, worker: WorkerProcess) -> None:
        """Tell each order what the worker's death means for it."""
        ready, ended_for = self._ready, self._ended_for
        code, trace = self._let_go(worker)
        self._ended_for = ""
        for order in tuple(self._orders.values()):
            if order.asked == "cancelled":
                self._finish(order, Stopped())
            elif order.asked == "time":
                self._finish(order, self._too_slow("it did not stop when it was asked to, and its worker was ended"))
            elif order.began is None and (order.tries < _TRIES or ended_for):
                del self._orders[order.task.id]
                self._inbox.appendleft(order)  # nothing is lost: another worker may do it
            elif not ready:
                self._finish(order, self._refuse(code))
            else:
                self._finish(order, Failed(self._death(code, ended_for), trace, ""))

    def _refuse(self, code: int) -> Failed:
        """Start no more workers for a while: one that cannot begin would not the next time either."""
        cure = 'what it wrote to standard error says why; `graphgen doctor` may help, or run with workers = "thread"'
        words = f"no worker can be started: it {ending(code)[0]} before it was ready; {cure}"
        self._refusal = (words, monotonic() + _PAUSE)
        return Failed(words, "", "")

    def _too_slow(self, what: str) -> Failed:
        cure = "set time_limit higher, or give the node less to do"
        return Failed(f"it took longer than the {self._terms.seconds:g} s of time_limit; {what}; {cure}", "", "")

    def _death(self, code: int, ended_for: str) -> str:
        if ended_for == "memory":
            limit = f"{(self._terms.own_bytes or 0) / 2**30:.1f} GiB"
            cure = "set worker_bytes higher, or make smaller pictures or fewer at a time"
            return f"its worker took more memory than the {limit} of worker_bytes and was ended; {cure}"
        if ended_for == "another":
            return "its worker was ended because another node in it did not stop; run it again"
        words, cure = ending(code)
        return f"its worker process {words}; {cure}; all else goes on, with a new worker"
