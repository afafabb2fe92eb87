"""Translate the tensor names of an original release into those of the network class that is loaded.

In go a checkpoint's names and shapes and a layout's table of `Rule`s, out comes, for each tensor that the network
wants, the `Source` it is made of. Everything is data: `graphgen_nodes.loading` carries it out on real tensors.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import accumulate

from graphgen_nodes.checkpoints.header import CheckpointError

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Rule:
    """A line of a key table: names at or under the dotted prefix `source` move to `target`.

    Several targets: the tensor is that many equal pieces along its first dimension (a fused query, key and value), or,
    with `spans`, each target takes so many of their sum; where it is `shared`, each of them is the whole tensor. None:
    the network does not use it. `swap` exchanges the two halves of the first dimension (shift, scale becomes scale,
    shift); where it has several `groups`, equal parts, each of them is cut into the pieces; `matrix` drops the trailing
    ones of a 1x1 convolution's weight; `transpose` exchanges a matrix's sides.
    """

    source: str
    target: str | tuple[str, ...] | None
    swap: bool = False
    matrix: bool = False
    shared: bool = False
    transpose: bool = False
    spans: tuple[int, ...] = ()
    groups: int = 1


@dataclass(frozen=True, slots=True)
class Source:
    """How a network's tensor is made: of which of the checkpoint's tensors, which part of it, and what is done to it.

    The part is `span` of `pieces` equal pieces along the first dimension, from the piece `piece` on, of each of its
    `groups` equal parts. `scale` is the checkpoint's tensor that the numbers are to be multiplied by.
    """

    name: str
    shape: Shape
    piece: int = 0
    pieces: int = 1
    swap: bool = False
    transpose: bool = False
    span: int = 1
    groups: int = 1
    scale: str | None = None


def translate(shapes: Mapping[str, Shape], rules: Iterable[Rule], place: str) -> dict[str, Source]:
    """Apply a key table to a checkpoint's names and return a `Source` for each of the network's.

    The longest matching prefix decides. `place` names the file and part in errors.

    Raises:
        CheckpointError: names that no rule covers, two names for one target, a tensor that does not split evenly.
    """
    table = {rule.source: rule for rule in rules}
    found: dict[str, Source] = {}
    unknown: list[str] = []
    for name, shape in shapes.items():
        rule, rest = _longest(table, name)
        if rule is None:
            unknown.append(name)
        elif rule.target is not None:
            for target, source in _apply(rule, rest, name, shape, place):
                if target in found:
                    raise CheckpointError(f"{place}: {name!r} and {found[target].name!r} both mean {target!r}")
                found[target] = source
    if unknown:
        raise CheckpointError(f"{place}: holds tensors that this family's networks do not have: {some(unknown)}")
    return found


def some(names: Iterable[str], limit: int = 6) -> str:
    """Write the first few of many names, and how many more there are."""
    listed = list(names)
    more = f" and {len(listed) - limit} more" if len(listed) > limit else ""
    return ", ".join(repr(name) for name in listed[:limit]) + more


def _longest(table: Mapping[str, Rule], name: str) -> tuple[Rule | None, str]:
    prefix = name
    while prefix:
        if prefix in table:
            return table[prefix], name[len(prefix) :]
        prefix = prefix.rpartition(".")[0]
    return table.get(""), f".{name}"


def _apply(rule: Rule, rest: str, name: str, shape: Shape, place: str) -> Iterable[tuple[str, Source]]:
    targets = (rule.target,) if isinstance(rule.target, str) else rule.target or ()
    spans = rule.spans or (1,) * (1 if rule.shared else len(targets))
    pieces = sum(spans)
    even = pieces * rule.groups * (2 if rule.swap else 1)
    if even > 1 and (not shape or shape[0] % even):
        raise CheckpointError(f"{place}: tensor {name!r} of shape {shape} does not split into {even} equal pieces")
    if rule.matrix and len(shape) > 2 and set(shape[2:]) == {1}:
        shape = shape[:2]
    parts = list(zip(accumulate(spans, initial=0), spans, strict=False))
    for target, (piece, span) in zip(targets, parts * len(targets) if rule.shared else parts, strict=False):
        part = (shape[0] * span // pieces, *shape[1:]) if pieces > 1 else shape
        part = part[::-1] if rule.transpose else part
        yield (
            (target + rest).lstrip("."),
            Source(name, part, piece, pieces, rule.swap, rule.transpose, span, rule.groups),
        )
