"""How much of a prompt each text encoder reads, and in how many chunks. Torch-free.

A workflow's check and the encoder itself say the same words about it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphgen import Facts, Refusal
from graphgen_nodes.text.chunks import MOST_CHUNKS, Chunked, chunked, mentioned
from graphgen_nodes.text.options import ReadingOptions
from graphgen_nodes.text.prompts import prompt_of_each
from graphgen_nodes.text.syntax import Prompt, parse, plain

if TYPE_CHECKING:
    from graphgen_nodes.text.tokenizers import PromptTokenizer

MARKS = 2
"""The most tokens that are not text: a begin and an end, or an end and the mark before the first word."""


@dataclass(frozen=True)
class Window:
    """What a text encoder reads at a time: `length` tokens, which can be another number where it `stretches`.

    `chunks` tells whether it can read several of those, and `layers` how many layers it has, 0 where that is not known.
    The tokenizer may be named by its kind or folder. `part` is the encoder's, `width` that of its vectors, and `words`
    are those it learned besides, with their numbers of vectors.
    """

    tokenizer: PromptTokenizer | str
    length: int
    stretches: bool = False
    chunks: bool = False
    layers: int = 0
    part: str = ""
    width: int = 0
    words: Mapping[str, int] = field(default_factory=dict)

    @property
    def reader(self) -> PromptTokenizer:
        """Return the tokenizer, loaded where it is named."""
        if not isinstance(self.tokenizer, str):
            return self.tokenizer
        from graphgen_nodes.text.tokenizers import KINDS, load_tokenizer

        return load_tokenizer(self.tokenizer if self.tokenizer in KINDS else Path(self.tokenizer))


def too_long(unread: Sequence[str]) -> str:
    """Say which ends of a prompt are not read; each text encoder may stop elsewhere."""
    return "; ".join(f"the prompt is too long; not read: {part!r}" for part in unread)


def written(text: str, options: ReadingOptions) -> Prompt:
    """Return a prompt by its signs, or as typed where they are not to be read."""
    return plain(text) if options.weighting == "off" else parse(text)


def seen(prompt: Prompt, window: Window, options: ReadingOptions) -> Chunked:
    """Return what a text encoder reads of a prompt.

    Raises:
        TokenizerError: the text, or a model's own tokenizer, cannot be read.
    """
    length = options.length if options.length and window.stretches else window.length
    if not window.chunks:
        return chunked(window.reader, prompt.joined(), length, 1, window.words)
    return chunked(window.reader, prompt, length, options.chunks or MOST_CHUNKS, window.words)


def foreseen(prompts: Sequence[str], encoder: Facts, options: ReadingOptions) -> Facts:
    """Return what is known of prompts that text encoders with these facts are to read: `tokens`, and a `note`.

    `prompts` are those for the first, second ... encoder, as `prompt_of_each` takes them.

    Raises:
        ValueError: a text, or a model's own tokenizer, cannot be read.
        Refusal: a prompt is for an encoder that is not there, or an option that no encoder has.
    """
    windows = windows_of(encoder)
    if not windows:
        return {}
    check_options(windows, options)
    own = [written(text, options) for text in prompt_of_each(prompts, len(windows))]
    counts, unread = [max(options.chunks, 1)], []
    for prompt, window in zip(own, windows, strict=True):
        count, end = _foreseen(prompt, window, options)
        unread.append(end)
        counts.append(count if window.chunks else 1)
    notes = [note for prompt in own for note in prompt.notes]
    notes += [too_long([end]) for end in unread if end]
    tokens = tokens_of(encoder, windows, max(counts), options.length)
    note = "; ".join(dict.fromkeys(notes))
    return {**({"tokens": tokens} if tokens else {}), **({"note": note} if note else {})}


def check_options(windows: Sequence[Window], options: ReadingOptions) -> None:
    """Refuse what no text encoder can do.

    Raises:
        Refusal: a length and no T5, or chunks or a skipped layer and no CLIP whose tokens are used.
    """
    if options.length and not any(window.stretches for window in windows):
        raise Refusal(
            f"is {options.length}, but the model has no T5, which alone of text encoders can read more or fewer tokens "
            "than usual",
            at="length",
            allowed="0",
            cure="set it to 0, or give the model its T5",
        )
    if not any(window.chunks for window in windows):
        for name, value, usual in (("chunks", options.chunks, (0, 1)), ("skip", options.skip, (0,))):
            if value not in usual:
                message = f"is {value}, but the model uses no tokens of a CLIP"
                raise Refusal(message, at=name, allowed=str(usual[0]), cure=f"set it to {usual[0]}")
    layers = min((window.layers for window in windows if window.chunks and window.layers), default=0)
    if layers and options.skip >= layers:
        message = f"is {options.skip}, and the text encoder has {layers} layers"
        raise Refusal(message, at="skip", allowed=f"0 to {layers - 1}", cure="skip fewer")


def windows_of(encoder: Facts) -> list[Window]:
    """Return the windows in the facts of text encoders; none where they are not known."""
    told: Any = encoder.get("windows")
    if not isinstance(told, Sequence):
        return []
    return [Window(**window) for window in told if isinstance(window, Mapping)]


def tokens_of(encoder: Facts, windows: Sequence[Window], chunks: int, length: int) -> int | None:
    """Return how long a conditioning of so many chunks is, where T5 reads `length` tokens (0: as usual)."""
    tokens = encoder.get("tokens")
    if not isinstance(tokens, int):
        return None
    clip = next((window.length for window in windows if window.chunks), 0)
    t5 = next((window.length for window in windows if window.stretches), 0)
    return tokens + (chunks - 1) * clip + (length - t5 if length else 0)


def _foreseen(prompt: Prompt, window: Window, options: ReadingOptions) -> tuple[int, str]:
    """Return how many chunks a prompt is in a window, and the end of it that is not read."""
    length = options.length if options.length and window.stretches else window.length
    texts = prompt.texts if window.chunks else prompt.joined().texts
    # a token is a letter at least; this spares the vocabulary
    short = all(text.isascii() and len(text) + MARKS <= length for text in texts)
    short = short and not any(next(mentioned(text, window.words), None) for text in texts)
    if short and len(texts) <= (options.chunks or MOST_CHUNKS):
        return len(texts), ""
    found = seen(prompt, window, options)
    return len(found.chunks), found.unread
