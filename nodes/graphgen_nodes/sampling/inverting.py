"""Sampling backwards: from a clean latent to the noise that it would be drawn from.

In: a guider, a schedule and a latent. Out: the latent at the schedule's first level. DDIM's step and Euler's are the
same ODE step on every path here, so what goes back this way comes forth by either.
"""

from __future__ import annotations

from contextlib import closing

from torch import Tensor

from graphgen import Context
from graphgen_nodes.sampling.options import Euler
from graphgen_nodes.sampling.paths import Path
from graphgen_nodes.sampling.phases import Sampling, phases_of
from graphgen_nodes.sampling.protocols import Denoise
from graphgen_nodes.sampling.run import check, denoise_of, networks_of
from graphgen_nodes.sampling.samplers.algorithm import evaluate, slope
from graphgen_nodes.sockets import Guider, Latent, Noise, Schedule


def invert(
    context: Context, guider: Guider, schedule: Schedule, latent: Latent, *, looks: int, batch_limit: int = 0
) -> Latent:
    """Return the latent at the level of the schedule's first step, in the network's coordinates.

    Raises:
        ValueError: the latent or the schedule was made for another model.
        Cancelled: the run was cancelled.
    """
    what = Sampling(Euler(), schedule, Noise(0), latent, batch_limit=batch_limit)
    phases = phases_of(guider, schedule)
    for phase in phases:
        check(phase.guider, what)
    path, x = schedule.path, latent.samples.float() / schedule.path.input_scale(schedule.sigmas[schedule.steps.stop])
    with closing(networks_of(context, phases[::-1])) as networks:
        for phase, leased in networks:
            denoise, x = denoise_of(phase, leased, what), x.to(leased[0].device)
            for i in reversed(range(phase.start, phase.stop)):
                x = unstep(path, denoise, x, schedule.sigmas[i], schedule.sigmas[i + 1], looks)
                context.progress(schedule.steps.stop - i, len(schedule.steps))
    return Latent((x * path.input_scale(schedule.sigmas[schedule.start])).cpu(), latent.format)


def unstep(path: Path, denoise: Denoise, x: Tensor, s: float, t: float, looks: int) -> Tensor:
    """Return x at noise level s from which Euler's step to the lower level t leads to `x`.

    That is the fixed point of `x_s = x + (s - t) * slope(x_s)` (Pan et al. 2023, AIDI). One look is DDIM inversion
    (Song et al. 2021, section 4.3), which takes the slope at s of what x is at t; more come nearer. Guidance that
    remembers is asked as at a first step, and what CFG++ adds to x is taken off.
    """
    found = x
    for _ in range(looks):
        now = evaluate(path, denoise, found, s)
        found = x + (s - t) * slope(path, now) - (now.x - found)
    return found
