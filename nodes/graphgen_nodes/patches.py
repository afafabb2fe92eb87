"""Patches: changes to loaded networks, as data that travels with a handle, in the order in which they are made.

A plugin adds one by a frozen subclass of `WeightPatch` or `BehaviourPatch` that its nodes put into a handle's
`patches`, and lists the class in `register_types`, so that it may travel. docs/patches.md has an example of each.
`graphgen_nodes.patching` applies them. Torch-free.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from graphgen import Lease
from graphgen_nodes.families.family import Slot
from graphgen_nodes.sockets import Patch

if TYPE_CHECKING:
    from torch import Tensor, nn

Edit: TypeAlias = "Callable[[Tensor], Tensor]"
"""Makes a parameter's new value of its old one: float32, on the network's device, in the same shape."""

P = TypeVar("P", bound=Patch)


@dataclass(frozen=True)
class Component:
    """One network of a handle: its `part` in diffusers' names, its place in its family, and the module. Read only."""

    part: str
    slot: Slot
    module: nn.Module


@dataclass(frozen=True)
class WeightPatch(Patch, ABC):
    """A patch that gives some parameters other values.

    The changed copies are kept on the device beside the originals while there is room, and shared by all handles whose
    weight patches are equal: so a patch's fields must be plain values that can be hashed, with large data in a file.
    """

    @abstractmethod
    def edits(self, component: Component) -> Mapping[str, Edit]:
        """Return, by the names of the component's parameters, what makes their new values; called once a component.

        An edit is the place to read what it needs. It is called once, or, where the network is streamed because it does
        not fit, whenever its block comes; then `component.module` holds NaN in place of weights that are away, in the
        right shapes. Parameters left out stay as they are.

        Raises:
            ResourceError: the patch is made for other networks, or its file is gone.
        """


@dataclass(frozen=True)
class BehaviourPatch(Patch, ABC):
    """A patch that changes how a network is called, or what happens inside it."""

    @abstractmethod
    def attach(self, network: Any, lease: Lease) -> AbstractContextManager[Any]:
        """Yield what stands in for a network during one lease.

        A denoiser's `network` is a `graphgen_nodes.sampling.protocols.Network` with its `module`, a text encoder's has
        its `encoders` by their parts. All module objects are this lease's own, and share their tensors with others: set
        attention processors, hooks and submodules on them as you like, and leave tensors as they are. Nothing needs to
        be undone. Yield `network` itself, or what wraps it. `with lease(handle) as module` gives further weights.
        """


def within(patch: P, start: float, end: float, progress: float) -> P | None:
    """Return what a patch with the fields `start` and `end` is at a share of a schedule, as `Patch.at` wants it.

    It acts on steps that begin at `start` up to, not including, `end`; there it is one that always acts.
    """
    always: dict[str, Any] = {"start": 0.0, "end": 1.0}
    return replace(patch, **always) if start <= progress < end else None
