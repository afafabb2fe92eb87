"""Text: prompts to conditionings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple, NoReturn, cast

from pydantic import Field

from graphgen import Context, Facts, File, Known, Refusal, Slider, TextArea, hookimpl, node
from graphgen_nodes.checkpoints.identity import identity, remember_place
from graphgen_nodes.compositions import Part, composed, during, mapped
from graphgen_nodes.facts import count_of, file_of, kept, number_of, refusing
from graphgen_nodes.families import families, family
from graphgen_nodes.families.family import READS_NONE, Slot
from graphgen_nodes.families.handles import read_config, reopen
from graphgen_nodes.families.known import embedding_width
from graphgen_nodes.sockets import Conditioning, GuidedConditioning, TextEncoder
from graphgen_nodes.text.chunks import MOST_CHUNKS
from graphgen_nodes.text.edits import stretches
from graphgen_nodes.text.embeddings import Learned, LearnedWord, learned_by, usual_word
from graphgen_nodes.text.options import ReadingOptions, Weighting
from graphgen_nodes.text.windows import foreseen, windows_of

if TYPE_CHECKING:
    from graphgen_nodes.text.encode import PromptEncoder


PROMPTS = ("text", "text_2", "text_3")
"""The settings that are prompts, for the first, second and third text encoder."""

NUMBERS = ("chunks", "skip", "length")
"""The settings that are numbers."""

Another = Annotated[
    str,
    TextArea(),
    Field(description="Another prompt for this one of a model's text encoders; empty: the same."),
]


def _refuse(family: str) -> NoReturn:
    raise Refusal(f"is of {family}, which reads no text", at="encoder", cure=READS_NONE)


def _encoded(known: Known) -> dict[str, Facts]:
    encoder = known.inputs.get("encoder", {})
    facts = _encoder_facts(encoder)
    texts = [text for name in PROMPTS if isinstance(text := known.settings.get(name), str)]
    numbers = [number for name in NUMBERS if (number := count_of(known.settings, name)) is not None]
    weighting = known.settings.get("weighting")
    if len(texts) < len(PROMPTS) or len(numbers) < len(NUMBERS) or not isinstance(weighting, str):
        return {"conditioning": facts}
    chunks, skip, length = numbers
    with refusing("text"):
        options = ReadingOptions(cast(Weighting, weighting), chunks, skip, length)
        return {"conditioning": {**facts, **foreseen(texts, encoder, options)}}


def _encoder_facts(encoder: Facts) -> Facts:
    """Return what is known of every prompt that an encoder reads."""
    if encoder.get("components") == []:
        _refuse(str(encoder.get("family")))
    return {"batch": 1, "beside": "nothing", **kept(encoder, "family", "embedding", "pooled")}


def _told(known: Known) -> dict[str, Facts]:
    given, scale = known.inputs.get("conditioning", {}), number_of(known.settings, "scale")
    name = given.get("family")
    if isinstance(name, str) and name in families() and not families()[name].told_guidance:
        raise _untold(name)
    return {"conditioning": given if scale is None else {**given, "guidance": scale}}


def _untold(family: str) -> Refusal:
    message = f"is made for {family}, whose models are told no guidance scale"
    cure = "leave this node out, and set the scale of guiders.classifier_free"
    return Refusal(message, at="conditioning", allowed="prompts for Flux", cure=cure)


@node(category="text", title="Encode prompt", device="gpu", infer=_encoded, aliases=("CLIP text encode", "Prompt"))
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
    length: Annotated[
        int, Field(ge=0, le=512, description="How many tokens T5 reads, where a model has one; 0 is as usual for it.")
    ] = 0,
    weighting: Annotated[
        Weighting,
        Field(
            description="What (word:1.3) does: interpolate from no words to it (ComfyUI), normalise (A1111) or "
            "multiply it; off: brackets are read as typed."
        ),
    ] = "interpolate",
    chunks: Annotated[
        int,
        Field(ge=0, le=MOST_CHUNKS, description="How many times 75 tokens CLIP reads; 0: as many as the prompt has."),
    ] = 0,
    skip: Annotated[
        int, Field(ge=0, le=30, description="Listen to CLIP so many layers earlier than usual for the model.")
    ] = 0,
) -> Conditioning:
    """Read a prompt as a model understands it.

    `(word)` and `(word:1.3)` make a word count for more, `[word]` for less; BREAK begins a new chunk. CLIP reads
    75 words or parts of words at a time, and longer prompts in several chunks; SD3's T5 reads 255, Flux's 511, and what
    is beyond is left out with a warning. Where a model has several text encoders (SDXL: CLIP ViT-L, CLIP bigG; SD3: a
    T5 besides; Flux: CLIP ViT-L, T5), the second and third can read other prompts. See docs/text.md.
    """

    def warn(message: str) -> None:
        context.log(message, warning=True)

    if not encoder.encoders:
        _refuse(encoder.family)
    silence = encoder.empty if empty == "auto" else empty
    from graphgen_nodes.thrift import BLOCKS, in_less_memory

    def read(room: int | None) -> Conditioning:
        with context.resource(encoder, room=room) as loaded:
            encoders = cast("PromptEncoder", loaded)
            options = ReadingOptions(weighting, chunks, skip, length, silence)
            return encoders.encode(text, warn, others=(text_2, text_3), options=options)

    return in_less_memory(context, ("", lambda: read(None)), (BLOCKS, lambda: read(0)))


def _edited(known: Known) -> dict[str, Facts]:
    text, steps = known.settings.get("text"), count_of(known.settings, "steps")
    if isinstance(text, str) and steps is not None:
        stretches(text, steps)
    return {"conditioning": _encoder_facts(known.inputs.get("encoder", {}))}


@node(category="text", title="Encode changing prompt", device="gpu", infer=_edited)
def encode_changing(
    context: Context,
    encoder: Annotated[TextEncoder, Field(description="The model's text encoder.")],
    *,
    text: Annotated[str, TextArea(), Field(description="A prompt as in A1111: [cat:dog:0.4], [red|blue].")] = "",
    steps: Annotated[
        int, Field(ge=0, le=10000, description="The steps of the schedule, where the prompt counts them; 0: not told.")
    ] = 0,
    weighting: Annotated[
        Weighting, Field(description="What (word:1.3) does, as in text.encode; off: as typed.")
    ] = "interpolate",
    chunks: Annotated[
        int, Field(ge=0, le=MOST_CHUNKS, description="How many times 75 tokens CLIP reads; 0: as many as there are.")
    ] = 0,
    skip: Annotated[
        int, Field(ge=0, le=30, description="Listen to CLIP so many layers earlier than usual for the model.")
    ] = 0,
) -> Conditioning:
    """Read a prompt that changes on the way, as A1111's web interface writes it.

    `[from:to:0.4]` says `from` in the first 0.4 of the steps and `to` after them, `[to:0.4]` and `[from::0.4]` one of
    the two alone, and `[one|other]` takes turns from step to step. Each of the prompts that come of it is read by
    text.encode. See docs/text.md.

    Raises:
        Refusal: it takes turns or counts steps, and `steps` is 0.
    """
    parts: list[Part] = []
    read: dict[str, Conditioning] = {}
    for stretch in stretches(text, steps):
        if stretch.text not in read:
            read[stretch.text] = encode(
                context, encoder, text=stretch.text, weighting=weighting, chunks=chunks, skip=skip
            )
        parts += during(read[stretch.text], stretch.start, stretch.end)
    return composed(encoder.family, parts)


@node(category="conditioning", title="Distilled guidance", cheap=True, infer=_told, aliases=("Flux guidance",))
def guidance(
    conditioning: Annotated[Conditioning, Field(description="The prompt.")],
    *,
    scale: Annotated[
        float,
        Field(ge=0, le=100, description="How strictly to follow the prompt, as the model was distilled to be told."),
        Slider(step=0.5),
    ] = 3.5,
) -> Conditioning:
    """Tell a model that was distilled from guided sampling how strictly to follow a prompt (Meng et al. 2023).

    For Flux dev, which does without a negative prompt this way and takes half the time; without this node it is told
    3.5. Together with guiders.classifier_free, tell both prompts.

    Raises:
        Refusal: the prompt is for a model that is told nothing of guidance.
    """

    def guided(given: Conditioning) -> Conditioning:
        if not isinstance(given, GuidedConditioning):
            raise _untold(given.family)
        return replace(given, guidance=scale)

    return mapped(conditioning, guided)


class Taught(NamedTuple):
    """A text encoder that knows another word."""

    text_encoder: Annotated[TextEncoder, Field(description="The text encoder, which knows the word.")]


def _taught(known: Known) -> dict[str, Facts]:
    encoder, path, word = known.inputs.get("encoder", {}), file_of(known, "models"), known.settings.get("word")
    windows, name = windows_of(encoder), encoder.get("family")
    if path is None or not isinstance(word, str) or not windows or not all(window.width for window in windows):
        rest = {fact: value for fact, value in encoder.items() if fact not in ("windows", "tokens")}
        return {"text_encoder": rest}
    slots = {slot.part: slot for slot in family(str(name)).texts}
    with refusing("path"):
        found = learned_by(path, [(slots[window.part], window.width) for window in windows])
    spoken, told = word or usual_word(path), encoder.get("windows")
    counts = {part: learned.vectors for part, learned in found.items()}
    taught = [
        {**window, "words": {**_words(window), spoken: counts.get(str(window.get("part")), 0)}}
        for window in (told if isinstance(told, Sequence) else ())
        if isinstance(window, Mapping)
    ]
    return {"text_encoder": {**encoder, "windows": taught, **_note(spoken, found, len(windows))}}


def _words(window: Facts) -> Facts:
    words = window.get("words")
    return words if isinstance(words, Mapping) else {}


def _note(word: str, found: Mapping[str, Learned], encoders: int) -> Facts:
    if len(found) == encoders:
        return {}
    return {"note": f"{word} has vectors for {', '.join(found)} alone; the others do not read it"}


def _embedding_identity(known: Known) -> str:
    path = file_of(known, "models")
    if path is None:
        return ""
    with refusing("path"):
        digest = identity(path)
    remember_place(digest, path)  # so that a handle cached before the file moved still finds it
    return digest


def _widths(encoder: TextEncoder) -> list[tuple[Slot, int]]:
    slots = {slot.part: slot for slot in family(encoder.family).texts}
    parts = [(slots[weights.part], reopen(weights, slots[weights.part])) for weights in encoder.encoders]
    return [(slot, embedding_width(read_config(slot, part))) for slot, part in parts]


@node(
    category="text",
    title="Load textual inversion",
    infer=_taught,
    fingerprint=_embedding_identity,
    aliases=("Embedding",),
)
def load_embedding(
    context: Context,
    encoder: Annotated[TextEncoder, Field(description="The text encoder to teach a word.")],
    *,
    path: Annotated[
        str,
        File("models", (".safetensors",), ("embedding",)),
        Field(min_length=1, description="The embedding's file, in the models folder."),
    ],
    word: Annotated[
        str,
        Field(
            max_length=200,
            pattern=r"^[^\s()\[\]\\:]*$",
            description="How prompts call it, in one word; empty: by the name of its file.",
        ),
    ] = "",
) -> Taught:
    """Teach a text encoder a word by textual inversion (Gal et al. 2022), besides those before it.

    Prompts use it like any other word, or as `embedding:word`; it may be several vectors. Reads A1111's and diffusers'
    safetensors files, and those for both encoders of SDXL. A file for another family is refused.
    """
    file = context.path("models", path)
    with refusing("path"):
        found = learned_by(file, _widths(encoder))
    spoken, digest = word or usual_word(file), identity(file)
    for note in _note(spoken, found, len(encoder.encoders)).values():
        context.log(str(note), warning=True)
    remember_place(digest, file)
    tensors = tuple((part, learned.tensor) for part, learned in found.items())
    patch = LearnedWord(spoken, digest, str(file), tensors)
    return Taught(replace(encoder, patches=(*encoder.patches, patch)))


@hookimpl
def register_nodes() -> list[Callable[..., object]]:
    """Contribute the encoder, what is told beside a prompt, and words that were learned."""
    return [encode, encode_changing, guidance, load_embedding]


@hookimpl
def register_types() -> list[type]:
    """Contribute the patch that travels inside handles."""
    return [LearnedWord]


@hookimpl
def register_subgraphs() -> list[Path]:
    """Contribute two encoders side by side."""
    return [Path(__file__).parent.parent / "subgraphs" / "prompts.json"]
