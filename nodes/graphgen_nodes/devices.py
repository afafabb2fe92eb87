"""Which accelerators torch can use on this machine, found without importing torch.

`find` is asked whenever a plan is made, so it reads a few small files: torch's own version.py (which build it is) and
what the NVIDIA driver shows under /dev and /proc. `diagnose` is asked by `graphgen doctor` alone and does import torch.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from graphgen import DeviceInfo, Diagnosis

HALF = "float16"
"""What networks run in on an accelerator. float16 rather than bfloat16: its ten bits of mantissa (against seven) keep
a picture near that of float32, Stable Diffusion 1 to 3 were published in it, and every CUDA device and Apple's compute
in it, bfloat16 only from NVIDIA's Ampere on. A network that overflows in it is loaded with another `precision`."""

COMPUTING = ("torch", "diffusers", "transformers", "tokenizers", "safetensors", "numpy", "pillow")
"""The distributions that what the nodes compute depends on."""

GET_TORCH = "https://pytorch.org/get-started/locally"


@dataclass(frozen=True, slots=True)
class TorchBuild:
    """What torch's version.py says: its version, and the CUDA version it was built for, if any."""

    version: str
    cuda: str | None


@dataclass(frozen=True, slots=True)
class Machine:
    """What decides about accelerators: the system, torch's build, the NVIDIA GPUs, and CUDA_VISIBLE_DEVICES."""

    system: str
    architecture: str
    torch: TorchBuild | None
    gpus: int
    visible: str | None


def find() -> list[DeviceInfo]:
    """Return the accelerators that torch can use here, in torch's order; empty where there is only a CPU."""
    return usable(this_machine())


def usable(machine: Machine) -> list[DeviceInfo]:
    """Return the accelerators that torch can use on a machine, in torch's order."""
    if machine.torch is None:
        return []
    if machine.torch.cuda is not None:
        count = _visible(machine.gpus, machine.visible)
        return [DeviceInfo(f"cuda:{index}", HALF) for index in range(count)]
    if (machine.system, machine.architecture) == ("Darwin", "arm64"):
        return [DeviceInfo("mps", HALF)]
    return []


def this_machine() -> Machine:
    """Look at this machine."""
    build = torch_build()
    gpus = count_gpus() if build is not None and build.cuda is not None else 0
    return Machine(platform.system(), platform.machine(), build, gpus, os.environ.get("CUDA_VISIBLE_DEVICES"))


def torch_build() -> TorchBuild | None:
    """Read which build of torch is installed from its version.py; None where there is none."""
    spec = find_spec("torch")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        file = Path(folder) / "version.py"
        if file.is_file():
            return read_build(file.read_text(encoding="utf-8"))
    return None


def read_build(text: str) -> TorchBuild:
    """Read a torch build from the text of torch/version.py."""
    return TorchBuild(_assigned("__version__", text) or "unknown", _assigned("cuda", text))


def count_gpus(dev: Path = Path("/dev"), proc: Path = Path("/proc/driver/nvidia")) -> int:
    """Count the NVIDIA GPUs this process may use.

    A container sees all GPUs of its host under /proc but only its own under /dev, so /dev is asked first; its entries
    appear when a GPU is first used, so /proc is asked where there are none. Windows and WSL have neither: nvidia-smi.
    """
    nodes = sum(bool(re.fullmatch(r"nvidia\d+", entry.name)) for entry in dev.glob("nvidia*"))
    if nodes or (proc / "version").exists():
        return nodes or sum(1 for _ in (proc / "gpus").glob("*"))
    if (dev / "dxg").exists() or platform.system() == "Windows":
        return _ask_nvidia_smi()
    return 0


def driver_version(proc: Path = Path("/proc/driver/nvidia")) -> str | None:
    """Return the version of the NVIDIA kernel driver; None where none is loaded."""
    try:
        text = (proc / "version").read_text(encoding="utf-8")
    except OSError:
        return None
    found = re.search(r"\b(\d+\.\d+(?:\.\d+)?)\b", text)
    return found[1] if found else "unknown"


def diagnose() -> list[Diagnosis]:
    """Return torch's build, the NVIDIA driver and the devices, and what keeps torch from using them."""
    try:
        import torch
    except Exception as error:  # a broken installation fails in many ways: missing libraries, bad binaries
        cure = f"install it again, as {GET_TORCH} says"
        return [Diagnosis("torch", f"cannot be imported ({type(error).__name__}: {error})", cure)]
    names = [f"cuda:{i} {_cuda_name(i)}" for i in range(torch.cuda.device_count())] if torch.cuda.is_available() else []
    found = [Diagnosis("torch", _build_line(torch.__version__, torch.version.cuda, torch.get_num_threads()))]
    driver, gpus = driver_version(), count_gpus()
    if driver is not None:
        found.append(Diagnosis("NVIDIA driver", driver))
    if torch.backends.mps.is_available():
        names.append("mps Apple GPU")
    found.extend(Diagnosis("device", name) for name in names)
    problem = unused_gpus(gpus, torch.version.cuda, len(names), os.environ)
    return found if problem is None else [*found, problem]


def describe(proc: Path = Path("/proc/driver/nvidia")) -> dict[str, str]:
    """Return what the last digits of a result depend on, without importing torch: libraries, threads, GPUs."""
    found: dict[str, str] = {}
    for name in COMPUTING:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    found["threads (OMP_NUM_THREADS)"] = os.environ.get("OMP_NUM_THREADS") or str(os.cpu_count())
    if driver := driver_version(proc):
        models = re.findall(r"^Model:\s*(.+)$", "".join(map(_information, (proc / "gpus").glob("*"))), re.MULTILINE)
        found |= {"NVIDIA driver": driver, "GPU": ", ".join(sorted(set(models)))}
    return found


def measure(device: str) -> Callable[[], int] | None:
    """Begin to measure torch's memory on a CUDA device; return what tells the most bytes taken since."""
    torch = sys.modules.get("torch")
    if torch is None or not device.startswith("cuda"):
        return None
    torch.cuda.reset_peak_memory_stats(device)
    return lambda: int(torch.cuda.max_memory_allocated(device))


def _information(gpu: Path) -> str:
    try:
        return (gpu / "information").read_text(encoding="utf-8")
    except OSError:
        return ""


def unused_gpus(gpus: int, cuda: str | None, usable_devices: int, environment: Mapping[str, str]) -> Diagnosis | None:
    """Say why a machine with GPUs computes on its CPU, and how to mend it; None where nothing is wrong."""
    visible = environment.get("CUDA_VISIBLE_DEVICES")
    if not gpus or usable_devices or _visible(gpus, visible) == 0:
        return None
    if cuda is None:
        finding = f"{gpus} NVIDIA GPU(s) stay unused: this build of torch is for the CPU only"
        return Diagnosis("device", finding, f"install a CUDA build of torch, as {GET_TORCH} says")
    finding = f"{gpus} NVIDIA GPU(s) cannot be used by torch, which was built for CUDA {cuda}"
    return Diagnosis("device", finding, f"update the NVIDIA driver to one for CUDA {cuda} or newer")


def _build_line(version: str, cuda: str | None, threads: int) -> str:
    return f"{version}, {f'CUDA {cuda}' if cuda else 'CPU only'}, {threads} thread(s)"


def _cuda_name(index: int) -> str:
    import torch

    facts = torch.cuda.get_device_properties(index)
    return f"{facts.name}, {facts.total_memory / 2**30:.0f} GiB, compute capability {facts.major}.{facts.minor}"


def _assigned(name: str, text: str) -> str | None:
    found = re.search(rf"^{name}(?:\s*:[^=\n]+)?\s*=\s*['\"]([^'\"]+)['\"]", text, re.MULTILINE)
    return found[1] if found else None


def _visible(gpus: int, visible: str | None) -> int:
    """Apply CUDA_VISIBLE_DEVICES: the GPUs it names, up to the first -1; all where it is not set."""
    if visible is None:
        return gpus
    names = [name.strip() for name in visible.split(",")]
    shown = next((index for index, name in enumerate(names) if name in ("", "-1")), len(names))
    return min(gpus, shown)


def _ask_nvidia_smi() -> int:
    program = shutil.which("nvidia-smi")
    if program is None:
        return 0
    try:
        answer = subprocess.run([program, "-L"], capture_output=True, text=True, timeout=10, check=False)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return 0
    return sum(line.startswith("GPU ") for line in answer.stdout.splitlines())
