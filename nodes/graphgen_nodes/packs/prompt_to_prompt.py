"""Prompt-to-Prompt: draw a picture again for an edited prompt, so that the rest of it stays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, NamedTuple, cast

from pydantic import Field

from graphgen import Context, Facts, Known, Refusal, Slider, TextArea, hookimpl, node
from graphgen_nodes.facts import check_conditioning, kept, refusing
from graphgen_nodes.families import family
from graphgen_nodes.prompt_to_prompt.mapping import Mode, TokenMap, Tokens, parse_words, token_map, tokens_of
from graphgen_nodes.prompt_to_prompt.patch import PromptEdit
from graphgen_nodes.sockets import Conditioning, Denoiser, TextEncoder

if TYPE_CHECKING:
    from graphgen_nodes.text.encode import PromptEncoder

Share = Annotated[float, Field(ge=0, le=1), Slider(step=0.05)]


class Edited(NamedTuple):
    """What draws a picture and its edit side by side."""

    denoiser: Annotated[Denoiser, Field(description="The denoiser, in which the edit attends as the source does.")]
    conditioning: Annotated[Conditioning, Field(description="Both prompts, for a batch of two images.")]


def _edited(known: Known) -> dict[str, Facts]:
    denoiser, encoder = known.inputs.get("denoiser", {}), known.inputs.get("encoder", {})
    if isinstance(name := denoiser.get("family"), str):
        _check_unet(name)
    check_conditioning(denoiser, kept(encoder, "family", "embedding", "pooled"), at="encoder")
    for setting in ("words", "shares"):
        _parsed(known.settings.get(setting), setting)
    prompts = {"batch": 2, **kept(encoder, "family", "tokens", "embedding", "pooled")}
    return {"denoiser": denoiser, "conditioning": prompts}


def _check_unet(name: str) -> None:
    if family(name).denoiser.part != "unet" or not family(name).texts:
        raise Refusal(
            f"is of {family(name).title}, which has no cross-attention to a prompt",
            at="denoiser",
            cure="give a model of Stable Diffusion 1.x, 2.x or XL",
        )


def _parsed(value: object, at: str) -> tuple[tuple[str, float], ...]:
    with refusing(at):
        return parse_words(value) if isinstance(value, str) else ()


@node(category="editing", title="Edit by prompt", device="gpu", infer=_edited)
def edit(
    context: Context,
    denoiser: Annotated[Denoiser, Field(description="The denoiser.")],
    encoder: Annotated[TextEncoder, Field(description="Its text encoder.")],
    *,
    source: Annotated[str, TextArea(), Field(min_length=1, description="The prompt of the picture.")],
    target: Annotated[str, TextArea(), Field(min_length=1, description="The edited prompt.")],
    mode: Annotated[
        Mode,
        Field(description="Swap words one for one, or refine by others; auto swaps where both have as many."),
    ] = "auto",
    cross_share: Annotated[
        Share, Field(description="Until where, as a share of the schedule, words attend as the source's do.")
    ] = 0.8,
    self_share: Annotated[
        Share, Field(description="Until where the picture attends to itself as the source does: keeps shapes.")
    ] = 0.4,
    words: Annotated[
        str,
        Field(max_length=2000, description="How strongly its words count, as in 'red 1.5, apple 0'."),
    ] = "",
    shares: Annotated[
        str, Field(max_length=2000, description="Another cross_share for some of its words, as in 'blue 0.3'.")
    ] = "",
) -> Edited:
    """Draw a picture and its edit side by side, which attends as the picture does (Hertz et al. 2022).

    Sample a latent of batch 2 with `shared` noise: the first image is what it is without the edit, the second the edit.
    See docs/prompt_to_prompt.md.
    """
    _check_unet(denoiser.family)
    strengths, until = _parsed(words, "words"), _parsed(shares, "shares")

    def warn(message: str) -> None:
        context.log(message, warning=True)

    with context.resource(encoder) as loaded:
        encoders = cast("PromptEncoder", loaded)
        conditioning = encoders.encode_all((source, target), warn)
        slot, tokenizer = encoders.family.texts[0], next(iter(encoders.tokenizers.values()))
        ours, theirs = (tokens_of(text, tokenizer, slot.length) for text in (source, target))
    with refusing("target"):
        found = token_map(ours, theirs, mode)
    patch = PromptEdit(
        found.entries,
        _by_token(found, theirs, dict(until), cross_share, "shares"),
        _by_token(found, theirs, dict(strengths), 1.0, "words"),
        self_share,
    )
    return Edited(replace(denoiser, patches=(*denoiser.patches, patch)), conditioning)


def _by_token(found: TokenMap, tokens: Tokens, given: dict[str, float], usual: float, at: str) -> tuple[float, ...]:
    """Return a number for each token, from numbers for words."""
    numbers = [usual] * found.length
    with refusing(at):
        for word, number in given.items():
            for place in tokens.places(word):
                numbers[place] = number
    return tuple(numbers)


@hookimpl
def register_nodes() -> list[Callable[..., object]]:
    """Contribute the edit."""
    return [edit]


@hookimpl
def register_types() -> list[type]:
    """Contribute the patch that travels inside denoisers."""
    return [PromptEdit]
