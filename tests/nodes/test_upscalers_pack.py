"""Upscalers from file to picture: the handle, the loader, and the nodes through the engine."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from graphgen import DeviceInfo, Place, Refusal, ResourceError
from graphgen.config import Config
from graphgen.engine import Engine
from graphgen.errors import Cancelled, WorkflowError
from graphgen.node import spec_of
from graphgen.residency import Residency
from graphgen.spec import Known
from graphgen_nodes.checkpoints.header import CheckpointError
from graphgen_nodes.imaging.loading import UpscalerLoader
from graphgen_nodes.imaging.pictures import enlarge
from graphgen_nodes.imaging.upscalers import Enlargement, enlargement, upscaler_handle
from graphgen_nodes.networks.upscale import Architecture, UpscaleNetwork, build, detect, upscale
from graphgen_nodes.packs import upscalers
from graphgen_nodes.plugin import MODELS
from graphgen_nodes.sockets import Image, Upscaler, Weights

SHIPPED = MODELS / upscalers.EMBEDDED

KINDS = [
    Architecture("compact", scale=2, channels=3, features=8, blocks=1),
    Architecture("compact", scale=4, channels=1, features=8, blocks=2),
    Architecture("rrdb", scale=4, channels=3, features=8, blocks=1, growth=4),
    Architecture("rrdb", scale=2, channels=3, features=8, blocks=1, growth=4),
    Architecture("rrdb", scale=1, channels=3, features=8, blocks=1, growth=4),
]
CPU = Place("cpu", "float32")


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def make(path: Path, architecture: Architecture = KINDS[0], seed: int = 0) -> UpscaleNetwork:
    torch.manual_seed(seed)
    network = build(architecture).eval().requires_grad_(False)
    save_file(network.state_dict(), path)
    return network


def silent(done: int, total: int) -> None:
    """Take a report and do nothing."""


# --- the handle -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("architecture", KINDS)
def test_the_header_alone_tells_what_the_network_would(tmp_path: Path, architecture: Architecture) -> None:
    network = make(tmp_path / "a.safetensors", architecture)
    assert enlargement(tmp_path / "a.safetensors") == Enlargement(network.scale, network.channels)
    found = detect({name: tensor.shape for name, tensor in network.state_dict().items()})
    assert (found.scale, found.channels) == enlargement(tmp_path / "a.safetensors")


def test_the_shipped_upscaler_enlarges_four_times() -> None:
    handle = upscaler_handle(SHIPPED)
    assert (handle.scale, handle.precision, handle.weights.part) == (4, "auto", "upscaler")


@pytest.mark.parametrize(
    "shapes",
    [
        {"a": (1,)},
        {"body.0.weight": (8, 3)},
        {"body.0.weight": (8, 0, 3, 3), "body.2.weight": (12, 8, 3, 3)},
        {"body.0.weight": (8, 3, 3, 3), "body.2.weight": (13, 8, 3, 3)},
        {"conv_first.weight": (8, 5, 3, 3), "conv_last.weight": (3, 8, 3, 3)},
    ],
)
def test_other_files_are_refused(tmp_path: Path, shapes: dict[str, tuple[int, ...]]) -> None:
    path = tmp_path / "a.safetensors"
    save_file({name: torch.zeros(shape) for name, shape in shapes.items()}, path)
    with pytest.raises(CheckpointError, match=r"a\.safetensors: holds no upscaler that graphgen knows; give a Real-"):
        enlargement(path)


def test_facts_and_fingerprint_come_from_the_file(tmp_path: Path) -> None:
    make(tmp_path / "a.safetensors")
    make(tmp_path / "b.safetensors", seed=1)
    (tmp_path / "c.safetensors").write_bytes(b"nothing")
    spec = spec_of(upscalers.load)
    assert spec.infer is not None
    assert spec.fingerprint is not None

    def known(name: str) -> Known:
        return Known({}, {}, {"path": name, "precision": "auto"}, lambda _, file: tmp_path / file)

    assert spec.infer(known("a.safetensors")) == {"upscaler": {"scale": 2, "channels": 3, "precision": "auto"}}
    assert spec.fingerprint(known("a.safetensors")) != spec.fingerprint(known("b.safetensors"))
    with pytest.raises(Refusal, match="too short for a safetensors file"):
        spec.infer(known("c.safetensors"))
    assert spec.infer(Known({}, {}, {}, lambda _, file: tmp_path / file)) == {}


# --- the loader -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("precision", ["auto", "float32", "float16", "bfloat16"])
def test_weights_arrive_as_they_are_in_the_file(tmp_path: Path, precision: str) -> None:
    network = make(tmp_path / "a.safetensors")
    handle = upscaler_handle(tmp_path / "a.safetensors", precision)  # type: ignore[arg-type]
    reports: list[tuple[int, int]] = []
    loaded = UpscalerLoader().load(handle, CPU, lambda done, total: reports.append((done, total)))
    assert isinstance(loaded.module, UpscaleNetwork)
    dtype = torch.float32 if precision == "auto" else getattr(torch, precision)
    for name, tensor in loaded.module.state_dict().items():
        assert torch.equal(tensor, network.state_dict()[name].to(dtype))
    size = sum(tensor.nbytes for tensor in loaded.module.state_dict().values())
    assert loaded.size == size
    assert reports[0] == (0, size)
    assert reports[-1] == (size, size)


def test_loading_stops_when_the_run_is_cancelled(tmp_path: Path) -> None:
    make(tmp_path / "a.safetensors")

    def cancel(done: int, total: int) -> None:
        if done:
            raise Cancelled("the run was cancelled")

    with pytest.raises(Cancelled):
        UpscalerLoader().load(upscaler_handle(tmp_path / "a.safetensors"), CPU, cancel)


def test_handles_of_the_same_content_share_weights(tmp_path: Path) -> None:
    make(tmp_path / "a.safetensors")
    make(tmp_path / "b.safetensors")
    residency = Residency([UpscalerLoader()], CPU)
    first, second = upscaler_handle(tmp_path / "a.safetensors"), upscaler_handle(tmp_path / "b.safetensors")
    with residency.lease(first, silent) as one, residency.lease(second, silent) as two:
        assert one is two
    assert len(residency.report()) == 1


def test_a_file_that_is_gone_replaced_or_damaged_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    make(path)
    handle = upscaler_handle(path)
    make(path, seed=5)
    with pytest.raises(ResourceError, match=r"a\.safetensors: was replaced since the run began; run it again"):
        UpscalerLoader().load(handle, CPU, silent)
    path.unlink()
    with pytest.raises(ResourceError, match="no longer there"):
        UpscalerLoader().load(handle, CPU, silent)
    save_file({"body.0.weight": torch.zeros(8, 3, 3, 3), "body.2.weight": torch.zeros(12, 8, 3, 3)}, path)
    with pytest.raises(ResourceError, match="slopes"):
        UpscalerLoader().load(upscaler_handle(path), CPU, silent)
    with pytest.raises(ResourceError, match=r"a Weights is no upscaler; load one by upscalers\.load"):
        UpscalerLoader().identity(Weights("", "", "", "original"))


def test_a_file_that_moved_is_found_again(tmp_path: Path) -> None:
    make(tmp_path / "a.safetensors", seed=11)
    old = upscaler_handle(tmp_path / "a.safetensors")
    (tmp_path / "a.safetensors").rename(tmp_path / "b.safetensors")
    upscaler_handle(tmp_path / "b.safetensors")
    assert isinstance(UpscalerLoader().load(old, CPU, silent).module, UpscaleNetwork)


# --- the nodes ------------------------------------------------------------------------------------------------------


def test_transparency_is_enlarged_beside_the_colours(tmp_path: Path) -> None:
    network = make(tmp_path / "a.safetensors")
    pixels = torch.rand(2, 4, 6, 5)
    pixels[:, 3] = 1
    larger = enlarge(network, Image(pixels), 4, silent).pixels
    assert larger.shape == (2, 4, 12, 10)
    assert torch.equal(larger[:, :3], upscale(network, pixels[:, :3], tile=4))
    assert (larger[:, 3] - 1).abs().max() < 1e-6
    with pytest.raises(TypeError, match="a Linear cannot enlarge pictures"):
        enlarge(torch.nn.Linear(1, 1), Image(pixels), 4, silent)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    roots = {name: tmp_path / name for name in ("models", "inputs", "outputs", "cache", "data")}
    for folder in roots.values():
        folder.mkdir()
    config = Config.load({**roots, "device": "cpu"}, folder=tmp_path, environment={})
    with Engine(config) as made:
        yield made


def workflow(path: str) -> dict[str, object]:
    return {
        "graphgen": 1,
        "outputs": {"large": {"from": "large.image"}, "model": {"from": "model.upscaler"}},
        "nodes": {
            "model": {"type": "upscalers.load", "settings": {"path": path}},
            "small": {"type": "images.solid", "settings": {"width": 9, "height": 7, "color": "#4080c0"}},
            "large": {
                "type": "images.upscale",
                "inputs": {"upscaler": "model.upscaler", "image": "small.image"},
                "settings": {"tile": 8},
            },
        },
    }


def test_a_workflow_enlarges_a_picture_with_the_shipped_upscaler(engine: Engine) -> None:
    graph = engine.check(workflow(upscalers.EMBEDDED))  # type: ignore[arg-type]
    assert graph.nodes["large"].facts["image"] == {"width": 36, "height": 28, "channels": 3, "batch": 1}
    report = engine.run(workflow(upscalers.EMBEDDED))  # type: ignore[arg-type]
    assert report.failures == ()
    large = report.outputs["large"]
    assert isinstance(large, Image)
    assert large.pixels.shape == (1, 3, 28, 36)
    colour = torch.tensor([0x40, 0x80, 0xC0]).reshape(3, 1, 1) / 255
    assert (large.pixels[0] - colour).abs().mean() < 0.03
    handle = report.outputs["model"]
    assert isinstance(handle, Upscaler)
    again = engine.run(workflow(upscalers.EMBEDDED))  # type: ignore[arg-type]
    assert again.ran == 0


@pytest.mark.gpu
def test_a_gpu_is_found_and_enlarges_like_the_cpu(engine: Engine, tmp_path: Path) -> None:
    slow = engine.run(workflow(upscalers.EMBEDDED)).outputs["large"]  # type: ignore[arg-type]
    config = Config.load({"cache": tmp_path / "other", "outputs": tmp_path}, folder=tmp_path, environment={})
    with Engine(config) as other:
        assert other.device == DeviceInfo("cuda:0", "float16")
        fast = other.run(workflow(upscalers.EMBEDDED)).outputs["large"]  # type: ignore[arg-type]
    assert isinstance(slow, Image)
    assert isinstance(fast, Image)
    assert fast.pixels.device.type == "cpu"
    assert (fast.pixels - slow.pixels).abs().max() < 0.01


def test_a_missing_upscaler_is_a_problem_of_the_workflow(engine: Engine) -> None:
    with pytest.raises(WorkflowError, match=r"model\.path: .*none\.safetensors"):
        engine.check(workflow("none.safetensors"))  # type: ignore[arg-type]
    with pytest.raises(WorkflowError, match="goes up with"):
        engine.check(workflow("../none.safetensors"))  # type: ignore[arg-type]
