"""Apply patches to loaded networks, whose own modules and tensors are never touched.

In: what a loader loaded (a `FamilyNetwork` or a `PromptEncoder`) and patches. Out: the same on module objects of its
own, which share each tensor that no patch changes. So any number of handles use the same weights at the same time, each
with its patches, and a handle without them gives what it always gave, bit for bit: nothing is ever taken back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Protocol, Self, TypeAlias, TypeVar, cast

import torch
from torch import Tensor, nn

from graphgen import Lease, Loaded, ResourceError
from graphgen_nodes.families.family import Slot
from graphgen_nodes.patches import BehaviourPatch, Component, Edit, WeightPatch
from graphgen_nodes.streaming import Block, Layout, Make, Stream, away, blocks_of, is_away, lay_out
from graphgen_nodes.weights import memory_errors

Report: TypeAlias = Callable[[int, int], None]
M = TypeVar("M", bound=nn.Module)

_TABLES = tuple(name for name, value in vars(nn.Module()).items() if isinstance(value, dict | set))
"""Where a module keeps its parameters, buffers, submodules and hooks."""


class Patchable(Protocol):
    """What a loader makes of weights, as far as patches are concerned."""

    @property
    def networks(self) -> Mapping[str, nn.Module]:
        """Return its networks by their parts."""

    def with_networks(self, networks: Mapping[str, nn.Module]) -> Self:
        """Return the same on other networks."""


def skeleton(module: M) -> M:
    """Copy a network's module objects, with hooks and settings, but none of its tensors: the copy shares them."""
    return cast(M, _copied(module, {}))  # a copy is of the same class


def _copied(module: nn.Module, done: dict[int, nn.Module]) -> nn.Module:
    if (found := done.get(id(module))) is not None:  # a module in two places stays one
        return found
    made = done[id(module)] = module.__new__(type(module))
    own = {name: value.copy() if name in _TABLES else value for name, value in vars(module).items()}
    vars(made).update(own)
    for name, child in module._modules.items():
        made._modules[name] = None if child is None else _copied(child, done)
    return made


def reweighted(
    loaded: Loaded, slots: Mapping[str, Slot], patches: Sequence[WeightPatch], room: int | None, report: Report
) -> Loaded:
    """Return loaded networks with the weights that patches give them, in order; the size is that of the new tensors.

    What does not fit into the room, or is made of weights that are streamed, is made anew whenever it is to run.

    Raises:
        ResourceError: a patch does not fit the networks.
        MemoryError: the device is full.
    """
    source = cast(Patchable, loaded.module)
    plans = {part: _plan(Component(part, slots[part], module), patches) for part, module in source.networks.items()}
    layouts = {part: _lay_out(source.networks[part], plan, room) for part, plan in plans.items() if plan}
    total, done = sum(layout.size for layout in layouts.values()), 0
    made = dict(source.networks)
    report(0, total)
    for part, layout in layouts.items():
        made[part] = skeleton(made[part])
        for size in _edit(made[part], plans[part], layout):
            done += size
            report(done, total)
    return Loaded(source.with_networks(made), total)


def _lay_out(module: nn.Module, plan: Mapping[str, Sequence[Edit]], room: int | None) -> Layout:
    """Return which of a network's edited parameters are made now, and which, block by block, when they are to run."""
    sizes = {name: module.get_parameter(name).nbytes for name in plan}
    there: list[Block] = []
    passing: list[Block] = []
    for block in blocks_of(module):
        names = tuple(name for name in block.names if name in plan)
        if names:
            streamed = any(is_away(module.get_parameter(name)) for name in block.names)
            (passing if streamed else there).append(Block(names, sum(sizes[name] for name in names)))
    return lay_out(there, sum(sizes.values()), room, passing)


def _edit(module: nn.Module, plan: Mapping[str, Sequence[Edit]], layout: Layout) -> Iterator[int]:
    """Put edited parameters into a network, yielding the bytes of each that is made now."""
    passing = {name for block in layout.streamed for name in block.names}
    makes: dict[str, Make] = {}
    for name, edits in plan.items():
        old = module.get_parameter(name)
        if name in passing:
            makes[name] = partial(_edited, old, edits, name)
            value = away(old.shape, old.dtype, old.device)
        else:
            value = _edited(old, edits, name)
            yield value.nbytes
        owner, _, own = name.rpartition(".")
        module.get_submodule(owner)._parameters[own] = nn.Parameter(value, requires_grad=False)
    Stream(module, layout.streamed, makes, ahead=False).attach(module)


@contextmanager
def behaving(network: Patchable, patches: Sequence[BehaviourPatch], lease: Lease) -> Iterator[object]:
    """Yield a network that behaves as patches make it, for the time of one lease."""
    own: object = network.with_networks({part: skeleton(module) for part, module in network.networks.items()})
    with ExitStack() as held:
        for patch in patches:
            own = held.enter_context(patch.attach(own, lease))
        yield own


def _plan(component: Component, patches: Sequence[WeightPatch]) -> dict[str, list[Edit]]:
    """Return the edits of each parameter, refusing names that the network does not have."""
    names = dict(component.module.named_parameters())
    plan: dict[str, list[Edit]] = {}
    for patch in patches:
        for name, edit in patch.edits(component).items():
            if name not in names:
                raise ResourceError(
                    f"{type(patch).__name__}: gives a value to {name!r}, which the {component.part} does not have; its "
                    "edits must be named as the component's parameters are"
                )
            plan.setdefault(name, []).append(edit)
    return plan


@torch.no_grad()
def _edited(parameter: nn.Parameter, edits: Sequence[Edit], name: str) -> Tensor:
    with memory_errors():
        value = parameter.float()
        for edit in edits:
            value = edit(value)
        value = value.to(parameter.dtype)
    if value.shape != parameter.shape or not torch.isfinite(value).all():
        problem = "numbers that are NaN or infinite" if value.shape == parameter.shape else f"shape {value.shape}"
        raise ResourceError(
            f"patches give the parameter {name!r} of shape {tuple(parameter.shape)} {problem}; lower their strength, "
            "or download their file again"
        )
    return value
