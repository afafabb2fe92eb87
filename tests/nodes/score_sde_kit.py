"""NCSN++ written out after its paper, as functions over a release's tensors: the reference for the loaded network.

It shares nothing with graphgen's table or with diffusers' blocks: what runs next is decided by the settings of the
training (levels, layers, where attention is), as the release's own code decides it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import pi, sqrt

import torch
from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True)
class Settings:
    """What a release's training was set to; `attends` are the levels with attention."""

    width: int = 32
    multiples: tuple[int, ...] = (1, 4)
    layers: int = 1
    attends: tuple[int, ...] = (1,)


class Builder:
    """Draws a release's tensors, module by module in the order in which they run."""

    def __init__(self, settings: Settings, seed: int = 0) -> None:
        self.generator = torch.Generator().manual_seed(seed)
        self.tensors: dict[str, Tensor] = {}
        self.place = 0
        self.settings = settings

    def draw(self, name: str, *shape: int) -> None:
        noise = torch.randn(shape, generator=self.generator)
        fan = shape[0] if name.endswith("W") else max(noise[0].numel(), 1)
        value = noise * fan**-0.5 if len(shape) > 1 else 0.1 * noise + (1.0 if "Norm" in name else 0.0)
        self.tensors[f"all_modules.{self.place}.{name}"] = value

    def plain(self, *shape: int) -> None:
        self.draw("weight", *shape)
        self.draw("bias", shape[0])
        self.place += 1

    def resnet(self, taken: int, given: int, *, resizes: bool = False) -> None:
        for name, shape in {
            "GroupNorm_0.weight": (taken,),
            "GroupNorm_0.bias": (taken,),
            "Conv_0.weight": (given, taken, 3, 3),
            "Conv_0.bias": (given,),
            "Dense_0.weight": (given, 4 * self.settings.width),
            "Dense_0.bias": (given,),
            "GroupNorm_1.weight": (given,),
            "GroupNorm_1.bias": (given,),
            "Conv_1.weight": (given, given, 3, 3),
            "Conv_1.bias": (given,),
            **({"Conv_2.weight": (given, taken, 1, 1), "Conv_2.bias": (given,)} if taken != given or resizes else {}),
        }.items():
            self.draw(name, *shape)
        self.place += 1

    def attention(self, channels: int) -> None:
        self.draw("GroupNorm_0.weight", channels)
        self.draw("GroupNorm_0.bias", channels)
        for index in range(4):
            self.draw(f"NIN_{index}.W", channels, channels)
            self.draw(f"NIN_{index}.b", channels)
        self.place += 1

    def projection(self, channels: int) -> None:
        self.draw("Conv_0.weight", channels, 3, 1, 1)
        self.draw("Conv_0.bias", channels)
        self.place += 1


def release(settings: Settings, sigmas: Tensor, seed: int = 0) -> dict[str, Tensor]:
    """Return a release's tensors with random weights, under the names of its model's state_dict."""
    made, width = Builder(settings, seed), settings.width
    made.tensors["all_modules.0.W"] = 16 * torch.randn(width, generator=made.generator)
    made.place = 1
    made.plain(4 * width, 2 * width)
    made.plain(4 * width, 4 * width)
    made.plain(width, 3, 3, 3)
    passed, now = [width], width
    for level, multiple in enumerate(settings.multiples):
        for _ in range(settings.layers):
            made.resnet(now, width * multiple)
            now = width * multiple
            passed.append(now)
            if level in settings.attends:
                made.attention(now)
        if level < len(settings.multiples) - 1:
            made.resnet(now, now, resizes=True)
            made.projection(now)
            passed.append(now)
    made.resnet(now, now)
    made.attention(now)
    made.resnet(now, now)
    for level, multiple in reversed(list(enumerate(settings.multiples))):
        for _ in range(settings.layers + 1):
            made.resnet(now + passed.pop(), width * multiple)
            now = width * multiple
        if level in settings.attends:
            made.attention(now)
        made.draw("weight", now)
        made.tensors[f"all_modules.{made.place}.weight"] += 1
        made.draw("bias", now)
        made.place += 1
        made.plain(3, now, 3, 3)
        if level:
            made.resnet(now, now, resizes=True)
    return {"sigmas": sigmas, **made.tensors}


class Reference:
    """The network as a function of noisy pictures of 0..1 and their noise levels."""

    def __init__(self, settings: Settings, tensors: dict[str, Tensor]) -> None:
        self.settings = settings
        self.tensors = tensors
        self.place = 0

    def __call__(self, x: Tensor, sigma: Tensor) -> Tensor:
        """Return the score of `x[batch, 3, height, width]` at `sigma[batch]`."""
        self.place = 1
        phase = 2 * pi * sigma.log()[:, None] * self.tensors["all_modules.0.W"]
        embedded = self.dense(functional.silu(self.dense(torch.cat([phase.sin(), phase.cos()], dim=1))))
        pyramid = 2 * x - 1
        h = self.convolve(pyramid)
        passed = [h]
        last = len(self.settings.multiples) - 1
        for level in range(last + 1):
            for _ in range(self.settings.layers):
                h = self.resnet(h, embedded)
                h = self.attention(h) if level in self.settings.attends else h
                passed.append(h)
            if level < last:
                h = self.resnet(h, embedded, halve)
                pyramid = halve(pyramid)
                h = h + functional.conv2d(pyramid, *self.weights("Conv_0."))
                self.place += 1
                passed.append(h)
        h = self.resnet(self.attention(self.resnet(h, embedded)), embedded)
        out: Tensor | float = 0.0
        for level in reversed(range(last + 1)):
            for _ in range(self.settings.layers + 1):
                h = self.resnet(torch.cat([h, passed.pop()], dim=1), embedded)
            h = self.attention(h) if level in self.settings.attends else h
            shown = functional.silu(norm(h, *self.weights("")))
            self.place += 1
            out = (double(out) if isinstance(out, Tensor) else 0.0) + self.convolve(shown)
            h = self.resnet(h, embedded, double) if level else h
        assert isinstance(out, Tensor)
        assert f"all_modules.{self.place}.weight" not in self.tensors, "modules are left"
        return out / sigma[:, None, None, None]

    def weights(self, name: str, kinds: tuple[str, str] = ("weight", "bias")) -> tuple[Tensor, Tensor]:
        weight, bias = (self.tensors[f"all_modules.{self.place}.{name}{kind}"] for kind in kinds)
        return weight, bias

    def dense(self, x: Tensor) -> Tensor:
        found = functional.linear(x, *self.weights(""))
        self.place += 1
        return found

    def convolve(self, x: Tensor) -> Tensor:
        found = functional.conv2d(x, *self.weights(""), padding=1)
        self.place += 1
        return found

    def resnet(self, x: Tensor, embedded: Tensor, resize: Callable[[Tensor], Tensor] | None = None) -> Tensor:
        h = functional.silu(norm(x, *self.weights("GroupNorm_0.")))
        if resize is not None:
            h, x = resize(h), resize(x)
        h = functional.conv2d(h, *self.weights("Conv_0."), padding=1)
        h = h + functional.linear(functional.silu(embedded), *self.weights("Dense_0."))[:, :, None, None]
        h = functional.silu(norm(h, *self.weights("GroupNorm_1.")))
        h = functional.conv2d(h, *self.weights("Conv_1."), padding=1)
        if f"all_modules.{self.place}.Conv_2.weight" in self.tensors:
            x = functional.conv2d(x, *self.weights("Conv_2."))
        self.place += 1
        return (x + h) / sqrt(2)

    def attention(self, x: Tensor) -> Tensor:
        flat = norm(x, *self.weights("GroupNorm_0.")).flatten(2).mT
        matrices = [self.weights(f"NIN_{index}.", ("W", "b")) for index in range(4)]
        q, k, v = (flat @ weight + bias for weight, bias in matrices[:3])
        seen = (q @ k.mT / sqrt(q.shape[-1])).softmax(dim=-1) @ v
        self.place += 1
        h = (seen @ matrices[3][0] + matrices[3][1]).mT.reshape(x.shape)
        return (x + h) / sqrt(2)


def norm(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Normalise in groups of at least four channels, at most 32 of them."""
    return functional.group_norm(x, min(x.shape[1] // 4, 32), weight, bias, eps=1e-6)


FILTER = torch.outer(torch.tensor([1.0, 3, 3, 1]), torch.tensor([1.0, 3, 3, 1])) / 64


def halve(x: Tensor) -> Tensor:
    """Blur by the binomial filter and take every other pixel."""
    return functional.conv2d(x, FILTER.expand(x.shape[1], 1, 4, 4), stride=2, padding=1, groups=x.shape[1])


def double(x: Tensor) -> Tensor:
    """Put zeros between the pixels and blur, four times as bright."""
    weight = 4 * FILTER.expand(x.shape[1], 1, 4, 4)
    return functional.conv_transpose2d(x, weight, stride=2, padding=1, groups=x.shape[1])
