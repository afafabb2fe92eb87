"""What a generator node yields, and the value that becomes of it.

In: the generator of a call. Out: the node's outputs, stored; on the way reports of what was yielded. Each value is
checked and stored as it comes: what the node changes afterwards is not seen.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import aclosing
from time import monotonic

from graphgen.cache import StoredValue
from graphgen.context import PROGRESS_INTERVAL, Context, Preview
from graphgen.errors import Cancelled
from graphgen.execution import CallError, outputs_of
from graphgen.expansion import Expansion
from graphgen.lazy import InputNeeded
from graphgen.narration import summary_of
from graphgen.novalue import NoValue
from graphgen.spec import NodeSpec
from graphgen.tasks import Item, Partial, Underway
from graphgen.types import TypeTable, accepts


class Yields:
    """The values that one call yields. `streamed` tells that somebody waits for the items of its list one by one."""

    def __init__(
        self,
        spec: NodeSpec,
        types: TypeTable,
        wrap: Callable[[object], StoredValue],
        context: Context,
        report: Callable[[Underway], None],
        *,
        streamed: bool,
    ) -> None:
        self._spec = spec
        self._types = types
        self._wrap = wrap
        self._context = context
        self._report = report
        self._streamed = streamed
        self._count = 0
        self._told = -1.0
        self._items: list[StoredValue] = []
        self._last: dict[str, StoredValue] = {}

    def drive(self, generator: Generator[object]) -> None:
        """Take in all that a plain generator yields.

        Raises:
            CallError: it yields or returns something that its signature does not promise.
            Cancelled: the task is to stop.
        """
        try:
            while True:
                try:
                    value = next(generator)
                except StopIteration as end:
                    self._check_returned(end.value)
                    return
                self._take(value)
        except InputNeeded as needed:
            self._check_asked(needed)
            raise
        finally:
            generator.close()

    async def drive_async(self, generator: AsyncGenerator[object]) -> None:
        """Take in all that an async generator yields, as `drive` does."""
        try:
            async with aclosing(generator):
                async for value in generator:
                    self._take(value)
        except InputNeeded as needed:
            self._check_asked(needed)
            raise

    def values(self) -> dict[str, StoredValue]:
        """Return the node's outputs: the list of all items, or the last value.

        Raises:
            CallError: there is no last value.
        """
        if self._spec.yields == "items":
            return {self._spec.outputs[0].name: self._wrap([item.load() for item in self._items])}
        if not self._last:
            raise CallError(
                "yielded no value; the last one that it yields is its output, so it must yield at least one"
            )
        return self._last

    def _take(self, value: object) -> None:
        if self._context.cancelled():
            raise Cancelled("the run was cancelled")
        if isinstance(value, Preview):
            self._context.show(lambda: value)
            return
        self._count += 1
        if isinstance(value, Expansion):
            cure = "return one, or yield values"
            raise CallError(f"yielded a graph to run in its place, as value {self._count}; {cure}")
        latest = self._take_item(value) if self._spec.yields == "items" else self._take_value(value)
        now = monotonic()
        if now - self._told >= PROGRESS_INTERVAL:
            self._told = now
            self._report(Partial(self._count, {name: summary_of(stored) for name, stored in latest.items()}))

    def _take_value(self, value: object) -> dict[str, StoredValue]:
        try:
            named = outputs_of(self._spec, value, self._types)
        except CallError as error:
            raise CallError(f"of what it yielded, value {self._count} is wrong: {error}") from None
        self._last = {name: self._wrap(one) for name, one in named.items()}
        return self._last

    def _take_item(self, value: object) -> dict[str, StoredValue]:
        (output,) = self._spec.outputs
        if isinstance(value, NoValue):
            raise CallError(f"yielded no value as item {self._count} ({value.reason}); leave the item out instead")
        if output.type.item is None or not accepts(output.type.item, value, self._types):
            found = type(value).__name__
            raise CallError(f"yielded a {found} as item {self._count} of '{output.name}'; it promises {output.type}")
        stored = self._wrap(value)
        self._items.append(stored)
        if self._streamed:
            self._report(Item(stored))
        return {output.name: stored}

    def _check_returned(self, returned: object) -> None:
        if returned is not None:
            cure = "a generator gives what it yields, so write 'yield' in place of 'return'"
            raise CallError(f"returned a {type(returned).__name__}; {cure}")

    def _check_asked(self, needed: InputNeeded) -> None:
        if self._count:
            cure = "ask for lazy inputs before the first yield"
            raise CallError(f"asked for its input '{needed.socket}' after it had yielded; {cure}") from None
