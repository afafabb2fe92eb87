"""Pictures for ControlNets to follow, drawn from others without a network: edges, lines, coarse and simplified ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from pydantic import Field

from graphgen import Facts, Known, Refusal, Slider, hookimpl, node
from graphgen_nodes.facts import number_of, same_as
from graphgen_nodes.sockets import Image

Source = Annotated[Image, Field(description="The picture; an alpha channel is left out.")]
Sigma = Annotated[float, Field(ge=0, le=64), Slider(step=0.1)]


def _edges(known: Known) -> dict[str, Facts]:
    low, high = number_of(known.settings, "low"), number_of(known.settings, "high")
    if low is not None and high is not None:
        _check_thresholds(low, high)
    return same_as("image", channels=3)(known)


def _check_thresholds(low: float, high: float) -> None:
    if low > high:
        raise Refusal(f"is {low:g}, above high, {high:g}", at="low", allowed=f"0 to {high:g}", cure="exchange the two")


@node(category="preprocess", title="Canny edges", infer=_edges)
def canny(
    image: Source,
    *,
    low: Annotated[
        float, Field(ge=0, le=6, description="How steep an edge must be that goes on from another."), Slider(step=0.05)
    ] = 0.4,
    high: Annotated[float, Field(ge=0, le=6, description="How steep an edge must be."), Slider(step=0.05)] = 0.8,
    sigma: Annotated[Sigma, Field(description="How far to blur first, in pixels, so that grain makes no edges.")] = 1.0,
) -> Image:
    """Find edges, as white lines a pixel wide on black, for canny and lineart ControlNets.

    The thresholds are those of OpenCV divided by 255: its usual 100 and 200 are 0.4 and 0.8.
    """
    from graphgen_nodes.imaging import hints

    _check_thresholds(low, high)
    return Image(hints.canny(image.pixels, low, high, sigma))


@node(category="preprocess", title="Soft lines", infer=same_as("image", channels=3))
def lines(
    image: Source,
    *,
    sigma: Annotated[float, Field(ge=0.1, le=32, description="How wide the lines are, in pixels.")] = 1.0,
    sharpness: Annotated[
        float, Field(ge=0, le=200, description="How much differences count against brightness.")
    ] = 20.0,
    level: Annotated[float, Field(ge=0, le=2, description="Below which brightness there is a line.")] = 0.5,
    slope: Annotated[float, Field(ge=0.1, le=1000, description="How abruptly lines begin.")] = 10.0,
) -> Image:
    """Draw soft white lines on black, for softedge and scribble ControlNets; preprocess.threshold makes them hard."""
    from graphgen_nodes.imaging import hints

    return Image(hints.lines(image.pixels, sigma, sharpness, level, slope))


@node(category="preprocess", title="Coarse picture for tile", infer=same_as("image", channels=3))
def tile(
    image: Source, *, factor: Annotated[int, Field(ge=1, le=64, description="How much detail to drop.")] = 4
) -> Image:
    """Leave only what is coarse, by making a picture smaller and larger again, for tile ControlNets."""
    from graphgen_nodes.imaging import hints

    return Image(hints.tiled(image.pixels, factor))


@node(category="preprocess", title="Blur picture", infer=same_as("image", channels=3))
def blur(
    image: Source, *, sigma: Annotated[Sigma, Field(description="Standard deviation of the Gaussian, in pixels.")] = 4.0
) -> Image:
    """Blur a picture, for blur and tile ControlNets."""
    from graphgen_nodes.imaging import hints

    return Image(hints.blurred(image.pixels[:, :3], sigma))


@node(category="preprocess", title="Grey picture", infer=same_as("image", channels=3))
def gray(image: Source) -> Image:
    """Leave only brightness, for ControlNets that colour pictures."""
    from graphgen_nodes.imaging import hints

    return Image(hints.as_rgb(hints.brightness(image.pixels)))


@node(category="preprocess", title="Invert picture", infer=same_as("image", channels=3))
def invert(image: Source) -> Image:
    """Exchange dark and bright: drawings on white paper become the white lines on black that ControlNets know."""
    return Image(1 - image.pixels[:, :3])


@node(category="preprocess", title="Black and white", infer=same_as("image", channels=3))
def threshold(
    image: Source,
    *,
    level: Annotated[float, Field(ge=0, le=1, description="How bright white begins."), Slider(step=0.01)] = 0.5,
) -> Image:
    """Make a picture black and white by its brightness."""
    from graphgen_nodes.imaging import hints

    return Image(hints.as_rgb((hints.brightness(image.pixels) >= level).float()))


@hookimpl
def register_nodes() -> list[Callable[..., object]]:
    """Contribute what makes pictures to follow."""
    return [canny, lines, tile, blur, gray, invert, threshold]
