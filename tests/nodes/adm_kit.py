"""OpenAI's UNet written out after its papers, as a function over a release's tensors: the reference for the loaded one.

It shares nothing with graphgen's table or with diffusers' blocks: the settings of the training decide what runs next.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import log

import torch
from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True)
class Settings:
    """What a release's training was set to; `attends` are the levels with attention, `heads` 0 for 64 channels each."""

    width: int = 64
    multiples: tuple[float, ...] = (1, 2)
    layers: int = 2
    attends: tuple[int, ...] = (1,)
    heads: int = 0
    mixed: bool = True
    resizes: bool = True
    modulates: bool = True
    classes: int = 0
    taken: int = 3
    given: int = 6
    timestep_scale: float = 1.0

    @property
    def levels(self) -> list[int]:
        """Return the channels of each level."""
        return [int(self.width * multiple) for multiple in self.multiples]


@dataclass(frozen=True)
class Block:
    """One of the row: its name, what it takes and gives, whether it attends, and how it changes the picture's size."""

    name: str
    taken: int
    given: int
    attends: bool = False
    resize: str = ""


def row(settings: Settings) -> Iterator[Block]:
    """Yield the blocks between the first and the last convolution, in the order in which they run."""
    passed, now, index = [settings.levels[0]], settings.levels[0], 1
    for level, channels in enumerate(settings.levels):
        for _ in range(settings.layers):
            yield Block(f"input_blocks.{index}", now, channels, level in settings.attends)
            now, index = channels, index + 1
            passed.append(now)
        if level < len(settings.levels) - 1:
            yield Block(f"input_blocks.{index}", now, now, resize="down")
            index += 1
            passed.append(now)
    yield Block("middle_block", now, now, attends=True)
    index = 0
    for level, channels in reversed(list(enumerate(settings.levels))):
        for place in range(settings.layers + 1):
            last = level > 0 and place == settings.layers
            taken = now + passed.pop()
            yield Block(f"output_blocks.{index}", taken, channels, level in settings.attends, "up" if last else "")
            now, index = channels, index + 1


class Builder:
    """Draws a release's tensors."""

    def __init__(self, settings: Settings, seed: int) -> None:
        self.settings = settings
        self.generator = torch.Generator().manual_seed(seed)
        self.tensors: dict[str, Tensor] = {}

    def layer(self, name: str, *shape: int) -> None:
        noise = torch.randn(shape, generator=self.generator)
        self.tensors[f"{name}.weight"] = noise * noise[0].numel() ** -0.5
        self.tensors[f"{name}.bias"] = 0.1 * torch.randn(shape[0], generator=self.generator)

    def norm(self, name: str, channels: int) -> None:
        self.tensors[f"{name}.weight"] = 1 + 0.1 * torch.randn(channels, generator=self.generator)
        self.tensors[f"{name}.bias"] = 0.1 * torch.randn(channels, generator=self.generator)

    def resnet(self, name: str, taken: int, given: int) -> None:
        self.norm(f"{name}.in_layers.0", taken)
        self.layer(f"{name}.in_layers.2", given, taken, 3, 3)
        self.layer(f"{name}.emb_layers.1", given * (2 if self.settings.modulates else 1), 4 * self.settings.width)
        self.norm(f"{name}.out_layers.0", given)
        self.layer(f"{name}.out_layers.3", given, given, 3, 3)
        if taken != given:
            self.layer(f"{name}.skip_connection", given, taken, 1, 1)

    def attention(self, name: str, channels: int) -> None:
        self.norm(f"{name}.norm", channels)
        self.layer(f"{name}.qkv", 3 * channels, channels, 1)
        self.layer(f"{name}.proj_out", channels, channels, 1)

    def block(self, block: Block) -> None:
        name, resizes = block.name, self.settings.resizes
        if block.resize == "down" and not resizes:
            self.layer(f"{name}.0.op", block.given, block.taken, 3, 3)
            return
        self.resnet(f"{name}.0", block.taken, block.given)
        if block.attends:
            self.attention(f"{name}.1", block.given)
        if name == "middle_block":
            self.resnet(f"{name}.2", block.given, block.given)
        if block.resize == "up":
            here = f"{name}.{1 + block.attends}"
            if resizes:
                self.resnet(here, block.given, block.given)
            else:
                self.layer(f"{here}.conv", block.given, block.given, 3, 3)


def release(settings: Settings, seed: int = 0) -> dict[str, Tensor]:
    """Return a release's tensors with random weights."""
    made, width, first = Builder(settings, seed), settings.width, settings.levels[0]
    made.layer("time_embed.0", 4 * width, width)
    made.layer("time_embed.2", 4 * width, 4 * width)
    if settings.classes:
        made.tensors["label_emb.weight"] = torch.randn(settings.classes, 4 * width, generator=made.generator)
    made.layer("input_blocks.0.0", first, settings.taken, 3, 3)
    for block in row(settings):
        made.block(block)
    made.norm("out.0", first)
    made.layer("out.2", settings.given, first, 3, 3)
    return made.tensors


class Reference:
    """The network as a function of noisy pictures, timesteps and classes."""

    def __init__(self, settings: Settings, tensors: dict[str, Tensor]) -> None:
        self.settings = settings
        self.tensors = tensors

    def __call__(self, x: Tensor, timestep: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return the noise in `x[batch, 3, height, width]` at `timestep[batch]`, and the learned variance."""
        half = self.settings.width // 2
        frequencies = torch.exp(-log(10000) * torch.arange(half) / half)
        phase = (timestep * self.settings.timestep_scale)[:, None] * frequencies
        embedded = functional.linear(torch.cat([phase.cos(), phase.sin()], dim=1), *self.weights("time_embed.0"))
        embedded = functional.linear(functional.silu(embedded), *self.weights("time_embed.2"))
        if labels is not None:
            embedded = embedded + self.tensors["label_emb.weight"][labels]
        h = self.convolve(x, "input_blocks.0.0")
        passed = [h]
        for block in row(self.settings):
            if block.name.startswith("output"):
                h = torch.cat([h, passed.pop()], dim=1)
            h = self.block(h, embedded, block)
            if block.name.startswith("input"):
                passed.append(h)
        return self.convolve(functional.silu(self.norm(h, "out.0")), "out.2")

    def weights(self, name: str) -> tuple[Tensor, Tensor]:
        return self.tensors[f"{name}.weight"], self.tensors[f"{name}.bias"]

    def norm(self, x: Tensor, name: str) -> Tensor:
        return functional.group_norm(x, 32, *self.weights(name), eps=1e-5)

    def convolve(self, x: Tensor, name: str, stride: int = 1) -> Tensor:
        return functional.conv2d(x, *self.weights(name), padding=1, stride=stride)

    def block(self, h: Tensor, embedded: Tensor, block: Block) -> Tensor:
        name, resizes = block.name, self.settings.resizes
        if block.resize == "down":
            return self.resnet(h, embedded, f"{name}.0", halve) if resizes else self.convolve(h, f"{name}.0.op", 2)
        h = self.resnet(h, embedded, f"{name}.0")
        if block.attends:
            h = self.attention(h, f"{name}.1")
        if name == "middle_block":
            h = self.resnet(h, embedded, f"{name}.2")
        if block.resize == "up":
            here = f"{name}.{1 + block.attends}"
            return self.resnet(h, embedded, here, double) if resizes else self.convolve(double(h), f"{here}.conv")
        return h

    def resnet(
        self, x: Tensor, embedded: Tensor, name: str, resize: Callable[[Tensor], Tensor] | None = None
    ) -> Tensor:
        h = functional.silu(self.norm(x, f"{name}.in_layers.0"))
        if resize is not None:
            h, x = resize(h), resize(x)
        h = self.convolve(h, f"{name}.in_layers.2")
        told = functional.linear(functional.silu(embedded), *self.weights(f"{name}.emb_layers.1"))[:, :, None, None]
        if self.settings.modulates:
            scale, shift = told.chunk(2, dim=1)
            h = self.norm(h, f"{name}.out_layers.0") * (1 + scale) + shift
        else:
            h = self.norm(h + told, f"{name}.out_layers.0")
        h = self.convolve(functional.silu(h), f"{name}.out_layers.3")
        if f"{name}.skip_connection.weight" in self.tensors:
            x = functional.conv2d(x, *self.weights(f"{name}.skip_connection"))
        return x + h

    def attention(self, x: Tensor, name: str) -> Tensor:
        batch, channels = x.shape[:2]
        heads = self.settings.heads or channels // 64
        mixed = functional.conv1d(self.norm(x, f"{name}.norm").flatten(2), *self.weights(f"{name}.qkv"))
        if self.settings.mixed:  # each head's query, key and value lie together
            q, k, v = mixed.reshape(batch, heads, 3, channels // heads, -1).unbind(2)
        else:
            q, k, v = mixed.reshape(batch, 3, heads, channels // heads, -1).unbind(1)
        seen = (q.mT @ k * (channels // heads) ** -0.5).softmax(dim=-1) @ v.mT
        found = functional.conv1d(seen.mT.reshape(batch, channels, -1), *self.weights(f"{name}.proj_out"))
        return x + found.reshape(x.shape)


def halve(x: Tensor) -> Tensor:
    """Return means of two by two pixels."""
    return functional.avg_pool2d(x, 2)


def double(x: Tensor) -> Tensor:
    """Repeat each pixel two by two times."""
    return x.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
