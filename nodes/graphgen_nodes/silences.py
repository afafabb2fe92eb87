"""Parts of a schedule for which a prompt says nothing, as far as it is known before a run. Torch-free.

The fact `silent` of conditionings and guiders lists them, as pairs of shares of a schedule: from the first up to, not
including, the second, in order and apart from each other. Where nothing is known, nothing is silent.
"""

from __future__ import annotations

from collections.abc import Sequence

from graphgen import Facts, Refusal

Spans = tuple[tuple[float, float], ...]
"""Parts of a schedule, in order and apart from each other."""

ALL: Spans = ((0.0, 1.0),)


def silences_of(facts: Facts) -> Spans:
    """Return where a conditioning or guider is known to say nothing."""
    return tuple((float(start), float(end)) for start, end in _pairs(facts.get("silent")))


def _pairs(value: object) -> list[tuple[float, float]]:
    return [tuple(pair) for pair in value] if isinstance(value, Sequence) else []


def silent_facts(spans: Spans) -> Facts:
    """Return where nothing is said as facts: none where that is nowhere."""
    return {"silent": [[start, end] for start, end in spans]} if spans else {}


def within(spans: Spans, start: float, end: float) -> Spans:
    """Return what of some parts lies between two shares."""
    cut = ((max(low, start), min(high, end)) for low, high in spans)
    return tuple((low, high) for low, high in cut if low < high)


def common(*several: Spans) -> Spans:
    """Return what all have in common."""
    first, *others = several
    for other in others:
        first = tuple(piece for low, high in other for piece in within(first, low, high))
    return first


def joined(*several: Spans) -> Spans:
    """Return what any of several covers."""
    found: list[tuple[float, float]] = []
    for low, high in sorted(span for spans in several for span in spans):
        if found and low <= found[-1][1]:
            found[-1] = (found[-1][0], max(high, found[-1][1]))
        else:
            found.append((low, high))
    return tuple(found)


def taking_turns(first: Spans, then: Spans, share: float | None) -> Spans:
    """Return where nothing is said if one speaks up to a share of the schedule, and another from there on.

    At a share that is not known, that is surely where both say nothing.
    """
    if share is None:
        return common(first, then)
    return joined(within(first, 0, share), within(then, share, 1))


def check_spoken(guider: Facts, schedule: Facts) -> None:
    """Refuse a guider that says nothing at a step of a schedule, where both are known."""
    start, steps, length = (schedule.get(name) for name in ("start", "steps", "length"))
    if not (isinstance(start, int) and isinstance(steps, int) and isinstance(length, int)):
        return
    for low, high in silences_of(guider):
        silent = [step for step in range(start, start + steps) if low <= step / length < high]
        if silent:
            raise Refusal(
                f"says nothing at {silent[0] / length:g} of the schedule: from {low:g} to {high:g} none of a prompt's "
                f"parts acts, in {len(silent)} of the {steps} steps",
                at="guider",
                cure="give conditioning.between what is to act otherwise, or combine it with a prompt that always acts",
            )
