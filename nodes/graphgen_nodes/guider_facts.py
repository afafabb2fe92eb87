"""What is known of guiders before they run: an infer for each kind of guider node. Torch-free."""

from __future__ import annotations

from graphgen import Facts, Known, Refusal
from graphgen_nodes.facts import (
    Infer,
    check_conditioning,
    check_known_range,
    check_unconditional,
    guider_facts,
    number_of,
    switched_facts,
)

ATTENTIVE = ("sd1", "sd2", "sdxl", "sdxl_refiner", "dit")
"""The families whose networks keep their self-attention apart."""
LAYERED = ("sd3", "flux", "dit")
"""The families that are stacks of blocks, of which one can be left out."""


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
    check_known_range(known)
    return {"guider": guider_facts(denoiser, *prompts.values())}


def switched(known: Known) -> dict[str, Facts]:
    """Return what is known of two guiders of which one acts first."""
    return {"guider": switched_facts(known.inputs.get("first", {}), known.inputs.get("then", {}))}


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
