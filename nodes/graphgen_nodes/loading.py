"""What residency calls to get weights: the loader of denoisers, text encoders and autoencoders.

Torch is imported when something is loaded, not before: the loader is registered in every process that lists nodes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

from graphgen import Loaded, Loader, Place
from graphgen_nodes.checkpoints.header import CheckpointError
from graphgen_nodes.families import families, family
from graphgen_nodes.families.family import Family, Slot
from graphgen_nodes.sockets import Autoencoder, Denoiser, TextEncoder, Weights

Handle: TypeAlias = Denoiser | TextEncoder | Autoencoder
Report: TypeAlias = Callable[[int, int], None]
"""`report(done, total)` in bytes; raises Cancelled when the run was cancelled."""


class ModelLoader(Loader):
    """Loads denoisers, text encoders and autoencoders of every family."""

    handles = (Denoiser, TextEncoder, Autoencoder)

    def identity(self, handle: object) -> str:
        """Return what handles that can share weights have in common: file contents, part, family and precision."""
        wanted = _handle(handle)
        parts = " ".join(f"{weights.part}:{weights.digest}" for weights in _weights(wanted))
        return f"{_family(wanted).name} {wanted.precision} {parts}"

    def files(self, handle: object) -> Sequence[Path]:
        """Return the files of a handle's networks: weights, configs and tokenizers."""
        from graphgen_nodes.weights import reopen

        wanted = _handle(handle)
        found = _family(wanted)
        parts = [reopen(item, _slot(found, item)) for item in _weights(wanted)]
        return sorted(set().union(*(part.files for part in parts)))

    def load(self, handle: object, place: Place, report: Report) -> Loaded:
        """Load a handle's weights to a place, reporting bytes between tensors.

        Raises:
            ResourceError: files are gone, damaged, or not what the handle or the network wants.
            MemoryError: the device is full.
        """
        from graphgen_nodes.weights import PendingNetwork, assemble

        wanted = _handle(handle)
        found = _family(wanted)
        networks = [PendingNetwork(item, _slot(found, item), place, wanted.precision) for item in _weights(wanted)]
        total, done = sum(network.size for network in networks), 0
        report(0, total)
        for network in networks:
            for size in network.fill():
                done += size
                report(done, total)
        return Loaded(assemble(wanted, found, networks), total)

    @contextmanager
    def attach(self, loaded: Loaded, handle: object) -> Iterator[object]:
        """Yield the loaded network; patches are refused, for none can be applied yet."""
        if getattr(handle, "patches", ()):
            raise CheckpointError(f"a {type(handle).__name__} with patches cannot be loaded; remove what patches it")
        yield loaded.module


def _handle(handle: object) -> Handle:
    if isinstance(handle, Denoiser | TextEncoder | Autoencoder):
        return handle
    raise TypeError(f"a {type(handle).__name__} is not one of {', '.join(cls.__name__ for cls in ModelLoader.handles)}")


def _weights(handle: Handle) -> tuple[Weights, ...]:
    if isinstance(handle, TextEncoder):
        return handle.encoders
    return () if handle.weights is None else (handle.weights,)


def _family(handle: Handle) -> Family:
    if isinstance(handle, Autoencoder):
        return next(found for found in families().values() if found.latent_family == handle.latent.family)
    return family(handle.family)


def _slot(found: Family, weights: Weights) -> Slot:
    return next(slot for slot in found.slots if slot.part == weights.part)
