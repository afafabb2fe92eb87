"""Prompts to conditionings: tokens, the family's text encoders, and what they say.

In: a prompt. Out: a conditioning of the family's own class, on the CPU in float32.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from graphgen_nodes.conditionings import on_cpu, zeros_like
from graphgen_nodes.families.family import Family
from graphgen_nodes.sockets import Conditioning, EmptyPrompt
from graphgen_nodes.text.prompts import prompt_of_each
from graphgen_nodes.text.tokenizers import PromptTokenizer
from graphgen_nodes.text.windows import fixed_length, too_long


@dataclass(frozen=True)
class PromptEncoder:
    """A family's loaded text encoders with their tokenizers, by the parts they are."""

    family: Family
    encoders: Mapping[str, nn.Module]
    tokenizers: Mapping[str, PromptTokenizer]

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
        empty: EmptyPrompt = "encoded",
        length: int = 0,
    ) -> Conditioning:
        """Encode a prompt; `warn` is told what part of it is too long to be read.

        A prompt that is too long loses its last words, never its end token. `others` are prompts for the second and
        further encoders, where they are to read something else. `empty` is what becomes of no words at all, `length`
        how many tokens T5 reads (0: as usual).

        Raises:
            Refusal: there are more prompts than encoders, or a length and no T5.
        """
        lengths = self._lengths(length)
        texts = dict(zip(self.encoders, prompt_of_each((text, *others), len(self.encoders)), strict=True))
        ids = {part: self._ids(part, own, lengths[part]) for part, own in texts.items()}
        for end in dict.fromkeys(self.tokenizers[part].cut_off(own, lengths[part]) for part, own in texts.items()):
            if end:
                warn(too_long([end]))
        with torch.no_grad():
            found = self.family.encode(self.encoders, ids)
            silent = empty == "zeros" and not any(own.strip() for own in texts.values())
            return on_cpu(zeros_like(found) if silent else found)

    def _ids(self, part: str, text: str, length: int) -> Tensor:
        device = next(self.encoders[part].parameters()).device
        return torch.tensor([self.tokenizers[part].encode(text, length)], device=device)

    def _lengths(self, length: int) -> dict[str, int]:
        """Return how many tokens each encoder reads."""
        slots = [slot for slot in self.family.texts if slot.part in self.encoders]
        if length and not any(slot.stretches for slot in slots):
            raise fixed_length(length)
        return {slot.part: length if length and slot.stretches else slot.length for slot in slots}
