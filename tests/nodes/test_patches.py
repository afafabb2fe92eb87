"""Patches: they change what they should for the time of a lease, and the loaded weights never."""

from __future__ import annotations

import gc
import importlib
import weakref
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import torch
from engine_kit import N, config, engine, workflow
from packs import tinting
from packs.tinting import Averaged, Lifted, Scaled
from tiny import Arch, shared_tiny
from torch import Tensor, nn

from graphgen import Place, ResourceError
from graphgen.engine import Engine
from graphgen.plugins import find_plugins, module_plugins
from graphgen.registry import Registry, build_registry
from graphgen.residency import Residency
from graphgen_nodes import Component, Denoiser, Edit, Patch, TextConditioning, TextEncoder, WeightPatch
from graphgen_nodes.checkpoints import open_checkpoint
from graphgen_nodes.families.handles import denoiser_handle, text_encoder_handle
from graphgen_nodes.loading import ModelLoader
from graphgen_nodes.patching import skeleton

OUT = "conv_out.weight"
ARCHES: tuple[Arch, ...] = ("sd1", "sd2", "sd3")


def quiet(done: int, total: int) -> None:
    """Take a report and do nothing."""


def model(*patches: Patch) -> Denoiser:
    return replace(denoiser_handle(open_checkpoint(shared_tiny("sd1").file)), patches=patches)


@pytest.fixture
def residency() -> Residency:
    return Residency([ModelLoader()], Place("cpu", "float32"))


def told(network: Any) -> Tensor:
    """Return what a network says of a fixed input."""
    x = torch.linspace(-1, 1, 256).reshape(1, 4, 8, 8)
    output: Tensor = network(x, torch.tensor([300.0]), TextConditioning("sd1", torch.ones(1, 77, 64)))
    return output


def answer(residency: Residency, *patches: Patch) -> Tensor:
    with residency.lease(model(*patches), quiet) as network:
        return told(network)


def digest(module: nn.Module) -> str:
    total = sha256()
    for name, value in module.state_dict().items():
        total.update(name.encode() + value.numpy().tobytes())
    return total.hexdigest()


# --- skeletons --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("arch", ARCHES)
def test_a_skeleton_shares_tensors_and_no_module(arch: Arch, residency: Residency) -> None:
    checkpoint = open_checkpoint(shared_tiny(arch).file)
    with (
        residency.lease(denoiser_handle(checkpoint), quiet) as denoiser,
        residency.lease(text_encoder_handle([checkpoint]), quiet) as texts,
    ):
        for module in (denoiser.module, *texts.encoders.values()):  # type: ignore[attr-defined]
            copy = skeleton(module)
            originals = {id(inner) for inner in module.modules()}
            assert [type(inner) for inner in copy.modules()] == [type(inner) for inner in module.modules()]
            for inner in copy.modules():
                assert id(inner) not in originals
                # an attribute or a bound method that leads back would let a patch change the original
                assert not [name for name, value in vars(inner).items() if id(value) in originals]
                assert not [name for name, value in vars(inner).items() if id(_owner(value)) in originals]
            for (name, one), (other, two) in zip(_tensors(module), _tensors(copy), strict=True):
                assert name == other
                assert one is two


def _owner(value: object) -> object:
    return getattr(value, "__self__", None)


def _tensors(module: nn.Module) -> list[tuple[str, Tensor]]:
    return [*module.named_parameters(remove_duplicate=False), *module.named_buffers(remove_duplicate=False)]


def test_a_module_in_two_places_stays_one() -> None:
    shared = nn.Linear(2, 2)
    copy = skeleton(nn.ModuleDict({"one": shared, "two": shared, "three": nn.Linear(2, 2)}))
    assert copy["one"] is copy["two"]
    assert copy["one"] is not shared


def test_what_is_set_on_a_skeleton_is_not_on_the_original() -> None:
    original = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
    x = torch.ones(1, 2)
    before = original(x)
    copy = skeleton(original)
    copy[0].register_forward_hook(lambda _, __, output: output + 1)
    copy.register_buffer("more", x)
    copy.append(nn.Tanh())
    copy[0].weight = nn.Parameter(torch.zeros(2, 2))
    assert not torch.equal(copy(x), before)
    assert torch.equal(original(x), before)
    assert len(original) == 2


# --- weights ----------------------------------------------------------------------------------------------------------


def test_weight_patches_act_in_order_and_leave_the_originals(residency: Residency) -> None:
    @dataclass(frozen=True)
    class Raised(WeightPatch):
        def edits(self, component: Component) -> Mapping[str, Edit]:
            assert component.part == "unet"
            return {OUT: lambda old: old + 0.5}

    with residency.lease(model(), quiet) as plain:
        module: Any = plain.module  # type: ignore[attr-defined]
        before, said = digest(module), told(plain)
        with residency.lease(model(Scaled(OUT, 2.0), Raised()), quiet) as patched:
            assert torch.equal(patched.module.conv_out.weight, module.conv_out.weight * 2 + 0.5)  # type: ignore[attr-defined]
            assert patched.module.conv_in.weight is module.conv_in.weight  # type: ignore[attr-defined]
            assert not torch.equal(told(patched), said)
            assert torch.equal(told(plain), said)  # while the other lease is open
        assert digest(module) == before
    assert torch.equal(answer(residency), said)


def test_changed_weights_are_kept_shared_and_counted(residency: Residency) -> None:
    patch, reports = Scaled(OUT, 2.0), []
    with residency.lease(model(patch), lambda done, total: reports.append((done, total))) as one:
        extra = one.module.conv_out.weight.nbytes  # type: ignore[attr-defined]
    with residency.lease(model(Scaled(OUT, 2.0)), quiet) as other:
        assert other is one
    assert reports[-1] == (extra, extra)
    whole, patched = sorted(residency.report(), key=lambda resident: -resident.size)
    assert patched.size == extra
    assert patched.identity == f"{whole.identity}, patched"
    assert residency.warm().keys() == {whole.identity}


def test_no_edit_costs_nothing(residency: Residency) -> None:
    with residency.lease(model(), quiet) as plain, residency.lease(model(Scaled("nothing", 2.0)), quiet) as patched:
        assert patched.module is plain.module  # type: ignore[attr-defined]
    assert min(resident.size for resident in residency.report()) == 0


def test_changed_weights_go_before_or_with_those_they_are_made_of() -> None:
    loader = ModelLoader()
    whole = loader.load(model(), Place("cpu", "float32"), quiet).size
    residency = Residency([loader], Place("cpu", "float32"), budget_bytes=whole + 64)
    with residency.lease(model(Scaled("weight", 2.0)), quiet) as network:
        seen = weakref.ref(network.module)  # type: ignore[attr-defined]
        assert len(residency.report()) == 2
    del network
    gc.collect()
    assert seen() is None
    assert sum(resident.size for resident in residency.report()) <= whole + 64
    roomy = Residency([loader], Place("cpu", "float32"))
    answer(roomy, Scaled(OUT, 2.0))
    roomy.free(whole)
    assert roomy.report() == []


def test_half_precision_is_changed_in_single(residency: Residency) -> None:
    handle = replace(model(Scaled(OUT, 1.001)), precision="bfloat16")
    with residency.lease(handle, quiet) as patched, residency.lease(replace(handle, patches=()), quiet) as plain:
        old, new = plain.module.conv_out.weight, patched.module.conv_out.weight  # type: ignore[attr-defined]
        assert torch.equal(new, (old.float() * 1.001).to(torch.bfloat16))


@dataclass(frozen=True)
class Wrong(WeightPatch):
    """Gives a parameter what it should not be."""

    name: str
    value: float = 0.0
    shape: tuple[int, ...] = (3,)

    def edits(self, component: Component) -> Mapping[str, Edit]:  # noqa: ARG002
        return {self.name: lambda old: torch.full(self.shape or old.shape, self.value)}


def test_the_patches_of_the_page(residency: Residency, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run what docs/patches.md shows."""
    page = (Path(__file__).parents[2] / "docs" / "patches.md").read_text(encoding="utf-8")
    (tmp_path / "shown_patches.py").write_text(page.partition("```python\n")[2].partition("```")[0])
    monkeypatch.syspath_prepend(tmp_path)
    shown = importlib.import_module("shown_patches")
    soft = shown.soften(model(), factor=0.5, end=0.5)
    assert soft.at(0.5) == model()
    with residency.lease(soft.at(0.2), quiet) as patched, residency.lease(model(), quiet) as plain:
        assert torch.equal(patched.module.conv_out.weight, plain.module.conv_out.weight * 0.5)  # type: ignore[attr-defined]
    assert not torch.equal(answer(residency, shown.SkipLayer("mid_block.resnets.0")), answer(residency))


@pytest.mark.parametrize(
    ("patch", "message"),
    [
        (Wrong("conv.weight"), r"Wrong: gives a value to 'conv\.weight', which the unet does not have"),
        (Wrong(OUT), r"'conv_out\.weight' of shape \(4, 32, 3, 3\) shape"),
        (Wrong(OUT, float("nan"), ()), "NaN or infinite"),
        (Patch(), "neither a WeightPatch nor a BehaviourPatch"),
    ],
)
def test_mistakes_of_patches_are_named(patch: Patch, message: str, residency: Residency) -> None:
    with pytest.raises(ResourceError, match=message):
        answer(residency, patch)
    assert torch.isfinite(answer(residency)).all()


def test_text_encoders_are_patched(residency: Residency) -> None:
    plain: TextEncoder = text_encoder_handle([open_checkpoint(shared_tiny("sd3").file)])
    ending = "self_attn.q_proj.weight"
    with (
        residency.lease(plain, quiet) as one,
        residency.lease(replace(plain, patches=(Scaled(ending, 0.0),)), quiet) as other,
    ):
        said, changed = (found.encode("a red apple", print) for found in (one, other))  # type: ignore[attr-defined]
        assert one.encoders["text_encoder_3"] is other.encoders["text_encoder_3"]  # type: ignore[attr-defined]
    assert not torch.equal(said.embeddings[:, :77], changed.embeddings[:, :77])
    assert torch.equal(said.embeddings[:, 77:], changed.embeddings[:, 77:])


# --- behaviour --------------------------------------------------------------------------------------------------------


def test_behaviour_lasts_a_lease_and_is_its_own(residency: Residency) -> None:
    said = answer(residency)
    with (
        residency.lease(model(), quiet) as plain,
        residency.lease(model(Lifted("conv_out", 1.0)), quiet) as one,
        residency.lease(model(Lifted("conv_out", 1.0), Lifted("conv_out", 2.0), Scaled(OUT, 2.0)), quiet) as more,
    ):
        for _ in range(2):  # alternating leases of the same weights
            assert torch.equal(told(plain), said)
            assert torch.equal(told(one), said + 1.0)
            bias = plain.module.conv_out.bias[:, None, None]  # type: ignore[attr-defined]
            torch.testing.assert_close(told(more), (said - bias) * 2 + bias + 3.0)
    assert torch.equal(answer(residency), said)


def test_behaviour_may_hold_further_weights(residency: Residency) -> None:
    other = model(Scaled(OUT, 3.0))
    with residency.lease(model(Averaged(other)), quiet) as network:
        assert [resident.leases for resident in residency.report()].count(0) == 0
        bias = network.module.conv_out.bias[:, None, None]  # type: ignore[attr-defined]
        mean = told(network)
    torch.testing.assert_close(mean, (answer(residency) - bias) * 2 + bias)
    assert all(resident.leases == 0 for resident in residency.report())


def test_a_failing_patch_leaves_no_lease(residency: Residency) -> None:
    with pytest.raises(AttributeError, match="nowhere"):
        answer(residency, Lifted("nowhere", 1.0))
    assert [resident.leases for resident in residency.report()] == [0]


# --- in a run ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def installed() -> Registry:
    made = build_registry([*find_plugins(), *module_plugins({"tinting": tinting})])
    assert "tinting.scale" in made.nodes
    return made


@pytest.fixture
def made(tmp_path: Path, installed: Registry) -> Iterator[Engine]:
    folder = shared_tiny("sd1").folder.parent
    roots = replace(config(tmp_path).roots, models=folder)
    with engine(tmp_path, installed=installed, roots=roots, device="cpu") as found:
        yield found


def drawing(*patches: dict[str, Any]) -> dict[str, Any]:
    """Return a workflow that samples with a patched model, each patch a node's type and settings."""
    chain = {f"patch{k}": patch for k, patch in enumerate(patches)}
    for k, patch in enumerate(chain.values()):
        patch["inputs"] = {"denoiser": f"patch{k - 1}.denoiser" if k else "model.denoiser", **patch["inputs"]}
    model = f"patch{len(patches) - 1}.denoiser" if patches else "model.denoiser"
    nodes = {
        "model": N("models.load", {"path": "sd1"}),
        **chain,
        "words": N("text.encode", {"text": "a red apple"}, encoder="model.text_encoder"),
        "guider": N("guiders.none", denoiser=model, positive="words.conditioning"),
        "sampler": N("samplers.euler"),
        "schedule": N("schedules.default", {"steps": 4}, denoiser="model.denoiser"),
        "noise": N("noise.gaussian", {"seed": 1}),
        "latent": N("latents.empty", {"width": 64, "height": 64}, denoiser="model.denoiser"),
        "sample": N(
            "sampling.sample",
            guider="guider.guider",
            sampler="sampler.sampler",
            schedule="schedule.schedule",
            noise="noise.noise",
            latent="latent.latent",
        ),
    }
    return workflow(nodes, "sample.latent")


def drawn(made: Engine, *patches: dict[str, Any]) -> Tensor:
    latent: Any = made.run(drawing(*patches)).outputs["sample"]
    samples: Tensor = latent.samples
    return samples


def test_patches_of_another_pack_travel_through_a_run(made: Engine) -> None:
    """Off after on gives the former picture bit for bit, and so does a range without a step."""
    before = drawn(made)
    scaled = drawn(made, N("tinting.scale", {"factor": 1.5}))
    both = drawn(made, N("tinting.scale", {"factor": 1.5}), N("tinting.lift", {"amount": 0.25}))
    assert len({sha256(value.numpy().tobytes()).hexdigest() for value in (before, scaled, both)}) == 3
    assert torch.equal(drawn(made, N("tinting.scale", {"factor": 1.0})), before)
    assert torch.equal(drawn(made, N("tinting.lift", {"amount": 0.0})), before)
    assert torch.equal(drawn(made, N("tinting.scale", {"factor": 9.0, "start": 0.8, "end": 0.9})), before)


def test_a_patch_acts_between_two_shares_of_a_schedule(made: Engine) -> None:
    """The first half patched is neither all nor nothing; two halves are the whole."""
    off, on = drawn(made), drawn(made, N("tinting.scale", {"factor": 1.5}))
    early, late = {"factor": 1.5, "end": 0.5}, {"factor": 1.5, "start": 0.5}
    half = drawn(made, N("tinting.scale", early))
    assert not torch.equal(half, off)
    assert not torch.equal(half, on)
    assert torch.equal(drawn(made, N("tinting.scale", early), N("tinting.scale", late)), on)


def test_networks_of_two_denoisers_in_one_run(made: Engine) -> None:
    """A patch that averages a model with itself changes nothing but the last bits."""
    before = drawn(made)
    averaged = drawn(made, N("tinting.average", other="model.denoiser"))
    torch.testing.assert_close(averaged, before, rtol=0, atol=1e-6)
