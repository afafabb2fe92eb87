"""Editing: within masks, in parts cut out, beyond edges, and by models that see a picture beside the latent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import Field

from graphgen import Facts, Known, Refusal, Slider, hookimpl, node
from graphgen_nodes.compositions import mapped
from graphgen_nodes.facts import (
    check_alike,
    check_known_size,
    check_multiple,
    count_of,
    joined_facts,
    kept,
    picture_facts,
    size_of,
)
from graphgen_nodes.families import families, family
from graphgen_nodes.imaging.cutouts import Cutout
from graphgen_nodes.imaging.geometry import Size
from graphgen_nodes.sampling.masked import Grey, MaskedSampler
from graphgen_nodes.sockets import Conditioning, GuidedConditioning, Image, Latent, Mask, Sampler

REFERENCE_CELLS = 2
"""What the sides of a picture to refer to are multiples of, in cells: a token's."""

Prompt = Annotated[Conditioning, Field(description="The prompt, or the negative one.")]
Painted = Annotated[Mask, Field(description="1 where to paint; what is below 0.5 is kept.")]


def _erased(known: Known) -> dict[str, Facts]:
    image, mask = known.inputs["image"], known.inputs["mask"]
    check_alike({"image": image, "mask": mask}, "mask")
    return {"image": joined_facts(image, mask, channels=3)}


@node(category="editing", title="Erase part of picture", infer=_erased)
def erase(image: Annotated[Image, Field(description="What to erase from.")], mask: Painted) -> Image:
    """Make pictures grey where they are to be painted anew, as inpainting models see them.

    The grey is the middle of their range; transparency is left out.
    """
    from graphgen_nodes.imaging import masks

    return masks.erase(image, mask)


def _shown(known: Known) -> dict[str, Facts]:
    prompt, latent = known.inputs.get("conditioning", {}), known.inputs.get("latent", {})
    _check_latent(prompt.get("family"), latent.get("family"))
    return {"conditioning": _beside_facts(prompt, "picture", latent)}


def _shown_masked(known: Known) -> dict[str, Facts]:
    prompt, latent, mask = (known.inputs.get(name, {}) for name in ("conditioning", "latent", "mask"))
    _check_latent(prompt.get("family"), latent.get("family"))
    check_alike({"latent": kept(latent, "width", "height", "batch"), "mask": mask}, "mask")
    return {"conditioning": _beside_facts(prompt, "masked_picture", latent, mask)}


def _beside_facts(prompt: Facts, kind: str, *shown: Facts) -> Facts:
    """Return the facts of a prompt that shows something beside the latent."""
    return {**_for_all(prompt, *shown), "beside": kind, **kept(shown[0], "rows", "columns")}


def _for_all(prompt: Facts, *shown: Facts) -> Facts:
    """Return the facts of a prompt that shows something: for as many images as both are for."""
    counts = [count_of(item, "batch") for item in (prompt, *shown)]
    known = [count for count in counts if count is not None]
    batch = {"batch": max(known)} if len(known) == len(counts) else {}
    return {**{name: value for name, value in prompt.items() if name != "batch"}, **batch}


def _referred(known: Known) -> dict[str, Facts]:
    prompt, latent = known.inputs.get("conditioning", {}), known.inputs.get("latent", {})
    _check_refers(prompt.get("family"), again=bool(prompt.get("reference")))
    _check_latent(prompt.get("family"), latent.get("family"))
    told = latent.get("format")
    unit = REFERENCE_CELLS * (count_of(told, "downscale") or 0) if isinstance(told, Mapping) else 0
    for name in ("width", "height"):
        pixels = count_of(latent, name)
        if pixels is not None and unit:
            check_multiple(name, pixels, unit, "latent")
    return {"conditioning": {**_for_all(prompt, latent), "reference": True}}


def _check_refers(name: object, *, again: bool) -> None:
    """Refuse to refer to a picture where the prompt's model sees none, or does so already."""
    found = families().get(str(name))
    if found is not None and not found.sees_reference:
        raise Refusal(
            f"is for {found.title}, which sees no picture to refer to",
            at="conditioning",
            allowed=f"prompts for {', '.join(one.title for one in families().values() if one.sees_reference)}",
            cure="load Flux.1 Kontext, or show the picture by image-to-image or an IP-Adapter",
        )
    if again:
        cure = "stitch pictures into one to refer to several"
        raise Refusal("shows a picture to refer to already", at="conditioning", cure=cure)


def _check_latent(name: object, latent_family: object) -> None:
    """Refuse a latent of other models than the prompt's."""
    found = families().get(str(name))
    if found is not None and latent_family is not None and found.latent_family != latent_family:
        raise Refusal(
            f"is a latent of {latent_family}, but {found.name}, which the prompt is for, has {found.latent_family}",
            at="latent",
            cure="encode the picture with the autoencoder of the model",
        )


@node(category="editing", title="Show picture to model", infer=_shown)
def picture(
    conditioning: Prompt,
    latent: Annotated[Latent, Field(description="The picture, encoded without drawing.")],
    *,
    shown: Annotated[
        bool, Field(description="Off: show nothing in its place, which guiders.dual keeps away from.")
    ] = True,
) -> Conditioning:
    """Show a model the picture that it should change, beside the prompt: InstructPix2Pix, Flux.1 Canny and Depth.

    For models whose networks take a picture's channels beside the latent's (Brooks et al. 2023).
    """
    import torch

    _check_latent(conditioning.family, latent.format.family)
    seen = family(conditioning.family).picture_beside(latent.samples, latent.format)
    beside = seen if shown else torch.zeros_like(seen)
    return mapped(conditioning, lambda prompt: replace(prompt, beside=beside))


@node(category="editing", title="Refer to picture", infer=_referred)
def reference(
    conditioning: Prompt,
    latent: Annotated[Latent, Field(description="The picture, encoded without drawing; of any size.")],
) -> Conditioning:
    """Show Flux.1 Kontext the picture that the prompt speaks of, to change it or to draw what is in it elsewhere.

    For networks that were trained to see a picture's tokens after those of what they draw; other Flux.1 models take
    them, and make little of them. Nothing in a file tells them apart.
    """
    _check_latent(conditioning.family, latent.format.family)

    def referring(given: Conditioning) -> Conditioning:
        already = isinstance(given, GuidedConditioning) and given.reference is not None
        _check_refers(given.family, again=already)
        seen: dict[str, Any] = {"reference": latent.samples}  # the family that refers has a field for it
        return replace(given, **seen)

    return mapped(conditioning, referring)


@node(category="editing", title="Show masked picture to model", infer=_shown_masked)
def masked_picture(
    conditioning: Prompt,
    latent: Annotated[Latent, Field(description="What is left of the picture, encoded: see editing.erase.")],
    mask: Painted,
) -> Conditioning:
    """Show an inpainting model where to paint, and what is around it, beside the prompt.

    For models whose networks take a mask and a picture beside the latent: nine channels in Stable Diffusion 1, 2 and
    XL, Flux.1 Fill. Any other model paints within a mask by editing.inpaint.
    """
    from graphgen_nodes.imaging import masks

    _check_latent(conditioning.family, latent.format.family)
    painted = masks.painted(mask, latent)
    seen = family(conditioning.family).masked_beside(painted, latent.samples, latent.format.downscale)
    return mapped(conditioning, lambda prompt: replace(prompt, beside=seen))


def _deep(known: Known) -> dict[str, Facts]:
    prompt, latent, depths = (known.inputs.get(name, {}) for name in ("conditioning", "latent", "depths"))
    _check_latent(prompt.get("family"), latent.get("family"))
    shown = {**kept(latent, "rows", "columns"), **kept(depths, "batch")}
    return {"conditioning": _beside_facts(prompt, "depth", shown)}


@node(category="editing", title="Show depths to model", infer=_deep)
def depth(
    conditioning: Prompt,
    latent: Annotated[Latent, Field(description="What will be sampled, for its size: empty, or a picture's.")],
    depths: Annotated[Mask, Field(description="How near each place is: 1 nearest. A grey picture will do.")],
) -> Conditioning:
    """Show Stable Diffusion 2's depth model how near each place of the picture is, beside the prompt.

    The map is a picture that an estimator of depth made; its size and range do not matter.
    """
    from graphgen_nodes.imaging import masks

    _check_latent(conditioning.family, latent.format.family)
    seen = masks.depths(depths, *latent.samples.shape[-2:])
    return mapped(conditioning, lambda prompt: replace(prompt, beside=seen))


def _inpainted(known: Known) -> dict[str, Facts]:
    sampler, latent, mask = (known.inputs.get(name, {}) for name in ("sampler", "latent", "mask"))
    check_alike({"latent": kept(latent, "width", "height", "batch"), "mask": mask}, "mask")
    return {"sampler": {**sampler, **kept(latent, "format", "rows", "columns", "batch")}}


@node(category="editing", title="Inpaint", infer=_inpainted)
def inpaint(
    sampler: Annotated[Sampler, Field(description="The method to paint by.")],
    latent: Annotated[Latent, Field(description="The picture, encoded.")],
    mask: Annotated[Mask, Field(description="Of the picture's size: 1 where to paint, 0 what to keep.")],
    *,
    grey: Annotated[
        Grey,
        Field(
            description="Between 0 and 1. blend: paint so much of it at every step; differential: keep it until so "
            "much of the schedule is left."
        ),
    ] = "blend",
) -> Sampler:
    """Paint within a mask with any model: what is outside is put back after each step, at its noise level.

    The known part comes out exactly as it was encoded. Begin with an empty latent to paint anew, or with the picture's
    latent and a slice of the schedule to keep some of what was there. Differential diffusion (Levin and Fried 2023)
    takes the mask for the strength of image-to-image at each place; begin with the picture's latent then.
    """
    return MaskedSampler(sampler, latent, mask, grey)


class Extended(NamedTuple):
    """A picture with more around it."""

    image: Annotated[Image, Field(description="The picture, with its edges' colours around it.")]
    mask: Annotated[Mask, Field(description="1 where it is new, falling to 0 within the feather.")]


def _extended(known: Known) -> dict[str, Facts]:
    image = known.inputs["image"]
    sides = [count_of(known.settings, name) for name in ("left", "top", "right", "bottom")]
    there, batch = size_of(image), count_of(image, "batch")
    size = None
    if there is not None and None not in sides:
        left, top, right, bottom = (side or 0 for side in sides)
        size = Size(there.width + left + right, there.height + top + bottom)
        check_known_size(size, batch, "image", cure="add less")
    return {"image": picture_facts(size, batch, 3), "mask": picture_facts(size, batch)}


Added = Annotated[int, Field(ge=0, le=8192, description="Pixels to add at this side.")]


@node(category="editing", title="Extend picture", infer=_extended, aliases=("Pad image for outpainting",))
def extend(
    image: Annotated[Image, Field(description="What to add to.")],
    *,
    left: Added = 64,
    top: Added = 0,
    right: Added = 64,
    bottom: Added = 0,
    feather: Annotated[
        int, Field(ge=0, le=1024, description="Pixels inside the old edges over which the mask falls to 0.")
    ] = 16,
) -> Extended:
    """Make room around pictures for outpainting, and mask it: paint there by editing.inpaint or an inpainting model."""
    from graphgen_nodes.imaging import masks

    return Extended(*masks.extend(image, masks.Border(left, top, right, bottom), feather))


class Part(NamedTuple):
    """What is cut out of a picture."""

    image: Annotated[Image, Field(description="The part, in the size asked for.")]
    mask: Annotated[Mask, Field(description="The part's mask, in the same size.")]
    cutout: Annotated[Cutout, Field(description="Where it was cut out, for editing.stitch.")]


def _cut(known: Known) -> dict[str, Facts]:
    image, mask, size = known.inputs["image"], known.inputs["mask"], size_of(known.settings)
    check_alike({"image": image, "mask": mask}, "mask")
    check_known_size(size, count_of(image, "batch"), "width")
    part = picture_facts(size, count_of(image, "batch"), count_of(image, "channels"))
    return {"image": part, "mask": picture_facts(size, count_of(mask, "batch")), "cutout": {}}


Side = Annotated[int, Field(ge=8, le=8192, description="Of the part, in pixels.")]


@node(category="editing", title="Cut out part", infer=_cut, aliases=("Inpaint crop",))
def cut_out(
    image: Annotated[Image, Field(description="The whole picture.")],
    mask: Annotated[Mask, Field(description="1 where to work; of the picture's size.")],
    *,
    context: Annotated[
        float,
        Field(ge=0, le=4, description="How much around it, in times the longer side of what is marked."),
        Slider(0.05),
    ] = 0.25,
    width: Side = 512,
    height: Side = 512,
) -> Part:
    """Cut out what a mask marks with some of what is around it, and enlarge it to the size a model works best in.

    So a small face in a large picture is painted in full detail; editing.stitch puts it back.
    """
    from graphgen_nodes.imaging import parts

    return Part(*parts.cut_out(image, mask, context, Size(width, height)))


def _stitched(known: Known) -> dict[str, Facts]:
    image, over, mask = (known.inputs[name] for name in ("image", "over", "mask"))
    check_alike({"over": over, "mask": mask}, "mask")
    sizeless = kept(image, "batch")
    return {"image": joined_facts(over, mask, sizeless, channels=count_of(over, "channels"))}


@node(category="editing", title="Stitch part back", infer=_stitched, aliases=("Inpaint stitch",))
def stitch(
    image: Annotated[Image, Field(description="The part, worked on; of any size.")],
    over: Annotated[Image, Field(description="The whole picture that it was cut out of.")],
    cutout: Annotated[Cutout, Field(description="Where it was cut out.")],
    mask: Annotated[Mask, Field(description="Of the whole picture: where the part is seen. Blur it for soft edges.")],
) -> Image:
    """Put a part back where it was cut out; where the mask is 0 the picture stays exactly as it was."""
    from graphgen_nodes.imaging import parts

    return parts.stitch(image, over, cutout, mask)


def _matched(known: Known) -> dict[str, Facts]:
    image, reference = known.inputs["image"], known.inputs["reference"]
    check_alike({"image": kept(image, "batch"), "reference": kept(reference, "batch")}, "reference")
    return {"image": joined_facts(image, kept(reference, "batch"), channels=count_of(image, "channels"))}


@node(category="editing", title="Match colours", infer=_matched, aliases=("Colour transfer",))
def match_colors(
    image: Annotated[Image, Field(description="What to change.")],
    reference: Annotated[Image, Field(description="Whose colours to take.")],
    *,
    method: Annotated[
        Literal["statistics", "histogram", "wavelet"],
        Field(
            description="statistics: mean and deviation in Lab; histogram: the distribution of each channel; wavelet: "
            "all but the details, place by place."
        ),
    ] = "statistics",
    strength: Annotated[float, Field(ge=0, le=1, description="How much of it."), Slider(0.05)] = 1.0,
) -> Image:
    """Give pictures the colours of others: against the drift that models and autoencoders bring."""
    from graphgen_nodes.imaging import colours

    return colours.match(image, reference, method, strength)


@hookimpl
def register_nodes() -> list[Callable[..., object]]:
    """Contribute painting within masks and beyond edges, and what shows pictures to models."""
    return [inpaint, extend, erase, cut_out, stitch, match_colors, picture, reference, masked_picture, depth]


@hookimpl
def register_types() -> list[type]:
    """Let a method that paints within a mask travel, and where a part was cut out."""
    return [MaskedSampler, Cutout]
