"""The patch that a ControlNet is: which network and picture, how strongly, when and for which prompts. Torch-free."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphgen import Lease
from graphgen_nodes.control.handles import slot_of
from graphgen_nodes.families.handles import reopen
from graphgen_nodes.patches import BehaviourPatch, within
from graphgen_nodes.sockets import ControlNet

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Control(BehaviourPatch):
    """Has a denoiser follow a picture.

    `picture[batch, channels, height, width]` is in 0..1, -1 or 0 beneath a mask, or a latent of `cell` pixels to a cell
    where the network reads one, whose last channel says where not to paint if it reads that. `mode` is the number of
    its kind, `mark` that of the prompts it acts for: all of them where it is empty.
    """

    network: ControlNet
    picture: Tensor
    cell: int
    strength: float = 1.0
    start: float = 0.0
    end: float = 1.0
    mode: int | None = None
    guess: bool = False
    mark: str = ""

    def at(self, progress: float) -> Control | None:
        """Return it where it acts."""
        return within(self, self.start, self.end, progress)

    def files(self) -> Sequence[Path]:
        """Return the files of the ControlNet."""
        return sorted(reopen(self.network.weights, slot_of(self.network)).files)

    def attach(self, network: Any, lease: Lease) -> AbstractContextManager[Any]:
        """Yield the denoiser with the ControlNet beside it."""
        from graphgen_nodes.control.steering import steered

        return steered(self, network, lease)
