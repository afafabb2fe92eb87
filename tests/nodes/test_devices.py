"""Accelerators are found from what torch and the driver say in files, on machines laid out by the tests."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from graphgen import DeviceInfo
from graphgen_nodes.devices import (
    Machine,
    TorchBuild,
    count_gpus,
    diagnose,
    driver_version,
    find,
    read_build,
    torch_build,
    unused_gpus,
    usable,
)

CUDA = TorchBuild("2.13.0+cu130", "13.0")
CPU = TorchBuild("2.13.0+cpu", None)


def machine(build: TorchBuild | None, gpus: int = 0, visible: str | None = None, system: str = "Linux") -> Machine:
    return Machine(system, "arm64" if system == "Darwin" else "x86_64", build, gpus, visible)


def test_each_gpu_is_found_in_torchs_order_in_half_precision() -> None:
    assert usable(machine(CUDA, 2)) == [DeviceInfo("cuda:0", "float16"), DeviceInfo("cuda:1", "float16")]


def test_nothing_is_found_without_a_gpu_or_a_build_for_it() -> None:
    assert usable(machine(CUDA, 0)) == []
    assert usable(machine(CPU, 2)) == []
    assert usable(machine(None, 2)) == []


def test_apples_gpu_is_found() -> None:
    assert usable(machine(TorchBuild("2.13.0", None), system="Darwin")) == [DeviceInfo("mps", "float16")]
    assert usable(machine(CPU)) == []


@pytest.mark.parametrize(
    ("visible", "count"),
    [("", 0), ("-1", 0), ("0", 1), ("3", 1), ("1,0", 2), ("0,-1,2", 1), ("GPU-1a2b", 1), ("0,1,2,3,4,5", 4)],
)
def test_visible_devices_are_obeyed(visible: str, count: int) -> None:
    assert len(usable(machine(CUDA, 4, visible))) == count


def test_builds_are_read_from_torchs_own_file() -> None:
    assert read_build("__version__ = '2.13.0+cu130'\ndebug = False\ncuda: Optional[str] = '13.0'\nhip = None\n") == CUDA
    assert read_build("__version__ = '2.13.0+cpu'\ncuda: Optional[str] = None\n") == CPU
    assert read_build("from typing import Optional\n__version__ = \"2.6.0\"\ncuda = '12.4'\n") == TorchBuild(
        "2.6.0", "12.4"
    )
    assert read_build("") == TorchBuild("unknown", None)
    assert torch_build() == TorchBuild(torch.__version__, torch.version.cuda)


def lay_out(folder: Path, nodes: tuple[str, ...], known: int | None) -> tuple[Path, Path]:
    dev, proc = folder / "dev", folder / "proc"
    dev.mkdir()
    for node in nodes:
        (dev / node).touch()
    if known is not None:
        (proc / "gpus").mkdir(parents=True)
        line = "NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.15  Tue Mar  5 22:23:56 UTC 2024\n"
        (proc / "version").write_text(line)
        for number in range(known):
            (proc / "gpus" / f"0000:0{number}:00.0").mkdir()
    return dev, proc


def test_gpus_are_counted_by_device_nodes(tmp_path: Path) -> None:
    nodes = ("nvidia0", "nvidia3", "nvidiactl", "nvidia-uvm", "nvidia-caps", "null")
    assert count_gpus(*lay_out(tmp_path, nodes, known=8)) == 2


def test_gpus_that_were_not_used_yet_are_counted_by_the_driver(tmp_path: Path) -> None:
    dev, proc = lay_out(tmp_path, ("null",), known=1)
    assert count_gpus(dev, proc) == 1
    assert driver_version(proc) == "550.54.15"


def test_a_machine_without_a_driver_has_none(tmp_path: Path) -> None:
    dev, proc = lay_out(tmp_path, ("null",), known=None)
    assert count_gpus(dev, proc) == 0
    assert driver_version(proc) is None


def test_gpus_that_stay_unused_are_explained() -> None:
    lone = unused_gpus(2, None, 0, {})
    assert lone is not None
    assert lone.finding == "2 NVIDIA GPU(s) stay unused: this build of torch is for the CPU only"
    assert lone.cure is not None
    assert "CUDA build of torch" in lone.cure
    old = unused_gpus(1, "13.0", 0, {})
    assert old is not None
    assert old.cure == "update the NVIDIA driver to one for CUDA 13.0 or newer"
    assert unused_gpus(0, None, 0, {}) is None
    assert unused_gpus(1, "13.0", 1, {}) is None
    assert unused_gpus(1, "13.0", 0, {"CUDA_VISIBLE_DEVICES": ""}) is None


def test_the_doctor_names_build_and_devices() -> None:
    found = diagnose()
    assert found[0].subject == "torch"
    assert torch.__version__ in found[0].finding
    devices = [item.finding for item in found if item.subject == "device" and item.cure is None]
    assert len(devices) == torch.cuda.device_count() + torch.backends.mps.is_available()


def test_what_is_found_is_what_torch_can_use() -> None:
    if torch.cuda.is_available() or not count_gpus():
        assert len([item for item in find() if item.kind == "cuda"]) == torch.cuda.device_count()


def test_finding_devices_does_not_import_torch() -> None:
    code = "import sys; from graphgen_nodes.devices import find; find(); print('torch' in sys.modules)"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "False"
