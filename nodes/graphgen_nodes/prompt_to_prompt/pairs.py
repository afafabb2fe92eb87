"""What is known, before anything runs, of an edit that draws two images as a pair. Torch-free.

In: facts of a denoiser or guider with an edit (`edited`), and of what goes with it. Out: nothing, or a refusal.
"""

from __future__ import annotations

from collections.abc import Mapping

from graphgen import Facts, Refusal


def check_prompts(denoiser: Facts, positive: Facts) -> None:
    """Refuse other prompts than an edit's own: it shares attention between two images of one prompt each.

    Raises:
        Refusal: several prompts act at once, or there are more tokens than the edit knows.
    """
    edited = denoiser.get("edited")
    if not isinstance(edited, Mapping):
        return
    cure = "wire the conditioning of prompt_to_prompt.edit itself, and compose the negative prompt alone"
    allowed = "the two prompts of prompt_to_prompt.edit"
    if positive.get("several"):
        message = "is composed of several prompts that act at once, but the denoiser edits one prompt into another"
        raise Refusal(message, at="positive", allowed=allowed, cure=cure)
    wanted, tokens = edited.get("tokens"), positive.get("tokens")
    if wanted is not None and tokens is not None and wanted != tokens:
        message = f"has {tokens} tokens, of which the edit in the denoiser knows {wanted}"
        raise Refusal(message, at="positive", allowed=allowed, cure=cure)


def check_pair(guider: Facts, latent: Facts, sampler: Facts, batch_limit: object = 0) -> None:
    """Refuse to sample an edit otherwise than as two images that go through the network together.

    Raises:
        Refusal: the batch is not of two, they are parted, or a method is to keep to words that no edit watches.
    """
    edited, images = guider.get("edited"), latent.get("batch")
    if sampler.get("by_words") and "family" in guider and not (isinstance(edited, Mapping) and edited.get("watched")):
        raise Refusal(
            "keeps an edit to words, but no edit in the guider's denoiser names any",
            at="sampler",
            cure="guide by the denoiser of prompt_to_prompt.edit, and name words in its setting local",
        )
    if not isinstance(edited, Mapping):
        return
    if images is not None and images != 2:
        raise Refusal(
            f"is a batch of {images}, but the picture and its edit are drawn as a batch of 2",
            at="latent",
            allowed="a batch of 2",
            cure="set batch of latents.empty to 2, or put latents.repeat before",
        )
    if batch_limit == 1:
        message = "is 1, but the picture and its edit must go through the network together"
        raise Refusal(message, at="batch_limit", allowed="0, or 2 and more", cure="set it to 0 or 2")
