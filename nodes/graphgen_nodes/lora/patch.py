"""The patch that a LoRA is: which file, how strongly, and where. Torch-free until its weights are wanted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from graphgen_nodes.checkpoints.header import CheckpointError
from graphgen_nodes.checkpoints.identity import find_place, joint_identity
from graphgen_nodes.lora.blocks import Blocks
from graphgen_nodes.lora.files import open_lora
from graphgen_nodes.lora.settings import lora_files
from graphgen_nodes.patches import Component, Edit, WeightPatch, within


@dataclass(frozen=True)
class LoRA(WeightPatch):
    """Changes layers as a LoRA file says: `weight + strength * change`, with a strength for each block.

    `digest` identifies the bytes of the file and of its settings, `path` is a hint where to find it. Layers that match
    nothing are skipped; the node that made the patch refused them, or was told to let them be.
    """

    digest: str
    path: str = field(compare=False)
    strength: float = 1.0
    blocks: Blocks = ()
    start: float = 0.0
    end: float = 1.0

    def at(self, progress: float) -> LoRA | None:
        """Return it where it acts."""
        return within(self, self.start, self.end, progress)

    def files(self) -> Sequence[Path]:
        """Return the file it is read from, and that of its settings where there is one."""
        return lora_files(self.place())

    def place(self) -> Path:
        """Return where the file lies.

        Raises:
            CheckpointError: it is gone, or its content changed.
        """
        path = find_place(self.digest, Path(self.path))
        if joint_identity(lora_files(path)) != self.digest:
            raise CheckpointError(f"{path}: changed since its node looked at it; run the workflow again")
        return path

    def edits(self, component: Component) -> Mapping[str, Edit]:
        """Return what adds the file's changes to the component's layers."""
        from graphgen_nodes.lora.edits import edits_of

        return edits_of(self, open_lora(self.place()), component)
