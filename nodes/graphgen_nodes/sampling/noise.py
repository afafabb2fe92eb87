"""Noise that depends on nothing but the seed: not on the device, the batch, or where a run was resumed.

In: a `Noise` value and the shape of x. Out: `NoiseSource`, from which samplers draw.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property, lru_cache
from hashlib import blake2b
from math import sqrt

import torch
from torch import Tensor

from graphgen_nodes.sampling.paths import Path
from graphgen_nodes.sockets import Noise

DEPTH = 18
"""Halvings of a Brownian path's time 0..1 before the rest is bridged: finer than any schedule's steps."""


class NoiseSource:
    """The randomness of one run: image i draws from a generator seeded with `seed + first + i`, in float32 on the CPU.

    Draw 0 is the initial noise, later ones follow in order from the same generator, so asking for a draw again, or
    for one further on, redraws from the start and discards.
    """

    def __init__(self, noise: Noise, shape: Sequence[int], path: Path, device: torch.device | str = "cpu") -> None:
        self._seeds = [noise.seed + noise.first + (0 if noise.shared else image) for image in range(shape[0])]
        self._shape = tuple(shape[1:])
        self._path = path
        self._device = device
        self._rewind()

    def draw(self, index: int) -> Tensor:
        """Return standard normal draw `index`, shaped as x; 0 is the initial noise."""
        if index < self._drawn:
            self._rewind()
        while self._drawn <= index:
            rows = [torch.randn(self._shape, generator=generator) for generator in self._generators]
            self._drawn += 1
        return torch.stack(rows).to(self._device)

    def brownian(self, sigma: float, sigma_next: float) -> Tensor:
        """Return the increment of each image's Brownian path from sigma to sigma_next, scaled to unit variance.

        The path's time is sigma / (alpha + sigma) = 1 / (1 + exp(lambda)), which runs over 0..1 on every noising
        path: a seed is one and the same random function, however many steps look at it.
        """
        begin, end = (level / (self._path.alpha(level) + level) for level in (sigma, sigma_next))
        rows = [(tree(begin) - tree(end)) / sqrt(begin - end) for tree in self._trees]
        return torch.stack(rows).to(self._device)

    @cached_property
    def _trees(self) -> list[BrownianTree]:
        return [BrownianTree(seed, self._shape) for seed in self._seeds]

    def _rewind(self) -> None:
        self._generators = [torch.Generator().manual_seed(seed) for seed in self._seeds]
        self._drawn = 0


class BrownianTree:
    """A Brownian path over the time 0..1, the same for a seed whatever is asked of it and in which order.

    The time is halved towards the one asked for; each midpoint is drawn from the Brownian bridge between its ends
    with a generator seeded by its place (the virtual Brownian tree of Li et al. 2020, section 4). What remains after
    `DEPTH` halvings is bridged too.
    """

    def __init__(self, seed: int, shape: Sequence[int]) -> None:
        self._seed = seed
        self._shape = tuple(shape)
        self._middles: dict[int, tuple[int, Tensor]] = {}
        self._end = self._normal(-1, 0)
        # a step begins where the last one ended
        self._recent = lru_cache(maxsize=3)(self._value)

    def __call__(self, time: float) -> Tensor:
        """Return the path's value at a time in 0..1; it is 0 at time 0."""
        return self._recent(time)

    def _value(self, time: float) -> Tensor:
        left, left_value, right_value, width, place = 0.0, torch.zeros(self._shape), self._end, 1.0, 0
        for level in range(DEPTH):
            middle = self._middle(level, place, left_value, right_value, width)
            width /= 2
            place *= 2
            if time < left + width:
                right_value = middle
            else:
                left, left_value, place = left + width, middle, place + 1
        share = min((time - left) / width, 1.0)
        bridge = sqrt(share * (1 - share) * width) * self._normal(DEPTH, place)
        return left_value + share * (right_value - left_value) + bridge

    def _middle(self, level: int, place: int, left: Tensor, right: Tensor, width: float) -> Tensor:
        """Return the value in the middle of an interval; the last one of each level is kept for the next question."""
        known = self._middles.get(level)
        if known is None or known[0] != place:
            known = place, (left + right) / 2 + sqrt(width) / 2 * self._normal(level, place)
            self._middles[level] = known
        return known[1]

    def _normal(self, level: int, place: int) -> Tensor:
        key = blake2b(f"{self._seed}/{level}/{place}".encode(), digest_size=8).digest()
        generator = torch.Generator().manual_seed(int.from_bytes(key) >> 1)
        return torch.randn(self._shape, generator=generator)
