"""One run of `sampling.sample`: values from wires in, latents out, with progress, previews and cancelling."""

from __future__ import annotations

from collections.abc import Callable

from graphgen import Context, Preview
from graphgen_nodes.sampling.denoiser import NetworkDenoiser
from graphgen_nodes.sampling.driver import result, sample
from graphgen_nodes.sampling.guidance import guided
from graphgen_nodes.sampling.noise import NoiseSource
from graphgen_nodes.sampling.preview import preview_png
from graphgen_nodes.sampling.protocols import Network, State
from graphgen_nodes.sockets import Guider, Latent, LatentFormat, Noise, Sampler, Schedule


def run(
    context: Context,
    network: Network,
    guider: Guider,
    sampler: Sampler,
    schedule: Schedule,
    noise: Noise,
    latent: Latent,
    *,
    add_noise: bool = True,
    batch_limit: int = 0,
    preview: bool = True,
) -> tuple[Latent, Latent]:
    """Sample with a loaded network; return the latent where the schedule ends and the last clean prediction.

    Raises:
        ValueError: the latent or the schedule was made for another model.
        Cancelled: the run was cancelled; at most one step after it was.
    """
    handle = guider.denoiser
    if latent.format != handle.latent:
        raise ValueError(
            f"sampling.sample.latent: is in the format {latent.format}, but the denoiser works on {handle.latent}; "
            "make it with this model's own latents.empty or autoencoder"
        )
    if schedule.path != handle.path:
        raise ValueError(
            f"sampling.sample.schedule: is made for {schedule.path}, but the denoiser was trained on {handle.path}; "
            "make the schedule with this denoiser"
        )
    denoise = guided(NetworkDenoiser(network, handle, schedule, batch_limit=batch_limit), guider.guidance())
    source = NoiseSource(noise, latent.samples.shape, schedule.path, network.device)
    context.progress(0, len(schedule.steps))

    def report(state: State, done: int, total: int) -> None:
        context.progress(done, total, preview=_preview(state, latent.format) if preview else None)

    begin = latent.samples.float().to(network.device)
    end = sample(denoise, sampler, schedule, source, begin, add_noise=add_noise, on_step=report)
    samples, denoised = result(schedule, end)
    return Latent(samples.cpu(), latent.format), Latent(denoised.cpu(), latent.format)


def _preview(state: State, latent_format: LatentFormat) -> Callable[[], Preview]:
    return lambda: Preview(preview_png(state.history[-1].denoised, latent_format))
