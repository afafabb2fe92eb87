"""What is known of handles, latents and guiders while a workflow is checked: the vocabulary of `infer`.

`family` is a model family's name, `format` a LatentFormat's fields, `batch` a number of images, `height` and `width`
are in latent cells, `steps` counts a schedule's steps. Whatever is not known is left out.
"""

from __future__ import annotations

from dataclasses import asdict

from graphgen import Facts, Refusal
from graphgen_nodes.sockets import Denoiser, LatentFormat


def denoiser_facts(handle: Denoiser) -> Facts:
    """Return what is known of a denoiser once its handle is."""
    return {"family": handle.family, "format": format_facts(handle.latent), "path": type(handle.path).__name__}


def format_facts(latent_format: LatentFormat) -> Facts:
    """Return a latent format as facts."""
    return asdict(latent_format)


def check_same_family(facts: Facts, others: Facts, *, at: str, what: str) -> None:
    """Refuse two values made for different model families, where both are known.

    Raises:
        Refusal: they differ.
    """
    family, other = facts.get("family"), others.get("family")
    if family is not None and other is not None and family != other:
        raise Refusal(
            f"is made for {other}, but {what} is {family}",
            at=at,
            cure=f"take it from the same model as {what}",
        )


def check_same_format(wanted: Facts, given: Facts, *, at: str) -> None:
    """Refuse a latent in another format than the denoiser's, where both are known.

    Raises:
        Refusal: they differ.
    """
    mine, other = wanted.get("format"), given.get("format")
    if isinstance(mine, dict) and isinstance(other, dict) and mine != other:
        raise Refusal(
            f"is a latent {_words(other)}, but the denoiser works on {_words(mine)}",
            at=at,
            cure="make the latent with this model's own latents.empty or autoencoder",
        )


def _words(latent_format: Facts) -> str:
    return (
        f"of family {latent_format.get('family')} with {latent_format.get('channels')} channels "
        f"(scale {latent_format.get('scale')}, shift {latent_format.get('shift')})"
    )
