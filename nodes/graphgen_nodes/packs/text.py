"""Text: prompts to conditionings."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, cast

from pydantic import Field

from graphgen import Context, Facts, Known, TextArea, hookimpl, node
from graphgen_nodes.sockets import Conditioning, TextEncoder

if TYPE_CHECKING:
    from graphgen_nodes.text.encode import PromptEncoder


def _infer(known: Known) -> dict[str, Facts]:
    encoder = known.inputs.get("encoder", {})
    return {"conditioning": {"family": encoder["family"], "batch": 1}} if "family" in encoder else {}


@node(category="text", title="Encode prompt", device="gpu", infer=_infer)
def encode(
    context: Context,
    encoder: Annotated[TextEncoder, Field(description="The model's text encoder.")],
    *,
    text: Annotated[str, TextArea(), Field(description="What the picture should show; may be empty.")] = "",
) -> Conditioning:
    """Read a prompt as a model understands it.

    Stable Diffusion reads 75 words or parts of words (SD3's T5 255); what is beyond is left out, with a warning.
    """
    with context.resource(encoder) as loaded:
        return cast("PromptEncoder", loaded).encode(text, lambda message: context.log(message, warning=True))


@hookimpl
def register_nodes() -> list[Callable[..., object]]:
    """Contribute the encoder."""
    return [encode]
