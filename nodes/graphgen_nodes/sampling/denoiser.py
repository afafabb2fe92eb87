"""The one wrapper around every network: raw outputs in, predictions of the clean sample out.

In: a `Network` and the handle that says what it was trained to predict. Out: `denoiser(x, sigma, conditionings)`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from itertools import accumulate, groupby
from typing import NamedTuple

import torch
from torch import Tensor

from graphgen_nodes.conditionings import tensors_of, with_tensors
from graphgen_nodes.sampling.composing import Piece, Window, cut, merged, pieces_of
from graphgen_nodes.sampling.paths import Path
from graphgen_nodes.sampling.protocols import Network, Prediction, Watched
from graphgen_nodes.sockets import Conditioning, Denoiser, Schedule
from graphgen_nodes.sockets import Prediction as Parametrisation


def preconditioning(parametrisation: Parametrisation, path: Path, sigma: float) -> tuple[float, float]:
    """Return c_skip and c_out of `denoised = c_skip * x + c_out * output` (Karras et al. 2022, equation 7).

    x is in the path's coordinates; a and b below are the sample's and the noise's part of what the network saw.

    Raises:
        ValueError: the output says nothing of the sample there (epsilon or score at pure noise).
    """
    alpha, scale = path.alpha(sigma), path.input_scale(sigma)
    a, b = scale * alpha, scale * sigma
    if parametrisation == "sample":
        return 0.0, 1.0
    if parametrisation == "v":  # v = a * noise - b * sample (Salimans and Ho 2022)
        return scale * a / (a**2 + b**2), -b / (a**2 + b**2)
    if parametrisation == "flow":  # noise - sample (Liu et al. 2022)
        return scale / (a + b), -b / (a + b)
    if alpha == 0:
        raise ValueError(
            f"denoiser: prediction '{parametrisation}' cannot be used at sigma {sigma:g}, where x is pure noise; "
            "begin at a lower sigma, or load the model with prediction 'flow' or 'v'"
        )
    return 1 / alpha, (sigma**2 if parametrisation == "score" else -sigma) / alpha


class _Plan(NamedTuple):
    """The pieces of each conditioning, and the calls of the network for them: how many together, where, told what."""

    pieces: list[list[Piece]]
    calls: list[tuple[int, Window | None, Conditioning]]


class NetworkDenoiser:
    """Predict the clean sample for several conditionings at once.

    Conditionings whose shapes agree go through the network in one call, and so do the parts of compositions, whose
    predictions become one; `batch_limit` caps the samples in a call (0: no cap). The timestep is the schedule's own
    where sigma is one of its entries, the path's otherwise.
    """

    def __init__(
        self, network: Network, handle: Denoiser, schedule: Schedule | None = None, *, batch_limit: int = 0
    ) -> None:
        self.network = network
        self.handle = handle
        self.batch_limit = batch_limit
        self._timesteps: Mapping[float, float] = (
            dict(zip(schedule.sigmas, schedule.timesteps, strict=False)) if schedule else {}
        )
        self._prepared: tuple[tuple[Conditioning, ...], torch.Size, _Plan] | None = None

    def __call__(self, x: Tensor, sigma: float, conditionings: Sequence[Conditioning]) -> tuple[Prediction, ...]:
        """Return one prediction for each conditioning, from `x[batch, channels, ...]` at noise level sigma."""
        path = self.handle.path
        # a state that was kept comes back contiguous, and convolutions of other layouts differ in the last bit
        seen = (x * path.input_scale(sigma)).to(self.network.dtype).contiguous()
        timestep = self._timesteps[sigma] if sigma in self._timesteps else path.timestep(sigma)
        c_skip, c_out = preconditioning(self.handle.prediction, path, sigma)
        plan = self._plan(tuple(conditionings), x)
        predictions = []
        for count, window, joined in plan.calls:
            here, there = cut(x, window), cut(seen, window).contiguous()
            outputs, attention = self._run(torch.cat([there] * count), timestep, joined)
            for output in outputs.chunk(count):
                value, variance = output, None
                if output.shape[1] == 2 * x.shape[1]:
                    value, variance = output.chunk(2, dim=1)
                predictions.append(Prediction(c_skip * here + c_out * value, variance, attention))
        ends = accumulate(len(pieces) for pieces in plan.pieces)
        return tuple(
            merged(pieces, predictions[end - len(pieces) : end], x)
            for pieces, end in zip(plan.pieces, ends, strict=True)
        )

    def _run(self, x: Tensor, timestep: float, conditioning: Conditioning) -> tuple[Tensor, Tensor | None]:
        """Return the network's output, and what was seen of its attention in those of its calls where something was."""
        timesteps = torch.full((len(x),), timestep, dtype=torch.float32, device=x.device)
        size = self.batch_limit or len(x)
        outputs: list[Tensor] = []
        seen: Tensor | None = None
        for k in range(0, len(x), size):
            outputs.append(
                self.network(x[k : k + size], timesteps[k : k + size], _rows(conditioning, slice(k, k + size)))
            )
            if isinstance(self.network, Watched) and self.network.attention is not None:
                seen = self.network.attention
        return torch.cat(outputs).float(), seen

    def _plan(self, conditionings: tuple[Conditioning, ...], x: Tensor) -> _Plan:
        """Join neighbours of one shape; kept from step to step, as moving them to the device takes time."""
        found = self._prepared
        if found is None or not _same(conditionings, found[0]) or x.shape != found[1]:
            pieces = [pieces_of(conditioning, x) for conditioning in conditionings]
            groups = [list(group) for _, group in groupby((piece for own in pieces for piece in own), key=_signature)]
            calls = [
                (len(group), group[0].window, self._join([piece.conditioning for piece in group], len(x)))
                for group in groups
            ]
            found = self._prepared = conditionings, x.shape, _Plan(pieces, calls)
        return found[2]

    def _join(self, conditionings: Sequence[Conditioning], batch: int) -> Conditioning:
        device, dtype = self.network.device, self.network.dtype

        def joined(name: str) -> Tensor:
            rows = [_expand(getattr(conditioning, name), batch, name) for conditioning in conditionings]
            value = torch.cat(rows).to(device)
            return value.to(dtype) if value.is_floating_point() else value

        return with_tensors(conditionings[0], {name: joined(name) for name in tensors_of(conditionings[0])})


def _same(new: Sequence[object], old: Sequence[object]) -> bool:
    return len(new) == len(old) and all(one is other for one, other in zip(new, old, strict=True))


def _signature(piece: Piece) -> tuple[object, ...]:
    """Return what must agree for two conditionings to share a call: everything but the tensors' rows and values."""
    conditioning = piece.conditioning
    values = [(field.name, getattr(conditioning, field.name)) for field in fields(conditioning)]
    return (
        type(conditioning),
        piece.window,
        *(
            (name, tuple(value.shape[1:]), value.dtype) if isinstance(value, Tensor) else (name, value)
            for name, value in values
        ),
    )


def _rows(conditioning: Conditioning, rows: slice) -> Conditioning:
    return with_tensors(conditioning, {name: value[rows] for name, value in tensors_of(conditioning).items()})


def _expand(value: Tensor, batch: int, name: str) -> Tensor:
    if len(value) not in (1, batch):
        raise ValueError(
            f"conditioning.{name}: is made for {len(value)} images; allowed are 1 or the latent's batch of {batch}"
        )
    return value.expand(batch, *value.shape[1:])
