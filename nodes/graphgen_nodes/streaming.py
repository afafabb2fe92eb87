"""Networks that are larger than their room on a device: blocks of weights come just before they run, and go again.

In: a network, and for each of its parameters what makes its value on the device. Out: the same network, of which some
blocks stay, and the others are there while they run. The numbers are those of the whole network, bit for bit.

A block is a module with all below it, as large as may be: transformer blocks, the blocks of a UNet, single layers where
these are large. Its parameters are the same objects throughout, of which only the data comes and goes; so copies of the
module objects (`patching.skeleton`) share them, and what looks at their shapes, types and device is told the truth. A
weight that is away is NaN: reading one by mistake cannot pass for a picture.

One call at a time may run through a network that is streamed, as a device's lane makes them.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

import torch
from torch import Tensor, nn

Make: TypeAlias = Callable[[], Tensor]
"""Makes a parameter's value on the device, in memory of its own."""

SHARE = 16
"""A block takes at most one part in so many of its network, where a module can be split that far."""

TRIFLE = 4096
"""What takes less than one part in so many of its network stays on the device: it is not worth a journey."""

PRESENT = 2
"""Blocks that are on the device at once: one that runs, and the one before it or the one to come."""


@dataclass(frozen=True)
class Block:
    """Parameters that come and go together: their names in the network, and the bytes they take."""

    names: tuple[str, ...]
    size: int


@dataclass(frozen=True)
class Layout:
    """How a network is laid out on a device: what always stays, the blocks that stay, and those that come and go."""

    rest: int
    staying: tuple[Block, ...]
    streamed: tuple[Block, ...]

    @property
    def size(self) -> int:
        """The most bytes that are taken at a time."""
        passing = sorted((block.size for block in self.streamed), reverse=True)[:PRESENT]
        return self.rest + sum(block.size for block in self.staying) + sum(passing)


def blocks_of(module: nn.Module, itemsize: int | None = None) -> list[Block]:
    """Return a network's blocks, in the order of its modules; parameters in none of them are used by large modules.

    `itemsize` is the bytes of a number, where the parameters do not have the type yet that they will have. A parameter
    that modules share goes with the first of them, under all its names.
    """
    total = _bytes(module, itemsize)
    names: dict[int, list[str]] = {}
    for name, value in module.named_parameters(remove_duplicate=False):
        names.setdefault(id(value), []).append(name)
    found = []
    for child in _split(module, max(total // SHARE, 1), itemsize):
        own = [value for value in child.parameters() if id(value) in names]
        size = sum(_size(value, itemsize) for value in own)
        if size * TRIFLE > total:
            found.append(Block(tuple(name for value in own for name in names.pop(id(value))), size))
    return found


def lay_out(blocks: Sequence[Block], total: int, room: int | None, passing: Sequence[Block] = ()) -> Layout:
    """Let the first blocks stay that fit into the room beside what always stays and the largest that come and go.

    `total` is the bytes of everything, the blocks in `passing` included, which cannot stay. With no room at all, no
    block stays; None is room for all.
    """
    rest = total - sum(block.size for block in (*blocks, *passing))
    if room is None or (total <= room and not passing):
        return Layout(rest, tuple(blocks), tuple(passing))
    left = room - Layout(rest, (), (*blocks, *passing)).size
    count = 0
    while count < len(blocks) and blocks[count].size <= left:
        left, count = left - blocks[count].size, count + 1
    return Layout(rest, tuple(blocks[:count]), (*passing, *blocks[count:]))


def away(shape: Sequence[int], dtype: torch.dtype, device: torch.device) -> Tensor:
    """Return what a parameter holds while its weights are away: NaN in its shape, in the memory of one number."""
    return torch.full((), torch.nan, dtype=dtype, device=device).expand(tuple(shape))


def is_away(parameter: Tensor) -> bool:
    """Tell whether a parameter's weights are away."""
    return parameter.numel() > 1 and not any(parameter.stride())


class Stream:
    """Brings the blocks of one network just before they run; `attach` begins it.

    On a GPU the block that ran next the last time is fetched by a thread while one runs.
    """

    def __init__(self, module: nn.Module, blocks: Sequence[Block], makes: Mapping[str, Make], *, ahead: bool) -> None:
        named = dict(module.named_parameters(remove_duplicate=False))
        self._parts = [[(named[name], makes[name]) for name in block.names] for block in blocks]
        self._here: OrderedDict[int, None] = OrderedDict()
        self._fetcher = Fetcher(next(module.parameters()).device) if ahead else None
        self._next: dict[int, int] = {}

    def attach(self, module: nn.Module) -> None:
        """Have each module that owns parameters ask for their block before it runs."""
        of = {id(parameter): index for index, part in enumerate(self._parts) for parameter, _ in part}
        for inner in module.modules():
            for index in sorted({of[id(own)] for own in inner.parameters(recurse=False) if id(own) in of}):
                inner.register_forward_pre_hook(partial(self._before, index))

    def _before(self, index: int, module: nn.Module, given: object) -> None:  # noqa: ARG002 - what torch gives a hook
        self.need(index)

    def need(self, index: int) -> None:
        """Have a block on the device, letting go of one that ran before."""
        if index in self._here:
            self._here.move_to_end(index)
            return
        last = next(reversed(self._here), None)
        fetched = self._fetcher.take(index) if self._fetcher else None
        self._make_way()
        values = fetched or _values([make for _, make in self._parts[index]])
        for (parameter, _), value in zip(self._parts[index], values, strict=True):
            parameter.data = value
        self._here[index] = None
        if last is not None:
            self._next[last] = index
        following = self._next.get(index)
        if self._fetcher and following is not None and following not in self._here:
            self._make_way()
            self._fetcher.fetch(following, [make for _, make in self._parts[following]])

    def _make_way(self) -> None:
        """Let go of blocks until another one may come."""
        while len(self._here) >= PRESENT:
            gone, _ = self._here.popitem(last=False)
            for parameter, _ in self._parts[gone]:
                parameter.data = away(parameter.shape, parameter.dtype, parameter.device)


class Fetcher:
    """Makes the values of one block on a GPU, in a thread and on a CUDA stream of its own, while another block runs."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._side = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]  # torch's own has no types
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="graphgen-fetch")
        self._pending: tuple[int, Future[tuple[list[Tensor], torch.cuda.Event]]] | None = None

    def fetch(self, index: int, makes: Sequence[Make]) -> None:
        """Begin to make a block's values."""
        self._pending = index, self._thread.submit(self._make, makes)

    def take(self, index: int) -> list[Tensor] | None:
        """Return the values of a block that is fetched; None where it is another one, which is let go."""
        if self._pending is None:
            return None
        (fetched, future), self._pending = self._pending, None
        values, ready = future.result()
        if fetched != index:
            return None
        stream = torch.cuda.current_stream(self._device)
        stream.wait_event(ready)
        for value in values:
            value.record_stream(stream)
        return values

    @torch.no_grad()
    def _make(self, makes: Sequence[Make]) -> tuple[list[Tensor], torch.cuda.Event]:
        with torch.cuda.device(self._device), torch.cuda.stream(self._side):
            values = _values(makes)
            ready = torch.cuda.Event()  # type: ignore[no-untyped-call]  # as above
            ready.record(self._side)
            return values, ready


def _values(makes: Sequence[Make]) -> list[Tensor]:
    """Make values, one for all parameters of the same maker."""
    made: dict[Make, Tensor] = {}
    for make in makes:
        if make not in made:
            made[make] = make()
    return [made[make] for make in makes]


def _split(module: nn.Module, limit: int, itemsize: int | None) -> Iterator[nn.Module]:
    """Yield the largest modules below one that keep to a limit, and single layers that do not."""
    for child in module.children():
        size = _bytes(child, itemsize)
        if size <= limit or next(child.children(), None) is None:
            yield child
        else:
            yield from _split(child, limit, itemsize)


def _bytes(module: nn.Module, itemsize: int | None) -> int:
    return sum(_size(value, itemsize) for _, value in module.named_parameters(remove_duplicate=False))


def _size(value: Tensor, itemsize: int | None) -> int:
    return value.numel() * (itemsize or value.itemsize)
