"""Inputs that are computed only when a node asks for them.

    @node(category="flow")
    def switch(if_true: Lazy[object], if_false: Lazy[object], *, condition: bool = True) -> object:
        return if_true.get() if condition else if_false.get()

The first `get` of an input that is not there ends the call; when the value has come, the node is called again from the
start. So ask before the work begins. What was never asked for is not computed, and is no reason to run again.
"""

from __future__ import annotations

from typing import Generic, TypeVar, cast

T = TypeVar("T")

ASKS = "?"
"""The name under which the cache keeps what a node asked for, in place of its outputs."""


class InputNeeded(BaseException):
    """A node asked for an input that is not there yet; no Exception, so that no node catches it by accident."""

    def __init__(self, socket: str) -> None:
        super().__init__(f"the input '{socket}' is needed")
        self.socket = socket


class Lazy(Generic[T]):
    """An input that is there when it is asked for. A test that calls a node writes `Lazy(value)`."""

    def __init__(self, value: T | None = None, *, missing: str = "") -> None:
        self._value = value
        self._missing = missing

    def get(self) -> T:
        """Return the value; let what this raises pass through."""
        if self._missing:
            raise InputNeeded(self._missing)
        return cast(T, self._value)
