"""What residency calls to get weights: the loader of denoisers and what steers them, text encoders and autoencoders.

Torch is imported when something is loaded, not before: the loader is registered in every process that lists nodes.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias, cast

from graphgen import Lease, Loaded, Loader, Place, ResourceError
from graphgen_nodes.families import families, family
from graphgen_nodes.families.family import Family, Slot
from graphgen_nodes.families.handles import reopen
from graphgen_nodes.patches import BehaviourPatch, WeightPatch
from graphgen_nodes.sockets import Autoencoder, ControlNet, Denoiser, Patch, TextEncoder, Weights

Handle: TypeAlias = Denoiser | TextEncoder | Autoencoder | ControlNet
Report: TypeAlias = Callable[[int, int], None]
"""`report(done, total)` in bytes; raises Cancelled when the run was cancelled."""


class ModelLoader(Loader):
    """Loads denoisers, text encoders, autoencoders and ControlNets of every family."""

    handles: tuple[type, ...] = (Denoiser, TextEncoder, Autoencoder, ControlNet)

    def identity(self, handle: object) -> str:
        """Return what handles that can share weights have in common: file contents, part, family and precision."""
        wanted = _handle(handle)
        parts = " ".join(f"{weights.part}:{weights.digest}" for weights in _weights(wanted))
        return f"{_family(wanted).name} {wanted.precision} {parts}"

    def files(self, handle: object) -> Sequence[Path]:
        """Return the files of a handle's networks: weights, configs and tokenizers."""
        wanted = _handle(handle)
        found = _family(wanted)
        parts = [reopen(item, _slot(found, item)) for item in _weights(wanted)]
        patched = (patch.files() for patch in _patches(wanted))
        return sorted(set().union(*(part.files for part in parts), *patched))

    def load(self, handle: object, place: Place, report: Report) -> Loaded:
        """Load a handle's weights to a place, reporting bytes between tensors; what finds no room there is streamed.

        Raises:
            ResourceError: files are gone, damaged, or not what the handle or the network wants.
            MemoryError: the device is full.
        """
        from graphgen_nodes.weights import PendingNetwork, assemble, check_free, share_out

        wanted = _handle(handle)
        found = _family(wanted)
        networks = [PendingNetwork(item, _slot(found, item), place, wanted.precision) for item in _weights(wanted)]
        layouts = share_out(networks, place.room)
        shares = list(zip(networks, layouts, strict=True))
        total, done = sum(network.size if layout is None else layout.size for network, layout in shares), 0
        check_free(place, total)
        report(0, total)
        for network, layout in shares:
            for size in network.fill() if layout is None else network.stream(layout):
                done += size
                report(done, total)
        return Loaded(assemble(wanted, found, networks), total)

    def variant(self, handle: object) -> Hashable:
        """Return the patches that change weights; None where there are none."""
        return tuple(patch for patch in _patches(_handle(handle)) if isinstance(patch, WeightPatch)) or None

    def derive(self, loaded: Loaded, handle: object, place: Place, report: Report) -> Loaded:
        """Return the weights that a handle's patches make; the loaded ones stay as they are.

        What finds no room is made whenever it is to run.
        """
        from graphgen_nodes.patching import reweighted

        wanted = _handle(handle)
        slots = {weights.part: _slot(_family(wanted), weights) for weights in _weights(wanted)}
        changing = [patch for patch in _patches(wanted) if isinstance(patch, WeightPatch)]
        return reweighted(loaded, slots, changing, place.room, report)

    @contextmanager
    def attach(self, loaded: Loaded, handle: object, lease: Lease) -> Iterator[object]:
        """Yield the network, behaving as the handle's patches make it.

        Raises:
            ResourceError: a patch is of neither kind.
        """
        patches: list[BehaviourPatch] = []
        for patch in _patches(_handle(handle)):
            if isinstance(patch, BehaviourPatch):
                patches.append(patch)
            elif not isinstance(patch, WeightPatch):
                raise ResourceError(
                    f"a {type(handle).__name__} is patched by a {type(patch).__name__}, which is neither a WeightPatch "
                    "nor a BehaviourPatch; let its class be one of these, or remove it"
                )
        if not patches:
            yield loaded.module
            return
        from graphgen_nodes.patching import behaving

        with behaving(cast(Any, loaded.module), patches, lease) as network:
            yield network


def _handle(handle: object) -> Handle:
    if isinstance(handle, Denoiser | TextEncoder | Autoencoder | ControlNet):
        return handle
    raise TypeError(f"a {type(handle).__name__} is not one of {', '.join(cls.__name__ for cls in ModelLoader.handles)}")


def _weights(handle: Handle) -> tuple[Weights, ...]:
    if isinstance(handle, TextEncoder):
        return handle.encoders
    return () if handle.weights is None else (handle.weights,)


def _patches(handle: Handle) -> tuple[Patch, ...]:
    return () if isinstance(handle, Autoencoder | ControlNet) else handle.patches


def _family(handle: Handle) -> Family:
    if isinstance(handle, Autoencoder):
        return next(found for found in families().values() if found.latent_family == handle.latent.family)
    return family(handle.family)


def _slot(found: Family, weights: Weights) -> Slot:
    return next(slot for slot in found.slots if slot.part == weights.part)
