"""What a run is made of: what all its steps share, and phases, which are the steps that one guider guides alike.

In: a guider and a schedule. Out: `Phase`s, each with the guider as it is there. Torch-free.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, is_dataclass

from graphgen_nodes.sockets import Guider, Latent, Noise, Sampler, Schedule


@dataclass(frozen=True)
class Sampling:
    """What all steps of a run share: the inputs and settings of `sampling.sample` but for what guides."""

    sampler: Sampler
    schedule: Schedule
    noise: Noise
    latent: Latent
    add_noise: bool = True
    batch_limit: int = 0


@dataclass(frozen=True)
class Phase:
    """The steps `start` up to, not including, `stop`, and what guides them."""

    guider: Guider
    start: int
    stop: int


def phases_of(guider: Guider, schedule: Schedule) -> list[Phase]:
    """Return the phases of the steps to run, in order.

    Steps are counted as shares of the whole schedule, of which a slice is a part: step k of n begins at k / n.
    """
    phases: list[Phase] = []
    for step in schedule.steps:
        here = guider.at(step / len(schedule.timesteps))
        if phases and unchanged(phases[-1].guider, here):
            phases[-1] = Phase(phases[-1].guider, phases[-1].start, step + 1)
        else:
            phases.append(Phase(here, step, step + 1))
    return phases


def unchanged(one: object, other: object) -> bool:
    """Tell whether two values are surely equal, without looking into tensors: those are if they are the same object."""
    if one is other:
        return True
    if type(one) is not type(other):
        return False
    if is_dataclass(one):
        return all(unchanged(getattr(one, field.name), getattr(other, field.name)) for field in fields(one))
    if isinstance(one, tuple) and isinstance(other, tuple):
        return len(one) == len(other) and all(map(unchanged, one, other))
    return isinstance(one, bool | int | float | str) and one == other
