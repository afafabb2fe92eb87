"""Call a ControlNet beside a denoiser, and hand the denoiser what it says.

In: a `Control`, a denoising network and leases. Out: what stands in for the network. The ControlNet is called from a
hook before the network's module, so that it is given exactly what the module is given, whatever the family.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, cast

import torch
from torch import Tensor, nn

from graphgen import Lease
from graphgen_nodes.checkpoints.layouts.control import Hint
from graphgen_nodes.control.handles import architecture_of, slot_of
from graphgen_nodes.control.patch import Control
from graphgen_nodes.sampling.standing_in import StandIn
from graphgen_nodes.sockets import Conditioning


@contextmanager
def steered(control: Control, network: Any, lease: Lease) -> Iterator[Steered]:
    """Yield a network that follows a picture."""
    with lease(control.network) as beside:
        made = Steered(control, network, cast(nn.Module, beside))
        network.module.register_forward_pre_hook(made.before, with_kwargs=True)
        yield made


class Steered(StandIn):
    """A network with a ControlNet beside it."""

    def __init__(self, control: Control, network: Any, beside: nn.Module) -> None:
        super().__init__(network)
        self.control = control
        self.beside = beside
        self.architecture = architecture_of(slot_of(control.network))
        self.picture = control.picture.to(next(beside.parameters()))
        self.acting = True

    def __call__(self, x: Tensor, timestep: Tensor, conditioning: Conditioning) -> Tensor:
        """Return the network's output, steered if it is for a prompt that the ControlNet acts for.

        Raises:
            ValueError: the picture is of another size than x, or there are not as many as images.
        """
        self.acting = not self.control.mark or self.control.mark in conditioning.marks
        if self.acting:
            self._check(x)
        return super().__call__(x, timestep, conditioning)

    def before(
        self, module: nn.Module, args: tuple[Any, ...], given: Mapping[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
        """Ask the ControlNet, with what the denoiser's module is about to be given, for what to add inside it."""
        if not self.acting:
            return None
        theirs, ours = self.picture.dtype, self.dtype
        pictures = self.picture.repeat(len(args[0]) // len(self.picture), 1, 1, 1)
        hint = Hint(pictures, self.control.strength, self.control.mode, self.control.guess)
        told = _cast(dict(given), ours, theirs)
        added = self.architecture.steer(self.beside, module, _cast(args, ours, theirs), told, hint)
        summed = {name: _sum(given.get(name), _cast(value, theirs, ours)) for name, value in added.items()}
        return args, {**given, **summed}

    def _check(self, x: Tensor) -> None:
        cell, (height, width) = self.control.cell, self.picture.shape[-2:]
        rows, columns = height // cell, width // cell
        if (rows, columns) != x.shape[-2:]:
            raise ValueError(
                f"controlnet.apply.image: makes {columns} x {rows} cells of a latent, and what is drawn has "
                f"{x.shape[-1]} x {x.shape[-2]}; put images.resize before it"
            )
        if len(x) % len(self.picture):
            raise ValueError(
                f"controlnet.apply.image: is a batch of {len(self.picture)}, and {len(x)} images go through the "
                "network at once; give one picture or one for each image, and let batch_limit be 0 or a multiple of it"
            )


def _sum(old: Any, new: Any) -> Any:
    """Add what two networks want added to the same, tensors or lists of them; None is nothing."""
    if old is None or new is None:
        return new if old is None else old
    if isinstance(old, Tensor):
        return old + new
    return [one + other for one, other in zip(old, new, strict=True)]


def _cast(value: Any, source: torch.dtype, target: torch.dtype) -> Any:
    """Return a nested value with its tensors in another number format; timesteps, which are flat, keep theirs."""
    if source == target:
        return value
    if isinstance(value, Tensor):
        return value.to(target) if value.dtype == source and value.ndim > 1 else value
    if isinstance(value, Mapping):
        return {name: _cast(item, source, target) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_cast(item, source, target) for item in value)
    return value
