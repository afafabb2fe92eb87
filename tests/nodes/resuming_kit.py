"""An engine that keeps partial work, for tests of going on, and a patch that acts in a range of the schedule."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from functools import cache
from typing import Literal

import torch
from nodes.sampling_oracles import RandomNetwork
from nodes.test_sampling_pack import Room
from torch import Tensor

from graphgen.codec import Encoded, ValueCodec
from graphgen.plugins import find_plugins
from graphgen.registry import build_registry
from graphgen.types import build_table
from graphgen_nodes.sockets import Conditioning, Denoiser, Patch


@dataclass(frozen=True)
class Tint(Patch):
    """A behaviour patch that acts in a range of the schedule, as a ControlNet does."""

    strength: float
    start: float = 0.0
    end: float = 1.0

    def at(self, progress: float) -> Patch | None:
        return replace(self, start=0.0, end=1.0) if self.start <= progress < self.end else None


@cache
def codec() -> ValueCodec:
    """Return the codec of a real run, the patch's type included."""
    registry = build_registry(find_plugins())
    return ValueCodec(build_table([*registry.types.classes.values(), Tint]), registry.codec.buffers)


class Shelf(Room):
    """An engine that keeps partial work as a real one does, as bytes; runs may share what it keeps."""

    def __init__(self, kept: dict[tuple[str, str], Encoded] | None = None, *, cancel_after: int = 10_000) -> None:
        super().__init__(cancel_after=cancel_after)
        self.network = RandomNetwork(2, out=4)
        self.kept = {} if kept is None else kept
        self.words: list[str] = []
        self.logged: list[str] = []
        self.adaptations: list[tuple[str, bool]] = []

    def log(self, level: Literal["info", "warning"], message: str) -> None:  # noqa: ARG002
        self.logged.append(message)

    def remembers(self) -> bool:
        return True

    def digest(self, value: object) -> str:
        return codec().encode(value).digest

    def recall(self, key: str, of: str) -> object | None:
        found = self.kept.get((key, of))
        if found is None:
            return None
        buffers = tuple(replace(buffer, data=bytearray(buffer.data)) for buffer in found.buffers)
        return codec().decode(found._replace(buffers=buffers))

    def remember(self, key: str, value: object, of: str, words: str) -> None:
        made = codec().encode(value)
        buffers = tuple(replace(buffer, data=bytes(buffer.data)) for buffer in made.buffers)
        self.kept[key, of] = made._replace(buffers=buffers)
        self.words.append(words)

    def adapted(self, words: str, *, exact: bool) -> None:
        self.adaptations.append((words, exact))

    def free(self) -> int:
        return 0

    def lease(
        self,
        handle: object,
        report: Callable[[int, int], None],  # noqa: ARG002
        room: int | None,  # noqa: ARG002
    ) -> AbstractContextManager[object]:
        self.leased.append(handle)
        assert isinstance(handle, Denoiser)
        return self._patched(handle)

    @contextmanager
    def _patched(self, handle: Denoiser) -> Iterator[object]:
        tint = sum(patch.strength for patch in handle.patches if isinstance(patch, Tint))
        yield Tinted(self.network, tint)

    @property
    def calls(self) -> int:
        """How often the network was asked."""
        return len(self.network.calls)


class Tinted:
    """A network with a constant added to what it gives, in an unusual layout of memory."""

    def __init__(self, network: RandomNetwork, tint: float) -> None:
        self.network = network
        self.tint = tint
        self.device, self.dtype = network.device, network.dtype

    def __call__(self, x: Tensor, timestep: Tensor, conditioning: Conditioning) -> Tensor:
        return (self.network(x, timestep, conditioning) + self.tint).to(memory_format=torch.channels_last)
