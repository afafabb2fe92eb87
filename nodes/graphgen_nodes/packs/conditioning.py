"""Conditioning: what a model is told besides a prompt, or instead of one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, NamedTuple

from pydantic import Field

from graphgen import Facts, Known, Refusal, hookimpl, node
from graphgen_nodes.checkpoints.identity import find_place
from graphgen_nodes.checkpoints.parts import names_file
from graphgen_nodes.compositions import Composition, Part, Region, mapped
from graphgen_nodes.facts import count_of, kept, refusing
from graphgen_nodes.families import families
from graphgen_nodes.families.family import told
from graphgen_nodes.labels import label_of
from graphgen_nodes.packs import composing
from graphgen_nodes.sockets import Conditioning, Denoiser, LabelConditioning, SizedConditioning

Pixels = Annotated[int, Field(ge=0, le=65536)]
SIZES = ("height", "width", "top", "left", "target_height", "target_width")
"""The settings that are sizes, in the order in which SDXL learned them."""


class Labelled(NamedTuple):
    """A class label as a conditioning."""

    conditioning: Annotated[LabelConditioning, Field(description="The class to draw.")]


def _labelled(known: Known) -> dict[str, Facts]:
    denoiser, text = known.inputs.get("denoiser", {}), known.settings.get("label")
    classes, names = count_of(denoiser, "classes"), denoiser.get("names")
    if classes is not None and isinstance(text, str):
        _label(text, classes, Path(names) if isinstance(names, str) else None, str(denoiser.get("family")))
    return {"conditioning": {"batch": 1, **kept(denoiser, "family")}}


def _label(text: str, classes: int, names: Path | None, family: str) -> int:
    if not classes:
        raise Refusal(f"is of {family}, which takes no class label", at="denoiser", cure="tell it by text.encode")
    found = families().get(family)
    if found is not None and not found.null_class and not text.strip():
        raise Refusal(
            f"is empty, but models of {family} know no null class",
            at="label",
            allowed=f"0 to {classes - 1}",
            cure="choose a class, and guide without a negative prompt (guiders.none)",
        )
    with refusing("label"):
        return label_of(text, classes, names)


@node(category="conditioning", title="Class label", infer=_labelled)
def label(
    denoiser: Annotated[Denoiser, Field(description="A model that was trained on classes, such as DiT.")],
    *,
    label: Annotated[
        str,
        Field(max_length=200, description="A class's number, or its name where the model names them; empty: no class."),
    ] = "",
) -> Labelled:
    """Choose the class of what to draw.

    Numbers begin at 0; for models of ImageNet they are its 1000 classes in their usual order. Names are those that a
    diffusers folder gives in model_index.json. An empty label is the null class, which guidance keeps away from.
    """
    names = None
    if denoiser.weights.layout == "diffusers":
        names = names_file(find_place(denoiser.weights.digest, Path(denoiser.weights.path)))
    number = _label(label, denoiser.classes, names, denoiser.family)
    import torch

    return Labelled(LabelConditioning(denoiser.family, torch.tensor([number])))


def _sized(known: Known) -> dict[str, Facts]:
    given = known.inputs.get("conditioning", {})
    _check_told(given.get("family"), known.settings)
    return {"conditioning": given}


def _check_told(family: object, settings: Mapping[str, object]) -> None:
    """Refuse to tell a denoiser what it never learned."""
    found = families().get(str(family))
    if found is None:
        return
    if not found.picture_numbers:
        sized = ", ".join(other.name for other in families().values() if other.picture_numbers)
        raise Refusal(
            f"is made for {found.name}, which is told nothing of sizes",
            at="conditioning",
            allowed=f"conditionings of {sized}",
            cure="leave this node out",
        )
    for name in (*SIZES, "score"):
        if settings.get(name) and name not in found.picture_numbers:
            raise Refusal(
                f"is {settings[name]}, which a model of {found.name} is not told",
                at=name,
                allowed=f"with {found.name}: {', '.join(found.picture_numbers)}",
                cure="leave it at 0",
            )


@node(category="conditioning", title="Picture size", infer=_sized)
def size(
    conditioning: Annotated[Conditioning, Field(description="A prompt for SDXL or its refiner.")],
    *,
    width: Annotated[Pixels, Field(description="Of the whole picture; small ones look blurred. 0: as the latent.")] = 0,
    height: Annotated[Pixels, Field(description="Of the whole picture. 0: as the latent.")] = 0,
    left: Annotated[Pixels, Field(description="How many pixels were cut off at the left.")] = 0,
    top: Annotated[Pixels, Field(description="How many pixels were cut off at the top.")] = 0,
    target_width: Annotated[Pixels, Field(description="Of the part that is left; base model. 0: as the latent.")] = 0,
    target_height: Annotated[Pixels, Field(description="Of the part that is left; base model. 0: as the latent.")] = 0,
    score: Annotated[
        float, Field(ge=0, le=10, description="How beautiful people found it; refiner. 0: the usual 6.")
    ] = 0.0,
) -> Conditioning:
    """Tell SDXL of what size the picture is, which part of it was cut out, and its refiner how beautiful it is.

    SDXL learned from pictures of all sizes and was told theirs (Podell et al. 2023, section 2.2). Without this node it
    is told the latent's own size, uncut.
    """
    said = {"height": height, "width": width, "top": top, "left": left}
    said |= {"target_height": target_height, "target_width": target_width}
    _check_told(conditioning.family, {**said, "score": score})
    from graphgen_nodes.conditionings import with_sizes

    sizes = [said[name] for name in SIZES]
    return mapped(conditioning, lambda given: with_sizes(told(given, SizedConditioning), sizes, score))


@hookimpl
def register_nodes() -> list[Callable[..., object]]:
    """Contribute class labels, sizes, and what makes one conditioning of several."""
    return [label, size, *composing.NODES]


@hookimpl
def register_types() -> list[type]:
    """Let compositions travel."""
    return [Composition, Part, Region]
