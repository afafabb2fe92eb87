"""Conditioning: several as one, in regions of the picture, over parts of the schedule, mixed and joined."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from typing import Annotated, Literal

from pydantic import Field

from graphgen import Facts, Known, Refusal, Slider, node
from graphgen_nodes.compositions import Composition, Region, composed, during, mapped, parts_of, restricted
from graphgen_nodes.facts import check_known_range, check_range, count_of, kept, number_of, same_as
from graphgen_nodes.settings import End, Ratio, Share, Start
from graphgen_nodes.silences import ALL, common, joined, silences_of, silent_facts, taking_turns
from graphgen_nodes.sockets import Conditioning, LabelConditioning, Mask, TextConditioning

Strength = Annotated[
    float, Field(ge=0, le=100, description="How much it counts beside others that act at the same place."), Slider(0.05)
]
Alone = Annotated[
    bool,
    Field(description="Show the model this region alone, as if it were the picture; for things with a place each."),
]
Given = Annotated[Conditioning, Field(description="A prompt, or several that were composed.")]

WIDTHS = ("embedding", "pooled")
"""Facts in which conditionings of one model agree."""

FLAGS = ("alone", "several", "sometime")
"""Facts that a composition has where one of its conditionings has them."""


# --- what is known before running -----------------------------------------------------------------------------------


def alike(given: Mapping[str, Facts]) -> Facts:
    """Return the facts that conditionings have in common, refusing those that are not for one model.

    Raises:
        Refusal: two differ in family, widths or numbers of images; at the name of the second.
    """
    agreed: Facts = {}
    for name, facts in given.items():
        for fact in ("family", *WIDTHS):
            if fact in facts and agreed.get(fact, facts[fact]) != facts[fact]:
                message = f"has {fact} {facts[fact]}, and the one before it {agreed[fact]}"
                raise Refusal(message, at=name, cure="make both with the text encoder of one model")
        agreed = {**kept(facts, "family", *WIDTHS), **agreed}
    first, *others = given.values()
    same = {fact: value for fact, value in first.items() if all(other.get(fact) == value for other in others)}
    shared = {fact: value for fact, value in same.items() if fact != "silent"}  # that depends on how they are composed
    flags = {flag: True for flag in FLAGS if any(facts.get(flag) for facts in given.values())}
    counts = {name: count_of(facts, "batch") for name, facts in given.items()}
    return {**shared, **agreed, **flags, **_batch(counts)}


def _batch(counts: Mapping[str, int | None]) -> Facts:
    """Return for how many images several batches are together, of which one stands for a whole one."""
    most = 1
    for name, count in counts.items():
        if count is None:
            continue
        if 1 not in (count, most) and count != most:
            message, cure = f"is for {count} images, and the one before it for {most}", "make both for equally many"
            raise Refusal(message, at=name, allowed=f"1 or {most}", cure=cure)
        most = max(most, count)
    return {} if None in counts.values() else {"batch": most}


def _wired(known: Known, *names: str) -> dict[str, Facts]:
    return {name: known.inputs[name] for name in names if name in known.inputs}


def _combined(known: Known) -> dict[str, Facts]:
    several = known.many.get("conditionings", ())
    if not several:
        raise Refusal("has no wire", at="conditionings", cure="wire a prompt to it")
    found = {str(number): facts for number, facts in enumerate(several)}
    try:
        silent = common(*map(silences_of, several))
        return {"conditioning": {**alike(found), **silent_facts(silent), **_at_once(several)}}
    except Refusal as refusal:
        raise Refusal(refusal.message, at="conditionings", allowed=refusal.allowed, cure=refusal.cure) from None


def _at_once(several: Sequence[Facts]) -> Facts:
    """Return the fact that two of several conditionings act at the same time, where that is sure."""
    sure = [silences_of(facts) for facts in several if "family" in facts and not facts.get("sometime")]
    return {"several": True} if any(joined(*pair) != ALL for pair in combinations(sure, 2)) else {}


def _when(*shares: float | None) -> Facts:
    """Return the fact that it is not known when a conditioning acts, where a share of the schedule is not known."""
    return {"sometime": True} if None in shares else {}


def _in_area(known: Known) -> dict[str, Facts]:
    left, top, width, height = (known.settings.get(name) for name in ("left", "top", "width", "height"))
    for low, size, names in ((left, width, ("left", "width")), (top, height, ("top", "height"))):
        if isinstance(low, int | float) and isinstance(size, int | float):
            _check_side(low, size, names)
    return {"conditioning": {**known.inputs.get("conditioning", {}), **_seen(known)}}


def _check_side(low: float, size: float, names: tuple[str, str]) -> None:
    if low >= 1:
        raise Refusal(f"is {low:g}, where the picture ends", at=names[0], allowed="less than 1", cure="make it less")
    if size <= 0:
        raise Refusal("is 0, so that the area is empty", at=names[1], allowed="more than 0", cure="make it more")


def _in_mask(known: Known) -> dict[str, Facts]:
    given, mask = known.inputs.get("conditioning", {}), known.inputs.get("mask", {})
    counts = {"conditioning": count_of(given, "batch"), "mask": count_of(mask, "batch")}
    rest = {name: fact for name, fact in given.items() if name != "batch"}
    return {"conditioning": {**rest, **_batch(counts), **_seen(known)}}


def _seen(known: Known) -> Facts:
    return {"alone": True} if known.settings.get("alone") is True else {}


def _within(known: Known) -> dict[str, Facts]:
    check_known_range(known)
    start, end = number_of(known.settings, "start"), number_of(known.settings, "end")
    given = _wired(known, "conditioning", "otherwise")
    here = silences_of(given.get("conditioning", {}))
    elsewhere = silences_of(given["otherwise"]) if "otherwise" in given else ALL
    if start is None or end is None:
        silent = common(here, elsewhere)
    else:
        silent = taking_turns(taking_turns(elsewhere, here, start), elsewhere, end)
    return {"conditioning": {**alike(given or {"": {}}), **silent_facts(silent), **_when(start, end)}}


def _switched(known: Known) -> dict[str, Facts]:
    given = _wired(known, "first", "then")
    first, then = (silences_of(given.get(name, {})) for name in ("first", "then"))
    at = number_of(known.settings, "at")
    silent = taking_turns(first, then, at)
    return {"conditioning": {**alike(given or {"": {}}), **silent_facts(silent), **_when(at)}}


def _blended(known: Known) -> dict[str, Facts]:
    given = _wired(known, "first", "second")
    tokens = [count_of(facts, "tokens") for facts in given.values()]
    match tokens:
        case [int(first), int(second)]:
            _check_tokens(first, second)
    return {"conditioning": alike(given or {"": {}})}


def _check_tokens(first: int, second: int) -> None:
    if first != second:
        raise Refusal(
            f"has {second} tokens, and the first {first}; a blend is of equally many",
            at="second",
            cure="set chunks of both text.encode to one number",
        )


def _joined(known: Known) -> dict[str, Facts]:
    given = _wired(known, "first", "second")
    found = {name: fact for name, fact in alike(given or {"": {}}).items() if name != "tokens"}
    tokens = [count_of(facts, "tokens") for facts in given.values()]
    match tokens:
        case [int(first), int(second)]:
            return {"conditioning": {**found, "tokens": first + second}}
    return {"conditioning": found}


# --- nodes: several at once -----------------------------------------------------------------------------------------


def _check_family(*given: Conditioning, at: str) -> None:
    """Refuse at a run what could not be known before, where a model was chosen by a wire."""
    for other in given[1:]:
        alike({"": {"family": given[0].family}, at: {"family": other.family}})


@node(category="conditioning", title="Combine prompts", cheap=True, infer=_combined)
def combine(*conditionings: Conditioning) -> Conditioning:
    """Follow several prompts at once, each where it is meant.

    The prediction is the mean of those for the prompts, weighed at each place by their strengths there; each prompt
    costs the time of one. One with no region is meant everywhere.
    """
    _check_family(*conditionings, at="conditionings")
    return composed(conditionings[0].family, [part for given in conditionings for part in parts_of(given)])


@node(category="conditioning", title="Prompt in an area", cheap=True, infer=_in_area)
def area(
    conditioning: Given,
    *,
    left: Annotated[Share, Field(description="Where it begins, as a share of the picture's width.")] = 0.0,
    top: Annotated[Share, Field(description="Where it begins, as a share of the picture's height.")] = 0.0,
    width: Annotated[Share, Field(description="How wide it is, as a share; what is outside the picture is cut.")] = 0.5,
    height: Annotated[Share, Field(description="How high it is, as a share of the picture's height.")] = 1.0,
    strength: Strength = 1.0,
    alone: Alone = False,
) -> Conditioning:
    """Mean a prompt for a part of the picture; combine it with others for the rest, or for the whole.

    The model looks at the whole picture nevertheless, unless `alone`, which also takes less time.
    """
    _check_side(left, width, ("left", "width"))
    _check_side(top, height, ("top", "height"))
    region = Region(left, top, min(left + width, 1.0), min(top + height, 1.0), alone=alone)
    return restricted(conditioning, region, strength)


@node(category="conditioning", title="Prompt in a mask", cheap=True, infer=_in_mask)
def mask(
    conditioning: Given,
    mask: Annotated[Mask, Field(description="Where it is meant: 1 fully, 0 not; stretched over the picture.")],
    *,
    strength: Strength = 1.0,
    alone: Alone = False,
) -> Conditioning:
    """Mean a prompt for what a mask marks; combine it with others for the rest, or for the whole picture."""
    return restricted(conditioning, Region(mask=mask.values, alone=alone), strength)


# --- nodes: one after the other -------------------------------------------------------------------------------------


@node(category="conditioning", title="Prompt during steps", cheap=True, infer=_within)
def between(
    conditioning: Given,
    otherwise: Annotated[
        Conditioning | None, Field(description="What acts before and after; nothing where it is combined with others.")
    ] = None,
    *,
    start: Start = 0.0,
    end: End = 1.0,
) -> Conditioning:
    """Follow a prompt during a part of the schedule only: first the layout, for example, or only the details."""
    check_range(start, end)
    if otherwise is None:
        parts = during(conditioning, start, end)
    else:
        _check_family(conditioning, otherwise, at="otherwise")
        parts = during(otherwise, 0, start) + during(conditioning, start, end) + during(otherwise, end, 1)
    return composed(conditioning.family, parts)


@node(category="conditioning", title="Switch prompts", cheap=True, infer=_switched)
def switch(
    first: Annotated[Conditioning, Field(description="What is followed before.")],
    then: Annotated[Conditioning, Field(description="What is followed from there on.")],
    *,
    at: Annotated[Share, Field(description="Where to change, as a share of the schedule.")] = 0.5,
) -> Conditioning:
    """Follow one prompt first and another one from some step on, which keeps the layout of the first.

    Changing `then` or `at` computes only the steps again that differ.
    """
    _check_family(first, then, at="then")
    return composed(first.family, during(first, 0, at) + during(then, at, 1))


# --- nodes: numbers -------------------------------------------------------------------------------------------------


def _plain(given: Conditioning, at: str) -> TextConditioning:
    if not isinstance(given, TextConditioning):
        what = "several prompts" if isinstance(given, Composition) else "no prompt"
        cure = "blend and join prompts first, and compose the results"
        raise Refusal(f"is {what}", at=at, allowed="one prompt", cure=cure)
    return given


@node(category="conditioning", title="Blend prompts", infer=_blended)
def blend(
    first: Annotated[Conditioning, Field(description="What ratio 0 is.")],
    second: Annotated[Conditioning, Field(description="What ratio 1 is, of equally many tokens.")],
    *,
    ratio: Ratio = 0.5,
) -> Conditioning:
    """Mix what two prompts say, number by number: (1 - ratio) * first + ratio * second, the pooled parts as well."""
    one, other = _plain(first, "first"), _plain(second, "second")
    _check_family(one, other, at="second")
    _check_tokens(one.embeddings.shape[1], other.embeddings.shape[1])
    from graphgen_nodes.conditionings import blended

    return blended(one, other, ratio)


@node(category="conditioning", title="Join prompts", infer=_joined)
def join(
    first: Annotated[Conditioning, Field(description="The tokens before; what else there is, is of this one.")],
    second: Annotated[Conditioning, Field(description="The tokens after.")],
) -> Conditioning:
    """Put the tokens of two prompts one after the other, each as its encoder read it, knowing nothing of the other."""
    one, other = _plain(first, "first"), _plain(second, "second")
    _check_family(one, other, at="second")
    from graphgen_nodes.conditionings import joined

    return joined(one, other)


@node(category="conditioning", title="Zeros for a prompt", infer=same_as("conditioning"))
def zero(
    conditioning: Given,
    *,
    what: Annotated[
        Literal["all", "tokens", "pooled"], Field(description="What becomes zeros: all it says, or one part of it.")
    ] = "all",
) -> Conditioning:
    """Make zeros of what a prompt says: a negative prompt for models that were trained without any words.

    SDXL is told zeros where it is told nothing; sizes, scores and guidance scales go back to what is usual.
    """
    from graphgen_nodes.conditionings import zeros_like, zeros_of

    def emptied(given: Conditioning) -> Conditioning:
        if isinstance(given, LabelConditioning):
            cure = "leave label of conditioning.label empty, which is the null class"
            raise Refusal("is a class label, of which 0 is one like others", at="conditioning", cure=cure)
        return zeros_like(given) if what == "all" else zeros_of(given, "embeddings" if what == "tokens" else what)

    return mapped(conditioning, emptied)


NODES: tuple[Callable[..., object], ...] = (combine, area, mask, between, switch, blend, join, zero)
"""The nodes of this module, which are contributed with the others of conditionings."""
