"""A fake pack with patches of its own: one that changes weights, and two that change what a network does."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from graphgen import Lease, hookimpl, node
from graphgen_nodes import BehaviourPatch, Component, Denoiser, Edit, WeightPatch, within


@dataclass(frozen=True)
class Scaled(WeightPatch):
    """Multiplies all parameters whose names end as given."""

    ending: str
    factor: float
    start: float = 0.0
    end: float = 1.0

    def at(self, progress: float) -> Scaled | None:
        """Return it where it acts."""
        return within(self, self.start, self.end, progress)

    def edits(self, component: Component) -> Mapping[str, Edit]:
        """Return one multiplication for each parameter."""
        names = [name for name, _ in component.module.named_parameters() if name.endswith(self.ending)]
        return {name: lambda old: old * self.factor for name in names}


@dataclass(frozen=True)
class Lifted(BehaviourPatch):
    """Adds to the output of a submodule, by a hook that is left where it is."""

    submodule: str
    amount: float

    @contextmanager
    def attach(self, network: Any, lease: Lease) -> Iterator[Any]:  # noqa: ARG002
        """Set the hook."""
        module = network.module.get_submodule(self.submodule)
        module.register_forward_hook(lambda _, __, output: output + self.amount)
        yield network


@dataclass(frozen=True)
class Averaged(BehaviourPatch):
    """Averages what a network predicts with what another one does, of which it holds a lease."""

    other: Denoiser

    @contextmanager
    def attach(self, network: Any, lease: Lease) -> Iterator[Any]:
        """Wrap the network."""
        with lease(self.other) as other:
            yield Average(network, other)


class Average:
    """Two networks as one."""

    def __init__(self, one: Any, other: Any) -> None:
        self.one, self.other = one, other
        self.module, self.device, self.dtype = one.module, one.device, one.dtype

    def __call__(self, *given: Any) -> Any:
        """Return the mean of what the two predict."""
        return (self.one(*given) + self.other(*given)) / 2


@node(category="tinting", cheap=True)
def scale(
    denoiser: Denoiser, *, ending: str = "conv_out.weight", factor: float = 1.0, start: float = 0.0, end: float = 1.0
) -> Denoiser:
    """Scale parameters."""
    return replace(denoiser, patches=(*denoiser.patches, Scaled(ending, factor, start, end)))


@node(category="tinting", cheap=True)
def lift(denoiser: Denoiser, *, amount: float = 0.0) -> Denoiser:
    """Lift what the network's last layer gives."""
    return replace(denoiser, patches=(*denoiser.patches, Lifted("conv_out", amount)))


@node(category="tinting", cheap=True)
def average(denoiser: Denoiser, other: Denoiser) -> Denoiser:
    """Average two denoisers."""
    return replace(denoiser, patches=(*denoiser.patches, Averaged(other)))


@hookimpl
def register_nodes() -> list[Callable[..., object]]:
    """Contribute the nodes."""
    return [scale, lift, average]


@hookimpl
def register_types() -> list[type]:
    """Contribute the patches, which travel inside denoisers."""
    return [Scaled, Lifted, Averaged]
