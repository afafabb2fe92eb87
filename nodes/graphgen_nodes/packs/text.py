"""Text: prompts to conditionings."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NoReturn, cast

from pydantic import Field

from graphgen import Context, Facts, Known, Refusal, TextArea, hookimpl, node
from graphgen_nodes.facts import kept, refusing
from graphgen_nodes.families.family import READS_NONE
from graphgen_nodes.sockets import Conditioning, TextEncoder
from graphgen_nodes.text.windows import too_long, unread_of

if TYPE_CHECKING:
    from graphgen_nodes.text.encode import PromptEncoder


PROMPTS = ("text", "text_2", "text_3")
"""The settings that are prompts, for the first, second and third text encoder."""

Another = Annotated[
    str,
    TextArea(),
    Field(description="Another prompt for this one of a model's text encoders; empty: the same."),
]


def _refuse(family: str) -> NoReturn:
    raise Refusal(f"is of {family}, which reads no text", at="encoder", cure=READS_NONE)


def _encoded(known: Known) -> dict[str, Facts]:
    encoder = known.inputs.get("encoder", {})
    texts = [text for name in PROMPTS if isinstance(text := known.settings.get(name), str)]
    if encoder.get("components") == []:
        _refuse(str(encoder.get("family")))
    with refusing("text"):
        unread = unread_of(texts, encoder) if len(texts) == len(PROMPTS) else None
    facts = {"batch": 1, **kept(encoder, "family", "tokens", "embedding", "pooled")}
    return {"conditioning": {**facts, "note": too_long(unread)} if unread else facts}


@node(category="text", title="Encode prompt", device="gpu", infer=_encoded)
def encode(
    context: Context,
    encoder: Annotated[TextEncoder, Field(description="The model's text encoder.")],
    *,
    text: Annotated[str, TextArea(), Field(description="What the picture should show; may be empty.")] = "",
    text_2: Another = "",
    text_3: Another = "",
    empty: Annotated[
        Literal["auto", "encoded", "zeros"],
        Field(description="What no words become: what is read out of nothing, or zeros; auto is as the model learned."),
    ] = "auto",
) -> Conditioning:
    """Read a prompt as a model understands it.

    Stable Diffusion reads 75 words or parts of words (SD3's T5 255); what is beyond is left out, with a warning. Where
    a model has several text encoders (SDXL: CLIP ViT-L, CLIP bigG; SD3: a T5 besides), the second and third can read
    other prompts.
    """

    def warn(message: str) -> None:
        context.log(message, warning=True)

    if not encoder.encoders:
        _refuse(encoder.family)
    silence = encoder.empty if empty == "auto" else empty
    with context.resource(encoder) as loaded:
        return cast("PromptEncoder", loaded).encode(text, warn, others=(text_2, text_3), empty=silence)


@hookimpl
def register_nodes() -> list[Callable[..., object]]:
    """Contribute the encoder."""
    return [encode]


@hookimpl
def register_subgraphs() -> list[Path]:
    """Contribute two encoders side by side."""
    return [Path(__file__).parent.parent / "subgraphs" / "prompts.json"]
