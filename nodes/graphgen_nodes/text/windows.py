"""How much of a prompt is read: what lies beyond a text encoder's window. Torch-free.

A workflow's check and the encoder itself say the same words about it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from graphgen import Facts, Refusal
from graphgen_nodes.text.prompts import prompt_of_each

MARKS = 2
"""The most tokens that are not text: a begin and an end, or an end and the mark before the first word."""


def too_long(unread: Sequence[str]) -> str:
    """Say which ends of a prompt are not read; each text encoder may stop elsewhere."""
    return "; ".join(f"the prompt is too long; not read: {part!r}" for part in unread)


def unread_of(prompts: Sequence[str], encoder: Facts) -> list[str]:
    """Return the ends of prompts that the text encoders with these facts do not read, each once; none if all is read.

    `prompts` are those for the first, second ... encoder, as `prompt_of_each` takes them.

    Raises:
        ValueError: a text, or a model's own tokenizer, cannot be read.
        Refusal: a prompt is for an encoder that is not there.
    """
    windows = _windows(encoder)
    if not windows:
        return []
    read = zip(prompt_of_each(prompts, len(windows)), windows, strict=True)
    ends = {_end(text, window.get("tokenizer"), window.get("length")): None for text, window in read}
    return [end for end in ends if end]


def lengthened(encoder: Facts, length: int) -> Facts:
    """Return the facts of text encoders that read a prompt into another number of tokens; 0 is the usual number.

    Raises:
        Refusal: none of them has a window that stretches.
    """
    windows = _windows(encoder)
    if not length or not windows:
        return encoder
    usual = next((window.get("length") for window in windows if window.get("stretches")), None)
    if not isinstance(usual, int):
        raise fixed_length(length)
    stretched = [{**window, "length": length} if window.get("stretches") else window for window in windows]
    tokens = encoder.get("tokens")
    return {**encoder, "windows": stretched, **({"tokens": tokens - usual + length} if isinstance(tokens, int) else {})}


def fixed_length(length: int) -> Refusal:
    """Return the refusal of a length where no text encoder can read more or fewer tokens than usual."""
    return Refusal(
        f"is {length}, but the model has no T5, which alone of text encoders can read more or fewer tokens than usual",
        at="length",
        allowed="0",
        cure="set it to 0, or give the model its T5",
    )


def _windows(encoder: Facts) -> list[Facts]:
    told = encoder.get("windows")
    return [window for window in told if isinstance(window, Mapping)] if isinstance(told, Sequence) else []


def _end(text: str, tokenizer: object, length: object) -> str:
    if not isinstance(tokenizer, str) or not isinstance(length, int):
        return ""
    if text.isascii() and len(text) + MARKS <= length:  # a token is a character at least; this spares the vocabulary
        return ""
    from graphgen_nodes.text.tokenizers import KINDS, load_tokenizer

    return load_tokenizer(tokenizer if tokenizer in KINDS else Path(tokenizer)).cut_off(text, length)
