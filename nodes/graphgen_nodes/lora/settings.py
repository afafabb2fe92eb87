"""What a LoRA's trainer wrote down beside its tensors: by how much its changes are to be multiplied. Torch-free.

PEFT writes `adapter_config.json` beside `adapter_model.safetensors`, diffusers the same object into the file's
metadata, the settings of each part behind its name (`unet.lora_alpha`) or of its only part without one. Wherever they
come from, they mean what peft takes them for.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from graphgen_nodes.checkpoints.header import CheckpointError
from graphgen_nodes.checkpoints.parts import read_json

PEFT_FILE, PEFT_CONFIG = "adapter_model.safetensors", "adapter_config.json"
"""What PEFT calls an adapter's tensors, and its settings beside them."""

METADATA = "lora_adapter_metadata"
"""Where diffusers keeps an adapter's settings in the metadata of its file."""

KINDS = frozenset({"LORA", "LOHA", "LOKR"})
"""The adapters of PEFT that can be used."""

REWRITING = ("pissa", "olora", "corda", "loftq", "lora_ga")
"""Ways to begin a training that change the model as well, so that what was trained is no change to the model itself."""

PEFT_PREFIX = "base_model.model."
"""What PEFT puts before the names of a model's layers."""


@dataclass(frozen=True)
class Settings:
    """An adapter's settings as they were `told`, and `where` they lie."""

    where: str
    told: Mapping[str, object]

    def get(self, part: str, name: str) -> object:
        """Return a setting of a part of the model, such as `lora_alpha` of the `unet`; None where it is not told."""
        return self.told.get(f"{part}.{name}", self.told.get(name))

    def scale(self, part: str, layer: str, rank: int | None) -> float | None:
        """Return what the change to a layer of a part is multiplied by; None where the settings do not tell.

        `rank` is that of its tensors; None for products of whole matrices, which PEFT scales by the rank in its
        settings all the same.

        Raises:
            CheckpointError: a setting cannot be read.
        """
        own = _without_prefix(layer, part)
        alpha = self._of_layer(part, own, "alpha_pattern", "lora_alpha")
        alpha = self._of_layer(part, own, "alpha_pattern", "alpha") if alpha is None else alpha
        rank = self._whole(self._of_layer(part, own, "rank_pattern", "r")) if rank is None else rank
        if alpha is None or rank is None:
            return None
        if isinstance(alpha, bool) or not isinstance(alpha, int | float):
            raise CheckpointError(f"{self.where}: lora_alpha is {alpha!r}, which is no number; download it again")
        return alpha / (rank**0.5 if self.get(part, "use_rslora") is True else rank)

    def check(self, *, has_lengths: bool) -> None:
        """Refuse settings under which the tensors are not what they seem; `has_lengths`: they are those of a DoRA.

        Raises:
            CheckpointError: says which.
        """
        for name, value in self.told.items():
            own = name.rpartition(".")[2]
            if own == "peft_type" and value not in KINDS:
                raise CheckpointError(
                    f"{self.where}: is for {value!r}, and only {', '.join(sorted(KINDS))} can be used"
                )
            if own == "init_lora_weights" and str(value).lower().startswith(REWRITING):
                raise CheckpointError(
                    f"{self.where}: was trained on a model that {own} {value!r} had changed, and is no change to the "
                    "model itself; save it again by save_pretrained with path_initial_model_for_weight_conversion"
                )
            if own == "use_dora" and value is True and not has_lengths:
                raise CheckpointError(
                    f"{self.where}: says use_dora, but the file has no lora_magnitude_vector; download it again"
                )

    def _of_layer(self, part: str, layer: str, patterns: str, usual: str) -> object:
        """Return a setting as a layer has it: by the first pattern of its name, else what is usual."""
        found = self.get(part, patterns)
        for pattern, value in found.items() if isinstance(found, dict) else ():
            try:
                if re.match(rf"(.*\.)?({pattern})$", layer):
                    return value
            except re.error as error:
                problem = f"has the pattern {pattern!r}, which cannot be read ({error})"
                raise CheckpointError(f"{self.where}: {problem}; download it again") from error
        return self.get(part, usual)

    def _whole(self, rank: object) -> int | None:
        if rank is None:
            return None
        if isinstance(rank, bool) or not isinstance(rank, int) or rank < 1:
            raise CheckpointError(f"{self.where}: r is {rank!r}, which is no rank; download it again")
        return rank


def lora_place(path: Path) -> Path:
    """Return the file of a LoRA that is given as such or as PEFT's folder.

    Raises:
        CheckpointError: the folder is none of PEFT's.
    """
    if not path.is_dir():
        return path
    if not (found := path / PEFT_FILE).exists():
        raise CheckpointError(f"{path}: is a folder without {PEFT_FILE}; give the LoRA's .safetensors file")
    return found


def lora_files(path: Path) -> tuple[Path, ...]:
    """Return all files a LoRA consists of: its tensors and, where PEFT put them beside, its settings."""
    beside = path.with_name(PEFT_CONFIG)
    return (path, beside) if path.name == PEFT_FILE and beside.exists() else (path,)


def read_settings(path: Path, metadata: Mapping[str, str]) -> Settings:
    """Read the settings of a LoRA file with this metadata: of the file beside it, else of the metadata.

    Raises:
        CheckpointError: they are no JSON object.
    """
    for beside in lora_files(path)[1:]:
        return Settings(str(beside), read_json(beside))
    try:
        told = json.loads(metadata.get(METADATA, "{}"))
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path}: its metadata is not JSON ({error}); download it again") from error
    if not isinstance(told, dict):
        raise CheckpointError(f"{path}: its metadata must be a JSON object, and is {told!r}; download it again")
    return Settings(f"{path}: its metadata", told)


def _without_prefix(layer: str, part: str) -> str:
    """Return a layer's name as the module has it, which is what patterns are of."""
    return layer.removeprefix(f"{part}.").removeprefix(PEFT_PREFIX)
