"""`prompt_to_prompt.local`: the mask by its formula, an edit that stays inside it, and a first image never touched."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from engine_kit import N
from nodes.resuming_kit import codec
from nodes.sampling_oracles import PATHS, WORDS, RandomNetwork, handle, unguided
from nodes.test_driver import every_sampler, on_paths, source
from nodes.test_patches import quiet
from tiny import Arch, shared_tiny
from torch import Tensor

from graphgen import Place
from graphgen.config import Config
from graphgen.engine import Engine
from graphgen.errors import WorkflowError
from graphgen.jsontypes import JSON
from graphgen.residency import Residency
from graphgen_nodes.checkpoints import open_checkpoint
from graphgen_nodes.families.handles import denoiser_handle
from graphgen_nodes.loading import ModelLoader
from graphgen_nodes.prompt_to_prompt.blending import words_mask
from graphgen_nodes.prompt_to_prompt.local import LocalSampler, LocalState
from graphgen_nodes.prompt_to_prompt.patch import PromptEdit
from graphgen_nodes.sampling import schedules
from graphgen_nodes.sampling.denoiser import NetworkDenoiser
from graphgen_nodes.sampling.driver import begin, sample, trajectory
from graphgen_nodes.sampling.options import DPMpp2M, Euler, Heun
from graphgen_nodes.sampling.protocols import Guided, Prediction, State
from graphgen_nodes.sockets import Conditioning, Sampler, Schedule, TextConditioning

WORKFLOW = Path(__file__).parents[2] / "workflows" / "prompt_to_prompt_local.json"
SHAPE = (2, 4, 6, 6)
STEPS = 5


# --- the mask, by its formula -----------------------------------------------------------------------------------------


def mask_by_hand(attention: Tensor, size: tuple[int, int], threshold: float) -> list[list[bool]]:
    """Pool, enlarge, normalise, compare and join, place by place (Hertz et al. 2022, and its published code)."""
    _, rows, columns = attention.shape
    found = [[False] * size[1] for _ in range(size[0])]
    for image in attention.tolist():
        most = max(max(row) for row in image)
        for y, x in ((y, x) for y in range(size[0]) for x in range(size[1])):
            r, c = y * rows // size[0], x * columns // size[1]
            near = [
                image[i][j]
                for i in range(max(r - 1, 0), min(r + 2, rows))
                for j in range(max(c - 1, 0), min(c + 2, columns))
            ]
            found[y][x] |= most > 0 and max(near) / most > threshold
    return found


@pytest.mark.parametrize("size", [(16, 16), (12, 8), (10, 10)])
def test_the_mask_is_where_either_image_attends_to_its_words(size: tuple[int, int]) -> None:
    attention = torch.rand(2, 4, 4, generator=torch.Generator().manual_seed(1)) ** 8
    for threshold in (0.0, 0.3, 0.7, 1.0):
        assert words_mask(attention, size, threshold).tolist() == mask_by_hand(attention, size, threshold)
    none = attention * torch.tensor([1.0, 0.0])[:, None, None]
    assert torch.equal(words_mask(none, size, 0.3), words_mask(attention[:1], size, 0.3)), "an image without words"
    assert not words_mask(attention, size, 1.0).any()
    assert words_mask(attention, size, 0.0).all()


# --- methods, with attention that is made up --------------------------------------------------------------------------


class Looking(RandomNetwork):
    """A network that says what it attends to: both images to the left, the first more and more to the right too."""

    attention: Tensor

    def __call__(self, x: Tensor, timestep: Tensor, conditioning: Conditioning = WORDS) -> Tensor:
        self.attention = torch.full((2, 6, 6), 0.01)
        self.attention[:, :, 0] = 1
        self.attention[0, :, 5] = 0.15 * min(len(self.calls) / STEPS, 1)
        return super().__call__(x, timestep, conditioning)


def looking(kind: str, schedule: Schedule) -> Guided:
    """Return a denoiser for two images that differ in their noise."""
    prediction = "flow" if kind == "flow" else "epsilon"
    return unguided(NetworkDenoiser(Looking(2), handle(PATHS[kind], prediction), schedule))  # type: ignore[arg-type]


def drawn(kind: str, sampler: Sampler) -> State:
    schedule = schedules.default(PATHS[kind], STEPS)
    return sample(looking(kind, schedule), sampler, schedule, source(kind, SHAPE), torch.zeros(SHAPE))


@on_paths
@every_sampler
def test_every_method_keeps_the_first_image_and_the_second_outside_the_mask(sampler: Sampler, kind: str) -> None:
    """Bit for bit: no mask gives the first image twice, a whole one the edit, and another one each in its place."""
    plain = drawn(kind, sampler)
    none, whole, some = (drawn(kind, LocalSampler(sampler, share, 0.0)).x for share in (1.0, 0.0, 0.3))
    for found in (none, whole, some):
        assert torch.equal(found[0], plain.x[0])
    assert torch.equal(none[1], plain.x[0])
    assert torch.equal(whole[1], plain.x[1])
    assert torch.equal(some[1, :, :, 2:], plain.x[0, :, :, 2:])
    assert not torch.equal(some[1, :, :, :2], plain.x[0, :, :, :2])


def test_a_step_is_the_published_one() -> None:
    """Euler's steps and the blend after each, written out, with the attention of all steps so far."""
    schedule = schedules.default(PATHS["exploding"], STEPS)
    denoise, noise = looking("exploding", schedule), source("exploding", SHAPE)
    state = begin(Euler(), schedule, noise, torch.zeros(SHAPE))
    x, total = state.x, torch.zeros(2, 6, 6)
    for i, (s, t) in enumerate(zip(schedule.sigmas, schedule.sigmas[1:], strict=False)):
        seen = denoise(x, s)
        assert seen.attention is not None
        total = total + seen.attention
        x = x + (t - s) * (x - seen.denoised) / s
        if i >= 0.4 * STEPS:
            inside = torch.tensor(mask_by_hand(total, (6, 6), 0.1)).float()
            x = x[:1] + inside * (x - x[:1])
    again = looking("exploding", schedule)
    end = sample(again, LocalSampler(Euler(), 0.1, 0.4), schedule, noise, torch.zeros(SHAPE))
    torch.testing.assert_close(end.x, x, rtol=0, atol=1e-5)
    assert isinstance(end, LocalState)
    torch.testing.assert_close(end.attention, total)


@pytest.mark.parametrize("sampler", [Euler(), Heun(), DPMpp2M()], ids=repr)
def test_a_run_goes_on_from_any_state_as_if_never_stopped(sampler: Sampler) -> None:
    """What was watched is part of the state, also when that was written and read."""
    schedule, local = schedules.default(PATHS["flow"], STEPS), LocalSampler(sampler, 0.1, 0.4)
    denoise, noise = _steady(looking("flow", schedule)), source("flow", SHAPE)
    states = list(trajectory(denoise, local, schedule, noise, begin(local, schedule, noise, torch.zeros(SHAPE))))
    for state in states[:-1]:
        read = codec().decode(codec().encode(state))
        assert isinstance(read, LocalState)
        assert torch.equal(sample(denoise, local, schedule, noise, torch.zeros(SHAPE), state=read).x, states[-1].x)


def _steady(denoise: Guided) -> Guided:
    """Return a denoiser whose attention depends on the noise level alone, not on how often it was asked."""

    def steady(x: Tensor, sigma: float, memory: Tensor | None = None) -> Prediction:
        found = denoise(x, sigma)
        assert found.attention is not None
        attention = found.attention.clone()
        attention[0, :, 5] = 0.2 * (1 - sigma)
        return replace(found, attention=attention)

    return steady


def test_a_method_cannot_keep_to_words_that_nobody_watches() -> None:
    schedule = schedules.default(PATHS["flow"], STEPS)
    denoiser = NetworkDenoiser(RandomNetwork(2), handle(PATHS["flow"], "flow"), schedule)
    noise = source("flow", SHAPE)
    with pytest.raises(ValueError, match="the denoiser watches no words"):
        sample(unguided(denoiser), LocalSampler(Euler()), schedule, noise, torch.zeros(SHAPE))


# --- attention, watched in a network ----------------------------------------------------------------------------------


def _seen(edit: PromptEdit | None, x: Tensor, prompts: Conditioning, listen: Any = None) -> Tensor | None:
    residency = Residency([ModelLoader()], Place("cpu", "float32"))
    own = denoiser_handle(open_checkpoint(shared_tiny("sd1").file))
    with residency.lease(replace(own, patches=(edit,) if edit else ()), quiet) as network:
        found: Any = network
        if listen:
            listen(found.module)
        found(x, torch.full((len(x),), 300.0), prompts)
        seen: Tensor | None = getattr(found, "attention", None)
        return seen


def _prompts(count: int = 77) -> TextConditioning:
    generator = torch.Generator().manual_seed(3)
    negative = torch.tensor([False, False, True, True])
    return TextConditioning("sd1", torch.randn(4, count, 64, generator=generator), negative=negative)


@pytest.mark.parametrize("level", [0, 1])
def test_what_is_watched_is_the_mean_of_what_layers_of_a_level_attend_to(level: int) -> None:
    """By hand, of what goes into the layers of the network without an edit: an edit of no shares attends as it does."""
    x = torch.randn(4, 4, 8, 8, generator=torch.Generator().manual_seed(4))
    watched = ((2, 3), (5,))
    maps: list[Tensor] = []

    def listen(module: Any) -> None:
        for name, layer in module.named_modules():
            if name.endswith(".attn2"):
                layer.register_forward_hook(attended, with_kwargs=True)

    def attended(layer: Any, args: tuple[Tensor, ...], given: Any, _: Tensor) -> None:
        words = given.get("encoder_hidden_states")
        query, key = (
            states.unflatten(-1, (layer.heads, -1)).transpose(1, 2)
            for states in (layer.to_q(args[0]), layer.to_k(words))
        )
        if query.shape[2] == (8 >> level) ** 2:
            maps.append(torch.softmax(query @ key.transpose(-1, -2) / query.shape[-1] ** 0.5, dim=-1).mean(dim=1))

    assert _seen(None, x, _prompts(), listen) is None
    assert maps
    mean = torch.stack(maps).mean(dim=0)
    expected = torch.stack([mean[row][:, list(places)].sum(dim=-1) for row, places in enumerate(watched)])
    idle = PromptEdit(((0, 0, 1.0),), (0.0,) * 77, (1.0,) * 77, 0.0, watched, level)
    seen = _seen(idle, x, _prompts())
    assert seen is not None
    torch.testing.assert_close(seen, expected.reshape(2, 8 >> level, 8 >> level), rtol=0, atol=1e-6)
    taking = replace(idle, entries=tuple((k, k, 1.0) for k in range(77)), shares=(1.0,) * 77, watched=((2,), (2,)))
    taken = _seen(taking, x, _prompts())
    assert taken is not None
    torch.testing.assert_close(taken[1], taken[0]), "the edit attends as the source does, and is watched so"


def test_what_cannot_be_watched_is_refused() -> None:
    x = torch.zeros(4, 4, 8, 8)
    edit = PromptEdit((), (0.0,) * 77, (1.0,) * 77, 0.0, ((2,), ()), 3)
    with pytest.raises(
        ValueError, match=r"level: is 3, where layers would attend from 1 x 1 places, .* from 64, 16 pl"
    ):
        _seen(edit, x, _prompts())
    with pytest.raises(ValueError, match="is to edit a prompt of 154 tokens, and maps 77"):
        _seen(edit, x, _prompts(154))
    assert _seen(replace(edit, level=1), x, replace(_prompts(), negative=torch.tensor([True] * 4))) is None


# --- whole workflows --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def made() -> Iterator[Engine]:
    arches: tuple[Arch, ...] = ("sd1", "sdxl")
    (folder,) = {shared_tiny(arch).folder.parent for arch in arches}
    with Engine(Config.load({"models": str(folder)})) as found:
        yield found


def changed(*without: str, **nodes: Any) -> dict[str, Any]:
    workflow: dict[str, Any] = json.loads(WORKFLOW.read_text(encoding="utf-8"))
    workflow["outputs"] = {"latent": {"from": "sample.latent"}, "picture": {"from": "picture.image"}}
    workflow["nodes"] |= nodes
    if "local" in without:
        workflow["nodes"]["sample"]["inputs"]["sampler"] = "sampler.sampler"
    if "edit" in without:
        workflow["nodes"]["guider"]["inputs"]["denoiser"] = "model.denoiser"
    return workflow


def latents(made: Engine, workflow: dict[str, Any], **given: JSON) -> Tensor:
    report = made.run(workflow, {"model": "sd1", "steps": 3, "level": 1, "start": 0, **given})
    assert report.status == "done", report.failures
    found: Any = report.outputs["latent"]
    samples: Tensor = found.samples
    return samples


@pytest.mark.parametrize("model", ["sd1", "sdxl"])
def test_an_edit_kept_to_words_on_a_network(model: str, made: Engine) -> None:
    plain, edited = latents(made, changed("local", "edit"), model=model), latents(made, changed("local"), model=model)
    none, whole, some = (latents(made, changed(), model=model, threshold=share) for share in (1, 0, 0.95))
    for found in (none, whole, some):
        assert torch.equal(found[0], plain[0])
    assert torch.equal(none[1], plain[0])
    assert torch.equal(whole[1], edited[1])
    kept = (some[1] == plain[0]).all(dim=0)
    assert 0 < int(kept.sum()) < kept.numel()


def test_shares_that_end_before_the_run_does_are_watched_on(made: Engine) -> None:
    early: dict[str, JSON] = {"cross": 0.3, "self": 0.0}
    assert torch.equal(latents(made, changed(), threshold=0, **early)[1], latents(made, changed("local"), **early)[1])


REFUSED: dict[str, tuple[dict[str, Any], Sequence[str]]] = {
    "sample.sampler: keeps an edit to words, but no edit": ({"local": ""}, ()),
    "sample.sampler: keeps an edit to words, but no edit in the guider": ({}, ("edit",)),
    "sample.latent: is a batch of 3, but the picture and its edit": ({"batch": 3}, ()),
    "sample.batch_limit: is 1, but the picture": ({"limit": 1}, ()),
}


@pytest.mark.parametrize("message", REFUSED)
def test_what_cannot_be_kept_to_words_is_refused_when_checked(message: str, made: Engine) -> None:
    given, without = REFUSED[message]
    workflow = changed(*without)
    workflow["parameters"] |= {"batch": {"sets": ["latent.batch"]}, "limit": {"sets": ["sample.batch_limit"]}}
    with pytest.raises(WorkflowError) as caught:
        made.check(workflow, {"model": "sd1", **given})
    assert message in str(caught.value)


COMPOSED = {
    "combined": N("conditioning.combine", conditionings=["edit.conditioning", "negative.conditioning"]),
    "in an area": N("conditioning.combine", conditionings=["left.conditioning", "negative.conditioning"]),
    "for a while": N("conditioning.combine", conditionings=["early.conditioning", "negative.conditioning"]),
    "broken": N("text.encode", {"text": "a red car BREAK on white"}, encoder="model.text_encoder"),
    "joined": N("conditioning.join", first="edit.conditioning", second="negative.conditioning"),
    "composed twice": N("conditioning.switch", {"at": 0.5}, first="inner.conditioning", then="negative.conditioning"),
}
PARTS = {
    "left": N("conditioning.area", {"width": 0.5}, conditioning="edit.conditioning"),
    "early": N("conditioning.between", {"end": 0.5}, conditioning="edit.conditioning"),
    "late": N("conditioning.between", {"start": 0.5}, conditioning="negative.conditioning"),
    "inner": N("conditioning.combine", conditionings=["edit.conditioning", "negative.conditioning"]),
}


@pytest.mark.parametrize("how", COMPOSED)
@pytest.mark.parametrize("guider", ["guiders.classifier_free", "guiders.none", "guiders.projected"])
def test_composed_prompts_are_refused_when_checked(how: str, guider: str, made: Engine) -> None:
    workflow = changed(**PARTS, composed=COMPOSED[how])
    wires: dict[str, Any] = {
        "denoiser": "edit.denoiser",
        "positive": "composed.conditioning",
        "negative": "negative.conditioning",
    }
    if guider == "guiders.none":
        del wires["negative"]
    workflow["nodes"]["guider"] = N(guider, **wires)
    del workflow["parameters"]["guidance"]
    with pytest.raises(WorkflowError) as caught:
        made.check(workflow, {"model": "sd1"})
    told = str(caught.value)
    assert "guider.positive: " in told
    assert "wire the conditioning of prompt_to_prompt.edit itself" in told
    assert (
        "has 154 tokens, of which the edit" if how in ("broken", "joined") else "several prompts that act at"
    ) in told


def test_prompts_one_after_the_other_and_composed_negative_ones_are_drawn(made: Engine) -> None:
    """What is not refused works: of the positive prompt one acts at a time, and the negative one has no part in it."""
    followed = N("conditioning.combine", conditionings=["early.conditioning", "late.conditioning"])
    both = N("conditioning.combine", conditionings=["negative.conditioning", "other.conditioning"])
    other = N("text.encode", {"text": "grey"}, encoder="model.text_encoder")
    workflow = changed(**PARTS, followed=followed, both=both, other=other)
    workflow["nodes"]["guider"]["inputs"] |= {"positive": "followed.conditioning", "negative": "both.conditioning"}
    assert latents(made, workflow).isfinite().all()


def test_words_to_keep_to_must_be_in_a_prompt(made: Engine) -> None:
    (failure,) = made.run(changed(), {"model": "sd1", "local": "red, pear"}).failures
    assert failure.node == "edit"
    assert "'pear' is no word of the prompt 'a blue car on a yellow background'" in str(failure)


GUIDERS = ("none", "classifier_free", "cfg_plus_plus", "projected", "zero_star", "perpendicular", "dual")


@pytest.mark.parametrize("name", [*GUIDERS, "perturbed_attention", "threshold"])
def test_every_guider_hands_on_what_is_watched(name: str, made: Engine) -> None:
    """With a mask of nothing the edit is the picture, whatever guides it."""
    base = name if name in GUIDERS else "classifier_free"
    wires: dict[str, Any] = {"denoiser": "edit.denoiser", "positive": "edit.conditioning"}
    wires |= {} if base == "none" else {"negative": "negative.conditioning"}
    wires |= {"middle": "negative.conditioning"} if base == "dual" else {}
    wires |= {"empty": "negative.conditioning"} if base == "perpendicular" else {}
    workflow = changed(guider=N(f"guiders.{base}", **wires))
    del workflow["parameters"]["guidance"]
    if base != name:
        workflow["nodes"]["around"] = N(f"guiders.{name}", guider="guider.guider")
        workflow["nodes"]["sample"]["inputs"]["guider"] = "around.guider"
    found = latents(made, workflow, threshold=1)
    assert torch.equal(found[0], found[1])
