"""A pack of nodes that no engine should have to fear, found once its folder is on the path (see lane_kit.py).

They end, crash or fill their process, never stop, write into what they are given, and print. `PERILS` in the
environment makes the pack itself misbehave while it is imported.
"""

from __future__ import annotations

import ctypes
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from graphgen import Buffer, BufferCodec, Context, Loaded, Loader, Place, hookimpl, node

if os.environ.get("PERILS") == "exit":
    raise SystemExit("no pack today")
if os.environ.get("PERILS") == "die":
    os._exit(7)


class Block:
    """Bytes that can be written to, wherever they lie."""

    def __init__(self, data: memoryview | bytearray | bytes) -> None:
        self.data = memoryview(data)


@dataclass(frozen=True)
class Sheet:
    """A value with a buffer."""

    block: Block


@dataclass(frozen=True)
class Model:
    """Stands for weights; each time they are loaded, a line is written into the file `log`."""

    name: str
    log: str


class ModelLoader(Loader):
    """Loads nothing, and says so in a file."""

    handles = (Model,)

    def identity(self, handle: object) -> str:
        assert isinstance(handle, Model)
        return handle.name

    def load(self, handle: object, place: Place, report: Callable[[int, int], None]) -> Loaded:
        assert isinstance(handle, Model)
        report(0, 10)
        with Path(handle.log).open("a") as file:
            file.write(f"{handle.name} {place.device}\n")
        if handle.name == "broken":
            os.abort()
        return Loaded(handle.name, 10)


@node(category="perils")
def die(value: int | None = None, *, how: str = "exit") -> int:
    """End the process at once."""
    if how == "exit":
        os._exit(9)
    if how == "kill":
        os.kill(os.getpid(), 9)
    if how == "abort":
        os.abort()
    if how == "raise":
        sys.exit("enough")
    ctypes.string_at(0)
    return 0


@node(category="perils")
def spin(*, started: str = "") -> int:
    """Never end, and never look whether anybody wants it to; write the process id first."""
    _tell(started)
    while True:
        pass


@node(category="perils")
async def spin_async(*, started: str = "") -> int:
    """Keep the loop to itself for ever."""
    return spin(started=started)


@node(category="perils")
def dawdle(context: Context, *, started: str = "") -> int:
    """Never end, but look."""
    _tell(started)
    while True:
        context.progress(0, 0)
        time.sleep(0.002)


@node(category="perils")
def bloat(*, megabytes: int = 400) -> int:
    """Take memory and keep it."""
    held = bytearray(b"x" * (megabytes << 20))
    while True:
        time.sleep(len(held) and 0.01)


@node(category="perils")
def speak(*, words: str = "out loud") -> str:
    """Print in three ways."""
    print(words, "printed", flush=True)
    print(words, "original", file=sys.__stdout__, flush=True)
    os.write(1, f"{words} below\n".encode())
    return words


@node(category="perils")
def process() -> int:
    """Give the id of the process it runs in."""
    return os.getpid()


@node(category="perils", pure=False)
def impure_process(value: int | None = None) -> int:
    """Give the id of the process it runs in, anew each time."""
    return os.getpid()


@node(category="perils")
def sheet(*, size: int = 1 << 20, fill: int = 1) -> Sheet:
    """Make a value of some bytes."""
    return Sheet(Block(bytearray([fill]) * size))


@node(category="perils")
def scribble(sheet: Sheet) -> int:
    """Give an input's first byte, then write all over it."""
    first = sheet.block.data[0]
    sheet.block.data[:] = bytes(len(sheet.block.data))
    return first


@node(category="perils")
def first(sheet: Sheet, after: int | None = None) -> int:
    """Give an input's first byte."""
    return sheet.block.data[0]


@node(category="perils", cheap=True)
def model(*, name: str, log: str) -> Model:
    """Name weights."""
    return Model(name, log)


@node(category="perils", device="gpu")
def use(context: Context, model: Model, *, started: str = "", gate: str = "", seed: int = 0) -> str:
    """Lease weights; wait until the file `gate` is there; give the device."""
    with context.resource(model):
        _tell(started)
        while gate and not os.path.exists(gate):
            context.progress(0, 0)
            time.sleep(0.002)
    return context.device


def _tell(path: str) -> None:
    if path:
        Path(f"{path}.part").write_text(str(os.getpid()))
        os.replace(f"{path}.part", path)


def _encode(block: object) -> Buffer:
    assert isinstance(block, Block)
    return Buffer("U8", (len(block.data),), block.data)


@hookimpl
def register_buffers() -> list[BufferCodec]:
    return [BufferCodec("perils.Block", _encode, lambda buffer: Block(memoryview(buffer.data)))]


@hookimpl
def register_loaders() -> list[Loader]:
    return [ModelLoader()]


@hookimpl
def register_nodes() -> list[Callable[..., object]]:
    return [
        bloat, dawdle, die, first, impure_process, model, process, scribble, sheet, speak, spin, spin_async, use,
    ]  # fmt: skip
