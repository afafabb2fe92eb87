"""Networks larger than their room: the same numbers bit for bit, and never more on the device than was said."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import UNet2DConditionModel
from hypothesis import given
from hypothesis import strategies as st
from packs.tinting import Averaged, Lifted, Scaled
from tiny import Arch, shared_tiny
from torch import Tensor, nn

import graphgen
from graphgen import Place, ResourceError
from graphgen.residency import Loaded, Residency
from graphgen_nodes import Denoiser, Image, Patch, TextConditioning
from graphgen_nodes.checkpoints import open_checkpoint
from graphgen_nodes.families.handles import autoencoder_handle, denoiser_handle, text_encoder_handle
from graphgen_nodes.loading import ModelLoader
from graphgen_nodes.streaming import Block, blocks_of, is_away, lay_out
from graphgen_nodes.weights import CACHE_LINE

WORKFLOWS = Path(__file__).parents[2] / "workflows"
CPU = Place("cpu", "float32")


def quiet(done: int, total: int) -> None:
    """Take a report and do nothing."""


def checkpoint(arch: Arch = "sd1") -> Any:
    return open_checkpoint(shared_tiny(arch).folder)


def model(*patches: Patch, arch: Arch = "sd1") -> Denoiser:
    return replace(denoiser_handle(checkpoint(arch)), patches=patches)


def load(handle: object, room: int | None = None) -> Loaded:
    return ModelLoader().load(handle, replace(CPU, room=room), quiet)


def told(network: Any) -> Tensor:
    """Return what SD 1's network says of a fixed input."""
    x = torch.linspace(-1, 1, 256).reshape(1, 4, 8, 8)
    output: Tensor = network(x, torch.tensor([300.0]), TextConditioning("sd1", torch.ones(1, 77, 64)))
    return output


def taken(*networks: nn.Module) -> int:
    """Return the bytes that parameters take, each piece of memory counted once."""
    storages = (value.untyped_storage() for network in networks for value in network.parameters())
    return sum({storage.data_ptr(): storage.nbytes() for storage in storages}.values())


@dataclass
class Peak:
    """The most bytes seen."""

    size: int = 0


@contextmanager
def peak_of(*networks: nn.Module) -> Iterator[Peak]:
    """Look at what networks take after each call of a module inside them."""
    peak = Peak(taken(*networks))

    def look(*_: object) -> None:
        peak.size = max(peak.size, taken(*networks))

    handle = nn.modules.module.register_module_forward_hook(look)
    try:
        yield peak
    finally:
        handle.remove()


# --- the same picture -------------------------------------------------------------------------------------------------


FAMILIES: dict[str, Arch] = {
    "sd1": "sd1",
    "sdxl": "sdxl",
    "sd3": "sd3",
    "flux_dev": "flux",
    "dit": "dit",
}


@pytest.mark.parametrize("name", FAMILIES)
def test_a_model_larger_than_the_budget_draws_the_same(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRAPHGEN_MODELS_DIR", str(shared_tiny(FAMILIES[name]).folder.parent))
    values: dict[str, Any] = {"seed": 3, "steps": 2, "model": FAMILIES[name]}
    if name != "dit":
        values |= {"width": 64, "height": 64, "prompt": "a red apple"}
    drawn = []
    for budget in ("100 GiB", "0"):
        monkeypatch.setenv("GRAPHGEN_DEVICE_BYTES", budget)
        monkeypatch.setenv("GRAPHGEN_CACHE_DIR", str(tmp_path / budget))
        found = graphgen.run(WORKFLOWS / f"{name}.json", **values)["picture"]
        assert isinstance(found, Image)
        drawn.append(found.pixels)
    assert drawn[0].std() > 0
    assert torch.equal(*drawn)


# --- what it takes ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("share", [0.0, 0.5, 0.9])
def test_no_more_is_taken_than_was_said(share: float) -> None:
    whole = load(model())
    said = told(whole.module)
    room = int(whole.size * share)
    streamed = load(model(), room)
    network: Any = streamed.module
    assert streamed.size < whole.size
    assert streamed.size <= max(room, load(model(), 0).size)
    with peak_of(network.module) as peak:
        for _ in range(2):
            assert torch.equal(told(network), said)
    beside = (4 + CACHE_LINE) * len(list(network.module.parameters()))
    assert 0.6 * streamed.size < peak.size <= streamed.size + beside


def test_what_fits_is_not_streamed() -> None:
    whole: Any = load(model(), load(model()).size).module
    assert not any(map(is_away, whole.module.parameters()))


def test_several_encoders_share_a_room() -> None:
    """Some are there as a whole, others are streamed, and all say the same."""
    handle = text_encoder_handle([checkpoint("sd3")])
    whole = load(handle)
    streamed = load(handle, whole.size - 1)
    first: Any = whole.module
    second: Any = streamed.module
    away = {part for part, encoder in second.encoders.items() if any(map(is_away, encoder.parameters()))}
    assert 0 < len(away) < 3
    one, other = (found.encode("a red apple", print) for found in (first, second))
    assert torch.equal(one.embeddings, other.embeddings)
    assert torch.equal(one.pooled, other.pooled)


def test_an_autoencoder_is_streamed() -> None:
    handle = autoencoder_handle(checkpoint())
    whole: Any = load(handle).module
    streamed = load(handle, 0)
    module: Any = streamed.module
    latent = torch.linspace(-1, 1, 256).reshape(1, 4, 8, 8)
    with torch.no_grad(), peak_of(module) as peak:
        assert torch.equal(module.decode(latent).sample, whole.decode(latent).sample)
    assert peak.size < 0.2 * load(handle).size


def test_a_run_keeps_to_the_budget() -> None:
    """Text encoders leave when they are done and the denoiser needs their room; then the autoencoder needs its."""
    found = checkpoint("sd3")
    denoiser = denoiser_handle(found)
    handles = [text_encoder_handle([found]), denoiser, autoencoder_handle(found)]
    sizes = [load(handle).size for handle in handles]
    budget = max(sizes) + min(sizes)
    assert sum(sizes) > budget
    residency = Residency([ModelLoader()], CPU, budget)
    most = 0

    def look(done: int, total: int) -> None:
        nonlocal most
        most = max(most, sum(resident.size for resident in residency.report()))

    left = []
    for handle in (*handles, replace(denoiser, patches=(Scaled("weight", 0.5),))):
        with residency.lease(handle, look):
            look(0, 0)
        left.append({resident.identity.split()[2].partition(":")[0] for resident in residency.report()})
    assert left[0] == {"text_encoder"}
    assert "text_encoder" not in left[1]
    assert 0.5 * budget < most <= budget


# --- patches ----------------------------------------------------------------------------------------------------------


PATCHED: dict[str, tuple[Patch, ...]] = {
    "one layer": (Scaled("conv_out.weight", 1.5),),
    "all layers": (Scaled("weight", 0.9), Scaled("to_q.weight", 0.5)),
    "behaviour": (Lifted("conv_out", 0.25), Lifted("mid_block.resnets.0.conv1", 0.125)),
    "both": (Scaled("weight", 0.9), Lifted("conv_in", 0.5)),
}


def in_residency(budget: int | None, *patches: Patch) -> Tensor:
    residency = Residency([ModelLoader()], CPU, budget)
    with residency.lease(model(*patches), quiet) as network:
        first = told(network)
        assert torch.equal(told(network), first)
        return first


@pytest.mark.parametrize("kind", PATCHED)
def test_patches_of_what_is_streamed(kind: str) -> None:
    expected = in_residency(None, *PATCHED[kind])
    if kind != "behaviour":
        assert not torch.equal(expected, in_residency(None))
    for budget in (0, 1_500_000, 4_000_000):  # all is streamed, some of it, the patched weights alone
        assert torch.equal(in_residency(budget, *PATCHED[kind]), expected)


def test_patched_weights_take_no_more_than_was_said() -> None:
    residency = Residency([ModelLoader()], CPU, 0)
    with residency.lease(model(), quiet) as plain, residency.lease(model(Scaled("weight", 0.9)), quiet) as patched:
        base, changed = plain.module, patched.module  # type: ignore[attr-defined]
        with peak_of(base, changed) as peak:
            _ = told(plain), told(patched), told(plain)
        said = sum(resident.size for resident in residency.report())
        assert peak.size <= said + 4 * 2 * len(list(base.parameters()))
        assert said < 0.5 * load(model()).size


def test_leases_take_turns() -> None:
    """Plain, patched and averaged networks of the same streamed weights do not disturb each other."""
    expected = [in_residency(None), in_residency(None, Scaled("weight", 0.9))]
    residency = Residency([ModelLoader()], CPU, 0)
    scaled = model(Scaled("weight", 0.9))
    with residency.lease(model(), quiet) as plain, residency.lease(scaled, quiet) as patched:
        for _ in range(2):
            assert torch.equal(told(plain), expected[0])
            assert torch.equal(told(patched), expected[1])
    with residency.lease(model(Averaged(scaled)), quiet) as mean:
        assert torch.equal(told(mean), (expected[0] + expected[1]) / 2)


def test_a_block_that_runs_inside_another_one_does_not_spoil_it() -> None:
    """A hook inside a block runs the whole network, which brings all other blocks meanwhile."""
    network: Any = load(model(), 0).module
    expected = told(load(model()).module)
    inside: list[Tensor] = []

    def again(*_: object) -> None:
        handle.remove()
        inside.append(told(network))

    handle = network.module.mid_block.resnets[0].register_forward_hook(again)
    assert torch.equal(told(network), expected)
    assert torch.equal(inside[0], expected)


# --- damage -----------------------------------------------------------------------------------------------------------


def test_weights_that_are_no_numbers_are_named_when_they_come(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    tensors = load_file(shared_tiny("sd1").file)
    name = "model.diffusion_model.middle_block.1.proj_in.weight"
    tensors[name] = torch.full_like(tensors[name], torch.nan)
    save_file(tensors, tmp_path / "damaged.safetensors")
    handle = denoiser_handle(open_checkpoint(tmp_path / "damaged.safetensors"))
    with pytest.raises(ResourceError, match=r"'middle_block\.1\.proj_in\.weight' holds NaN"):
        told(load(handle, 0).module)


# --- layouts ----------------------------------------------------------------------------------------------------------


SIZES = st.lists(st.integers(1, 1000), max_size=30)


@given(SIZES, SIZES, st.integers(0, 500), st.one_of(st.none(), st.integers(0, 40_000)))
def test_layouts(sizes: list[int], bound: list[int], rest: int, room: int | None) -> None:
    """Every block is somewhere, those that cannot stay come and go, and the room is kept wherever it can be."""
    blocks = [Block((f"{index}",), size) for index, size in enumerate(sizes)]
    passing = [Block((f"bound {index}",), size) for index, size in enumerate(bound)]
    total = rest + sum(sizes) + sum(bound)
    layout = lay_out(blocks, total, room, passing)
    assert layout.rest == rest
    assert sorted(block.names for block in (*layout.staying, *layout.streamed)) == sorted(
        block.names for block in (*blocks, *passing)
    )
    assert set(passing) <= set(layout.streamed)
    least = lay_out(blocks, total, 0, passing).size
    assert layout.size <= total
    if room is None:
        assert layout.staying == tuple(blocks)
    else:
        assert layout.size <= max(room, least)


def test_blocks_are_apart_and_small() -> None:
    network: Any = load(model()).module
    blocks = blocks_of(network.module)
    names = [name for block in blocks for name in block.names]
    assert len(names) == len(set(names))
    total = sum(value.nbytes for value in network.module.parameters())
    assert sum(block.size for block in blocks) > 0.95 * total
    assert len(blocks) >= 10


# --- on a GPU ---------------------------------------------------------------------------------------------------------


@pytest.mark.gpu
def test_blocks_are_fetched_ahead_on_a_gpu() -> None:
    """The numbers are those of the whole network, and the memory is what was said, but for what is computed."""
    place = Place("cuda:0", "float32")
    x = torch.linspace(-1, 1, 256).reshape(1, 4, 8, 8)
    said = TextConditioning("sd1", torch.ones(1, 77, 64))

    def answer(network: Any) -> Tensor:
        given = replace(said, embeddings=said.embeddings.to(network.device))
        output: Tensor = network(x.to(network.device), torch.tensor([300.0], device=network.device), given)
        return output.cpu()

    whole = ModelLoader().load(model(), place, quiet)
    expected = answer(whole.module)
    streamed = ModelLoader().load(model(), replace(place, room=0), quiet)
    network: Any = streamed.module
    assert not network.module.conv_in.weight.is_cpu
    for _ in range(4):
        assert torch.equal(answer(network), expected)
    torch.cuda.synchronize()
    assert taken(network.module) <= streamed.size + 4 * len(list(network.module.parameters()))


@pytest.mark.gpu
def test_a_full_gpu_makes_room_and_then_streams(tmp_path: Path) -> None:
    """Little of the device is left to torch, so that the whole network does not fit and its blocks do."""
    network = UNet2DConditionModel(block_out_channels=(160, 320, 640, 640), cross_attention_dim=768)
    network.save_pretrained(tmp_path / "unet")
    size = sum(value.nbytes for value in network.parameters())
    handle = denoiser_handle(open_checkpoint(tmp_path / "unet"), "epsilon")
    torch.cuda.empty_cache()
    piece, hog = 64 << 20, []
    while torch.cuda.mem_get_info(0)[0] - piece > size // 2:
        hog.append(torch.empty(piece, dtype=torch.uint8, device="cuda:0"))
    try:
        residency = Residency([ModelLoader()], Place("cuda:0", "float32"))
        with residency.lease(handle, quiet) as streamed:
            assert any(map(is_away, streamed.module.parameters()))  # type: ignore[attr-defined]
    finally:
        hog.clear()
        torch.cuda.empty_cache()
