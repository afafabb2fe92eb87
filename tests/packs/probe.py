"""A fake pack of nodes that misbehave, wait, look outside or write files."""

from __future__ import annotations

import asyncio
import ctypes
import io
import os
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, cast

from graphgen import Context, File, FileFormat, Files, Known, OutputFile, Preview, hookimpl, node
from graphgen.errors import Cancelled
from graphgen.jsontypes import digest

CLOCK = [0]
"""What `clock` gives."""
ON_READ: list[Callable[[], object]] = []
"""Called by `read` after it has read."""
MEETINGS: dict[str, threading.Barrier] = {}
"""Where `meet` waits for others."""
SHORT: list[bool] = []
"""What `strain` says of its work where memory is short: whether it is exact."""
GATHERINGS: dict[str, int] = {}
"""How many `gather`s have come together."""


@dataclass(frozen=True)
class Secret:
    """A value that nobody registered as a type."""

    word: str


@node(category="failing")
def fail(value: int | None = None, *, message: str = "no such luck") -> int:
    """Raise."""
    raise ValueError(message)


@node(category="failing", cheap=True)
def fail_inline(value: int | None = None) -> int:
    """Raise, inline."""
    raise ValueError("no luck inline")


@node(category="failing")
def leave(value: int | None = None, *, code: int = 3) -> int:
    """Try to end the process."""
    sys.exit(code)


@node(category="failing")
def interrupt(value: int | None = None) -> int:
    """Raise what Ctrl-C raises."""
    raise KeyboardInterrupt


@node(category="failing", cheap=True)
def interrupt_inline(value: int | None = None) -> int:
    """Raise what Ctrl-C raises, in the caller's thread."""
    raise KeyboardInterrupt


@node(category="failing")
def give_up(value: int | None = None) -> int:
    """Raise Cancelled though nobody cancelled."""
    raise Cancelled("I do not want to")


@node(category="failing")
def lie(value: int | None = None) -> int:
    """Return something else than promised."""
    return cast(int, "a text")


@node(category="failing")
def nothing(value: int | None = None) -> None:
    """Return something though nothing was promised."""
    return cast(None, value)


@node(category="failing")
def hide(value: int | None = None) -> object:
    """Return a value of a type that is not registered."""
    return Secret("hush")


@node(category="failing")
def die(value: int | None = None, *, how: str = "exit") -> int:
    """End the process at once. Only for lanes in a process of their own."""
    if how == "exit":
        os._exit(9)
    if how == "kill":
        os.kill(os.getpid(), 9)
    ctypes.string_at(0)
    return 0


@node(category="waiting")
def wait(context: Context, value: int | None = None, *, started: str = "") -> int:
    """Wait until cancelled; `started` is a file that says that waiting has begun."""
    _touch(started)
    while True:
        time.sleep(0.002)
        context.progress(0, 1)


@node(category="waiting")
def sleep(*, started: str = "") -> int:
    """Wait without ever looking whether the run was cancelled."""
    _touch(started)
    time.sleep(3600)
    return 0


@node(category="waiting")
async def wait_async(value: int | None = None, *, started: str = "") -> int:
    """Wait until cancelled, on the loop."""
    _touch(started)
    await asyncio.sleep(3600)
    return 0


@node(category="waiting")
def meet(*, name: str = "", parties: int = 2) -> int:
    """Wait until as many nodes are here."""
    barrier = MEETINGS.setdefault(name, threading.Barrier(parties))
    return int(barrier.wait(240) >= 0)


@node(category="waiting")
async def gather(*, name: str = "", parties: int = 2, seat: int = 0) -> int:
    """Wait on the loop until as many nodes are here."""
    GATHERINGS[name] = GATHERINGS.get(name, 0) + 1
    while GATHERINGS[name] < parties:
        await asyncio.sleep(0.001)
    return 1


@node(category="async")
async def double(value: int, *, by: int = 2) -> int:
    """Multiply, on the loop."""
    await asyncio.sleep(0)
    return value * by


@node(category="async")
async def double_in_thread(value: int) -> int:
    """Multiply in a thread of asyncio's."""
    return await asyncio.to_thread(lambda: value * 2)


@node(category="async")
async def fail_async(value: int | None = None) -> int:
    """Raise on the loop."""
    await asyncio.sleep(0)
    raise ValueError("no luck on the loop")


@node(category="partial")
def climb(
    context: Context, *, to: int = 5, tire_at: int = 0, how: str = "fail", of: str = "", path: str = "north"
) -> list[int]:
    """Climb step by step, keeping each as partial work; give the steps taken in this call.

    `tire_at` is the step after which it fails or takes the process along.
    """
    key = context.digest(("path", path)) if context.remembers else ""
    stand = next((step for step in range(to, 0, -1) if context.recall(f"{key} {step}", of=of) == [step]), 0)
    taken = list(range(stand + 1, to + 1))
    for step in taken:
        context.remember(f"{key} {step}", [step], of=of, words=f"step {step} of {to}")
        if step == tire_at:
            die(how=how) if how in ("exit", "kill") else fail(message="too tired")
    return taken


@node(category="partial")
def push(context: Context, *, to: int = 5) -> list[int]:
    """Push step by step, keeping each in place of the one before; give the steps of this call."""
    done = cast(int, context.recall("stone") or 0)
    for step in range(done, to):
        context.remember("stone", step + 1)
    return list(range(done + 1, to + 1))


@node(category="partial")
async def climb_async(context: Context, *, to: int = 5, tire_at: int = 0) -> list[int]:
    """Climb on the loop."""
    return climb(context, to=to, tire_at=tire_at)


@node(category="values")
def numbers(*, count: int = 3) -> list[int]:
    """Give a list."""
    return list(range(count))


@node(category="values")
def spoil(items: list[int], *, by: int = 99) -> int:
    """Change the input."""
    items.append(by)
    return sum(items)


@node(category="values")
def count(items: list[int]) -> int:
    """Add a list up."""
    return sum(items)


@node(category="values")
def spoil_settings(*, items: list[int] | None = None) -> int:
    """Change a setting."""
    assert items is not None
    items.append(1)
    return len(items)


@node(category="values", pure=False)
def clock() -> int:
    """Give the time of a clock that the test sets."""
    return CLOCK[0]


@node(category="talking", keyless=("beside", "loud"))
def mutter(value: int, beside: int | None = None, *, loud: bool = False) -> int:
    """Give a value; what else comes in is for whoever listens."""
    return value


@node(category="talking")
def talk(context: Context, value: int, *, times: int = 3) -> int:
    """Report progress, say something, show something."""
    print("this goes to stderr in a worker", file=sys.stderr)
    context.log(f"at {value}")
    context.log("careful", warning=True)
    for done in range(times):
        context.progress(done + 1, times, preview=lambda: Preview(b"\x89PNG", "image/png"))
    return value


@node(category="talking")
def pose(context: Context, *, text: str = "", steps: int = 4, gate: str) -> int:
    """Show a picture after each step but the last, its red the step's number; go on when the file gate-step is there.

    It shows each again and again until then, for whoever is late.
    """
    import PIL.Image

    for step in range(1, steps):
        data = io.BytesIO()
        PIL.Image.new("RGB", (8, 8), (step, 0, 0)).save(data, "PNG")
        while not Path(f"{gate}-{step}").exists():
            context.progress(step, steps, preview=partial(Preview, data.getvalue()))
            time.sleep(0.02)
    return steps


@node(category="talking")
def strain(context: Context, value: int) -> int:
    """Give a value, or where memory is short what is near to it."""
    if not SHORT:
        return value
    context.adapted("with less memory", exact=SHORT[0])
    return value if SHORT[0] else value + 1000


@node(category="talking")
def chatter(*, times: int = 3) -> int:
    """Print, which must not break the frames of a worker."""
    for _ in range(times):
        print("x" * 1000)
    sys.stdout.flush()
    return times


@node(category="talking")
def storm(context: Context, *, count: int = 2000, total: int = 0) -> int:
    """Report progress very often."""
    for done in range(count):
        context.progress(done, total)
    return count


@node(category="devices", device="gpu")
def where(context: Context, value: int | None = None) -> str:
    """Tell the device."""
    return f"{context.device} {context.dtype}"


def _content(known: Known) -> str:
    path = known.path("inputs", str(known.settings["path"]))
    return digest(path.read_bytes())


@node(category="files", fingerprint=_content)
def read(context: Context, *, path: Annotated[str, File(root="inputs")] = "note.txt") -> str:
    """Read a text file."""
    text = context.path("inputs", path).read_text(encoding="utf-8")
    for act in ON_READ:
        act()
    return text


@node(category="files", cheap=True, fingerprint=_content)
def read_quickly(context: Context, *, path: Annotated[str, File(root="inputs")] = "note.txt") -> str:
    """Read a text file, inline."""
    return context.path("inputs", path).read_text(encoding="utf-8")


def _broken_content(known: Known) -> str:
    raise KeyError("a mistake of the plugin's")


@node(category="files", fingerprint=_broken_content)
def read_badly() -> str:
    """Have a fingerprint that raises."""
    return ""


@node(category="files")
def shout(text: str) -> str:
    """Write in capitals."""
    return text.upper()


@node(category="files", effect=True)
def save(text: str, *, name: str = "note", suffix: str = ".txt") -> Files:
    """Write a text into a file."""
    return Files((OutputFile(name, suffix, text.encode()),))


def embed_texts(data: bytes, texts: object) -> bytes:
    if data == b"unembeddable":
        raise ValueError("this is no such file")
    assert isinstance(texts, dict)
    return data + b"".join(f"\n#{key}={value}".encode() for key, value in sorted(texts.items()))


def read_texts(data: bytes) -> dict[str, str]:
    lines = [line[1:].partition("=") for line in data.decode().split("\n") if line.startswith("#")]
    return {key: value for key, _, value in lines}


def _touch(path: str) -> None:
    if path:
        Path(path).touch()


@hookimpl
def register_formats() -> list[FileFormat]:
    return [FileFormat(".note", "text/x-note", embed_texts, read_texts)]


@hookimpl
def register_nodes() -> list[Callable[..., object]]:
    return [
        chatter, climb, climb_async, clock, count, die, double, double_in_thread, fail, fail_async,
        fail_inline, gather, give_up, hide, interrupt, interrupt_inline, leave, lie, meet, mutter, nothing, numbers,
        pose, push, read, read_badly, read_quickly, save, shout, sleep, spoil, spoil_settings, storm, strain, talk,
        wait, wait_async, where,
    ]  # fmt: skip
