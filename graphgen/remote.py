"""A lane in processes of its own: what crashes there takes one task with it, and nothing of the engine.

In: tasks. Out: reports, as from any lane. Each worker has a seat (`seat.py`), which starts it when a task comes and
replaces it when it dies. A task goes to a worker with room, else to a new one while there may be more, else it waits
in a fair queue.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from threading import Lock

from graphgen.cache import StoredValue
from graphgen.fairqueue import FairQueue
from graphgen.seat import Feed, Order, Seat, Terms
from graphgen.tasks import Listener, Stopped, Task


class ProcessLane:
    """Runs tasks in up to `workers` worker processes, `width` at once in each (more than one: async nodes only)."""

    def __init__(self, name: str, terms: Terms, *, workers: int = 1, width: int = 1) -> None:
        self.name = name
        self._terms = terms
        self._workers = workers
        self._width = width
        self._seats: list[Seat] = []
        self._seat_of: dict[int, Seat] = {}
        self._hungry: dict[int, Order] = {}
        """Orders whose tasks have streams."""
        self._backlog: FairQueue[Order] = FairQueue()
        self._lock = Lock()

    def submit(self, task: Task, listen: Listener) -> None:
        """Hand the task to a worker, or put it in line."""
        order = Order(task, listen)
        with self._lock:
            if task.streams:
                self._hungry[task.id] = order
            if (seat := self._free_seat()) is None:
                self._backlog.put(order, task.run, task.priority)
            else:
                self._assign(seat, order)
                seat.give(order)

    def feed(self, task: int, socket: str, items: Sequence[StoredValue], *, last: bool) -> None:
        """Hand the worker items of a stream; for a task in line they are kept."""
        with self._lock:
            if order := self._hungry.get(task):
                order.feeds.append(Feed(socket, items, last))
                if seat := self._seat_of.get(task):
                    seat.feed(task)

    def cancel(self, task: int) -> None:
        """Ask the task to stop; one that does not is ended with its worker, one in line has stopped at once."""
        with self._lock:
            waiting = next((order for order in self._backlog if order.task.id == task), None)
            if waiting is not None:
                self._backlog.remove(waiting)
                self._hungry.pop(task, None)
            elif seat := self._seat_of.get(task):
                seat.cancel(task)
        if waiting is not None:
            waiting.listen(task, Stopped())

    def warm(self) -> Mapping[str, float]:
        """Return the weights that workers hold, and how many seconds each took to load."""
        return {identity: seconds for seat in tuple(self._seats) for identity, seconds in seat.warm.items()}

    def close(self) -> None:
        """Stop all tasks and end the workers; one that does not end by itself in time is killed."""
        with self._lock:
            seats, waiting = tuple(self._seats), tuple(self._backlog)
            self._backlog = FairQueue()
            self._seats.clear()
            self._hungry.clear()
            for seat in seats:
                seat.close()
        for order in waiting:
            order.listen(order.task.id, Stopped())
        for seat in seats:
            seat.join()

    def _free_seat(self) -> Seat | None:
        free = next((seat for seat in self._seats if seat.load < self._width), None)
        if free is None and len(self._seats) < self._workers:
            free = Seat(f"{self.name}-{len(self._seats)}", self._terms, self._turn)
            self._seats.append(free)
        return free

    def _assign(self, seat: Seat, order: Order) -> None:
        seat.load += 1
        self._seat_of[order.task.id] = seat

    def _turn(self, seat: Seat, ended: Order) -> Order | None:
        """Note that an order has ended; return the one that takes its place."""
        with self._lock:
            seat.load -= 1
            del self._seat_of[ended.task.id]
            self._hungry.pop(ended.task.id, None)
            if not self._backlog or seat not in self._seats:
                return None
            order = self._backlog.take()
            self._assign(seat, order)
            return order
