"""Which prompts may show a model a region of the picture alone. Torch-free.

In: facts of a denoiser and of a conditioning. Out: nothing, or a refusal before anything runs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from graphgen import Facts, Refusal

CURE = "set alone of conditioning.area or conditioning.mask to false"


def check_window(denoiser: Facts, given: Facts, at: str) -> None:
    """Refuse a conditioning that shows a region alone to a denoiser that must see the whole picture.

    Raises:
        Refusal: the model makes squares alone, or a ControlNet acts for all prompts.
    """
    if given.get("alone") and denoiser.get("square"):
        message = "shows the model a region alone, and the model makes squares of the picture's size alone"
        raise Refusal(message, at=at, cure=CURE)
    pictures = denoiser.get("control")
    for picture in pictures if isinstance(pictures, Sequence) else ():
        if isinstance(picture, Mapping) and picture.get("for_all"):
            check_steered(given, at)


def check_steered(given: Facts, at: str) -> None:
    """Refuse a conditioning that shows a region alone, and that a ControlNet acts for."""
    if given.get("alone"):
        message = "shows the model a region alone, but a ControlNet that acts for it follows a picture of the whole"
        cure = f"{CURE}, or wire other prompts to controlnet.apply, for it to act for those alone"
        raise Refusal(message, at=at, cure=cure)
