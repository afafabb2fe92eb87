"""The patch that blends a network's weights with those of another of its kind. Torch-free until weights are wanted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphgen import Facts, Refusal
from graphgen_nodes.checkpoints.identity import find_place
from graphgen_nodes.checkpoints.keys import Shape, Source, some
from graphgen_nodes.checkpoints.parts import open_checkpoint
from graphgen_nodes.families import family
from graphgen_nodes.families.handles import reopen
from graphgen_nodes.lora.blocks import Blocks, weight_of
from graphgen_nodes.patches import Component, Edit, WeightPatch
from graphgen_nodes.sockets import Weights

if TYPE_CHECKING:
    from torch import Tensor

    from graphgen_nodes.stored import StoredTensors


@dataclass(frozen=True)
class Blend(WeightPatch):
    """Moves weights towards another network's: `old + ratio * (other - old)`, the ratio times a weight by blocks."""

    other: Weights
    ratio: float
    blocks: Blocks = ()

    def files(self) -> Sequence[Path]:
        """Return the files that the other network is read from."""
        checkpoint = open_checkpoint(find_place(self.other.digest, Path(self.other.path)))
        parts = (part for part in checkpoint.parts.values() if part.digest() == self.other.digest)
        return sorted(set().union(*(part.files for part in parts)))

    def edits(self, component: Component) -> Mapping[str, Edit]:
        """Return what blends each parameter with the other network's, read from its mapped file."""
        from graphgen_nodes.stored import StoredTensors

        part = reopen(self.other, component.slot)
        sources = component.slot.architecture.sources(part)
        stored = StoredTensors(part)
        inner = component.slot.architecture.names_in(component.module, sources)
        edits: dict[str, Edit] = {}
        for name, _ in component.module.named_parameters():
            source, ratio = sources[inner[name]], self.ratio * weight_of(self.blocks, inner[name])
            if ratio:
                edits[name] = partial(_blended, stored, source, ratio)
        return edits


def _blended(stored: StoredTensors, source: Source, ratio: float, old: Tensor) -> Tensor:
    other, factor = stored.read(source)
    return old.lerp(other.to(old.device).float() * factor, ratio)


def check_blend(first: Facts, second: Facts) -> None:
    """Refuse to blend denoisers that are not of one kind, as far as their facts tell, or whose tensors differ.

    Raises:
        Refusal: they differ; says in what.
        CheckpointError: a file is gone.
    """
    cure = "blend models of one kind and size"
    for name in ("family", "prediction", "path", "format"):
        if name in first and name in second and first[name] != second[name]:
            raise Refusal(f"has another {name} than the first: {second[name]}", at="second", cure=cure)
    tensors = [_tensors(facts) for facts in (first, second)]
    if all(tensors) and (odd := sorted(name for name, _ in tensors[0].items() ^ tensors[1].items())):
        raise Refusal(f"differs from the first in the tensors {some(dict.fromkeys(odd))}", at="second", cure=cure)


def _tensors(facts: Facts) -> dict[str, Shape]:
    """Return the shapes of a denoiser's tensors by their names in the network; none where the file is not known."""
    told: Any = facts.get("weights")
    if not isinstance(told, Sequence) or not isinstance(told[0], Mapping):
        return {}
    slot, weights = family(str(facts["family"])).denoiser, Weights(**told[0])
    return {name: source.shape for name, source in slot.architecture.sources(reopen(weights, slot)).items()}
