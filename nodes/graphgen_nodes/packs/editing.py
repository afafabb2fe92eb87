"""Editing: painting within a mask, beyond a picture's edges, and by models that see a picture beside the latent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Annotated, NamedTuple

from pydantic import Field

from graphgen import Facts, Known, Refusal, hookimpl, node
from graphgen_nodes.compositions import mapped
from graphgen_nodes.facts import check_alike, check_known_size, count_of, joined_facts, kept, picture_facts, size_of
from graphgen_nodes.families import families, family
from graphgen_nodes.imaging.geometry import Size
from graphgen_nodes.sampling.masked import Grey, MaskedSampler
from graphgen_nodes.sockets import Conditioning, Image, Latent, Mask, Sampler

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
    """Return the facts of a prompt that shows something: for as many images as both are for."""
    counts = [count_of(item, "batch") for item in (prompt, *shown)]
    known = [count for count in counts if count is not None]
    batch = {"batch": max(known)} if len(known) == len(counts) else {}
    told = {name: value for name, value in prompt.items() if name != "batch"}
    return {**told, "beside": kind, **kept(shown[0], "rows", "columns"), **batch}


def _check_latent(name: object, latent_family: object) -> None:
    """Refuse a latent of other models than the prompt's."""
    found = families().get(str(name))
    if found is not None and latent_family is not None and found.latent_family != latent_family:
        raise Refusal(
            f"is a latent of {latent_family}, but {found.name}, which the prompt is for, has {found.latent_family}",
            at="latent",
            cure="encode the picture with the autoencoder of the model",
        )


@node(category="editing", title="Show picture", infer=_shown)
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


@node(category="editing", title="Show masked picture", infer=_shown_masked)
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


@node(category="editing", title="Extend picture", infer=_extended)
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


@hookimpl
def register_nodes() -> list[Callable[..., object]]:
    """Contribute painting within masks and beyond edges, and what shows pictures to models."""
    return [inpaint, extend, erase, picture, masked_picture]


@hookimpl
def register_types() -> list[type]:
    """Let a method that paints within a mask travel."""
    return [MaskedSampler]
