"""Fill networks with a checkpoint's tensors, on the device where they are wanted.

In: a component's `Weights`, the `Slot` of its family, and a place. Out: the library's module, complete. Networks are
built on torch's meta device, checked name by name and shape by shape against the file's header, and filled straight
from the mapped file; nothing is allocated before all names agree.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from math import prod
from threading import Lock
from typing import cast

import torch
from torch import Tensor, nn

from graphgen import Place
from graphgen_nodes.checkpoints.header import CheckpointError
from graphgen_nodes.checkpoints.keys import Source, some
from graphgen_nodes.checkpoints.parts import Config, Part, tokenizer_folder
from graphgen_nodes.families.family import Family, Slot
from graphgen_nodes.families.handles import reopen
from graphgen_nodes.sockets import Autoencoder, Conditioning, ControlNet, Denoiser, Precision, Weights
from graphgen_nodes.stored import StoredTensors, times
from graphgen_nodes.streaming import Layout, Make, Stream, away, blocks_of, lay_out
from graphgen_nodes.text.encode import PromptEncoder
from graphgen_nodes.text.tokenizers import PromptTokenizer, load_tokenizer

DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}

CACHE_LINE = 64
"""Bytes."""

# diffusers and transformers import their classes on first use, which is not safe from two threads at once
_IMPORTING = Lock()


class FamilyNetwork:
    """A loaded denoising network behind the one signature that sampling knows (sampling.protocols.Network)."""

    def __init__(self, module: nn.Module, adapter: Family) -> None:
        self.module = module
        self.adapter = adapter

    @property
    def device(self) -> torch.device:
        """Return where the weights are."""
        return next(self.module.parameters()).device

    @property
    def dtype(self) -> torch.dtype:
        """Return the number format the network computes in."""
        return next(self.module.parameters()).dtype

    @property
    def networks(self) -> dict[str, nn.Module]:
        """Return the one module by its part (`graphgen_nodes.patching.Patchable`)."""
        return {self.adapter.denoiser.part: self.module}

    def with_networks(self, networks: Mapping[str, nn.Module]) -> FamilyNetwork:
        """Return the same on another module."""
        return FamilyNetwork(networks[self.adapter.denoiser.part], self.adapter)

    @torch.no_grad()
    def __call__(self, x: Tensor, timestep: Tensor, conditioning: Conditioning) -> Tensor:
        """Return the raw output for `x[batch, channels, ...]`, `timestep[batch]` and its conditioning.

        Raises:
            ValueError: what is to be seen beside x has another size, or other channels than the network takes.
        """
        taken, _ = self.adapter.channels(cast(Config, self.module.config))  # diffusers' models have one
        return self.adapter.predict(self.module, with_beside(x, conditioning.beside, taken), timestep, conditioning)


class PendingNetwork:
    """One network on its way: built and checked when made, filled tensor by tensor."""

    def __init__(self, weights: Weights, slot: Slot, place: Place, precision: Precision) -> None:
        self.slot = slot
        self.device = torch.device(place.device)
        self.dtype = choose_dtype(precision, place.dtype, slot)
        self.part = reopen(weights, slot)
        sources = slot.architecture.sources(self.part)
        config = slot.architecture.configure(self.part, sources)
        with _IMPORTING, torch.device("meta"):
            self.module = slot.architecture.build(config)
        self.blocks = blocks_of(self.module, self.dtype.itemsize)
        _untie(self.module)
        self.computed = slot.architecture.buffers(self.module)
        names = slot.architecture.names_in(self.module, sources)
        self.names: dict[Source, list[str]] = {}
        for name, inner in names.items():
            if inner in sources:
                self.names.setdefault(sources[inner], []).append(name)
        check_names(self.module, self.names, self.part)

    @property
    def size(self) -> int:
        """The bytes the network will take as a whole."""
        return sum(prod(source.shape) for source in self.names) * self.dtype.itemsize

    def layout(self, room: int) -> Layout:
        """Return what of the network stays in so much room, and what comes and goes."""
        return lay_out(self.blocks, self.size, room)

    def fill(self) -> Iterator[int]:
        """Read every tensor, yielding its bytes, and put all of them into the network at the end."""
        filled: dict[str, Tensor] = {}
        stored = StoredTensors(self.part, self.device)
        with memory_errors():
            for source, names in self.names.items():
                value = stored.values(source, self.dtype)
                check_numbers(value, source, self.part)
                filled.update(dict.fromkeys(names, value))
                yield value.nbytes
        self._finish(filled)

    def stream(self, layout: Layout) -> Iterator[int]:
        """Read what stays, yielding the bytes; the rest is read from the mapped file whenever it is to run."""
        passing = {name for block in layout.streamed for name in block.names}
        stored = StoredWeights(self.part, self.device, self.dtype)
        filled: dict[str, Tensor] = {}
        makes: dict[str, Make] = {}
        with memory_errors():
            for source, names in self.names.items():
                makes.update(dict.fromkeys(names, partial(stored.read, source)))
                if passing.isdisjoint(names):
                    value = stored.read(source)
                    yield value.nbytes
                else:
                    value = away(source.shape, self.dtype, self.device)
                filled.update(dict.fromkeys(names, value))
        self._finish(filled)
        Stream(self.module, layout.streamed, makes, ahead=self.device.type == "cuda").attach(self.module)

    def _finish(self, filled: Mapping[str, Tensor]) -> None:
        self.module.load_state_dict(filled, strict=True, assign=True)
        _fill_buffers(self.module, self.computed, self.device, self.part)
        self.module.eval().requires_grad_(False)


class StoredWeights:
    """The mapped files of a part, of which tensors are read onto a device again and again, and checked once."""

    def __init__(self, part: Part, device: torch.device, dtype: torch.dtype) -> None:
        self._part = part
        self._device = device
        self._dtype = dtype
        self._stored = StoredTensors(part)
        self._checked: set[Source] = set()

    def read(self, source: Source) -> Tensor:
        """Return what a source speaks of, on the device and in memory of its own.

        Raises:
            CheckpointError: it holds NaN or infinity.
            MemoryError: the device is full.
        """
        value, factor = self._stored.read(source)
        with memory_errors():
            value = times(brought(value, self._device, self._dtype), factor)
        if source not in self._checked:
            check_numbers(value, source, self._part)
            self._checked.add(source)
        return value


def brought(value: Tensor, device: torch.device, dtype: torch.dtype) -> Tensor:
    """Return a tensor of main memory on a device, in memory of its own."""
    if device.type == "cuda":  # from pinned memory the copy goes on beside the computing
        return value.pin_memory().to(device, non_blocking=True).to(dtype)
    if device.type == "cpu" and value.dtype == dtype and value.is_contiguous():
        return _copied(value)
    return value.to(device, dtype, copy=True)


def _copied(value: Tensor) -> Tensor:
    """Copy a tensor to memory that begins at the same place within a line of the processor's cache.

    On some processors that place decides how a matrix product is computed, and so the last bits of what comes out: a
    network whose weights are read again and again would otherwise differ from one that uses those of the mapped file.
    """
    spare = torch.empty(value.numel() + CACHE_LINE // value.itemsize, dtype=value.dtype)
    skipped = (value.data_ptr() - spare.data_ptr()) % CACHE_LINE // value.itemsize
    return spare[skipped : skipped + value.numel()].view(value.shape).copy_(value)


def share_out(networks: Sequence[PendingNetwork], room: int | None) -> list[Layout | None]:
    """Return how each network is laid out in a room that all share; None for those that are there as a whole.

    Each gets what streaming it takes, then small ones are let in whole before large ones.
    """
    if room is None or sum(network.size for network in networks) <= room:
        return [None] * len(networks)
    found: list[Layout | None] = [network.layout(0) for network in networks]
    left = room - sum(layout.size for layout in found if layout is not None)
    for index, network in sorted(enumerate(networks), key=lambda item: item[1].size):
        least = network.layout(0).size
        if network.size <= least + left:
            found[index], left = None, left + least - network.size
        elif left > 0:
            layout = network.layout(least + left)
            found[index], left = layout, left + least - layout.size
    return found


def check_free(place: Place, total: int) -> None:
    """Raise MemoryError where so many bytes surely do not fit, before minutes are spent on reading them."""
    if not place.device.startswith("cuda"):
        return
    free, _ = torch.cuda.mem_get_info(place.device)
    free += torch.cuda.memory_reserved(place.device) - torch.cuda.memory_allocated(place.device)
    if total > free:
        raise MemoryError(f"{total:,} bytes are wanted, {free:,} are free")


def assemble(handle: object, found: Family, networks: list[PendingNetwork]) -> object:
    """Return what a node gets to work with: a `FamilyNetwork`, a `PromptEncoder`, an AutoencoderKL or a ControlNet."""
    if isinstance(handle, Denoiser):
        return FamilyNetwork(networks[0].module, found)
    if isinstance(handle, Autoencoder | ControlNet):
        return networks[0].module
    encoders = {network.slot.part: network.module for network in networks}
    return PromptEncoder(found, encoders, {network.slot.part: _tokenizer(network) for network in networks})


def with_beside(x: Tensor, beside: Tensor | None, taken: int) -> Tensor:
    """Return x with what a network of `taken` channels sees beside it.

    Raises:
        ValueError: it has another size than x, or there are too few or too many channels.
    """
    channels = 0 if beside is None else beside.shape[1]
    if x.shape[1] + channels != taken:
        raise ValueError(
            f"conditioning.beside: has {channels} channels, but the network takes {taken - x.shape[1]} beside the "
            f"latent's {x.shape[1]}; show it a picture by editing.picture or editing.masked_picture, or take another"
        )
    if beside is None:
        return x
    if beside.shape[2:] != x.shape[2:]:
        raise ValueError(
            f"conditioning.beside: has {tuple(beside.shape[2:])} rows and columns, but the latent has "
            f"{tuple(x.shape[2:])}; make it of the picture's size"
        )
    return torch.cat([x, beside], dim=1)


def choose_dtype(precision: Precision, usual: str, slot: Slot) -> torch.dtype:
    """Return the number format for a network: what was asked for, or what suits it where half precision is usual.

    Autoencoders stay in float32: their inner activations exceed float16's range (SDXL's do, SD's nearly), and
    bfloat16's eight bits of mantissa show as bands in a picture of eight bits a channel.
    """
    if precision != "auto":
        return DTYPES[precision]
    if usual == "float32" or slot.half == "float32":
        return torch.float32
    return torch.bfloat16 if slot.half == "bfloat16" else DTYPES[usual]


def check_names(module: nn.Module, names: Mapping[Source, Iterable[str]], part: Part) -> None:
    """Check that a part has every tensor of the network, in its shape, and no other.

    Raises:
        CheckpointError: lists what is missing, what is too much and what has another shape.
    """
    wanted = {name: tuple(value.shape) for name, value in module.state_dict().items()}
    given = {name: source for source, targets in names.items() for name in targets}
    problems = []
    if missing := [name for name in wanted if name not in given]:
        problems.append(f"lacks {some(missing)}")
    if unknown := [source.name for name, source in given.items() if name not in wanted]:
        problems.append(f"holds {some(unknown)}, which its configuration has no place for")
    for name, source in given.items():
        if name in wanted and wanted[name] != source.shape:
            problems.append(f"gives {source.name!r} the shape {source.shape}, where {wanted[name]} is needed")
    if problems:
        raise CheckpointError(f"{part}: {'; '.join(problems[:8])}; it is damaged or another model: download it again")


def check_numbers(value: Tensor, source: Source, part: Part) -> None:
    """Raise for a tensor that holds NaN or infinity: one of them makes every picture black."""
    if not value.numel():
        return
    low, high = torch.aminmax(value)
    if torch.isfinite(low) and torch.isfinite(high):
        return
    kind = "NaN" if torch.isnan(low) else "an infinity, or numbers beyond the range of the precision"
    raise CheckpointError(
        f"{part}: tensor {source.name!r} holds {kind} in {str(value.dtype).removeprefix('torch.')}; download the file "
        "again, or set precision to float32 or bfloat16"
    )


def _untie(module: nn.Module) -> None:
    """Give each name a parameter of its own, so that names and parameters are the same in all that is made of it."""
    seen: set[int] = set()
    for inner in module.modules():
        for name, value in inner._parameters.items():
            if value is not None and id(value) in seen:
                inner._parameters[name] = nn.Parameter(torch.empty_like(value), requires_grad=False)
            seen.add(id(value))


def _fill_buffers(module: nn.Module, computed: Mapping[str, Tensor], device: torch.device, part: Part) -> None:
    """Fill in what is kept beside the weights and never stored: what was computed, and transformers' positions."""
    for name, buffer in list(module.named_buffers()):
        if not buffer.is_meta:
            continue
        owner, _, own = name.rpartition(".")
        if name in computed:
            module.get_submodule(owner).register_buffer(own, computed[name].to(device), persistent=False)
            continue
        if own != "position_ids":
            raise CheckpointError(f"{part}: the network has a buffer {name!r} that no checkpoint fills; report this")
        positions = torch.arange(buffer.shape[-1], device=device).expand(buffer.shape)
        module.get_submodule(owner).register_buffer(own, positions, persistent=False)


def _tokenizer(network: PendingNetwork) -> PromptTokenizer:
    return load_tokenizer(tokenizer_folder(network.part) or network.slot.tokenizer)


@contextmanager
def memory_errors() -> Iterator[None]:
    """Turn torch's out-of-memory error into the MemoryError that residency answers by making room."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise MemoryError(str(error)) from error
    except RuntimeError as error:
        if "DefaultCPUAllocator" not in str(error):  # what torch says of main memory has no class of its own
            raise
        raise MemoryError(str(error)) from error
