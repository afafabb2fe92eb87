"""Make dense changes to weights of a LoRA file's small tensors.

In: a layer's tensors by their roles, in float32. Out: the change `delta[rows, ...]` before strength, in a shape that
holds as many numbers as the weight it is for. LoRA: Hu et al. 2021; LoHa (FedPara): Hyeon-Woo et al. 2022; LoKr and the
Tucker forms of convolutions: Yeh et al. 2024 (LyCORIS); DoRA: Liu et al. 2024.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

Tensors = Mapping[str, Tensor]


def delta_of(algorithm: str, tensors: Tensors) -> tuple[Tensor, int | None]:
    """Return a layer's change without its scale, and its rank (None: it has none, and is not scaled)."""
    if algorithm == "lora":
        return lora(tensors), len(tensors["down"])
    if algorithm == "loha":
        return loha(tensors), tensors["hada_w1_b"].shape[0]
    if algorithm == "lokr":
        inner = tensors.get("lokr_w2_b", tensors.get("lokr_w1_b"))
        return lokr(tensors), None if inner is None else inner.shape[0]
    return tensors["weight"], None


def lora(tensors: Tensors) -> Tensor:
    """Return `up @ down`; with a middle tensor, a convolution's Tucker decomposition."""
    up, down, mid = tensors["up"].flatten(1), tensors["down"], tensors.get("mid")
    if mid is not None:
        return torch.einsum("or,rskl,si->oikl", up, mid, down.flatten(1))
    return (up @ down.flatten(1)).reshape(len(up), *down.shape[1:])


def loha(tensors: Tensors) -> Tensor:
    """Return the elementwise product of two low-rank matrices, or Tucker decompositions."""
    first, second = (
        _low_rank(tensors[f"hada_w{k}_a"], tensors[f"hada_w{k}_b"], tensors.get(f"hada_t{k}")) for k in (1, 2)
    )
    return first * second


def lokr(tensors: Tensors) -> Tensor:
    """Return the Kronecker product of two factors, each whole or of low rank."""
    first, second = (_factor(tensors, k) for k in (1, 2))
    return torch.kron(first.reshape(*first.shape, *(1,) * (second.ndim - first.ndim)), second.contiguous())


def renormalised(weight: Tensor, scale: Tensor, *, over_rows: bool) -> Tensor:
    """Return a weight whose rows (or columns, its input channels) have the lengths that DoRA learned."""
    axis = 0 if over_rows else 1
    others = [index for index in range(weight.ndim) if index != axis]
    lengths = torch.linalg.vector_norm(weight, dim=others, keepdim=True) + torch.finfo(torch.float32).eps
    found: Tensor = weight * (scale.reshape(lengths.shape) / lengths)
    return found


def _low_rank(a: Tensor, b: Tensor, middle: Tensor | None) -> Tensor:
    return a @ b if middle is None else torch.einsum("rskl,ro,si->oikl", middle, a, b)


def _factor(tensors: Tensors, k: int) -> Tensor:
    if f"lokr_w{k}" in tensors:
        return tensors[f"lokr_w{k}"]
    return _low_rank(tensors[f"lokr_w{k}_a"], tensors[f"lokr_w{k}_b"], tensors.get(f"lokr_t{k}"))
