"""One run of `sampling.sample`: values from wires in, latents out, with progress, previews, cancelling and going on."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from functools import partial
from typing import cast

import torch
from torch import Tensor

from graphgen import Context
from graphgen_nodes.sampling.denoiser import NetworkDenoiser
from graphgen_nodes.sampling.driver import OnStep, result, sample
from graphgen_nodes.sampling.guidance import guided, together
from graphgen_nodes.sampling.noise import NoiseSource
from graphgen_nodes.sampling.phases import Phase, Sampling, phases_of, unchanged
from graphgen_nodes.sampling.preview import Previewer
from graphgen_nodes.sampling.protocols import Guided, Network, State
from graphgen_nodes.sampling.resuming import KeptStates, begin_of, due_steps, step_keys
from graphgen_nodes.sockets import Denoiser, Guider, Latent
from graphgen_nodes.thrift import BLOCKS, Way, in_less_memory


def run(
    context: Context, guider: Guider, what: Sampling, previewer: Previewer | None = None, *, keep_every: int = 0
) -> tuple[Latent, Latent]:
    """Sample, from the furthest kept state on; return the latent where the schedule ends and the last prediction.

    Raises:
        ValueError: the latent or the schedule was made for another model.
        Cancelled: the run was cancelled; at most one step after it was.
    """
    schedule, phases = what.schedule, phases_of(guider, what.schedule)
    for phase in phases:
        check(phase.guider, what)
    kept = _kept_states(context, phases, what, keep_every)
    last = kept.furthest() if kept else None
    context.progress(last.step - schedule.start if last else 0, len(schedule.steps))

    def report(state: State, *_: int) -> None:
        nonlocal last
        last = state
        if kept:
            kept.passed(state)
        show = partial(previewer.show, state.history[-1].denoised) if previewer else None
        context.progress(state.step - schedule.start, len(schedule.steps), preview=show)

    limited = what.batch_limit

    def go(limit: int = what.batch_limit, room: int | None = None) -> State:
        nonlocal kept, last, limited
        how = replace(what, batch_limit=limit)
        if limit != limited:  # from here on states differ in the last bits from those that were asked for
            if kept:
                kept.rescue()
            limited, kept = limit, None if last else _kept_states(context, phases, how, keep_every)
            last = kept.furthest() if kept else last
        left = [phase for phase in phases if not last or phase.stop > last.step]
        return _go_through(context, left, how, last, report, room)

    try:
        end = in_less_memory(context, ("", go), *_thrifty_ways(what, go))
    except BaseException:  # cancelled, out of memory, or the network's own mistake: what is done is done
        if kept:
            kept.rescue()
        raise
    samples, denoised = result(schedule, end)
    return Latent(samples.cpu(), what.latent.format), Latent(denoised.cpu(), what.latent.format)


def _thrifty_ways(what: Sampling, go: Callable[[int, int | None], State]) -> list[Way[State]]:
    """Return how to go on from the last step where memory runs out: with smaller calls, then block by block too."""
    one = "with one image in a call"
    if what.batch_limit == 1:
        return [(BLOCKS, partial(go, 1, 0))]
    return [(one, partial(go, 1, None)), (f"{one}, {BLOCKS}", partial(go, 1, 0))]


def check(guider: Guider, what: Sampling) -> None:
    """Refuse a latent or a schedule that was made for another model than those a guider asks.

    Raises:
        ValueError: says which, and what to make it with.
    """
    for handle in guider.denoisers:
        _check(handle, what)


def _check(handle: Denoiser, what: Sampling) -> None:
    if what.latent.format != handle.latent:
        raise ValueError(
            f"sampling.sample.latent: is in the format {what.latent.format}, but the denoiser works on "
            f"{handle.latent}; make it with this model's own latents.empty or autoencoder"
        )
    if what.schedule.path != handle.path:
        raise ValueError(
            f"sampling.sample.schedule: is made for {what.schedule.path}, but the denoiser was trained on "
            f"{handle.path}; make the schedule with this denoiser"
        )


def _kept_states(context: Context, phases: Sequence[Phase], what: Sampling, every: int) -> KeptStates | None:
    if not every or not context.remembers:
        return None
    keys = step_keys(context.digest, begin_of(what), what.schedule, phases)
    return KeptStates(context, what.schedule, keys, due_steps(what.schedule, phases, every))


def _go_through(
    context: Context, phases: Sequence[Phase], what: Sampling, state: State | None, report: OnStep, room: int | None
) -> State:
    """Take the steps left, from a state or from the beginning; return the last state."""
    source: NoiseSource | None = None
    with closing(networks_of(context, phases, room)) as networks:
        for phase, leased in networks:
            device = leased[0].device
            source = source or NoiseSource(what.noise, what.latent.samples.shape, what.schedule.path, device)
            state = sample(
                denoise_of(phase, leased, what),
                what.sampler,
                replace(what.schedule, stop=phase.stop),
                source,
                what.latent.samples.float().to(device),
                add_noise=what.add_noise,
                state=state and _moved(state, device),
                on_step=report,
            )
    assert state is not None  # noqa: S101 - a schedule has a step, and what is found comes after one
    return state


def denoise_of(phase: Phase, leased: Sequence[Network], what: Sampling) -> Guided:
    """Return the guided denoiser of a phase, by the networks of its guider's denoisers."""
    denoisers = [
        NetworkDenoiser(network, handle, what.schedule, batch_limit=what.batch_limit)
        for network, handle in zip(leased, phase.guider.denoisers, strict=True)
    ]
    return guided(together(denoisers), phase.guider.guidance())


def networks_of(
    context: Context, phases: Sequence[Phase], room: int | None = None
) -> Generator[tuple[Phase, tuple[Network, ...]]]:
    """Yield each phase with the networks of its denoisers, which are leased again only where they change."""
    with ExitStack() as stack:
        handles: tuple[Denoiser, ...] = ()
        networks: tuple[Network, ...] = ()
        for phase in phases:
            if not networks or not unchanged(handles, phase.guider.denoisers):
                stack.close()
                handles = phase.guider.denoisers
                leases = (context.resource(handle, room=room) for handle in handles)
                networks = tuple(cast(Network, stack.enter_context(lease)) for lease in leases)
            yield phase, networks


def _moved(state: State, device: torch.device) -> State:
    """Return a state on a device, in memory of torch's own: how memory is aligned may show in the last bit."""

    def moved(tensor: Tensor) -> Tensor:
        return tensor.to(device, copy=True)

    history = tuple(
        replace(
            seen,
            x=moved(seen.x),
            denoised=moved(seen.denoised),
            variance=None if seen.variance is None else moved(seen.variance),
        )
        for seen in state.history
    )
    memory = None if state.memory is None else moved(state.memory)
    return replace(state, x=moved(state.x), history=history, memory=memory)
