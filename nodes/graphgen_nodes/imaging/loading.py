"""Load upscalers onto a device: the loader that residency calls for `Upscaler` handles."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from safetensors import safe_open
from torch import Tensor

from graphgen import Loaded, Loader, Place, ResourceError
from graphgen_nodes.checkpoints.header import CheckpointError, Header, read_header
from graphgen_nodes.checkpoints.identity import find_place, identity
from graphgen_nodes.networks.upscale import UpscalerError, detect, load
from graphgen_nodes.sockets import Upscaler

DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}


class UpscalerLoader(Loader):
    """Loads Real-ESRGAN's networks from safetensors files."""

    handles = (Upscaler,)

    def identity(self, handle: object) -> str:
        """Return what handles that can share weights have in common: the file's content and the precision."""
        upscaler = _upscaler(handle)
        return f"upscaler {upscaler.precision} {upscaler.weights.digest}"

    def files(self, handle: object) -> Sequence[Path]:
        """Return the one file an upscaler is in."""
        upscaler = _upscaler(handle)
        return [find_place(upscaler.weights.digest, Path(upscaler.weights.path))]

    def load(self, handle: object, place: Place, report: Callable[[int, int], None]) -> Loaded:
        """Load an upscaler to a place; see `Loader.load`."""
        upscaler = _upscaler(handle)
        dtype = DTYPES[place.dtype if upscaler.precision == "auto" else upscaler.precision]
        try:
            header = _find(upscaler)
            total = sum(_count(info.shape) for info in header.tensors.values()) * dtype.itemsize
            report(0, total)
            return Loaded(load(_read(header, torch.device(place.device), dtype, report, total)), total)
        except UpscalerError as error:
            raise ResourceError(f"{upscaler.weights.path}: {error}") from error
        except torch.OutOfMemoryError as error:
            raise MemoryError(f"{place.device} is full") from error


def _find(upscaler: Upscaler) -> Header:
    """Return the header of the file a handle names, checked to be that file and an upscaler."""
    path = find_place(upscaler.weights.digest, Path(upscaler.weights.path))
    if identity(path) != upscaler.weights.digest:
        raise CheckpointError(f"{path.name}: was replaced since the run began; run it again")
    header = read_header(path)
    detect({name: info.shape for name, info in header.tensors.items()})
    return header


def _read(
    header: Header, device: torch.device, dtype: torch.dtype, report: Callable[[int, int], None], total: int
) -> dict[str, Tensor]:
    tensors: dict[str, Tensor] = {}
    done = 0
    with safe_open(header.path, framework="pt", device="cpu") as file:
        for name in header.tensors:
            # a copy even where nothing changes: the file's mapping must not stay open under the weights
            tensors[name] = file.get_tensor(name).to(device, dtype, copy=True)
            done += tensors[name].nbytes
            report(done, total)
    return tensors


def _upscaler(handle: object) -> Upscaler:
    if not isinstance(handle, Upscaler):
        raise ResourceError(f"a {type(handle).__name__} is no upscaler; load one by upscalers.load")
    return handle


def _count(shape: tuple[int, ...]) -> int:
    count = 1
    for length in shape:
        count *= length
    return count
