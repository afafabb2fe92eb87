"""Prompt-to-Prompt: draw a picture again for an edited prompt, so that the rest of it stays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, NamedTuple, cast

from pydantic import Field

from graphgen import Context, Facts, Known, Refusal, TextArea, hookimpl, node
from graphgen_nodes.facts import check_conditioning, kept, refusing
from graphgen_nodes.families import family
from graphgen_nodes.prompt_to_prompt.local import LocalSampler, LocalState
from graphgen_nodes.prompt_to_prompt.mapping import Mode, TokenMap, Tokens, parse_words, token_map, tokens_of
from graphgen_nodes.prompt_to_prompt.patch import PromptEdit
from graphgen_nodes.settings import Share
from graphgen_nodes.sockets import Conditioning, Denoiser, Sampler, TextEncoder

if TYPE_CHECKING:
    from graphgen_nodes.text.encode import PromptEncoder


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
    named = known.settings.get("local")
    watched = {"watched": bool(_listed(named))} if isinstance(named, str) else {}
    return {"denoiser": {**denoiser, "edited": {**kept(encoder, "tokens"), **watched}}, "conditioning": prompts}


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


def _listed(text: str) -> tuple[str, ...]:
    """Return what commas part."""
    return tuple(filter(None, (part.strip() for part in text.split(","))))


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
    local: Annotated[
        str,
        Field(
            max_length=2000,
            description="Words of either prompt that prompt_to_prompt.local keeps the edit to, as in 'cat, dog'.",
        ),
    ] = "",
    level: Annotated[
        int,
        Field(
            ge=0,
            le=6,
            description="In which layers it looks for them: those that see the latent halved so often.",
        ),
    ] = 2,
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
        _watched(ours, theirs, _listed(local)),
        level,
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


def _watched(source: Tokens, target: Tokens, words: tuple[str, ...]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the places of words in each of two prompts, of which one at least has each word."""
    with refusing("local"):
        for word in words:
            if not source.has(word):
                target.places(word)
    ours, theirs = (
        tuple(place for word in words if tokens.has(word) for place in tokens.places(word))
        for tokens in (source, target)
    )
    if words and not ours and not theirs:
        raise Refusal("is behind what is read of the prompts", at="local", cure="shorten the prompts")
    return ours, theirs


def _local(known: Known) -> dict[str, Facts]:
    return {"sampler": {**known.inputs.get("sampler", {}), "by_words": True}}


@node(category="editing", title="Keep edit to words", cheap=True, infer=_local)
def local(
    sampler: Annotated[Sampler, Field(description="The method to draw by.")],
    *,
    threshold: Annotated[
        Share, Field(description="What counts as there, as a share of the most that a place attends to the words.")
    ] = 0.3,
    start: Annotated[Share, Field(description="From where on the rest is kept, as a share of the schedule.")] = 0.2,
) -> Sampler:
    """Keep an edit to where its words are; all around, the second image is the first (Hertz et al. 2022).

    For any method. The words are those of the setting `local` of prompt_to_prompt.edit. Threshold 0 keeps nothing of
    the first image, 1 everything.
    """
    return LocalSampler(sampler, threshold, start)


@hookimpl
def register_nodes() -> list[Callable[..., object]]:
    """Contribute the edit, and what keeps it to words."""
    return [edit, local]


@hookimpl
def register_types() -> list[type]:
    """Contribute the patch that travels inside denoisers, the method around another one, and where that stands."""
    return [PromptEdit, LocalSampler, LocalState]
