"""The states of a run that are kept, so that another run, of the same or of a similar workflow, goes on from them.

In: everything a run begins with, and its phases. Out: a key for the state before each step, and the states kept under
them. A key is the digest of the key before it and of what the step between them depends on, and of nothing else: so
runs that differ in their last steps alone, by where they end or what guides those, share the keys of the first ones.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress

from graphgen import Context
from graphgen_nodes.sampling.phases import Phase, Sampling
from graphgen_nodes.sampling.protocols import State
from graphgen_nodes.sockets import Schedule

OWNER = "sampling.sample"
"""The node whose partial work the states are, whichever node samples."""


def begin_of(run: Sampling) -> tuple[object, ...]:
    """Return all that the state before the first step depends on, and that the steps have in common.

    `batch_limit` is among it because arithmetic on batches of other sizes is not equal to the last bit.
    """
    schedule = run.schedule
    looked_at = () if run.sampler.local else (schedule.sigmas, schedule.timesteps)
    scale = schedule.noise_scale if schedule.full else None
    levels = (schedule.path, schedule.start, schedule.sigmas[schedule.start], scale, looked_at)
    return run.sampler, levels, run.noise, run.latent, run.add_noise, run.batch_limit


def step_keys(
    digest: Callable[[object], str], begin: tuple[object, ...], schedule: Schedule, phases: Sequence[Phase]
) -> dict[int, str]:
    """Return the key of the state after each step, by the number of the step that comes next."""
    key, keys = digest(begin), {}
    for phase in phases:
        guider = digest(phase.guider)
        for step in range(phase.start, phase.stop):
            levels, timesteps = schedule.sigmas[step : step + 2], schedule.timesteps[step : step + 2]
            key = keys[step + 1] = digest((key, levels, timesteps, guider))
    return keys


def due_steps(schedule: Schedule, phases: Sequence[Phase], every: int) -> frozenset[int]:
    """Return which states to keep: one every so many steps, and where a phase ends, for the next may be changed.

    Where the schedule stops before its end is the end of a phase: a run with a later stop begins there.
    """
    regular = range(schedule.start + every, schedule.steps.stop, every)
    return frozenset({*regular, *(phase.stop for phase in phases)} - {len(schedule.timesteps)})


class KeptStates:
    """The states of one run, by their keys: those that earlier runs kept, and those that this one does."""

    def __init__(self, context: Context, schedule: Schedule, keys: Mapping[int, str], due: AbstractSet[int]) -> None:
        self._context = context
        self._schedule = schedule
        self._keys = keys
        self._due = due
        self._kept = schedule.start
        self._last: State | None = None

    def furthest(self) -> State | None:
        """Return the state nearest to the run's end that was kept by this or another run."""
        for step, key in sorted(self._keys.items(), reverse=True):
            found = self._context.recall(key, of=OWNER)
            if isinstance(found, State) and found.step == step:
                self._kept = step
                self._context.log(f"goes on from {self._words(step)}")
                return found
        return None

    def passed(self, state: State) -> None:
        """Take note of the state after a step, and keep it if it is due."""
        self._last = state
        if state.step in self._due:
            self.keep_last()

    def rescue(self) -> None:
        """Keep the last state of a run that stops; what stops it is told, not what may go wrong with keeping."""
        with suppress(Exception):
            self.keep_last()

    def keep_last(self) -> None:
        """Keep the last state, unless it is kept already."""
        if self._last is not None and self._last.step > self._kept:
            self._kept = self._last.step
            self._context.remember(self._keys[self._kept], self._last, of=OWNER, words=self._words(self._kept))

    def _words(self, step: int) -> str:
        return f"step {step - self._schedule.start} of {len(self._schedule.steps)}"
