"""The patch that a picture as a prompt is: which adapter and picture, how strongly, and where. Torch-free."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphgen import Lease
from graphgen_nodes.families.handles import reopen
from graphgen_nodes.ip_adapter.handles import ADAPTER
from graphgen_nodes.lora.blocks import Blocks
from graphgen_nodes.patches import BehaviourPatch, within
from graphgen_nodes.sockets import IPAdapter

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class ImagePrompt(BehaviourPatch):
    """Adds attention to pictures beside that to the prompt (Ye et al. 2023, equation 5).

    `pictures[pictures, (patches,) width]` are what the adapter reads of them, `blank[1, (patches,) width]` what it
    reads for negative prompts. `faces[pictures, numbers]` are what another network says of the faces in them, for
    adapters that read both. `masks[masks, height, width]` say where in the drawn picture they act: one for all, or
    one for each.
    """

    adapter: IPAdapter
    pictures: Tensor
    blank: Tensor
    strength: float = 1.0
    blocks: Blocks = ()
    masks: Tensor | None = None
    start: float = 0.0
    end: float = 1.0
    faces: Tensor | None = None

    def at(self, progress: float) -> ImagePrompt | None:
        """Return it where it acts."""
        return within(self, self.start, self.end, progress)

    def files(self) -> Sequence[Path]:
        """Return the adapter's file."""
        return sorted(reopen(self.adapter.weights, ADAPTER).files)

    def attach(self, network: Any, lease: Lease) -> AbstractContextManager[Any]:
        """Yield the denoiser, which sees the pictures."""
        from graphgen_nodes.ip_adapter.attending import seeing

        return seeing(self, network, lease)
