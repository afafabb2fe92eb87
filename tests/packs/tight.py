"""A fake pack whose devices are small: networks that run out of memory where they are called with too much."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields
from typing import Any, TypeVar

from graphgen import Lease, Loaded, Loader, hookimpl, node
from graphgen_nodes import Autoencoder, Denoiser, Upscaler
from graphgen_nodes.imaging.loading import UpscalerLoader
from graphgen_nodes.loading import ModelLoader

H = TypeVar("H")


@dataclass(frozen=True)
class TightDenoiser(Denoiser):
    """A denoiser that has memory for a batch of so many, and for fewer as long as all its weights are there."""

    most: int = 1
    most_whole: int = 1


@dataclass(frozen=True)
class TightAutoencoder(Autoencoder):
    """An autoencoder that has memory for so many cells."""

    most: int = 64


@dataclass(frozen=True)
class TightUpscaler(Upscaler):
    """An upscaler that has memory for so many pixels."""

    most: int = 64


class TightLoader(ModelLoader):
    """Loads them as the models they are, and makes them fail."""

    handles = (TightDenoiser, TightAutoencoder)

    @contextmanager
    def attach(self, loaded: Loaded, handle: object, lease: Lease) -> Iterator[object]:
        """Wrap the network for the time of a lease."""
        from graphgen_nodes.patching import skeleton
        from graphgen_nodes.streaming import is_away

        with super().attach(loaded, handle, lease) as found:
            network: Any = found
            if isinstance(handle, TightAutoencoder):
                module = skeleton(network)
                inner, outer, most = module.decode, module.encode, handle.most
                module.decode = lambda x, **more: inner(_fitting(x, x.shape[-2] * x.shape[-1], most), **more)
                module.encode = lambda x, **more: outer(_fitting(x, x.shape[-2] * x.shape[-1] // 64, most), **more)
                yield module
                return
            assert isinstance(handle, TightDenoiser)
            most = handle.most if any(map(is_away, network.module.parameters())) else handle.most_whole
            modules = {part: skeleton(module) for part, module in network.networks.items()}
            for module in modules.values():
                module.register_forward_pre_hook(lambda _, given: _fitting(None, len(given[0]), most))
            yield network.with_networks(modules)


class TightUpscalerLoader(UpscalerLoader):
    """Loads the upscaler that it is, and makes it fail."""

    handles = (TightUpscaler,)

    @contextmanager
    def attach(self, loaded: Loaded, handle: object, lease: Lease) -> Iterator[object]:
        """Hook the network for the time of a lease."""
        assert isinstance(handle, TightUpscaler)
        most = handle.most
        with super().attach(loaded, handle, lease) as network:
            module: Any = network
            hook = module.register_forward_pre_hook(
                lambda _, given: _fitting(None, given[0].shape[-2] * given[0].shape[-1], most)
            )
            try:
                yield module
            finally:
                hook.remove()


def _fitting(value: Any, count: int, most: int) -> Any:
    import torch

    if count > most:
        raise torch.OutOfMemoryError(f"tried to allocate {count} where {most} fit")
    return value


def _as(kind: Callable[..., H], handle: object, **more: int) -> H:
    values: Mapping[str, Any] = {item.name: getattr(handle, item.name) for item in fields(handle)}  # type: ignore[arg-type]
    return kind(**values, **more)


@node(category="tight", cheap=True)
def denoiser(denoiser: Denoiser, *, most: int = 1, most_whole: int = 1) -> Denoiser:
    """Give a denoiser little memory."""
    return _as(TightDenoiser, denoiser, most=most, most_whole=most_whole)


@node(category="tight", cheap=True)
def autoencoder(autoencoder: Autoencoder, *, most: int = 64) -> Autoencoder:
    """Give an autoencoder little memory."""
    return _as(TightAutoencoder, autoencoder, most=most)


@node(category="tight", cheap=True)
def upscaler(upscaler: Upscaler, *, most: int = 64) -> Upscaler:
    """Give an upscaler little memory."""
    return _as(TightUpscaler, upscaler, most=most)


@hookimpl
def register_nodes() -> list[Callable[..., object]]:
    """Contribute the nodes."""
    return [denoiser, autoencoder, upscaler]


@hookimpl
def register_loaders() -> list[Loader]:
    """Contribute the loader."""
    return [TightLoader(), TightUpscalerLoader()]


@hookimpl
def register_types() -> list[type]:
    """Contribute the handles."""
    return [TightDenoiser, TightAutoencoder, TightUpscaler]
