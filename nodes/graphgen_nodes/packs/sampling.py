"""Sampling: from noise to a latent, for every model and method."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, NamedTuple, cast

from pydantic import Field

from graphgen import Context, Facts, Known, hookimpl, node
from graphgen_nodes.facts import check_run
from graphgen_nodes.sockets import Guider, Latent, Noise, Sampler, Schedule


class Sampled(NamedTuple):
    """What sampling gives."""

    latent: Annotated[Latent, Field(description="The latent where the schedule ends.")]
    denoised: Annotated[Latent, Field(description="The clean latent as last predicted; the same at the very end.")]


def _sampled(known: Known) -> dict[str, Facts]:
    guider, sampler, schedule, latent = (
        known.inputs.get(name, {}) for name in ("guider", "sampler", "schedule", "latent")
    )
    check_run(guider, sampler, schedule, latent)
    return {"latent": latent, "denoised": latent}


@node(category="sampling", device="gpu", infer=_sampled)
def sample(
    context: Context,
    guider: Annotated[Guider, Field(description="The model and the prompts.")],
    sampler: Annotated[Sampler, Field(description="The method.")],
    schedule: Annotated[Schedule, Field(description="The noise levels to visit; a slice for image-to-image.")],
    noise: Annotated[Noise, Field(description="The seed.")],
    latent: Annotated[Latent, Field(description="Where to begin: an empty latent, or a picture's.")],
    *,
    add_noise: Annotated[
        bool,
        Field(description="Noise the latent first; off when it comes, still noisy, from the slice of steps before."),
    ] = True,
    batch_limit: Annotated[
        int, Field(ge=0, le=4096, description="Most images, all prompts counted, in one network call; 0: no limit.")
    ] = 0,
    preview: Annotated[bool, Field(description="Show the picture while it forms.")] = True,
) -> Sampled:
    """Denoise a latent along a noise schedule.

    A full schedule turns noise into a picture; a slice begins with the latent noised to the slice's first level. The
    same seed, schedule and method give the same latent, whatever the device (to rounding) and batch.
    """
    from graphgen_nodes.sampling.protocols import Network
    from graphgen_nodes.sampling.run import run

    with context.resource(guider.denoiser) as network:
        found = run(
            context,
            cast(Network, network),
            guider,
            sampler,
            schedule,
            noise,
            latent,
            add_noise=add_noise,
            batch_limit=batch_limit,
            preview=preview,
        )
    return Sampled(*found)


@hookimpl
def register_nodes() -> list[Callable[..., object]]:
    """Contribute sampling."""
    return [sample]
