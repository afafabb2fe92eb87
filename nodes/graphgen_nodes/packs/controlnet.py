"""ControlNets: networks that make what a model draws follow a picture, as patches on its denoiser."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, NamedTuple, NoReturn, cast

from pydantic import Field

from graphgen import Context, Facts, File, Known, NoValue, Refusal, Slider, hookimpl, node
from graphgen_nodes.checkpoints.layouts.control import ControlArchitecture
from graphgen_nodes.checkpoints.parts import open_checkpoint
from graphgen_nodes.compositions import mapped
from graphgen_nodes.control.handles import architecture_of, controlnet_handle, known_controlnet, slot_of
from graphgen_nodes.control.modes import mode_of
from graphgen_nodes.control.patch import Control
from graphgen_nodes.control.windows import check_steered
from graphgen_nodes.facts import (
    check_alike,
    check_known_range,
    check_multiple,
    check_range,
    count_of,
    file_of,
    kept,
    number_of,
    refusing,
)
from graphgen_nodes.families import family
from graphgen_nodes.halves import check_half
from graphgen_nodes.settings import End, Start
from graphgen_nodes.sockets import Autoencoder, Conditioning, ControlNet, Denoiser, Image, Mask, Precision

if TYPE_CHECKING:
    from torch import Tensor, nn

ControlFile = Annotated[
    str,
    File("models", (".safetensors",), ("controlnet",)),
    Field(min_length=1, description="A diffusers folder or a .safetensors file, in the models folder."),
]


class Loaded(NamedTuple):
    """What a file holds."""

    controlnet: Annotated[ControlNet, Field(description="What makes a denoiser follow a picture.")]


class Steered(NamedTuple):
    """What follows the picture."""

    denoiser: Annotated[Denoiser, Field(description="The denoiser with the ControlNet beside it.")]
    conditioning: Annotated[
        Conditioning | NoValue, Field(description="The prompt that it acts for, where one is wired; guide by this one.")
    ]


# --- what is known before running -----------------------------------------------------------------------------------


def _loaded(known: Known) -> dict[str, Facts]:
    path, precision = file_of(known, "models"), known.settings.get("precision")
    if path is None or precision is None:
        return {"controlnet": {}}
    with refusing("path"):
        return {"controlnet": known_controlnet(open_checkpoint(path), cast(Precision, precision))}


def _content(known: Known) -> str:
    path = file_of(known, "models")
    if path is None:
        return ""
    with refusing("path"):
        return open_checkpoint(path).digest()


def _applied(known: Known) -> dict[str, Facts]:
    denoiser, network, image = (known.inputs.get(name, {}) for name in ("denoiser", "controlnet", "image"))
    _check_family(denoiser, network)
    _check_settings(known, network)
    prompt = known.inputs.get("conditioning")
    if known.settings.get("guess") is True:
        _check_guess(_architecture(network), prompt)
    _check_unit(network, image)
    _check_mask(known, network, image)
    if network.get("reads", "pixels") != "pixels":
        if "autoencoder" not in known.inputs:
            _refuse_pixels(str(network.get("family")))
        check_half(known.inputs["autoencoder"].get("halves"), "encoder")
    if prompt is not None:
        check_steered(prompt, "conditioning")
    followed: Facts = {**kept(image, "width", "height", "batch"), "for_all": prompt is None}
    pictures = [*_pictures(denoiser), followed]
    steered: Facts = {**denoiser, "control": pictures} if number_of(known.settings, "strength") != 0 else denoiser
    return {"denoiser": steered, "conditioning": prompt or {}}


def _pictures(denoiser: Facts) -> Sequence[Facts]:
    found = denoiser.get("control")
    return [item for item in found if isinstance(item, Mapping)] if isinstance(found, Sequence) else []


def _check_family(denoiser: Facts, network: Facts) -> None:
    mine, other = denoiser.get("family"), network.get("family")
    if isinstance(mine, str) and isinstance(other, str) and mine != other:
        raise Refusal(
            f"is a ControlNet for {family(other).title}, but the denoiser is {family(mine).title}",
            at="controlnet",
            allowed=f"ControlNets for {family(mine).title}",
            cure="load one that was made for this model",
        )
    wanted, width = count_of(denoiser, "embedding"), count_of(network, "embedding")
    if wanted and width and wanted != width:
        raise Refusal(
            f"reads {width} numbers for a token of the prompt, but the denoiser {wanted}",
            at="controlnet",
            cure="load one that was made for this model",
        )


def _check_settings(known: Known, network: Facts) -> None:
    modes, mode = network.get("modes"), known.settings.get("mode")
    if isinstance(modes, Sequence) and isinstance(mode, str):
        with refusing("mode"):
            mode_of(mode, [str(name) for name in modes])
    check_known_range(known)


def _architecture(network: Facts) -> ControlArchitecture | None:
    name, components = network.get("family"), network.get("components")
    if not isinstance(name, str) or not isinstance(components, Sequence):
        return None
    return next((architecture_of(slot) for slot in family(name).controls if slot.part in components), None)


def _check_unit(network: Facts, image: Facts) -> None:
    unit = count_of(network, "unit")
    for name in ("width", "height"):
        pixels = count_of(image, name)
        if unit and pixels:
            check_multiple(name, pixels, unit, "image")


def _check_mask(known: Known, network: Facts, image: Facts) -> None:
    if "mask" in known.inputs:
        check_alike({"image": image, "mask": known.inputs["mask"]}, "mask")
    masked = network.get("masked")
    if isinstance(masked, bool):
        _check_masked(masked, str(network.get("reads")), "mask" in known.inputs)


def _check_masked(masked: bool, reads: str, given: bool) -> None:
    """Refuse to leave out a mask that a ControlNet reads, or to tell one to a ControlNet that can be shown none."""
    if masked and not given:
        raise Refusal(
            "is not wired, but this ControlNet is for inpainting", at="mask", cure="wire where to paint to it"
        )
    if given and not masked and reads != "pixels":
        raise Refusal(
            f"is wired, but this ControlNet reads {reads} without a mask",
            at="mask",
            cure="leave it out, or load a ControlNet for inpainting",
        )


def _check_guess(architecture: ControlArchitecture | None, prompt: object) -> None:
    if architecture is not None and not architecture.guesses:
        cure = "turn it off, and wire the prompt that it shall act for"
        raise Refusal(f"is on, but a {architecture.classes[0]} knows no guess mode", at="guess", cure=cure)
    if prompt is not None:
        return
    raise Refusal(
        "is on, but no prompt is wired to say which one to act for: guess mode leaves the negative prompt alone",
        at="guess",
        cure="wire the positive prompt through `conditioning`, or turn it off",
    )


def _refuse_pixels(name: str) -> NoReturn:
    raise Refusal(
        f"is not wired, but a ControlNet for {family(name).title} reads the picture through it",
        at="autoencoder",
        cure="wire the model's autoencoder to it",
    )


# --- nodes ----------------------------------------------------------------------------------------------------------


@node(
    category="adapters",
    title="Load ControlNet",
    infer=_loaded,
    fingerprint=_content,
    aliases=("Load ControlNet model",),
)
def load(
    context: Context,
    *,
    path: ControlFile,
    precision: Annotated[Precision, Field(description="auto is what suits the device.")] = "auto",
) -> Loaded:
    """Name a ControlNet or T2I-Adapter: a network that makes what a model draws follow a picture.

    Reads diffusers folders and single files, plain ones and unions. See docs/control.md.
    """
    return Loaded(controlnet_handle(open_checkpoint(context.path("models", path)), precision))


@node(category="adapters", title="Apply ControlNet", device="gpu", infer=_applied, aliases=("ControlNet",))
def apply(
    context: Context,
    denoiser: Annotated[Denoiser, Field(description="The denoiser to steer.")],
    controlnet: Annotated[ControlNet, Field(description="What steers it, made for this model.")],
    image: Annotated[
        Image, Field(description="The picture to follow, of the size that is drawn: edges, a depth map, a pose, ...")
    ],
    conditioning: Annotated[
        Conditioning | None, Field(description="The prompt to act for; without one it acts for all prompts.")
    ] = None,
    autoencoder: Annotated[
        Autoencoder | None, Field(description="The model's, for a ControlNet that reads pictures through it.")
    ] = None,
    mask: Annotated[
        Mask | None, Field(description="Where to paint, for a ControlNet for inpainting; the rest is followed.")
    ] = None,
    *,
    strength: Annotated[
        float, Field(ge=-10, le=10, description="How strongly to steer; 0: not at all."), Slider(step=0.05)
    ] = 1.0,
    start: Start = 0.0,
    end: End = 1.0,
    mode: Annotated[
        str, Field(max_length=40, description="Which kind of picture it is, for a union: canny, depth, pose, tile, ...")
    ] = "",
    guess: Annotated[
        bool, Field(description="Act for the wired prompt alone, and more on the whole than on details.")
    ] = False,
) -> Steered:
    """Make a denoiser follow a picture. Several in a row add up, each with its own strength.

    What is drawn must have the picture's size: images.resize brings it there. Nothing is loaded again when a strength
    or a range changes, and a range that ends later computes only the steps from there on. See docs/control.md.
    """
    if denoiser.family != controlnet.family:
        _check_family({"family": denoiser.family}, {"family": controlnet.family})
    check_range(start, end)
    with refusing("mode"):
        number = mode_of(mode, controlnet.modes)
    if guess:
        _check_guess(architecture_of(slot_of(controlnet)), conditioning)
    _check_masked(controlnet.masked, controlnet.reads, mask is not None)
    if strength == 0:
        return Steered(denoiser, _given(conditioning))
    picture = _shown(context, controlnet, image, mask, autoencoder)
    cell = denoiser.latent.downscale if controlnet.reads == "pixels" else 1
    patch = Control(controlnet, picture, cell, strength, start, end, number, guess)
    if conditioning is not None:
        mark = _mark(context, patch, len(denoiser.patches))
        patch = replace(patch, mark=mark)
        conditioning = mapped(conditioning, lambda given: replace(given, marks=(*given.marks, mark)))
    return Steered(replace(denoiser, patches=(*denoiser.patches, patch)), _given(conditioning))


def _mark(context: Context, patch: Control, place: int) -> str:
    """Return what prompts of a patch are known by: its place among the patches, and all that it is but when it acts.

    So a prompt that is for one ControlNet is not taken for another's, on whatever branch; and runs that differ in where
    it ends share their first steps.
    """
    return f"controlnet {place} {context.digest(replace(patch, start=0.0, end=1.0))}"


def _erased(controlnet: ControlNet) -> float:
    """Return what stands for pixels to be painted: -1 as SD 1's network learned it, black for unions and latents."""
    return 0.0 if controlnet.modes or controlnet.reads != "pixels" else -1.0


def _shown(
    context: Context, controlnet: ControlNet, image: Image, mask: Mask | None, autoencoder: Autoencoder | None
) -> Tensor:
    """Return a picture as the ControlNet wants it, without what is to be painted."""
    if mask is None:
        return _read(context, controlnet, image, autoencoder)
    from graphgen_nodes.imaging import masks

    picture = _read(context, controlnet, masks.erase(image, mask, _erased(controlnet)), autoencoder)
    return _with_mask(picture, mask) if controlnet.masked else picture


def _with_mask(latents: Tensor, mask: Mask) -> Tensor:
    """Put behind the channels of a picture's latent one that is 1 where nothing is to be painted."""
    import torch

    from graphgen_nodes.imaging import masks

    kept = masks.kept_cells(mask, *latents.shape[-2:])
    return torch.cat([latents, kept.expand(len(latents), -1, -1, -1)], dim=1)


def _read(context: Context, controlnet: ControlNet, image: Image, autoencoder: Autoencoder | None) -> Tensor:
    """Return a picture as the ControlNet wants it: RGB, or the middle of what the autoencoder makes of it."""
    if controlnet.reads == "pixels":
        return image.pixels[:, :3].contiguous()
    from graphgen_nodes.imaging import autoencoder as coding

    if autoencoder is None:
        _refuse_pixels(controlnet.family)
    check_half(autoencoder.halves, "encoder")
    target, usual = autoencoder.units, autoencoder.latent
    if controlnet.reads == "unshifted latents":
        target = replace(target, shift=target.shift - usual.shift * (usual.scale / target.scale))

    def encoded(size: int, room: int | None = None) -> Tensor:
        with context.resource(autoencoder, room=room) as module:
            return coding.encode(cast("nn.Module", module), image, target, size, context.progress).samples

    return coding.in_smaller_tiles(context, encoded, 1024, max(image.pixels.shape[-2:]))


def _given(conditioning: Conditioning | None) -> Conditioning | NoValue:
    return conditioning or NoValue("no prompt is wired to it")


@hookimpl
def register_nodes() -> list[Callable[..., object]]:
    """Contribute loading and applying."""
    return [load, apply]


@hookimpl
def register_types() -> list[type]:
    """Contribute the patch that travels inside handles."""
    return [Control]
