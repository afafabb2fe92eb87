"""Tensors become bytes and come back the same, without copies that are not needed."""

import numpy
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load, save

from graphgen import Buffer
from graphgen_nodes.tensors import DTYPES, TENSOR, decode, encode, summarise


def bits(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.contiguous().reshape(-1).view(torch.uint8)


@pytest.mark.parametrize("name", DTYPES)
@pytest.mark.parametrize("shape", [(), (0,), (3, 0, 2), (5,), (2, 3, 4)])
def test_every_type_and_shape_comes_back(name: str, shape: tuple[int, ...]) -> None:
    tensor = (torch.rand(shape, generator=torch.Generator().manual_seed(1)) * 2).to(getattr(torch, DTYPES[name]))
    buffer = encode(tensor)
    assert (buffer.dtype, buffer.shape) == (name, shape)
    back = decode(Buffer(buffer.dtype, buffer.shape, bytearray(buffer.data)))
    assert back.dtype == tensor.dtype
    assert back.shape == tensor.shape
    assert torch.equal(bits(back), bits(tensor))


@pytest.mark.parametrize("name", DTYPES)
def test_names_and_bytes_are_those_of_safetensors(name: str) -> None:
    tensor = torch.arange(6).remainder(2).to(getattr(torch, DTYPES[name])).reshape(2, 3)
    file = save({"a": tensor})
    assert f'"dtype":"{name}"'.encode() in file
    assert file.endswith(bytes(encode(tensor).data))
    assert torch.equal(bits(load(file)["a"]), bits(tensor))


def test_memory_is_shared_both_ways_where_it_can_be() -> None:
    tensor = torch.zeros(4)
    view = memoryview(encode(tensor).data)
    tensor[0] = 1
    assert view.tobytes() == tensor.numpy().tobytes()
    memory = bytearray(16)
    back = decode(Buffer("F32", (4,), memory))
    back[1] = 5
    assert numpy.frombuffer(memory, numpy.float32).tolist() == [0, 5, 0, 0]


def test_views_are_written_in_order_and_without_their_neighbours() -> None:
    tensor = torch.arange(12.0).reshape(3, 4)
    for view in (tensor.T, tensor[:, 1:3], tensor[1].expand(5, 4), tensor.flip(0), tensor.requires_grad_()):
        back = decode(Buffer(*(encode(view).dtype, encode(view).shape, bytearray(encode(view).data))))
        assert torch.equal(back, view)
        assert not back.requires_grad


def test_memory_that_is_read_only_or_unaligned_is_copied() -> None:
    data = torch.tensor([1.5, 2.5]).numpy().tobytes()
    assert decode(Buffer("F32", (2,), data)).tolist() == [1.5, 2.5]
    shifted = memoryview(bytearray(b"x" + data))[1:]
    back = decode(Buffer("F32", (2,), shifted))
    assert back.tolist() == [1.5, 2.5]
    assert back.data_ptr() % 4 == 0


@given(values=st.lists(st.floats(width=32), max_size=20))
def test_all_numbers_come_back_nan_and_infinity_too(values: list[float]) -> None:
    tensor = torch.tensor(values, dtype=torch.float32)
    assert torch.equal(bits(decode(Buffer("F32", (len(values),), bytearray(encode(tensor).data)))), bits(tensor))


def test_what_has_no_bytes_is_refused() -> None:
    with pytest.raises(TypeError, match="complex64 cannot travel"):
        encode(torch.zeros(2, dtype=torch.complex64))
    with pytest.raises(TypeError, match=r"layout torch\.sparse_coo"):
        encode(torch.eye(2).to_sparse())
    with pytest.raises(TypeError, match="without data"):
        encode(torch.empty(2, device="meta"))
    with pytest.raises(TypeError, match="a list cannot travel"):
        encode([1, 2])


def test_damaged_buffers_are_refused() -> None:
    with pytest.raises(ValueError, match="'C64'; known are BOOL"):
        decode(Buffer("C64", (1,), bytes(8)))
    with pytest.raises(ValueError, match="3 float32 has 8 bytes"):
        decode(Buffer("F32", (3,), bytes(8)))


def test_a_tensor_in_a_few_words() -> None:
    assert summarise(Buffer("F32", (4, 3, 512, 512), b"")) == "4x3x512x512 float32"
    assert summarise(Buffer("BF16", (), b"")) == "bfloat16"
    assert TENSOR.summarise is summarise
    assert TENSOR.classname == "torch.Tensor"
