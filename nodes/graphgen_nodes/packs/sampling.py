"""Sampling: from noise to a latent, for every model and method."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated, NamedTuple

from pydantic import Field

from graphgen import Context, Facts, Known, Refusal, hookimpl, node
from graphgen_nodes.beside import check_kept_picture
from graphgen_nodes.facts import check_run, count_of
from graphgen_nodes.guider_facts import switched_facts
from graphgen_nodes.halves import check_half
from graphgen_nodes.prompt_to_prompt.pairs import check_pair
from graphgen_nodes.sampling.guiders import SwitchedGuidance
from graphgen_nodes.sampling.phases import Sampling
from graphgen_nodes.silences import check_spoken
from graphgen_nodes.sockets import Autoencoder, Guider, Latent, Noise, Sampler, Schedule

if TYPE_CHECKING:
    from graphgen_nodes.sampling.preview import Previewer

PREVIEWING = ("preview", "previewer")
"""What only those who watch see a difference by."""


class Sampled(NamedTuple):
    """What sampling gives."""

    latent: Annotated[Latent, Field(description="The latent where the schedule ends.")]
    denoised: Annotated[Latent, Field(description="The clean latent as last predicted; the same at the very end.")]


def _sampled(known: Known) -> dict[str, Facts]:
    guider, sampler, schedule, latent = (
        known.inputs.get(name, {}) for name in ("guider", "sampler", "schedule", "latent")
    )
    check_pair(guider, latent, sampler, known.settings.get("batch_limit"))
    check_run(guider, sampler, schedule, latent)
    check_spoken(guider, schedule)
    check_kept_picture(sampler, latent)
    _check_previewer(known.inputs.get("previewer", {}), latent)
    return {"latent": latent, "denoised": latent}


def _forked(known: Known) -> dict[str, Facts]:
    guider, then, sampler, schedule, latent = (
        known.inputs.get(name, {}) for name in ("guider", "then", "sampler", "schedule", "latent")
    )
    step, steps = count_of(known.settings, "step"), count_of(schedule, "steps")
    start, length = count_of(schedule, "start"), count_of(schedule, "length")
    share = None if step is None or start is None or length is None else (start + step) / length
    forked = switched_facts(guider, then, share)
    check_pair(forked, latent, sampler, known.settings.get("batch_limit"))
    check_run(forked, sampler, schedule, latent)
    check_kept_picture(sampler, latent)
    _check_previewer(known.inputs.get("previewer", {}), latent)
    if step is not None and steps is not None:
        _check_step(step, steps)
    check_spoken(forked, schedule)
    return {"latent": latent, "denoised": latent}


def _inverted(known: Known) -> dict[str, Facts]:
    guider, schedule, latent = (known.inputs.get(name, {}) for name in ("guider", "schedule", "latent"))
    check_pair(guider, latent, {}, known.settings.get("batch_limit"))
    check_run(guider, {}, schedule, latent)
    check_spoken(guider, schedule)
    return {"latent": latent}


def _check_previewer(previewer: Facts, latent: Facts) -> None:
    mine, other = previewer.get("format"), latent.get("format")
    if isinstance(mine, Mapping) and isinstance(other, Mapping) and mine != other:
        told = [f"{found.get('channels')} channels of family {found.get('family')}" for found in (mine, other)]
        raise Refusal(
            f"decodes latents of {told[0]}, but what is sampled has {told[1]}",
            at="previewer",
            cure="wire the model's autoencoder, or a tiny one by models.load_autoencoder with the model's `family`",
        )
    check_half(previewer.get("halves"), "decoder", at="previewer")


def _previewer(context: Context, latent: Latent, autoencoder: Autoencoder | None) -> Previewer:
    from graphgen_nodes.imaging.autoencoder import check_format
    from graphgen_nodes.sampling.preview import Previewer

    if autoencoder is not None:
        check_format(latent.format, autoencoder.latent)
        check_half(autoencoder.halves, "decoder", at="previewer")
    return Previewer(context, latent.format, autoencoder)


def _check_step(step: int, steps: int) -> None:
    if step >= steps:
        raise Refusal(
            f"is {step}, but the schedule has {steps} steps, so that none is left to go on with",
            at="step",
            allowed=f"0 to {steps - 1}",
            cure="fork earlier, or take more steps",
        )


Guiding = Annotated[Guider, Field(description="The model and the prompts.")]
Method = Annotated[Sampler, Field(description="The method.")]
Levels = Annotated[Schedule, Field(description="The noise levels to visit; a slice for image-to-image.")]
Randomness = Annotated[Noise, Field(description="The seed.")]
Beginning = Annotated[Latent, Field(description="Where to begin: an empty latent, or a picture's.")]
AddNoise = Annotated[
    bool,
    Field(description="Noise the latent first; off when it comes, still noisy, from the slice of steps before."),
]
BatchLimit = Annotated[
    int, Field(ge=0, le=4096, description="Most images, all prompts counted, in one network call; 0: no limit.")
]
Shower = Annotated[
    Autoencoder | None,
    Field(description="What makes the previews, best a tiny one; without it they are rough, one linear map."),
]
Previews = Annotated[bool, Field(description="Show the picture while it forms.")]
KeepEvery = Annotated[
    int,
    Field(ge=0, le=1000, description="Keep the state every so many steps, to go on from when it stops; 0: never."),
]


@node(category="sampling", device="gpu", infer=_sampled, keyless=PREVIEWING, aliases=("KSampler", "Denoise latents"))
def sample(
    context: Context,
    guider: Guiding,
    sampler: Method,
    schedule: Levels,
    noise: Randomness,
    latent: Beginning,
    previewer: Shower = None,
    *,
    add_noise: AddNoise = True,
    batch_limit: BatchLimit = 0,
    preview: Previews = True,
    keep_every: KeepEvery = 5,
) -> Sampled:
    """Denoise a latent along a noise schedule.

    A full schedule turns noise into a picture; a slice begins with the latent noised to the slice's first level. The
    same seed, schedule and method give the same latent, whatever the device (to rounding) and batch. A run that was
    stopped, or differs from another in its last steps alone, goes on from the last state that is kept.
    """
    from graphgen_nodes.sampling.run import run

    what = Sampling(sampler, schedule, noise, latent, add_noise, batch_limit)
    shown = _previewer(context, latent, previewer) if preview else None
    return Sampled(*run(context, guider, what, shown, keep_every=keep_every))


@node(category="sampling", title="Sample with a fork", device="gpu", infer=_forked, keyless=PREVIEWING)
def fork(
    context: Context,
    guider: Annotated[Guider, Field(description="The model and the prompts of the first steps.")],
    then: Annotated[Guider, Field(description="Those to go on with.")],
    sampler: Method,
    schedule: Levels,
    noise: Randomness,
    latent: Beginning,
    previewer: Shower = None,
    *,
    step: Annotated[int, Field(ge=0, le=1000, description="After how many steps to go on with `then`.")] = 10,
    add_noise: AddNoise = True,
    batch_limit: BatchLimit = 0,
    preview: Previews = True,
    keep_every: KeepEvery = 5,
) -> Sampled:
    """Sample, but go on with another prompt, guidance or model after some steps.

    Wire it like the `sampling.sample` it is a fork of: the steps the two share are computed once, by whichever runs
    first. The state at the fork is kept, whatever `keep_every` says, unless it is 0.
    """
    from graphgen_nodes.sampling.run import run

    _check_step(step, len(schedule.steps))
    forked = SwitchedGuidance(guider.denoiser, guider, then, (schedule.start + step) / len(schedule.timesteps))
    what = Sampling(sampler, schedule, noise, latent, add_noise, batch_limit)
    shown = _previewer(context, latent, previewer) if preview else None
    return Sampled(*run(context, forked, what, shown, keep_every=keep_every))


@node(
    category="sampling", title="Invert sampling", device="gpu", infer=_inverted, aliases=("Unsampler", "DDIM inversion")
)
def invert(
    context: Context,
    guider: Annotated[Guider, Field(description="The model, and the prompt that says what the picture shows.")],
    schedule: Annotated[Schedule, Field(description="The noise levels to go back through, last to first.")],
    latent: Annotated[Latent, Field(description="A picture's latent.")],
    *,
    looks: Annotated[
        int, Field(ge=1, le=50, description="Looks at the network a step: 1 is DDIM inversion, more are more exact.")
    ] = 5,
    batch_limit: BatchLimit = 0,
) -> Latent:
    """Find the noise that a picture would be drawn from, by the steps of DDIM and Euler taken backwards.

    Sample from it with `add_noise` off, the same schedule and samplers.euler or samplers.ddim to come back. Guide it as
    that sampling will be, best by guiders.none: with a guidance scale steps are hard to take back.
    """
    from graphgen_nodes.sampling.inverting import invert

    return invert(context, guider, schedule, latent, looks=looks, batch_limit=batch_limit)


@hookimpl
def register_nodes() -> list[Callable[..., object]]:
    """Contribute sampling."""
    return [sample, fork, invert]
