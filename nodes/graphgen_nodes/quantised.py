"""Turn ggml's blocks of quantised numbers into the numbers they stand for.

In: a tensor of bytes, `[blocks, bytes of a block]`. Out: float32, `[blocks, numbers of a block]`. Each block has a
scale (`d`), some an offset, in float16; blocks of 256 have a scale for each group of 16 or 32 in a few bits. The
layouts are those of ggml-quants.c (https://github.com/ggml-org/ggml).
"""

from __future__ import annotations

import mmap
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from graphgen_nodes.checkpoints.gguf import FORMATS, read_gguf

PLAIN = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16, "F64": torch.float64}
PLAIN |= {"I8": torch.int8, "I16": torch.int16, "I32": torch.int32, "I64": torch.int64}

BLOCK_BYTES = {name: size for name, block, size in FORMATS.values() if block > 1}


class GGUFTensors:
    """A mapped GGUF file, of which tensors are read onto a device."""

    def __init__(self, path: Path, device: str) -> None:
        self._header = read_gguf(path)
        self._device = device
        with path.open("rb") as file:
            # a private copy of what is written to: torch wants memory that it could write to
            self._mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)

    def get_tensor(self, name: str) -> Tensor:
        """Return a tensor: quantised ones in float32, others as they are stored. It may share memory with the file."""
        info = self._header.tensors[name]
        kind = PLAIN.get(info.dtype, torch.uint8)
        count = (info.end - info.begin) // kind.itemsize
        if not count:
            return torch.empty(info.shape, dtype=kind, device=self._device)
        stored = torch.frombuffer(self._mapped, dtype=kind, count=count, offset=self._header.data + info.begin)
        stored = stored.to(self._device)
        return (stored if info.dtype in PLAIN else dequantised(stored, info.dtype)).reshape(info.shape)


def dequantised(stored: Tensor, kind: str) -> Tensor:
    """Return the numbers in float32 that bytes stand for in a format such as `Q4_K`."""
    return BLOCKS[kind](stored.reshape(-1, BLOCK_BYTES[kind])).flatten()


def _cut(blocks: Tensor, *sizes: int) -> Sequence[Tensor]:
    """Cut blocks into fields of so many bytes."""
    return torch.split(blocks, list(sizes), dim=1)


def _half(field: Tensor) -> Tensor:
    """Return the float16 in two bytes, `[blocks, 1]`."""
    return field.contiguous().view(torch.float16).float()


def _nibbles(field: Tensor) -> Tensor:
    """Return the low halves of all bytes, then the high ones."""
    return torch.cat([field & 15, field >> 4], dim=-1)


def _bits(field: Tensor, shifts: Sequence[int], mask: int) -> Tensor:
    """Return `[..., shifts, bytes]`: from each byte a few bits, for each place in it."""
    moved = torch.tensor(shifts, dtype=torch.uint8, device=field.device).unsqueeze(-1)
    return (field.unsqueeze(-2) >> moved) & mask


def _q4_0(blocks: Tensor) -> Tensor:
    d, low = _cut(blocks, 2, 16)
    return _half(d) * (_nibbles(low).float() - 8)


def _q4_1(blocks: Tensor) -> Tensor:
    d, least, low = _cut(blocks, 2, 2, 16)
    return _half(d) * _nibbles(low).float() + _half(least)


def _fifth_bits(field: Tensor) -> Tensor:
    """Return for 32 numbers the bit of each, in its place above a nibble: four bytes hold them in order."""
    return (_bits(field.unsqueeze(-1), range(8), 1).flatten(1)) << 4


def _q5_0(blocks: Tensor) -> Tensor:
    d, high, low = _cut(blocks, 2, 4, 16)
    return _half(d) * ((_nibbles(low) | _fifth_bits(high)).float() - 16)


def _q5_1(blocks: Tensor) -> Tensor:
    d, least, high, low = _cut(blocks, 2, 2, 4, 16)
    return _half(d) * (_nibbles(low) | _fifth_bits(high)).float() + _half(least)


def _q8_0(blocks: Tensor) -> Tensor:
    d, numbers = _cut(blocks, 2, 32)
    return _half(d) * numbers.contiguous().view(torch.int8).float()


def _quarters(field: Tensor) -> Tensor:
    """Return 256 numbers of two bits: each half of 128 is four times 32, from the lowest bits of 32 bytes on."""
    return _bits(field.reshape(-1, 2, 32), (0, 2, 4, 6), 3).flatten(1)


def _grouped(numbers: Tensor, scales: Tensor) -> Tensor:
    """Multiply each of a block's equal groups of numbers by its scale."""
    return (numbers.reshape(*scales.shape, -1) * scales.unsqueeze(-1)).flatten(1)


def _q2_k(blocks: Tensor) -> Tensor:
    packed, low, d, least = _cut(blocks, 16, 64, 2, 2)
    scales, offsets = _half(d) * (packed & 15).float(), _half(least) * (packed >> 4).float()
    return _grouped(_quarters(low).float(), scales) - offsets.repeat_interleave(16, dim=1)


def _q3_k(blocks: Tensor) -> Tensor:
    high, low, packed, d = _cut(blocks, 32, 64, 12, 2)
    numbers = _quarters(low).float() - 4 * (1 - _bits(high, range(8), 1).flatten(1).float())
    upper = _bits(packed[:, 8:], (0, 2, 4, 6), 3).flatten(1)
    scales = (_nibbles(packed[:, :8]) | (upper << 4)).float() - 32
    return _grouped(numbers, _half(d) * scales)


def _six_bits(packed: Tensor) -> tuple[Tensor, Tensor]:
    """Return eight scales and eight offsets of six bits each, out of twelve bytes."""
    first, second, third = packed.chunk(3, dim=1)
    scales = torch.cat([first & 63, (third & 15) | ((first >> 6) << 4)], dim=1)
    offsets = torch.cat([second & 63, (third >> 4) | ((second >> 6) << 4)], dim=1)
    return scales.float(), offsets.float()


def _with_offsets(d: Tensor, least: Tensor, packed: Tensor, numbers: Tensor) -> Tensor:
    scales, offsets = _six_bits(packed)
    return _grouped(numbers.float(), _half(d) * scales) - (_half(least) * offsets).repeat_interleave(32, dim=1)


def _q4_k(blocks: Tensor) -> Tensor:
    d, least, packed, low = _cut(blocks, 2, 2, 12, 128)
    return _with_offsets(d, least, packed, _nibbles(low.reshape(-1, 4, 32)).flatten(1))


def _q5_k(blocks: Tensor) -> Tensor:
    d, least, packed, high, low = _cut(blocks, 2, 2, 12, 32, 128)
    numbers = _nibbles(low.reshape(-1, 4, 32)).flatten(1) | (_bits(high, range(8), 1).flatten(1) << 4)
    return _with_offsets(d, least, packed, numbers)


def _q6_k(blocks: Tensor) -> Tensor:
    low, high, scales, d = _cut(blocks, 128, 64, 16, 2)
    nibbles = _nibbles(low.reshape(-1, 2, 64)).flatten(1)
    numbers = (nibbles | (_quarters(high) << 4)).float() - 32
    return _grouped(numbers, _half(d) * scales.contiguous().view(torch.int8).float())


BLOCKS: Mapping[str, Callable[[Tensor], Tensor]] = {
    "Q4_0": _q4_0, "Q4_1": _q4_1, "Q5_0": _q5_0, "Q5_1": _q5_1, "Q8_0": _q8_0,
    "Q2_K": _q2_k, "Q3_K": _q3_k, "Q4_K": _q4_k, "Q5_K": _q5_k, "Q6_K": _q6_k,
}  # fmt: skip
"""What reads each format."""
