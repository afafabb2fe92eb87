"""LoRA: small files that change what a model draws, by patches on its handles."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from pydantic import Field

from graphgen import Context, Facts, File, Known, NoValue, Slider, hookimpl, node
from graphgen_nodes.checkpoints.identity import joint_identity, remember_place
from graphgen_nodes.facts import check_known_range, check_range, file_of, refusing
from graphgen_nodes.families import family
from graphgen_nodes.families.family import Slot
from graphgen_nodes.lora.blocks import Blocks, check_blocks, parse_blocks
from graphgen_nodes.lora.files import LoraFile, open_lora
from graphgen_nodes.lora.matching import Match, match, stored_names
from graphgen_nodes.lora.patch import LoRA
from graphgen_nodes.lora.settings import lora_files, lora_place
from graphgen_nodes.settings import End, Start
from graphgen_nodes.sockets import Denoiser, TextEncoder, Weights

LoraName = Annotated[
    str,
    File("models", (".safetensors",), ("lora",)),
    Field(min_length=1, description="The LoRA's file, or PEFT's folder of one, in the models folder."),
]
Strength = Annotated[float, Field(ge=-100, le=100), Slider(step=0.05)]
Networks = Sequence[tuple[Slot, Weights]]


class Changed(NamedTuple):
    """The networks as the LoRA changes them."""

    denoiser: Annotated[Denoiser, Field(description="The denoiser with the LoRA.")]
    text_encoder: Annotated[
        TextEncoder | NoValue,
        Field(description="The text encoder with what the LoRA has for it, where one is wired."),
    ]


# --- what is known before running -----------------------------------------------------------------------------------


def _known(known: Known) -> dict[str, Facts]:
    found = {name: known.inputs[name] for name in ("denoiser", "text_encoder") if name in known.inputs}
    path = file_of(known, "models")
    blocks = _known_blocks(known)
    check_known_range(known)
    networks = {name: networks for name, facts in found.items() if (networks := _known_networks(facts))}
    if path is None or "denoiser" not in networks or networks.keys() != found.keys():
        return found
    with refusing("path"):
        file = lora_place(path)
        matched = match(open_lora(file), stored_names(item for group in networks.values() for item in group))
        said = matched.check(_title(found["denoiser"]), partial=known.settings.get("partial") is not False)
    with refusing("blocks"):
        check_blocks(blocks, _layers(networks["denoiser"]))
    note = _note(matched.file, said)
    return {**found, "denoiser": {**found["denoiser"], **({"note": note} if note else {})}}


def _known_blocks(known: Known) -> Blocks:
    text = known.settings.get("blocks")
    with refusing("blocks"):
        return parse_blocks(text) if isinstance(text, str) else ()


def _known_networks(facts: Facts) -> Networks:
    """Return the networks in the facts of a handle, none where they are not known."""
    name = facts.get("family")
    told: Any = facts.get("weights")
    if not isinstance(name, str) or not isinstance(told, Sequence):
        return ()
    return _networks(name, (Weights(**weights) for weights in told if isinstance(weights, Mapping)))


def _title(facts: Facts) -> str:
    return family(str(facts["family"])).title


def _file_identity(known: Known) -> str:
    path = file_of(known, "models")
    if path is None:
        return ""
    with refusing("path"):
        path = lora_place(path)
        digest = joint_identity(lora_files(path))
    remember_place(digest, path)  # so that a handle cached before the file moved still finds it
    return digest


# --- common to checking and running ---------------------------------------------------------------------------------


def _networks(name: str, weights: Iterable[Weights]) -> Networks:
    found = family(name)
    slots = {slot.part: slot for slot in found.slots}
    return [(slots[item.part], item) for item in weights]


def _layers(networks: Networks) -> Iterable[str]:
    return (name for shapes in stored_names(networks).shapes.values() for name in shapes)


def _note(file: LoraFile, said: str) -> str:
    """Return what whoever uses a file must know: that it does not match completely, or what it does not tell."""
    parts = (f"is used in part: {said}" if said else "", file.assumed)
    return " ".join(f"{file.path.name} {part}." for part in parts if part)


def _matched(path: Path, denoiser: Denoiser, text_encoder: TextEncoder | None) -> Match:
    networks = [
        *_networks(denoiser.family, (denoiser.weights,)),
        *(_networks(text_encoder.family, text_encoder.encoders) if text_encoder else ()),
    ]
    return match(open_lora(path), stored_names(networks))


# --- nodes ----------------------------------------------------------------------------------------------------------


@node(category="adapters", title="Load LoRA", infer=_known, fingerprint=_file_identity)
def load(
    context: Context,
    denoiser: Annotated[Denoiser, Field(description="The denoiser to change.")],
    text_encoder: Annotated[
        TextEncoder | None, Field(description="The text encoder, for what the LoRA has for it; it may be left out.")
    ] = None,
    *,
    path: LoraName,
    strength: Annotated[Strength, Field(description="How strongly to change the denoiser; 0: not at all.")] = 1.0,
    text_strength: Annotated[Strength, Field(description="How strongly to change the text encoder.")] = 1.0,
    blocks: Annotated[
        str, Field(max_length=4000, description="Weights of the denoiser's blocks, as in 'down 1, mid 0.5, up.1 0'.")
    ] = "",
    start: Annotated[
        Start, Field(description="Where it begins to act on the denoiser, as a share of the schedule.")
    ] = 0.0,
    end: End = 1.0,
    partial: Annotated[bool, Field(description="Use what matches of a LoRA that does not match completely.")] = False,
) -> Changed:
    """Add a LoRA, LoHa, LoKr or DoRA to a model, on top of those before it.

    Reads the dialects of kohya, diffusers and PEFT, ai-toolkit and LyCORIS, and refuses a file with layers that the
    model does not have. Nothing is loaded again, and without the node the model is exactly what it was. See
    docs/lora.md for blocks.
    """
    file, given = lora_place(context.path("models", path)), parse_blocks(blocks)
    check_range(start, end)
    matched = _matched(file, denoiser, text_encoder)
    if note := _note(matched.file, matched.check(family(denoiser.family).title, partial=partial)):
        context.log(note, warning=True)
    check_blocks(given, _layers(_networks(denoiser.family, (denoiser.weights,))))
    parts = {target.part for target in matched.targets.values()}
    digest = joint_identity(lora_files(file))
    remember_place(digest, file)
    if strength and denoiser.weights.part in parts:
        patch = LoRA(digest, str(file), strength, given, start, end)
        denoiser = replace(denoiser, patches=(*denoiser.patches, patch))
    if text_encoder is None:
        return Changed(denoiser, NoValue("no text encoder is wired to it"))
    if text_strength and parts & {weights.part for weights in text_encoder.encoders}:
        patch = LoRA(digest, str(file), text_strength)
        text_encoder = replace(text_encoder, patches=(*text_encoder.patches, patch))
    return Changed(denoiser, text_encoder)


@hookimpl
def register_nodes() -> list[Callable[..., object]]:
    """Contribute the loader."""
    return [load]


@hookimpl
def register_types() -> list[type]:
    """Contribute the patch that travels inside handles."""
    return [LoRA]
