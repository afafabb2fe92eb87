"""Conditionings that are not made of text."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, NamedTuple

from pydantic import Field

from graphgen import Facts, Known, Refusal, hookimpl, node
from graphgen_nodes.checkpoints.identity import find_place
from graphgen_nodes.checkpoints.parts import names_file
from graphgen_nodes.facts import count_of, kept, refusing
from graphgen_nodes.labels import label_of
from graphgen_nodes.sockets import Denoiser, LabelConditioning


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


@hookimpl
def register_nodes() -> list[Callable[..., object]]:
    """Contribute the class label."""
    return [label]
