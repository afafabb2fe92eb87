"""A small pack for tests, found like any installed plugin once its folder is on PYTHONPATH (see cli_kit.py).

Its nodes need no library: numbers, texts, files, and nodes that are slow, fail, never give the same value twice, or
tell how often they ran.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import time
from collections.abc import Callable
from typing import Annotated, Literal, NamedTuple

from pydantic import Field

from graphgen import Context, File, Files, Known, OutputFile, Refusal, Seed, hookimpl, node


class Parts(NamedTuple):
    """What dividing whole numbers gives."""

    quotient: Annotated[int, Field(description="How often it fits.")]
    remainder: int


@node(category="toy", cheap=True)
def number(*, value: Annotated[float, Field(description="The number.")] = 0.0) -> float:
    """Give a number."""
    return value


@node(category="toy")
def add(*numbers: Annotated[float, Field(description="What is added.")]) -> float:
    """Add numbers.

    Without any wire the sum is 0.
    """
    return sum(numbers)


@node(category="toy")
def divide(*, dividend: Annotated[int, Field(ge=0)] = 17, divisor: Annotated[int, Field(ge=1, le=100)] = 5) -> Parts:
    """Divide whole numbers."""
    return Parts(*divmod(dividend, divisor))


@node(category="toy")
def slow(
    context: Context,
    value: float | None = None,
    *,
    steps: Annotated[int, Field(ge=1, le=10_000, description="How many steps it takes.")] = 4,
    pause: Annotated[float, Field(ge=0, le=60, description="Seconds for each.")] = 0.01,
    seed: Annotated[int, Seed()] = 0,
) -> float:
    """Take its time, step by step."""
    for _ in context.track(range(steps)):
        time.sleep(pause)
    return (value or 0.0) + seed


@node(category="toy")
def gated(context: Context, value: float | None = None, *, gate: str) -> float:
    """Hand a number on when a file is there."""
    while not os.path.exists(gate):
        context.progress(0, 0)
        time.sleep(0.005)
    return value or 0.0


@node(category="toy")
async def wait(value: float, *, pause: Annotated[float, Field(ge=0, le=10)] = 0.01) -> float:
    """Hand a number on, later."""
    await asyncio.sleep(pause)
    return value


@node(category="toy")
def fail(value: float | None = None, *, message: str = "this node always fails") -> float:
    """Fail."""
    raise RuntimeError(message)


@node(category="toy")
def speak(context: Context, *, message: str = "hello", warning: bool = False) -> str:
    """Say something to whoever runs the workflow."""
    context.log(message, warning=warning)
    return message


@node(category="toy", pure=False)
def clock() -> float:
    """Give the time, another one in each run."""
    return time.time()


def _digest(known: Known) -> str:
    path = known.path("inputs", str(known.settings["path"]))
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise Refusal(str(error), at="path") from error


@node(category="toy", fingerprint=_digest)
def read(context: Context, *, path: Annotated[str, File("inputs", (".txt",)), Field(description="Which file.")]) -> str:
    """Read a text file."""
    return context.path("inputs", path).read_text(encoding="utf-8")


@node(category="toy", device="gpu", version=2)
def heavy(value: float, *, mode: Literal["square", "double"] = "square") -> float:
    """Compute on the device."""
    return value * value if mode == "square" else 2 * value


@node(category="toy", effect=True)
def write(value: float | None = None, *, text: str = "value", name: str = "note") -> Files:
    """Write a text file."""
    content = text if value is None else f"{text}: {value}"
    return Files((OutputFile(name, ".txt", content.encode()),))


@hookimpl
def register_nodes() -> list[Callable[..., object]]:
    """Contribute the nodes."""
    return [number, add, divide, slow, gated, wait, fail, speak, clock, read, heavy, write]
