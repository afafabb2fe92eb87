"""Tensors as bytes and back: the codec that lets values holding `torch.Tensor` be cached and cross processes.

In goes a tensor, out comes a `Buffer` over its own memory, with safetensors' name for its type. Importing this module
does not import torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphgen import Buffer, BufferCodec, Distance

if TYPE_CHECKING:
    from torch import Tensor

DTYPES = {
    "BOOL": "bool",
    "U8": "uint8",
    "U16": "uint16",
    "U32": "uint32",
    "U64": "uint64",
    "I8": "int8",
    "I16": "int16",
    "I32": "int32",
    "I64": "int64",
    "F16": "float16",
    "BF16": "bfloat16",
    "F32": "float32",
    "F64": "float64",
    "F8_E4M3": "float8_e4m3fn",
    "F8_E5M2": "float8_e5m2",
}
"""Safetensors' names of number formats, and torch's."""

_NAMES = {f"torch.{theirs}": ours for ours, theirs in DTYPES.items()}


def encode(value: object) -> Buffer:
    """Return a dense tensor's elements in C order; its memory is shared where it is so ordered on the CPU already.

    Raises:
        TypeError: the tensor is sparse or of a type that has no name in safetensors, such as complex numbers.
    """
    import torch

    if not isinstance(value, torch.Tensor) or value.layout != torch.strided or value.is_meta:
        raise TypeError(f"{_describe(value)} cannot travel along a wire; make it a dense tensor that holds its data")
    name = _NAMES.get(str(value.dtype))
    if name is None:
        raise TypeError(
            f"a tensor of {str(value.dtype).removeprefix('torch.')} cannot travel along a wire; "
            f"allowed: {', '.join(DTYPES.values())}; convert it, complex numbers by torch.view_as_real"
        )
    flat = value.detach().to("cpu").contiguous().reshape(-1)
    data = flat.view(torch.uint8).numpy().data
    return Buffer(name, tuple(value.shape), data)


def decode(buffer: Buffer) -> Tensor:
    """Return the tensor of a buffer, on the buffer's own memory where that is writable and aligned.

    Raises:
        ValueError: the buffer's type is unknown, or its length does not match its shape.
    """
    import torch

    if buffer.dtype not in DTYPES:
        raise ValueError(f"a stored tensor has the type '{buffer.dtype}'; known are {', '.join(DTYPES)}")
    dtype: torch.dtype = getattr(torch, DTYPES[buffer.dtype])
    memory = memoryview(buffer.data)
    count = 1
    for length in buffer.shape:
        count *= length
    if memory.nbytes != count * dtype.itemsize:
        raise ValueError(f"a stored tensor of {summarise(buffer)} has {memory.nbytes} bytes; it is damaged")
    if not count:
        return torch.empty(buffer.shape, dtype=dtype)
    raw = torch.frombuffer(bytearray(memory) if memory.readonly else memory, dtype=torch.uint8)
    if raw.data_ptr() % dtype.itemsize:  # vector instructions want aligned numbers; so does view()
        raw = raw.clone()
    return raw.view(dtype).reshape(buffer.shape)


def summarise(buffer: Buffer) -> str:
    """Return a tensor in a few words, such as `4x3x512x512 float32`."""
    name = DTYPES.get(buffer.dtype, buffer.dtype)
    return f"{'x'.join(map(str, buffer.shape))} {name}" if buffer.shape else name


def _describe(value: object) -> str:
    layout = getattr(value, "layout", None)
    kind = type(value).__name__
    if layout is None:
        return f"a {kind}"
    return f"a {kind} without data" if getattr(value, "is_meta", False) else f"a {kind} with layout {layout}"


def difference(one: Buffer, other: Buffer) -> Distance:
    """Return how far two tensors of one shape are apart."""
    import torch

    mine, its = (decode(buffer).to(torch.float64) for buffer in (one, other))
    apart = (mine - its).abs()
    return Distance(float(apart.max()), float((apart * apart).mean())) if apart.numel() else Distance(0.0, 0.0)


TENSOR = BufferCodec("torch.Tensor", encode, decode, summarise, difference)
