"""What is known of guiders before they run: an infer for each kind of guider node. Torch-free."""

from __future__ import annotations

from collections.abc import Mapping

from graphgen import Facts, Known, Refusal
from graphgen_nodes.facts import (
    Infer,
    check_conditioning,
    check_known_range,
    check_unconditional,
    count_of,
    kept,
    number_of,
)
from graphgen_nodes.prompt_to_prompt.pairs import check_prompts
from graphgen_nodes.silences import Spans, joined, silences_of, silent_facts, taking_turns, within

ATTENTIVE = ("sd1", "sd2", "sdxl", "sdxl_refiner", "dit")
"""The families whose networks keep their self-attention apart."""
LAYERED = ("sd3", "flux", "dit")
"""The families that are stacks of blocks, of which one can be left out."""


def guider_facts(denoiser: Facts, *prompts: Facts, silent: Spans | None = None) -> Facts:
    """Return the facts of a guider: those of its denoiser that sampling depends on, and for how many images it is.

    `silent` is where it says nothing; None: where any of the prompts does.
    """
    own = ("family", "prediction", "path", "format", "multiple", "most_cells", "square", "learned_variance")
    counts = [count_of(prompt, "batch") for prompt in prompts]
    batch = {} if None in counts else {"batch": max(count for count in counts if count)}
    shown = {name: value for prompt in prompts for name, value in kept(prompt, "rows", "columns").items()}
    spans = joined(*map(silences_of, prompts)) if silent is None else silent
    return {**kept(denoiser, *own, "control", "edited"), **shown, **batch, **silent_facts(spans)}


def switched_facts(first: Facts, then: Facts, share: float | None) -> Facts:
    """Return the facts of guiders that take turns at a share of the schedule; refuse the second if it cannot go on.

    They are what is true of both; where the share is not known, it is None.
    """
    cure = "take turns between guiders of one kind of latents and noise process"
    for name, what in (("format", "latents"), ("path", "noise process")):
        if name in first and name in then and first[name] != then[name]:
            raise Refusal(f"works on another kind of {what} than the guider before it", at="then", cure=cure)
    one, other = count_of(first, "batch"), count_of(then, "batch")
    if one is not None and other is not None and one != other and 1 not in (one, other):
        message, cure = f"has prompts for {other} images, the guider before it for {one}", "take prompts for one image"
        raise Refusal(message, at="then", allowed=f"prompts for 1 or {one} images", cure=cure)
    batch = {} if one is None or other is None else {"batch": max(one, other)}
    silent = silent_facts(taking_turns(silences_of(first), silences_of(then), share))
    own = ("batch", "silent")
    return {**{name: it for name, it in first.items() if name not in own and then.get(name) == it}, **batch, **silent}


def guided(known: Known) -> dict[str, Facts]:
    """Return what is known of guidance by a positive conditioning, or by that and a negative one."""
    denoiser = known.inputs.get("denoiser", {})
    wired = ("positive",) if known.settings.get("scale", 1) == 1 else ("positive", "negative")  # as sampling looks
    prompts = {name: known.inputs[name] for name in wired if name in known.inputs}
    if not prompts:
        check_unconditional(denoiser)
        return {"guider": guider_facts(denoiser, {"batch": 1})}
    for name, prompt in prompts.items():
        check_conditioning(denoiser, prompt, at=name)
    check_prompts(denoiser, prompts.get("positive", {}))
    check_known_range(known)
    return {"guider": guider_facts(denoiser, *prompts.values(), silent=_silent(known, prompts))}


def _silent(known: Known, prompts: Mapping[str, Facts]) -> Spans:
    """Return where guidance says nothing: the negative prompt matters between start and end alone."""
    start, end = number_of(known.settings, "start"), number_of(known.settings, "end")
    asked = [] if start is None or end is None else [within(silences_of(prompts.get("negative", {})), start, end)]
    return joined(silences_of(prompts.get("positive", {})), *asked)


def switched(known: Known) -> dict[str, Facts]:
    """Return what is known of two guiders of which one acts first."""
    share = number_of(known.settings, "at")
    return {"guider": switched_facts(known.inputs.get("first", {}), known.inputs.get("then", {}), share)}


def clipped(known: Known) -> dict[str, Facts]:
    """Return what is known of a guider kept within a range, which must not be empty."""
    low, high = number_of(known.settings, "low"), number_of(known.settings, "high")
    if low is not None and high is not None and low >= high:
        raise Refusal(f"is {low:g}, at or above high {high:g}", at="low", cure="make low less than high")
    return {"guider": known.inputs.get("guider", {})}


def prompts(*names: str) -> Infer:
    """Return an infer for a guider that looks at all the conditionings of these names."""

    def infer(known: Known) -> dict[str, Facts]:
        denoiser = known.inputs.get("denoiser", {})
        for name in names:
            check_conditioning(denoiser, known.inputs.get(name, {}), at=name)
        check_prompts(denoiser, known.inputs.get("positive", {}))
        return {"guider": guider_facts(denoiser, *(known.inputs.get(name, {}) for name in names))}

    return infer


def around(known: Known) -> dict[str, Facts]:
    """Return what is known of the guider within."""
    return {"guider": known.inputs.get("guider", {})}


def contrasted(families: tuple[str, ...] = (), cure: str = "") -> Infer:
    """Return an infer for a guider around another one that asks a weaker denoiser too.

    `families` are those whose networks can be made weaker so (none: all), `cure` says what to use with others.
    """

    def infer(known: Known) -> dict[str, Facts]:
        guider, weaker = known.inputs.get("guider", {}), known.inputs.get("weaker", {})
        check_known_range(known)
        family = guider.get("family")
        if families and isinstance(family, str) and family not in families:
            message = f"is of {family}, whose network has no such layers"
            raise Refusal(message, at="guider", allowed=f"guiders of {', '.join(families)}", cure=cure)
        for name, what in (("family", "family"), ("format", "latents"), ("path", "noise process")):
            if name in guider and name in weaker and guider[name] != weaker[name]:
                raise Refusal(
                    f"is a denoiser of another {what} than the guider's",
                    at="weaker",
                    cure="take an earlier or smaller checkpoint of the same model",
                )
        return {"guider": guider}

    return infer
