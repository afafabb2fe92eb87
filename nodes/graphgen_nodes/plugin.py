"""What the built-in nodes share, as hooks: types, tensors as bytes, loaders, the embedded models, PNG, devices.

Importing it does not import torch, and neither does anything that is asked before a node runs.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import is_dataclass
from functools import cached_property
from importlib import import_module
from pathlib import Path

from graphgen import (
    BufferCodec,
    DeviceInfo,
    Diagnosis,
    FileFormat,
    Lease,
    Loaded,
    Loader,
    Place,
    Renderer,
    Shipped,
    hookimpl,
)
from graphgen_nodes import devices, sockets
from graphgen_nodes.imaging.png import PNG
from graphgen_nodes.imaging.renderings import RENDERERS
from graphgen_nodes.imaging.thumbnails import OTHERS, WRITERS, shrunk
from graphgen_nodes.tensors import TENSOR

MODELS = Path(__file__).parent / "models"
TRANSLATIONS = Path(__file__).parent / "translations"
SAMPLES = Path(__file__).parent / "assets" / "samples"


class LazyLoader(Loader):
    """A loader whose module is imported when the first weights are asked for, since it imports torch."""

    def __init__(self, handles: tuple[type, ...], module: str, name: str) -> None:
        self.handles = handles
        self._module = module
        self._name = name

    @cached_property
    def loader(self) -> Loader:
        """The loader itself."""
        made: Loader = getattr(import_module(self._module), self._name)()
        return made

    def identity(self, handle: object) -> str:
        """Return what two handles that can share weights have in common."""
        return self.loader.identity(handle)

    def files(self, handle: object) -> Sequence[Path]:
        """Return the files that a handle's weights are loaded from."""
        return self.loader.files(handle)

    def load(self, handle: object, place: Place, report: Callable[[int, int], None]) -> Loaded:
        """Load a handle's weights to a place."""
        return self.loader.load(handle, place, report)

    def variant(self, handle: object) -> Hashable:
        """Return what tells the handle's changed weights from others."""
        return self.loader.variant(handle)

    def derive(self, loaded: Loaded, handle: object, place: Place, report: Callable[[int, int], None]) -> Loaded:
        """Return what the handle makes of loaded weights."""
        return self.loader.derive(loaded, handle, place, report)

    def attach(self, loaded: Loaded, handle: object, lease: Lease) -> AbstractContextManager[object]:
        """Yield what a node uses during one lease."""
        return self.loader.attach(loaded, handle, lease)


@hookimpl
def register_translations() -> list[Path]:
    """Contribute what the built-in nodes say in other languages."""
    return sorted(TRANSLATIONS.glob("*.json"))


@hookimpl
def register_types() -> list[type]:
    """Contribute all data that travels along the built-in nodes' wires, also inside other data."""
    return [item for item in vars(sockets).values() if isinstance(item, type) and is_dataclass(item)]


@hookimpl
def register_buffers() -> list[BufferCodec]:
    """Contribute tensors as bytes."""
    return [TENSOR]


@hookimpl
def register_loaders() -> list[Loader]:
    """Contribute the loaders of models, of upscalers and of what makes prompts of pictures."""
    models = (sockets.Denoiser, sockets.TextEncoder, sockets.Autoencoder, sockets.ControlNet)
    return [
        LazyLoader(models, "graphgen_nodes.loading", "ModelLoader"),
        LazyLoader((sockets.Upscaler,), "graphgen_nodes.imaging.loading", "UpscalerLoader"),
        LazyLoader((sockets.ImageEncoder, sockets.IPAdapter), "graphgen_nodes.ip_adapter.loading", "ImagePromptLoader"),
    ]


@hookimpl
def register_shipped() -> list[Shipped]:
    """Contribute what comes with graphgen: models, folders with an index or safetensors files, and sample pictures."""
    found = sorted(entry for entry in MODELS.glob("*") if entry.suffix == ".safetensors" or _is_model(entry))
    return [*(Shipped("models", entry.name, entry) for entry in found), Shipped("inputs", "samples", SAMPLES)]


@hookimpl
def register_formats() -> list[FileFormat]:
    """Contribute PNG files, which can carry the workflow that made them, and what can be done with other pictures."""
    others = OTHERS.items()
    return [PNG, *(FileFormat(name, kind, thumbnail=shrunk, convert=WRITERS.get(kind)) for name, kind in others)]


@hookimpl
def register_renderers() -> list[Renderer]:
    """Contribute how pictures and masks look."""
    return [*RENDERERS]


@hookimpl
def find_devices() -> list[DeviceInfo]:
    """Return the accelerators that torch can use, without importing it."""
    return devices.find()


@hookimpl
def diagnose() -> list[Diagnosis]:
    """Report torch's build, the NVIDIA driver and the devices."""
    return devices.diagnose()


@hookimpl
def describe_model(path: Path) -> Mapping[str, object]:
    """Name the networks of a file or folder and the family they are for, from headers, without importing torch."""
    from graphgen_nodes.descriptions import describe

    return describe(path)


@hookimpl
def convert_weights(source: Path, target: Path) -> str:
    """Take the tensors out of pickled files."""
    from graphgen_nodes.checkpoints.converting import convert

    return convert(source, target)


@hookimpl
def describe_environment() -> Mapping[str, str]:
    """Name the libraries that compute, and what they compute on."""
    return devices.describe()


@hookimpl
def measure_memory(device: str) -> Callable[[], int] | None:
    """Measure what torch takes on NVIDIA's devices."""
    return devices.measure(device)


def _is_model(folder: Path) -> bool:
    return (folder / "model_index.json").is_file()
