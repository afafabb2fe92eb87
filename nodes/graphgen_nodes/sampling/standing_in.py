"""A network that stands in for another, as behaviour patches yield it: what they have in common."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from graphgen_nodes.sampling.protocols import Watched
from graphgen_nodes.sockets import Conditioning


class StandIn:
    """A network in front of another (`sampling.protocols.Network`); subclasses add to the call."""

    def __init__(self, network: Any) -> None:
        self.network = network
        self.module: nn.Module = network.module

    @property
    def device(self) -> torch.device:
        """Return where the weights are."""
        found: torch.device = self.network.device
        return found

    @property
    def dtype(self) -> torch.dtype:
        """Return the number format the network computes in."""
        found: torch.dtype = self.network.dtype
        return found

    @property
    def attention(self) -> Tensor | None:
        """Return what a patch saw of attention in the last call (`sampling.protocols.Watched`)."""
        return self.network.attention if isinstance(self.network, Watched) else None

    def __call__(self, x: Tensor, timestep: Tensor, conditioning: Conditioning) -> Tensor:
        """Return the network's output."""
        output: Tensor = self.network(x, timestep, conditioning)
        return output
