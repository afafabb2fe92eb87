"""Editing: models that see a picture beside the latent they draw."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Annotated

from pydantic import Field

from graphgen import Facts, Known, Refusal, hookimpl, node
from graphgen_nodes.compositions import mapped
from graphgen_nodes.facts import check_alike, count_of, joined_facts, kept
from graphgen_nodes.families import families, family
from graphgen_nodes.sockets import Conditioning, Image, Latent, Mask

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
    XL, Flux.1 Fill. Any other model paints within a mask by samplers.masked.
    """
    from graphgen_nodes.imaging import masks

    _check_latent(conditioning.family, latent.format.family)
    painted = masks.painted(mask, latent)
    seen = family(conditioning.family).masked_beside(painted, latent.samples, latent.format.downscale)
    return mapped(conditioning, lambda prompt: replace(prompt, beside=seen))


@hookimpl
def register_nodes() -> list[Callable[..., object]]:
    """Contribute what shows pictures to models."""
    return [erase, picture, masked_picture]
