"""From a checkpoint to the handle of a ControlNet, and what is known of it. Torch-free."""

from __future__ import annotations

from dataclasses import asdict
from typing import cast

from graphgen import Facts
from graphgen_nodes.checkpoints.header import CheckpointError
from graphgen_nodes.checkpoints.layouts.control import ControlArchitecture
from graphgen_nodes.checkpoints.parts import STEERING_CLASSES, Checkpoint, Part
from graphgen_nodes.families import families, family
from graphgen_nodes.families.family import Family, Slot
from graphgen_nodes.families.handles import read_config
from graphgen_nodes.sockets import ControlNet, Precision, Weights


def find_control(checkpoint: Checkpoint) -> tuple[Family, Slot, Part]:
    """Return the ControlNet in a checkpoint, its family, and its place there.

    Raises:
        CheckpointError: it holds none, or one for a family that graphgen does not know.
    """
    kinds = set(STEERING_CLASSES.values())
    parts = [part for kind, part in checkpoint.parts.items() if kind in kinds]
    for part in parts:
        for found in families().values():
            for slot in found.controls:
                if found.is_control(slot, part):
                    return found, slot, part
    known = ", ".join(found.title for found in families().values() if found.controls)
    if parts:
        raise CheckpointError(f"{parts[0]}: is a ControlNet for an unknown family; known are those for {known}")
    held = ", ".join(checkpoint.parts) or "nothing"
    raise CheckpointError(
        f"{checkpoint.path}: holds no ControlNet (it holds {held}); give a ControlNet for one of {known}, in a "
        "diffusers folder or a .safetensors file"
    )


def controlnet_handle(checkpoint: Checkpoint, precision: Precision = "auto") -> ControlNet:
    """Return a handle to the ControlNet in a checkpoint.

    Raises:
        CheckpointError: there is none, or it wants more than one picture.
    """
    found, slot, part = find_control(checkpoint)
    architecture, config = architecture_of(slot), read_config(slot, part)
    try:
        reads = architecture.reads(config)
    except CheckpointError as error:
        raise CheckpointError(f"{part}: {error}") from error
    weights = Weights(part.digest(), str(part.path), slot.part, part.layout)
    modes, masked = architecture.known_modes(config), architecture.masked(config)
    return ControlNet(found.name, weights, reads, modes, precision, masked)


def known_controlnet(checkpoint: Checkpoint, precision: Precision = "auto") -> Facts:
    """Return the facts of the ControlNet in a checkpoint: those of its handle, and the prompt's width that it wants.

    Raises:
        CheckpointError: a handle cannot be made either.
    """
    handle = controlnet_handle(checkpoint, precision)
    _, slot, part = find_control(checkpoint)
    return {
        "family": handle.family,
        "components": [handle.weights.part],
        "weights": [asdict(handle.weights)],
        "precision": handle.precision,
        "reads": handle.reads,
        "modes": list(handle.modes),
        "masked": handle.masked,
        "unit": architecture_of(slot).unit,
        "embedding": architecture_of(slot).width(read_config(slot, part)),
    }


def slot_of(handle: ControlNet) -> Slot:
    """Return the place in its family of the network that a handle names."""
    return next(slot for slot in family(handle.family).controls if slot.part == handle.weights.part)


def architecture_of(slot: Slot) -> ControlArchitecture:
    """Return how the network of a slot among a family's `controls` is loaded and called."""
    return cast(ControlArchitecture, slot.architecture)
