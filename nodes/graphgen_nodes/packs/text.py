"""Text: prompts to conditionings."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

from pydantic import Field

from graphgen import Context, Facts, Known, TextArea, hookimpl, node
from graphgen_nodes.facts import kept, refusing
from graphgen_nodes.sockets import Conditioning, TextEncoder
from graphgen_nodes.text.windows import too_long, unread_of

if TYPE_CHECKING:
    from graphgen_nodes.text.encode import PromptEncoder


def _encoded(known: Known) -> dict[str, Facts]:
    encoder, text = known.inputs.get("encoder", {}), known.settings.get("text")
    with refusing("text"):
        unread = unread_of(text, encoder) if isinstance(text, str) else None
    facts = {"batch": 1, **kept(encoder, "family", "tokens", "embedding", "pooled")}
    return {"conditioning": {**facts, "note": too_long(unread)} if unread else facts}


@node(category="text", title="Encode prompt", device="gpu", infer=_encoded)
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


@hookimpl
def register_subgraphs() -> list[Path]:
    """Contribute two encoders side by side."""
    return [Path(__file__).parent.parent / "subgraphs" / "prompts.json"]
