"""Upscalers: networks that enlarge pictures."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from pydantic import Field

from graphgen import Context, Facts, File, Known, hookimpl, node
from graphgen_nodes.checkpoints.identity import identity, remember_place
from graphgen_nodes.facts import file_of, kept, refusing
from graphgen_nodes.imaging.upscalers import enlargement, upscaler_handle
from graphgen_nodes.sockets import Precision, Upscaler

EMBEDDED = "realesr-animevideov3-x4.safetensors"


def _enlargement(known: Known) -> dict[str, Facts]:
    path = file_of(known, "models")
    if path is None:
        return {}
    with refusing("path"):
        found = enlargement(path)
    return {"upscaler": {"scale": found.scale, "channels": found.channels, **kept(known.settings, "precision")}}


def _file_identity(known: Known) -> str:
    path = file_of(known, "models")
    if path is None:
        return ""
    with refusing("path"):
        digest = identity(path)
    remember_place(digest, path)  # so that a handle cached before the file moved still finds it
    return digest


@node(
    category="images",
    title="Load upscaler",
    infer=_enlargement,
    fingerprint=_file_identity,
    aliases=("Load upscale model",),
)
def load(
    context: Context,
    *,
    path: Annotated[
        str,
        File("models", (".safetensors",), ("upscaler",)),
        Field(min_length=1, description="The file, in the models folder."),
    ] = EMBEDDED,
    precision: Annotated[Precision, Field(description="auto is what suits the device.")] = "auto",
) -> Upscaler:
    """Name a Real-ESRGAN upscaler (SRVGGNetCompact or RRDBNet); its weights are loaded when it is used."""
    return upscaler_handle(context.path("models", path), precision)


@hookimpl
def register_nodes() -> list[Callable[..., object]]:
    """Contribute the upscalers' loader."""
    return [load]
