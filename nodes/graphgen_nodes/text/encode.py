"""Prompts to conditionings: tokens, the family's text encoders, and what they say.

In: a prompt. Out: a conditioning of the family's own class, on the CPU in float32.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor, nn

from graphgen_nodes.conditionings import on_cpu, tensors_of, with_tensors, zeros_like
from graphgen_nodes.families.family import Family, Slot
from graphgen_nodes.sockets import Conditioning
from graphgen_nodes.text.chunks import Chunk, empty
from graphgen_nodes.text.options import AS_TYPED, USUAL, ReadingOptions
from graphgen_nodes.text.prompts import prompt_of_each
from graphgen_nodes.text.reading import Reading, read
from graphgen_nodes.text.tokenizers import PromptTokenizer
from graphgen_nodes.text.windows import Window, check_options, seen, too_long, written


@dataclass(frozen=True)
class PromptEncoder:
    """A family's loaded text encoders with their tokenizers, by the parts they are.

    `words` are those that were learned, each with its vectors `[vectors, width]` by the parts that know it.
    """

    family: Family
    encoders: Mapping[str, nn.Module]
    tokenizers: Mapping[str, PromptTokenizer]
    words: Mapping[str, Mapping[str, Tensor]] = field(default_factory=dict)

    @property
    def networks(self) -> Mapping[str, nn.Module]:
        """Return the encoders (`graphgen_nodes.patching.Patchable`)."""
        return self.encoders

    def with_networks(self, networks: Mapping[str, nn.Module]) -> PromptEncoder:
        """Return the same with other encoders."""
        return replace(self, encoders=networks)

    def encode(
        self,
        text: str,
        warn: Callable[[str], None],
        *,
        others: Sequence[str] = (),
        options: ReadingOptions = USUAL,
    ) -> Conditioning:
        """Encode a prompt; `warn` is told what part of it is too long to be read, and what was perhaps not meant.

        `others` are prompts for the second and further encoders, where they are to read something else.

        Raises:
            Refusal: there are more prompts than encoders, or an option that no encoder has.
        """
        windows = self._windows()
        check_options(windows, options)
        texts = prompt_of_each((text, *others), len(self.encoders))
        prompts = [written(own, options) for own in texts]
        found = [seen(prompt, window, options) for prompt, window in zip(prompts, windows, strict=True)]
        unread = dict.fromkeys(end for own in found for end in [own.unread] if end)
        for note in dict.fromkeys([note for prompt in prompts for note in prompt.notes]):
            warn(note)
        for end in unread:
            warn(too_long([end]))
        chunks = dict(zip(self.encoders, (own.chunks for own in found), strict=True))
        with torch.no_grad():
            said = self.family.conditioning(self._read(chunks, options))
            silent = options.empty == "zeros" and not any(own.strip() for prompt in prompts for own in prompt.texts)
            return on_cpu(zeros_like(said) if silent else said)

    def encode_all(self, texts: Sequence[str], warn: Callable[[str], None]) -> Conditioning:
        """Encode prompts into one conditioning, for a batch with an image of each; signs are read as typed."""
        found = [self.encode(text, warn, options=AS_TYPED) for text in texts]
        tensors = [tensors_of(one) for one in found]
        return with_tensors(found[0], {name: torch.cat([one[name] for one in tensors]) for name in tensors[0]})

    def _read(self, chunks: Mapping[str, Sequence[Chunk]], options: ReadingOptions) -> dict[str, Reading]:
        """Let each encoder read its chunks; encoders side by side read equally many, some of them empty."""
        slots = {slot.part: slot for slot in self.family.texts}
        most = max([options.chunks, *(len(own) for part, own in chunks.items() if slots[part].chunks)])
        found = {}
        for part, own in chunks.items():
            slot, nothing = slots[part], empty(self.tokenizers[part], len(own[0].ids))
            padded = [*own, *[nothing] * (most - len(own))] if slot.chunks else own
            skip = options.skip if slot.chunks else 0
            words = {word: vectors[part] for word, vectors in self.words.items() if part in vectors}
            found[part] = read(
                self.encoders[part], slot, padded, nothing, weighting=options.weighting, skip=skip, words=words
            )
        return found

    def _windows(self) -> list[Window]:
        slots = {slot.part: slot for slot in self.family.texts}
        return [self._window(slots[part]) for part in self.encoders]

    def _window(self, slot: Slot) -> Window:
        layers = getattr(self.encoders[slot.part].config, "num_hidden_layers", 0)
        words = {word: len(vectors.get(slot.part, ())) for word, vectors in self.words.items()}
        return Window(self.tokenizers[slot.part], slot.length, slot.stretches, slot.chunks, layers, words=words)
