"""Which prompt goes to which text encoder of a model that has several. Torch-free.

A workflow's check and the encoder itself refuse the same in the same words.
"""

from __future__ import annotations

from collections.abc import Sequence

from graphgen import Refusal


def prompt_of_each(prompts: Sequence[str], encoders: int) -> tuple[str, ...]:
    """Return the prompt for each of so many text encoders: its own, or the first where its own is empty.

    Raises:
        Refusal: there is a prompt for an encoder that the model does not have; at the setting `text_2` or `text_3`.
    """
    for number, prompt in enumerate(prompts[encoders:], encoders + 1):
        if prompt:
            raise Refusal(
                f"is a prompt for text encoder {number}, and the model has {encoders}",
                at=f"text_{number}",
                cure="leave it empty",
            )
    own = [*prompts, *[""] * encoders][:encoders]
    return tuple(prompt or prompts[0] for prompt in own)
