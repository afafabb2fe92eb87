"""Prompt text in, token ids out: CLIP's byte-pair encoding and T5's unigram model.

Two vocabularies ship with the package, because single-file checkpoints hold none; any diffusers
folder's own ``tokenizer/`` is read as well. Only the ``tokenizers`` library is used, never torch
or transformers, so that a workflow can be checked and a prompt measured without them.

One difference from transformers is deliberate: where a folder pads with ``!`` (Stable
Diffusion 2), transformers also reads each ``!`` of a prompt as padding (id 0). Here a typed ``!``
is the word it was in training (id 256), as in OpenCLIP.
"""

from __future__ import annotations

import json
import lzma
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import NamedTuple, TypeGuard

from tokenizers import Regex, Tokenizer, decoders, normalizers, pre_tokenizers, processors
from tokenizers.models import BPE

__all__ = ["KINDS", "PromptTokenizer", "Token", "TokenizerError", "load_tokenizer"]

ASSETS = Path(__file__).parent.parent / "assets" / "tokenizers"

CLIP_BEGIN, CLIP_END = "<|startoftext|>", "<|endoftext|>"
CLIP_WORDS = r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
LONGEST = 1_000_000  # transformers writes 1e30 as model_max_length where there is no limit


class TokenizerError(ValueError):
    """Report a tokenizer that cannot be read, or a text or length that it cannot take."""


class Token(NamedTuple):
    """A token of a text: its id, the letters from `start` up to `end`, and which word it is of.

    `learned` is a word that is not in the vocabulary, and which of its vectors stands here.
    """

    id: int
    start: int
    end: int
    word: int | None
    learned: tuple[str, int] | None = None


@dataclass(frozen=True)
class PromptTokenizer:
    """Turn prompts into the token ids that a text encoder was trained on.

    ``begin`` is None where the vocabulary marks no beginning (T5). ``pad`` and ``length`` are
    what ``encode`` uses unless told otherwise.
    """

    name: str
    begin: int | None
    end: int
    pad: int
    length: int
    backend: Tokenizer = field(repr=False, compare=False)

    def encode(self, text: str, length: int | None = None, pad_id: int | None = None) -> list[int]:
        """Encode a prompt into exactly ``length`` ids: begin, words, end, padding.

        A prompt that is too long loses its last words, never its end token. ``length`` is at
        least 1, or 2 where there is a begin token. Raises TokenizerError.
        """
        length = self._checked_length(length)
        pad = self.pad if pad_id is None else pad_id
        ids = self._ids(text)
        if len(ids) > length:
            ids = [*ids[: length - 1], self.end]
        return ids + [pad] * (length - len(ids))

    def count(self, text: str) -> int:
        """Count a prompt's tokens before any is cut, begin and end tokens included."""
        return len(self._ids(text))

    def tokens(self, text: str) -> list[Token]:
        """Return a prompt's tokens without begin and end marks, and where in the text each stands."""
        encoding = self.backend.encode(_checked_text(text))
        found = zip(encoding.ids, encoding.offsets, encoding.word_ids, strict=True)
        marked = [Token(id_, start, end, word) for id_, (start, end), word in found]
        return marked[0 if self.begin is None else 1 : -1]

    def _ids(self, text: str) -> list[int]:
        ids: list[int] = self.backend.encode(_checked_text(text)).ids
        return ids

    def _checked_length(self, length: int | None) -> int:
        least = 1 if self.begin is None else 2
        length = self.length if length is None else length
        if length < least:
            raise TokenizerError(
                f"tokenizer {self.name!r}: length must be at least {least} (got {length}), "
                f"room for the special tokens; {self.length} is usual"
            )
        return length


@dataclass(frozen=True)
class _Kind:
    vocabulary: str
    pad_token: str
    length: int


_KINDS = {
    "clip": _Kind("clip", CLIP_END, 77),
    "openclip": _Kind("clip", "!", 77),
    "t5": _Kind("t5", "<pad>", 256),
}

KINDS = tuple(_KINDS)
"""The shipped tokenizers: ``clip`` pads with end-of-text (Stable Diffusion 1, CLIP-L), ``openclip``
with ``!``, id 0 (Stable Diffusion 2, CLIP-G), ``t5`` with id 0 (the T5-XXL of SD3 and Flux)."""


def load_tokenizer(kind_or_folder: str | Path) -> PromptTokenizer:
    """Load a shipped tokenizer by kind, or the one in a diffusers folder's ``tokenizer/``.

    A string that is one of KINDS is a kind; everything else is a folder, which holds
    ``tokenizer.json`` or ``vocab.json`` and ``merges.txt``; its padding and length are read from
    ``special_tokens_map.json`` and ``tokenizer_config.json``. Raises TokenizerError.
    """
    if isinstance(kind_or_folder, str) and kind_or_folder in _KINDS:
        return _shipped(kind_or_folder)
    return _from_folder(Path(kind_or_folder))


@cache
def _shipped(name: str) -> PromptTokenizer:
    kind = _KINDS[name]
    if kind.vocabulary == "clip":
        text = lzma.decompress((ASSETS / "clip" / "merges.txt.xz").read_bytes()).decode()
        merges = _merges(text)
        backend = _clip(_clip_vocabulary(merges), merges)
    else:
        packed = (ASSETS / "t5" / "tokenizer.json.xz").read_bytes()
        backend = Tokenizer.from_str(lzma.decompress(packed).decode())
    return _assembled(name, backend, backend.token_to_id(kind.pad_token), kind.length)


def _from_folder(folder: Path) -> PromptTokenizer:
    if (folder / "tokenizer.json").is_file():
        backend = _read_backend(folder / "tokenizer.json")
        # a saved tokenizer may cut and pad by itself; here only encode() does
        backend.no_truncation()
        backend.no_padding()
    elif (folder / "vocab.json").is_file() and (folder / "merges.txt").is_file():
        vocabulary = _read_vocabulary(folder / "vocab.json")
        backend = _clip(vocabulary, _merges((folder / "merges.txt").read_text(encoding="utf-8")))
    else:
        raise TokenizerError(_nothing_found(folder))
    config = _read_object(folder / "tokenizer_config.json")
    return _assembled(str(folder), backend, _pad(folder, config, backend), _length(config))


def _assembled(name: str, backend: Tokenizer, pad: int | None, length: int | None) -> PromptTokenizer:
    """Put a tokenizer together; what it adds to an empty text are its special tokens."""
    special: list[int] = backend.encode("").ids
    if not 1 <= len(special) <= 2:
        raise TokenizerError(
            f"{name}: encodes an empty text as {special}; allowed are an end token, or a begin "
            "and an end token: take the tokenizer that belongs to a CLIP or T5 text encoder"
        )
    begin = special[0] if len(special) == 2 else None
    if pad is None:  # as transformers does: T5 has a <pad>, CLIP repeats its end token
        found: int | None = backend.token_to_id("<pad>")
        pad = special[-1] if found is None else found
    usual = 256 if begin is None else 77
    return PromptTokenizer(name, begin, special[-1], pad, length or usual, backend)


def _pad(folder: Path, config: dict[str, object], backend: Tokenizer) -> int | None:
    """Find the padding id; as in transformers the older special_tokens_map.json comes first.

    Stable Diffusion 2 depends on it: its map says ``!`` and its config says end-of-text. Only
    configs written since ``added_tokens_decoder`` exists speak for themselves.
    """
    told = dict(config)
    if "added_tokens_decoder" not in config:
        told |= _read_object(folder / "special_tokens_map.json")
    token = told.get("pad_token")
    if isinstance(token, dict):
        token = token.get("content")
    if token is None:
        return None
    found: int | None = backend.token_to_id(token) if isinstance(token, str) else None
    if found is None:
        raise TokenizerError(
            f"{folder}: pad_token is {token!r}, which is not in the vocabulary; name one of its "
            "tokens in special_tokens_map.json or tokenizer_config.json"
        )
    return found


def _length(config: dict[str, object]) -> int | None:
    length = config.get("model_max_length")
    return length if isinstance(length, int) and 2 <= length < LONGEST else None


def _clip(vocabulary: dict[str, int], merges: list[tuple[str, str]]) -> Tokenizer:
    """Build CLIP's pipeline: NFC, one space, lower case, words, bytes, merges ending in ``</w>``.

    Source: Radford et al. 2021, "Learning Transferable Visual Models From Natural Language
    Supervision", and the tokenizer published with it.
    """
    backend = Tokenizer(BPE(vocab=vocabulary, merges=merges, end_of_word_suffix="</w>", unk_token=CLIP_END))
    backend.normalizer = normalizers.Sequence(
        [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()]
    )
    backend.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(CLIP_WORDS), behavior="removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    backend.decoder = decoders.ByteLevel()
    backend.post_processor = processors.RobertaProcessing(
        (CLIP_END, vocabulary[CLIP_END]),
        (CLIP_BEGIN, vocabulary[CLIP_BEGIN]),
        trim_offsets=False,
        add_prefix_space=False,
    )
    backend.add_special_tokens([CLIP_BEGIN, CLIP_END])
    return backend


def _clip_vocabulary(merges: list[tuple[str, str]]) -> dict[str, int]:
    """Number CLIP's tokens: 256 bytes, the same ending a word, each merge, begin and end."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    # bytes that print nothing stand as the letters from U+0100 on, so that merges are plain text
    letters = [chr(byte) for byte in printable]
    letters += [chr(0x100 + shift) for shift in range(256 - len(printable))]
    tokens = letters + [letter + "</w>" for letter in letters]
    tokens += [left + right for left, right in merges] + [CLIP_BEGIN, CLIP_END]
    return {token: number for number, token in enumerate(tokens)}


def _merges(text: str) -> list[tuple[str, str]]:
    pairs = []
    for line in text.split("\n"):
        if not line or line.startswith("#version"):
            continue
        left, _, right = line.partition(" ")
        pairs.append((left, right))
    return pairs


def _checked_text(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise TokenizerError(
            f"the text holds half a character (a lone surrogate) at position {error.start}: "
            f"{text[error.start]!r}; type that character again"
        ) from None
    return text


def _read_backend(file: Path) -> Tokenizer:
    try:
        return Tokenizer.from_str(file.read_text(encoding="utf-8"))
    except Exception as error:  # the library raises a bare Exception
        raise TokenizerError(f"{file}: cannot be read as a tokenizer: {error}") from error


def _read_vocabulary(file: Path) -> dict[str, int]:
    vocabulary = _read_object(file)
    if not _is_vocabulary(vocabulary):
        raise TokenizerError(
            f"{file}: must map tokens to whole numbers and hold {CLIP_BEGIN} and {CLIP_END}; "
            "vocab.json and merges.txt are read for CLIP only, others need tokenizer.json"
        )
    return vocabulary


def _is_vocabulary(found: dict[str, object]) -> TypeGuard[dict[str, int]]:
    numbers = all(type(number) is int for number in found.values())
    return numbers and CLIP_BEGIN in found and CLIP_END in found


def _read_object(file: Path) -> dict[str, object]:
    """Read a JSON object; a file that is not there is an empty one."""
    if not file.is_file():
        return {}
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise TokenizerError(f"{file}: is not JSON: {error}") from error
    if not isinstance(found, dict):
        raise TokenizerError(f"{file}: must be a JSON object (got {type(found).__name__})")
    return found


def _nothing_found(folder: Path) -> str:
    if (folder / "spiece.model").is_file():
        return (
            f"{folder}: has only spiece.model, which needs sentencepiece; use the T5 tokenizer "
            "that graphgen ships, load_tokenizer('t5'), which has the same vocabulary"
        )
    if not folder.is_dir():
        kinds = ", ".join(KINDS)
        return f"{folder}: no such folder, nor a kind of shipped tokenizer; those are {kinds}"
    return (
        f"{folder}: holds no tokenizer; allowed are tokenizer.json, or vocab.json and merges.txt: "
        "give the tokenizer/ of a diffusers folder, or one of the kinds " + ", ".join(KINDS)
    )
