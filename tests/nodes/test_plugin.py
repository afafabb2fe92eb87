"""The built-in packs as the engine sees them: registered whole, torch not imported, and wired into runs."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import PIL.Image
import pytest
import torch

from graphgen.config import Config
from graphgen.engine import Engine
from graphgen.errors import WorkflowError
from graphgen.plugins import find_plugins
from graphgen.provenance import TEXT_KEY
from graphgen.registry import Registry, build_registry
from graphgen_nodes import plugin, sockets
from graphgen_nodes.imaging.loading import UpscalerLoader
from graphgen_nodes.imaging.png import read
from graphgen_nodes.sockets import Image, LatentFormat, Mask, Upscaler, VariancePreserving, Weights


@pytest.fixture(scope="module")
def registry() -> Registry:
    return build_registry(find_plugins())


def test_nothing_of_the_image_part_is_broken(registry: Registry) -> None:
    mine = {"graphgen_nodes", "images", "masks", "upscalers"}
    assert not {item.name: item.error for item in registry.broken if item.name in mine}
    assert mine <= {item.name for item in registry.plugins}


def test_every_kind_of_data_is_known(registry: Registry) -> None:
    assert {Weights, LatentFormat, VariancePreserving, Image, Mask} <= set(registry.types.classes.values())
    assert set(plugin.register_types()) <= set(registry.types.classes.values())


@pytest.mark.parametrize(
    "value",
    [
        Image(torch.rand(2, 3, 4, 5)),
        Mask(torch.zeros(0, 4, 5)),
        Upscaler(Weights("ab", "a.safetensors", "upscaler", "original"), 4),
        sockets.Latent(torch.ones(1, 4, 2, 2).half(), LatentFormat("sd1", 4, 0.18215)),
    ],
)
def test_values_come_back_from_bytes(registry: Registry, value: object) -> None:
    encoded = registry.codec.encode(value)
    again = registry.codec.decode(encoded)
    assert type(again) is type(value)
    assert registry.codec.encode(again).digest == encoded.digest


def test_the_loaders_are_made_when_they_are_needed(registry: Registry) -> None:
    loader = next(item for item in registry.loaders if Upscaler in item.handles)
    assert isinstance(loader, plugin.LazyLoader)
    assert isinstance(loader.loader, UpscalerLoader)
    assert loader.loader is loader.loader
    handle = Upscaler(Weights("ab", "a", "upscaler", "original"), 4)
    assert loader.identity(handle) == UpscalerLoader().identity(handle)
    models = next(item for item in registry.loaders if sockets.Denoiser in item.handles)
    assert isinstance(models, plugin.LazyLoader)
    assert models.handles == type(models.loader).handles


def test_models_that_lie_beside_the_plugin_are_shipped(registry: Registry) -> None:
    names = {item.name for item in registry.shipped if item.root == "models"}
    assert "realesr-animevideov3-x4.safetensors" in names
    assert all(item.path.exists() for item in registry.shipped)
    assert not any(name.startswith(("LICENSE", "PROVENANCE")) for name in names)


def test_nothing_before_a_run_imports_torch() -> None:
    code = """
import sys
from graphgen.plugins import find_plugins
from graphgen.registry import build_registry
registry = build_registry(find_plugins())
registry.find_devices(), registry.catalogue()
print([name for name in ("torch", "numpy", "PIL", "diffusers", "transformers") if name in sys.modules])
"""
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"


# --- through the engine ---------------------------------------------------------------------------------------------


def config(folder: Path) -> Config:
    roots = {name: folder / name for name in ("models", "inputs", "outputs", "cache", "data")}
    for root in roots.values():
        root.mkdir(exist_ok=True)
    return Config.load({**roots, "device": "cpu"}, folder=folder, environment={})


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    with Engine(config(tmp_path)) as made:
        yield made


WORKFLOW: dict[str, object] = {
    "graphgen": 1,
    "name": "Cut out and put together",
    "nodes": {
        "photo": {"type": "images.load", "settings": {"path": "photo.png"}},
        "small": {
            "type": "images.resize",
            "inputs": {"image": "photo.image"},
            "settings": {"width": 16, "height": 16, "mode": "fill"},
        },
        "soft": {"type": "masks.resize", "inputs": {"mask": "photo.mask"}, "settings": {"width": 16, "height": 16}},
        "blur": {"type": "masks.blur", "inputs": {"mask": "soft.mask"}, "settings": {"radius": 1}},
        "blue": {"type": "images.solid", "settings": {"width": 16, "height": 16, "color": "#0000ff"}},
        "joined": {
            "type": "images.composite",
            "inputs": {"image": "small.image", "over": "blue.image", "mask": "blur.mask"},
        },
        "both": {"type": "images.batch", "inputs": {"images": ["joined.image", "blue.image"]}},
        "file": {"type": "images.save", "inputs": {"image": "both.image"}, "settings": {"name": "made/it"}},
    },
}


def put_photo(folder: Path, color: tuple[int, int, int, int] = (200, 40, 40, 255)) -> None:
    PIL.Image.new("RGBA", (30, 20), color).save(folder / "inputs" / "photo.png")


def test_a_workflow_reads_composes_and_writes_pictures(engine: Engine, tmp_path: Path) -> None:
    put_photo(tmp_path)
    report = engine.run(WORKFLOW)  # type: ignore[arg-type]
    assert report.failures == ()
    assert [Path(file).parent for file in report.files] == [tmp_path / "outputs" / "made"] * 2
    assert [Path(file).name[:5] for file in report.files] == ["it-1-", "it-2-"]
    with PIL.Image.open(report.files[0]) as first, PIL.Image.open(report.files[1]) as second:
        assert first.convert("RGB").getpixel((8, 8)) == (200, 40, 40)
        assert second.convert("RGB").getpixel((8, 8)) == (0, 0, 255)
    carried = json.loads(read(Path(report.files[0]).read_bytes())[TEXT_KEY])
    assert set(carried["nodes"]) == set(WORKFLOW["nodes"])  # type: ignore[call-overload]
    assert engine.check(report.files[0]).nodes["joined"].facts["image"]["width"] == 16


def test_a_changed_photo_is_read_again_and_an_equal_one_is_not(engine: Engine, tmp_path: Path) -> None:
    put_photo(tmp_path)
    engine.run(WORKFLOW)  # type: ignore[arg-type]
    put_photo(tmp_path)
    assert engine.run(WORKFLOW).ran == 0  # type: ignore[arg-type]
    put_photo(tmp_path, (0, 255, 0, 255))
    assert engine.run(WORKFLOW).ran > 0  # type: ignore[arg-type]


def test_a_cached_run_with_its_files_deleted_puts_them_back_without_torch(engine: Engine, tmp_path: Path) -> None:
    put_photo(tmp_path)
    first = engine.run(WORKFLOW)  # type: ignore[arg-type]
    engine.close()
    Path(first.files[0]).unlink()
    code = """
import json, sys
from pathlib import Path
from graphgen.config import Config
from graphgen.engine import Engine
folder = Path(sys.argv[1])
roots = {name: folder / name for name in ("models", "inputs", "outputs", "cache", "data")}
with Engine(Config.load({**roots, "device": "cpu"}, folder=folder, environment={})) as engine:
    report = engine.run(json.loads(sys.argv[2]))
print(report.ran, len(report.files), "torch" in sys.modules)
"""
    call = [sys.executable, "-c", code, str(tmp_path), json.dumps(WORKFLOW)]
    answer = subprocess.run(call, capture_output=True, text=True, check=True)
    assert answer.stdout.split() == ["0", "2", "False"]
    assert Path(first.files[0]).exists()


def test_all_that_cannot_work_is_told_before_anything_runs(engine: Engine, tmp_path: Path) -> None:
    put_photo(tmp_path)
    wrong = json.loads(json.dumps(WORKFLOW))
    wrong["nodes"]["blue"]["settings"]["width"] = 17
    wrong["nodes"]["file"]["settings"]["name"] = "../escape"
    with pytest.raises(WorkflowError) as caught:
        engine.check(wrong)
    places = {problem.place for problem in caught.value.problems}
    assert "file.name" in places
    wrong["nodes"]["file"]["settings"]["name"] = "fine"
    with pytest.raises(WorkflowError, match=r"joined\.image: image is 16 x 16, over is 17 x 16"):
        engine.check(wrong)


def test_a_hostile_picture_is_refused_by_name_alone(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "inputs" / "photo.png").write_bytes(b"\x89PNG\r\n\x1a\nrubbish")
    with pytest.raises(WorkflowError, match=r"photo\.path: 'photo\.png' is not a picture that can be read") as caught:
        engine.check(WORKFLOW)  # type: ignore[arg-type]
    assert str(tmp_path) not in str(caught.value)


def test_models_are_described_or_it_is_said_why_not(registry: Registry, tmp_path: Path) -> None:
    about, problem = registry.describe_model(plugin.MODELS / "emoji")
    assert (about["family"], about["parts"], problem) == ("sd1", ["denoiser", "text_encoder", "vae"], None)
    stranger = tmp_path / "stranger.safetensors"
    stranger.write_bytes(b"nothing of the kind")
    about, problem = registry.describe_model(stranger)
    assert not about
    assert "stranger.safetensors" in str(problem)
