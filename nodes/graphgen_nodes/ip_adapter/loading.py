"""Load image encoders and IP-Adapters onto a device: the loader that residency calls for their handles."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from graphgen import Loaded, Loader, Place
from graphgen_nodes.families.family import Slot
from graphgen_nodes.families.handles import reopen
from graphgen_nodes.ip_adapter.handles import ADAPTER, ENCODERS
from graphgen_nodes.sockets import ImageEncoder, IPAdapter
from graphgen_nodes.weights import PendingNetwork


class ImagePromptLoader(Loader):
    """Loads vision networks and IP-Adapters."""

    handles = (ImageEncoder, IPAdapter)

    def identity(self, handle: object) -> str:
        """Return what handles that can share weights have in common: the file's content and the precision."""
        wanted, slot = _handle(handle)
        return f"{slot.part} {wanted.precision} {wanted.weights.digest}"

    def files(self, handle: object) -> Sequence[Path]:
        """Return the files of a handle's network."""
        wanted, slot = _handle(handle)
        return sorted(reopen(wanted.weights, slot).files)

    def load(self, handle: object, place: Place, report: Callable[[int, int], None]) -> Loaded:
        """Load a handle's network to a place; see `Loader.load`."""
        wanted, slot = _handle(handle)
        network = PendingNetwork(wanted.weights, slot, place, wanted.precision)
        done = 0
        report(done, network.size)
        for size in network.fill():
            done += size
            report(done, network.size)
        return Loaded(network.module, network.size)


def _handle(handle: object) -> tuple[ImageEncoder | IPAdapter, Slot]:
    if isinstance(handle, ImageEncoder):
        return handle, ENCODERS[handle.weights.part]
    if isinstance(handle, IPAdapter):
        return handle, ADAPTER
    raise TypeError(f"a {type(handle).__name__} is neither an ImageEncoder nor an IPAdapter")
