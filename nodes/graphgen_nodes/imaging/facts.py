"""What is known of pictures and masks before anything runs: the facts `width`, `height`, `channels` and `batch`.

Torch-free; nodes' `infer` functions are made of it. What is not known yet is None, or left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from graphgen import Facts, Known, Refusal, ResourceError
from graphgen_nodes.imaging.geometry import Size, check_crop, check_size, fitted

PICTURE_FACTS = ("width", "height", "channels", "batch")


def count_of(facts: Facts, name: str) -> int | None:
    """Return a fact that is a whole number; None where it is not known."""
    value = facts.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def size_of(facts: Facts) -> Size | None:
    """Return a picture's size; None where it is not known."""
    width, height = count_of(facts, "width"), count_of(facts, "height")
    return None if width is None or height is None else Size(width, height)


def size_setting(known: Known) -> Size | None:
    """Return the settings `width` and `height`; None where one is wired to what is not known."""
    return size_of(known.settings)


def facts_of(size: Size | None, batch: int | None = None, channels: int | None = None) -> Facts:
    """Return facts of a picture, or of a mask where there are no channels."""
    found = {"width": size and size.width, "height": size and size.height, "channels": channels, "batch": batch}
    return {name: value for name, value in found.items() if value is not None}


def like(facts: Facts, **changed: int) -> Facts:
    """Return a picture's facts with some of them changed."""
    return {name: facts[name] for name in PICTURE_FACTS if name in facts} | changed


def as_mask(facts: Facts) -> Facts:
    """Return the facts of a mask of the same size and batch."""
    return {name: value for name, value in like(facts).items() if name != "channels"}


@contextmanager
def refusing(at: str) -> Iterator[None]:
    """Turn a ValueError, a checkpoint's error or an unreadable file into a Refusal about the input or setting `at`."""
    try:
        yield
    except (ValueError, ResourceError) as error:
        raise Refusal(str(error), at=at) from error
    except OSError as error:
        raise Refusal(f"cannot be read: {error.strerror}; check that it is a file and may be read", at=at) from error


def check_known(size: Size | None, batch: int | None, at: str) -> None:
    """Refuse too many pixels, as far as their number is known."""
    if size is not None:
        with refusing(at):
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


def resized_facts(known: Known, name: str) -> Facts:
    """Return the facts of a picture or mask `name` resized by the settings width, height and mode."""
    there, into, mode = known.inputs[name], size_setting(known), known.settings.get("mode")
    size, batch = size_of(there), count_of(there, "batch")
    check_known(into, batch, "width")
    target = into if mode in ("stretch", "fill", "pad") else None
    if mode == "fit" and size is not None and into is not None:
        target = fitted(size, into)
    return facts_of(target, batch, count_of(there, "channels"))


def cropped_facts(known: Known, name: str) -> Facts:
    """Return the facts of a picture or mask `name` cropped by the settings x, y, width and height."""
    there, part = known.inputs[name], size_setting(known)
    size, x, y = size_of(there), count_of(known.settings, "x"), count_of(known.settings, "y")
    if size is not None and part is not None and x is not None and y is not None:
        with refusing("x" if x + part.width > size.width else "y"):
            check_crop(size, x, y, part)
    return facts_of(part, count_of(there, "batch"), count_of(there, "channels"))


def longest_batch(*facts: Facts) -> int | None:
    """Return the batch that inputs of equal batches or 1 give; None where it is not known."""
    counts = [count_of(item, "batch") for item in facts]
    known = [count for count in counts if count is not None]
    return max(known) if len(known) == len(counts) or any(count > 1 for count in known) else None


def setting_path(known: Known, root: str, name: str = "path") -> Path | None:
    """Return the file that a setting names; None where the setting is wired to what is not known."""
    value = known.settings.get(name)
    return known.path(root, value) if isinstance(value, str) else None  # type: ignore[arg-type]
