"""What is known of values before anything runs: the parts that every node's `infer` is made of. Torch-free.

docs/facts.md lists the names of facts. What is not known yet is left out, and lets everything pass: only what is
known to be impossible is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, is_dataclass
from pathlib import Path as FilePath
from typing import Literal

from graphgen import Facts, Known, Refusal, ResourceError
from graphgen_nodes.beside import check_beside, check_reference, check_shown_size
from graphgen_nodes.control.windows import check_window
from graphgen_nodes.imaging.geometry import Size, check_crop, check_size, fitted
from graphgen_nodes.sampling.paths import Flow, Path, SizedFlow, VarianceExploding, VariancePreserving
from graphgen_nodes.sockets import Denoiser, LatentFormat, Schedule

Infer = Callable[[Known], dict[str, Facts]]

PATHS: Mapping[str, type[Path]] = {
    cls.__name__: cls for cls in (VariancePreserving, VarianceExploding, Flow, SizedFlow)
}
"""The noise processes that facts can be turned back into; of a plugin's own only the name is known."""


# --- whole functions ------------------------------------------------------------------------------------------------


def same_as(name: str, output: str = "", **changed: int) -> Infer:
    """Return an infer for a node whose output has the facts of its input `name`, but for those that change."""
    return lambda known: {output or name: {**known.inputs.get(name, {}), **changed}}


def from_settings(output: str, made: type | None = None) -> Infer:
    """Return an infer for a node whose output is nothing but its settings, and a `method` where it has a name."""
    method = {} if made is None else {"method": made.__name__}
    return lambda known: {output: {**method, **known.settings}}


# --- reading ----------------------------------------------------------------------------------------------------------


def count_of(facts: Facts, name: str) -> int | None:
    """Return a fact or setting that is a whole number; None where it is not known."""
    value = facts.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def number_of(facts: Facts, name: str) -> float | None:
    """Return a fact or setting that is a number; None where it is not known."""
    value = facts.get(name)
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def size_of(facts: Facts) -> Size | None:
    """Return a size in pixels from `width` and `height`; None where one is not known."""
    width, height = count_of(facts, "width"), count_of(facts, "height")
    return None if width is None or height is None else Size(width, height)


def check_range(start: float, end: float) -> None:
    """Refuse a range of the schedule that holds nothing."""
    if start >= end:
        raise Refusal(f"is {start:g}, at or after the end {end:g}", at="start", cure="make start less than end")


def check_known_range(known: Known) -> None:
    """Refuse a range of the schedule that holds nothing, in a node's settings `start` and `end` as far as known."""
    start, end = number_of(known.settings, "start"), number_of(known.settings, "end")
    if start is not None and end is not None:
        check_range(start, end)


def kept(facts: Facts, *names: str) -> Facts:
    """Return those of some facts that are known."""
    return {name: facts[name] for name in names if name in facts}


def file_of(known: Known, root: Literal["inputs", "models"], name: str = "path") -> FilePath | None:
    """Return the file that a setting names; None where the setting is wired to what is not known."""
    value = known.settings.get(name)
    return known.path(root, value) if isinstance(value, str) else None


@contextmanager
def refusing(at: str, cure: str | None = None) -> Iterator[None]:
    """Turn a ValueError, a checkpoint's error or an unreadable file into a Refusal about the input or setting `at`."""
    try:
        yield
    except (ValueError, ResourceError) as error:
        raise Refusal(str(error), at=at, cure=cure) from error
    except OSError as error:
        raise Refusal(f"cannot be read: {error.strerror}; check that it is a file and may be read", at=at) from error


# --- pictures and masks -----------------------------------------------------------------------------------------------


def picture_facts(size: Size | None, batch: int | None = None, channels: int | None = None) -> Facts:
    """Return the facts of pictures, or of masks where there are no channels."""
    found = {"width": size and size.width, "height": size and size.height, "channels": channels, "batch": batch}
    return {name: value for name, value in found.items() if value is not None}


def mask_facts(facts: Facts) -> Facts:
    """Return the facts of masks of the same size and batch as pictures."""
    return kept(facts, "width", "height", "batch")


def check_known_size(size: Size | None, batch: int | None, at: str, cure: str = "make it smaller") -> None:
    """Refuse too many pixels, as far as their number is known."""
    if size is not None:
        with refusing(at, cure):
            check_size(size, 1 if batch is None else batch)


def check_alike(inputs: Mapping[str, Facts], at: str) -> None:
    """Refuse inputs of different sizes, and of different batches unless one is 1, as far as they are known."""
    sizes = {name: size for name, facts in inputs.items() if (size := size_of(facts)) is not None}
    if len(set(sizes.values())) > 1:
        told = ", ".join(f"{name} is {size}" for name, size in sizes.items())
        raise Refusal(f"{told}; they must have one size", at=at, cure="put images.resize or masks.resize before")
    counts = {name: count for name, facts in inputs.items() if (count := count_of(facts, "batch")) is not None}
    if len(set(counts.values()) - {1}) > 1:
        told = ", ".join(f"{name} has {count}" for name, count in counts.items())
        raise Refusal(f"{told} pictures; batches must be equally long, or 1", at=at, cure="take one by images.pick")


def joined_facts(*facts: Facts, channels: int | None = None) -> Facts:
    """Return the facts of pictures made of several of one size, of which one stands for a whole batch."""
    size = next((size for item in facts if (size := size_of(item)) is not None), None)
    counts = [count_of(item, "batch") for item in facts]
    known = [count for count in counts if count is not None]
    certain = len(known) == len(counts) or any(count > 1 for count in known)
    return picture_facts(size, max(known) if certain else None, channels)


def plain(output: str, channels: int | None = None) -> Infer:
    """Return an infer for a node that makes pictures or masks of the settings width, height and batch."""

    def infer(known: Known) -> dict[str, Facts]:
        size, batch = size_of(known.settings), count_of(known.settings, "batch")
        check_known_size(size, batch, "width")
        return {output: picture_facts(size, batch, channels)}

    return infer


def resized(name: str) -> Infer:
    """Return an infer for a node that resizes its input `name` by the settings width, height and mode."""

    def infer(known: Known) -> dict[str, Facts]:
        there, into, mode = known.inputs[name], size_of(known.settings), known.settings.get("mode")
        size, batch = size_of(there), count_of(there, "batch")
        check_known_size(into, batch, "width")
        target = into if mode in ("stretch", "fill", "pad") else None
        if mode == "fit" and size is not None and into is not None:
            target = fitted(size, into)
        return {name: picture_facts(target, batch, count_of(there, "channels"))}

    return infer


def cropped(name: str) -> Infer:
    """Return an infer for a node that crops its input `name` by the settings x, y, width and height."""

    def infer(known: Known) -> dict[str, Facts]:
        there, part = known.inputs[name], size_of(known.settings)
        size, x, y = size_of(there), count_of(known.settings, "x"), count_of(known.settings, "y")
        if size is not None and part is not None and x is not None and y is not None:
            with refusing("x" if x + part.width > size.width else "y", "move the part, or make it smaller"):
                check_crop(size, x, y, part)
        return {name: picture_facts(part, count_of(there, "batch"), count_of(there, "channels"))}

    return infer


# --- models, and what they work on ------------------------------------------------------------------------------------


def format_facts(latent_format: LatentFormat) -> Facts:
    """Return a latent format as facts."""
    return asdict(latent_format)


def path_facts(path: Path) -> Facts:
    """Return a noise process as facts: its `kind` and its numbers."""
    return {"kind": type(path).__name__, **(asdict(path) if is_dataclass(path) else {})}


def path_of(facts: Facts) -> Path | None:
    """Return the noise process in the facts of a model; None where it is not known, or of a kind that is a plugin's."""
    told = facts.get("path")
    if not isinstance(told, Mapping) or told.get("kind") not in PATHS:
        return None
    return PATHS[str(told["kind"])](**{name: value for name, value in told.items() if name != "kind"})


def schedule_facts(schedule: Schedule) -> Facts:
    """Return the facts of a schedule: the steps it runs, the first of them, how many the whole has, and its path."""
    steps = schedule.steps
    told = {"steps": len(steps), "start": steps.start, "length": len(schedule.timesteps)}
    return {**told, "path": path_facts(schedule.path)}


def denoiser_facts(handle: Denoiser, wants: Facts | None = None) -> Facts:
    """Return the facts of a denoiser: those of its handle, and what its network wants."""
    return {
        "family": handle.family,
        "prediction": handle.prediction,
        "path": path_facts(handle.path),
        "format": format_facts(handle.latent),
        "components": [handle.weights.part],
        "weights": [asdict(handle.weights)],
        "precision": handle.precision,
        "classes": handle.classes,
        "beside": handle.beside,
        **(wants or {}),
    }


def latent_facts(latent_format: object, width: int | None, height: int | None, batch: int | None) -> Facts:
    """Return the facts of latents of pictures of a size in pixels, as far as all of it is known."""
    told = latent_format if isinstance(latent_format, Mapping) else {}
    found = {"width": width, "height": height, "batch": batch, **kept(told, "family", "channels")}
    cell = count_of(told, "downscale")
    if cell:
        found |= {"columns": width and width // cell, "rows": height and height // cell, "format": told}
    return {name: value for name, value in found.items() if value is not None}


def cells_of(latent: Facts) -> int | None:
    """Return how many cells a latent has; None where it is not known."""
    rows, columns = count_of(latent, "rows"), count_of(latent, "columns")
    return None if rows is None or columns is None else rows * columns


def check_same_format(wanted: Facts, given: Facts, *, what: str, cure: str) -> None:
    """Refuse a `latent` in another format than that of what takes it, where both are known."""
    mine, other = wanted.get("format"), given.get("format")
    if isinstance(mine, Mapping) and isinstance(other, Mapping) and mine != other:
        raise Refusal(f"is a latent {_words(other)}, but {what} works on those {_words(mine)}", at="latent", cure=cure)


def check_latent_size(wants: Facts, width: int | None, height: int | None, *, at: tuple[str, str]) -> None:
    """Refuse a latent of a size in pixels that a denoiser cannot take; `at` are the places of width and height."""
    told = wants.get("format")
    cell = count_of(told, "downscale") if isinstance(told, Mapping) else None
    if cell is None:
        return
    unit, most = cell * (count_of(wants, "multiple") or 1), count_of(wants, "most_cells")
    for name, pixels, place in (("width", width, at[0]), ("height", height, at[1])):
        if pixels is None:
            continue
        check_multiple(name, pixels, unit, place)
        if wants.get("square") and width != height and None not in (width, height):
            message = f"is {pixels} pixels in {name}, and the model makes squares alone ({width} by {height} given)"
            raise Refusal(message, at=place, cure="make width and height equal")
        if most and pixels > most * cell:
            raise Refusal(
                f"is {pixels} pixels in {name}, and the model knows no positions beyond {most * cell}",
                at=place,
                allowed=f"up to {most * cell}",
                cure="make a smaller picture, and enlarge it afterwards",
            )


def check_multiple(name: str, pixels: int, unit: int, at: str) -> None:
    """Refuse a side of a picture that is no multiple of the pixels a model works in."""
    if pixels % unit:
        lower = pixels // unit * unit
        raise Refusal(
            f"is {pixels} pixels in {name}, which is no multiple of {unit}, as the model needs",
            at=at,
            allowed=f"multiples of {unit}",
            cure=f"take {lower or unit} or {lower + unit}",
        )


def check_conditioning(denoiser: Facts, given: Facts, *, at: str) -> None:
    """Refuse a conditioning made for another family than the denoiser's, or of other widths than it was trained on."""
    family, other = denoiser.get("family"), given.get("family")
    cure = "take the text encoder from the same model as the denoiser"
    if family is not None and other is not None and family != other:
        raise Refusal(
            f"is made for {other}, but the denoiser is {family}", at=at, allowed=f"conditionings of {family}", cure=cure
        )
    for name, what in (("embedding", "a token"), ("pooled", "its pooled part")):
        wanted, width = count_of(denoiser, name), count_of(given, name)
        if wanted and width is not None and wanted != width:
            raise Refusal(
                f"has {width} numbers for {what}, but the denoiser was trained on {wanted}",
                at=at,
                allowed=f"{wanted} numbers for {what}",
                cure=cure,
            )
    check_window(denoiser, given, at)
    check_beside(denoiser, given, at)
    check_reference(denoiser, given, at)
    scale = number_of(given, "guidance")
    if scale is not None and denoiser.get("guidance") is False:
        raise Refusal(
            f"tells a guidance scale of {scale:g}, but this model was not distilled to be told one",
            at=at,
            cure="leave out text.guidance, and guide the model by guiders.classifier_free where it was not distilled",
        )


def check_unconditional(denoiser: Facts) -> None:
    """Refuse to tell nothing to a denoiser that is known to want a prompt or a class label."""
    for name, what, node in (
        ("embedding", "a prompt", "text.encode"),
        ("classes", "a class label", "conditioning.label"),
    ):
        if count_of(denoiser, name):
            message = f"is not wired, but a denoiser of {denoiser.get('family')} must be told {what}"
            raise Refusal(message, at="positive", cure=f"wire {node} to it")


def check_run(guider: Facts, sampler: Facts, schedule: Facts, latent: Facts) -> None:
    """Refuse to sample what was not made for each other: latent, schedule, method and model."""
    cure = "make the latent with this model's own latents.empty or autoencoder"
    check_same_format(guider, latent, what="the denoiser", cure=cure)
    check_latent_size(guider, count_of(latent, "width"), count_of(latent, "height"), at=("latent", "latent"))
    check_shown_size(guider, latent)
    mine, other = guider.get("path"), schedule.get("path")
    if isinstance(mine, Mapping) and isinstance(other, Mapping) and mine != other:
        raise Refusal(
            f"is made for {_process(other)}, but the denoiser was trained on {_process(mine)}",
            at="schedule",
            cure="make the schedule with this denoiser",
        )
    if sampler.get("variance") == "learned" and guider.get("learned_variance") is False:
        cure = "set variance of samplers.ddpm to small or large"
        raise Refusal("takes the variance that the model learned, but this one learned none", at="sampler", cure=cure)
    check_control(guider, latent)
    prompts, images = count_of(guider, "batch"), count_of(latent, "batch")
    if prompts is not None and images is not None and prompts not in (1, images):
        raise Refusal(
            f"has prompts for {prompts} images, but the latent is a batch of {images}",
            at="guider",
            allowed=f"prompts for 1 or {images} images",
            cure=f"make {prompts} images at a time, or take prompts for one",
        )


def check_control(guider: Facts, latent: Facts) -> None:
    """Refuse pictures to follow that are of another size than what is drawn, or of another number."""
    pictures = guider.get("control")
    size, images = size_of(latent), count_of(latent, "batch")
    for picture in pictures if isinstance(pictures, Sequence) else ():
        if not isinstance(picture, Mapping):
            continue
        told = size_of(picture)
        if size is not None and told is not None and told != size:
            raise Refusal(
                f"follows a picture of {told}, but the latent is of {size}",
                at="guider",
                allowed=f"pictures to follow of {size}",
                cure="put images.resize before controlnet.apply",
            )
        there = count_of(picture, "batch")
        if images is not None and there not in (None, 1, images):
            raise Refusal(
                f"follows {there} pictures, but the latent is a batch of {images}",
                at="guider",
                allowed=f"1 picture to follow, or {images}",
                cure="give controlnet.apply one picture, or one for each image",
            )


def _process(path: Mapping[str, object]) -> str:
    return ", ".join([str(path.get("kind")), *(f"{name} {value}" for name, value in path.items() if name != "kind")])


def _words(latent_format: Mapping[str, object]) -> str:
    return (
        f"of family {latent_format.get('family')} with {latent_format.get('channels')} channels, scale "
        f"{latent_format.get('scale')}, shift {latent_format.get('shift')} and {latent_format.get('downscale')} pixels "
        "to a cell"
    )
