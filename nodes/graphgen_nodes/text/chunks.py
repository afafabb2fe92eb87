"""A prompt cut into what a text encoder reads at a time. Torch-free.

In: a prompt and a tokenizer. Out: `Chunk`s of ids and weights, each with its begin and end mark, and what does not fit.
CLIP reads 75 tokens at a time; a longer prompt is read in several chunks that know nothing of each other.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from graphgen_nodes.text.syntax import Prompt, Span

if TYPE_CHECKING:
    from graphgen_nodes.text.tokenizers import PromptTokenizer, Token

MOST_CHUNKS = 32
"""How many chunks are read where no number is asked for."""

LONGEST_WORD = 8
"""A word of up to so many tokens is not parted between two chunks."""


NO_WORDS: Mapping[str, int] = MappingProxyType({})

PLACEHOLDER = 0
"""The id that stands where a vector of a learned word goes: any but those of marks."""


@dataclass(frozen=True)
class Chunk:
    """Token ids as an encoder wants them, of its full length, and how strongly each is meant.

    `learned` are the places where a vector of a learned word stands instead: the place, the word, which vector.
    """

    ids: tuple[int, ...]
    weights: tuple[float, ...]
    learned: tuple[tuple[int, str, int], ...] = ()

    @property
    def weighed(self) -> bool:
        """Tell whether any weight is not 1."""
        return any(weight != 1 for weight in self.weights)


class Chunked(NamedTuple):
    """What is read of a prompt, at least one chunk, and the end of it that is not."""

    chunks: list[Chunk]
    unread: str


class _Weighed(NamedTuple):
    token: Token
    weight: float


def chunked(
    tokenizer: PromptTokenizer,
    prompt: Prompt,
    length: int,
    most: int = MOST_CHUNKS,
    words: Mapping[str, int] = NO_WORDS,
) -> Chunked:
    """Cut a prompt into chunks of `length` tokens, marks included; a section begins a new one.

    Words stay whole where they can. The last of `most` chunks is filled up, in the middle of a word if need be.
    `words` are learned ones, and how many vectors each has here.

    Raises:
        TokenizerError: the text holds half a character, or the length leaves no room.
    """
    room = length - (1 if tokenizer.begin is None else 2)
    read: list[Sequence[_Weighed]] = []
    for number, (section, text) in enumerate(zip(prompt.sections, prompt.texts, strict=True)):
        if len(read) == most:
            return Chunked(_closed(tokenizer, read, length), _end(prompt, number, 0))
        tokens = _weighed(tokenizer, section, text, words)
        fitting, rest = _cut(tokens, room, most - len(read))
        read += fitting
        if rest is not None:
            return Chunked(_closed(tokenizer, read, length), _end(prompt, number, rest))
    return Chunked(_closed(tokenizer, read, length), "")


def empty(tokenizer: PromptTokenizer, length: int) -> Chunk:
    """Return the chunk of no words."""
    return _closed(tokenizer, [()], length)[0]


def mentioned(text: str, words: Iterable[str]) -> Iterator[re.Match[str]]:
    """Yield where a text has learned words, also as `embedding:word`; the longest of several counts."""
    names = "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))
    return re.finditer(rf"(?<!\w)(?:embedding:)?({names})(?!\w)", text) if names else iter(())


def _weighed(
    tokenizer: PromptTokenizer, section: Sequence[Span], text: str, words: Mapping[str, int]
) -> list[_Weighed]:
    """Return a section's tokens; each weighs what its last letter does."""
    weights = [span.weight for span in section for _ in span.text]
    return [_Weighed(token, weights[max(token.start, token.end - 1)]) for token in _tokens(tokenizer, text, words)]


def _tokens(tokenizer: PromptTokenizer, text: str, words: Mapping[str, int]) -> Iterator[Token]:
    from graphgen_nodes.text.tokenizers import Token

    place, count = 0, 0
    for found in mentioned(text, words):
        for token in tokenizer.tokens(text[place : found.start()]):
            yield _moved(token, place, count)
        count += len(text)
        for number in range(words[found[1]]):
            yield Token(PLACEHOLDER, found.start(), found.end(), count, (found[1], number))
        place, count = found.end(), count + 1
    for token in tokenizer.tokens(text[place:]):
        yield _moved(token, place, count)


def _moved(token: Token, place: int, words: int) -> Token:
    """Return a token of a text that begins at a place, after so many words, of another one."""
    return token._replace(start=token.start + place, end=token.end + place, word=(token.word or 0) + words)


def _cut(tokens: list[_Weighed], room: int, most: int) -> tuple[list[list[_Weighed]], int | None]:
    """Fill at most so many chunks; return them, and where in the text the first token begins that has no place."""
    chunks: list[list[_Weighed]] = [[]]
    for _, group in groupby(tokens, key=lambda item: item.token.word):
        word = list(group)
        if len(chunks) < most and len(chunks[-1]) + len(word) > room and len(word) <= LONGEST_WORD:
            chunks.append([])
        for item in word:
            if len(chunks[-1]) == room:
                if len(chunks) == most:
                    return chunks, item.token.start
                chunks.append([])
            chunks[-1].append(item)
    return chunks, None


def _end(prompt: Prompt, section: int, start: int) -> str:
    first, *others = prompt.texts[section:]
    return " ".join([first[start:], *others]).strip()


def _closed(tokenizer: PromptTokenizer, read: Sequence[Sequence[_Weighed]], length: int) -> list[Chunk]:
    begin = () if tokenizer.begin is None else (tokenizer.begin,)
    chunks = []
    for tokens in read:
        ids = (*begin, *(item.token.id for item in tokens), tokenizer.end)
        weights = (*(1.0 for _ in begin), *(item.weight for item in tokens))
        marked = enumerate((item.token for item in tokens), len(begin))
        learned = tuple((place, *token.learned) for place, token in marked if token.learned)
        ids, weights = (*ids, *[tokenizer.pad] * (length - len(ids))), (*weights, *[1.0] * (length - len(weights)))
        chunks.append(Chunk(ids, weights, learned))
    return chunks
