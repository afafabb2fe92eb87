"""What is installed is what was meant: both packages, their models and assets, no library that cannot come along."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import graphgen

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    environment = {**os.environ, "GRAPHGEN_SKIP_WEB": "1"}  # the editor is built, and tried, by `make test-browser`
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True, env=environment)
    (path,) = folder.glob("*.whl")
    return zipfile.ZipFile(path)


def test_wheel_holds_both_packages_and_what_they_ship(wheel: zipfile.ZipFile) -> None:
    names = set(wheel.namelist())
    assert {"graphgen/engine.py", "graphgen_nodes/plugin.py"} <= names
    models = "graphgen_nodes/models"
    assert f"{models}/realesr-animevideov3-x4.safetensors" in names
    assert {f"{models}/emoji/{part}" for part in ("model_index.json", "README.md")} <= names
    weights = [name for name in names if name.startswith(f"{models}/emoji/") and name.endswith(".safetensors")]
    assert len(weights) == 3
    assert any(name.startswith("graphgen_nodes/assets/tokenizers/clip/") for name in names)
    assert "graphgen/workflows/pictures/examples/text_to_image.png" in names
    assert {"graphgen/server/assets/index.html", "graphgen/workflows/text_to_image.json"} <= names
    assert not [name for name in names if name.startswith(("tests", "benchmarks", "training", "docs"))]


def test_files_stay_within_their_sizes(wheel: zipfile.ZipFile) -> None:
    large = {item.filename: item.file_size for item in wheel.infolist() if item.file_size > 16_000_000}
    assert large == {}
    emoji = sum(item.file_size for item in wheel.infolist() if "/models/emoji/" in item.filename)
    assert emoji < 30_000_000


def test_entry_points_lead_to_modules(wheel: zipfile.ZipFile) -> None:
    (name,) = (name for name in wheel.namelist() if name.endswith("entry_points.txt"))
    lines = wheel.read(name).decode().split("[graphgen]")[1].split("[")[0].split()
    targets = [line for line in lines if line.startswith("graphgen_nodes")]
    assert targets
    files = set(wheel.namelist())
    for target in targets:
        path = target.replace(".", "/")
        assert f"{path}.py" in files or f"{path}/__init__.py" in files, target


def test_torchvision_is_no_dependency() -> None:
    """It does not import beside every torch build; neither we nor what we need may ask for it."""
    seen: set[str] = set()
    waiting = ["graphgen"]
    while waiting:
        name = waiting.pop().lower().replace("_", "-")
        if name in seen:
            continue
        seen.add(name)
        try:
            lines = requires(name) or []
        except PackageNotFoundError:
            continue  # needed on another platform only
        needed = [Requirement(line) for line in lines]
        waiting += [item.name for item in needed if item.marker is None or item.marker.evaluate({"extra": ""})]
    assert "diffusers" in seen
    assert "torchvision" not in seen


def test_public_names_are_what_is_exported() -> None:
    """A node author's imports are a promise: every name is there, sorted, and the module stays small."""
    assert graphgen.__all__ == sorted(graphgen.__all__, key=lambda name: (not name[0].isupper(), name))
    assert all(hasattr(graphgen, name) for name in graphgen.__all__)
    text = (ROOT / "graphgen" / "__init__.py").read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 40
