"""Picture in, larger picture out: the two networks of Real-ESRGAN, and running them in tiles.

Both networks keep the key layouts of the published checkpoints (Wang et al. 2021, "Real-ESRGAN:
Training Real-World Blind Super-Resolution with Pure Synthetic Data", and the BasicSR library).
``detect`` tells from tensor names and shapes alone which one a file holds.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

__all__ = [
    "Architecture",
    "RRDBNet",
    "SRVGGNetCompact",
    "UpscaleNetwork",
    "UpscalerError",
    "build",
    "detect",
    "load",
    "upscale",
]

USUAL_OVERLAP = 32  # pixels; beyond it a deep network's answer hardly changes, but its cost does

Shapes = Mapping[str, Sequence[int]]
OnTile = Callable[[int, int], None]


class UpscalerError(ValueError):
    """Report a file that holds no known upscaler, or a picture that an upscaler cannot take."""


@dataclass(frozen=True)
class Architecture:
    """What ``detect`` reads from a file, and all that ``build`` needs.

    ``kind`` is ``compact`` (SRVGGNetCompact) or ``rrdb`` (RRDBNet). ``blocks`` counts the
    convolutions between first and last, or the dense blocks; ``growth`` is RRDB's alone.
    """

    kind: Literal["compact", "rrdb"]
    scale: int
    channels: int
    features: int
    blocks: int
    growth: int = 0


class UpscaleNetwork(nn.Module):
    """Name what every upscaler tells about itself.

    ``scale`` is the enlargement, ``channels`` what goes in and comes out, ``multiple`` what the
    input's sides must be divisible by, and ``reach`` how many input pixels around a pixel have
    a say in its answer.
    """

    def __init__(self, scale: int, channels: int, multiple: int, reach: int) -> None:
        super().__init__()
        self.scale = scale
        self.channels = channels
        self.multiple = multiple
        self.reach = reach


class SRVGGNetCompact(UpscaleNetwork):
    """Enlarge with plain convolutions at low resolution; the last one holds the pixels.

    The answer is a correction to the nearest-neighbour enlargement. Keys: ``body.N.weight``,
    ``body.N.bias``, odd N the slopes of PReLU.
    """

    def __init__(self, channels: int = 3, features: int = 64, blocks: int = 16, scale: int = 4) -> None:
        super().__init__(scale, channels, multiple=1, reach=blocks + 2)
        layers: list[nn.Module] = [_conv(channels, features), nn.PReLU(features)]
        for _ in range(blocks):
            layers += [_conv(features, features), nn.PReLU(features)]
        self.body = nn.ModuleList([*layers, _conv(features, channels * scale * scale)])

    def forward(self, pixels: Tensor) -> Tensor:
        """Enlarge ``[B, C, H, W]`` in 0..1 to ``[B, C, scale * H, scale * W]``, unclamped."""
        x = pixels
        for layer in self.body:
            x = layer(x)
        return F.pixel_shuffle(x, self.scale) + F.interpolate(pixels, scale_factor=self.scale, mode="nearest")


class RRDBNet(UpscaleNetwork):
    """Enlarge by residual-in-residual dense blocks; x4, or x2 and x1 on unshuffled pixels.

    Keys: ``conv_first``, ``body.N.rdbK.convJ``, ``conv_body``, ``conv_up1``, ``conv_up2``,
    ``conv_hr``, ``conv_last``. Source: Wang et al. 2018, "ESRGAN".
    """

    def __init__(
        self, channels: int = 3, features: int = 64, blocks: int = 23, growth: int = 32, scale: int = 4
    ) -> None:
        if scale not in (1, 2, 4):
            raise UpscalerError(f"RRDBNet: scale must be 1, 2 or 4 (got {scale})")
        fold = 4 // scale  # x2 and x1 pack 2x2 and 4x4 pixels into channels, then enlarge by 4
        # at the folded resolution: 15 convolutions a block, first and body, then half and quarter pixels
        super().__init__(scale, channels, multiple=fold, reach=fold * (15 * blocks + 4))
        self.conv_first = _conv(channels * fold * fold, features)
        self.body = nn.Sequential(*(_DenseTriple(features, growth) for _ in range(blocks)))
        self.conv_body = _conv(features, features)
        self.conv_up1 = _conv(features, features)
        self.conv_up2 = _conv(features, features)
        self.conv_hr = _conv(features, features)
        self.conv_last = _conv(features, channels)

    def forward(self, pixels: Tensor) -> Tensor:
        """Enlarge ``[B, C, H, W]`` in 0..1 to ``[B, C, scale * H, scale * W]``, unclamped."""
        x = self.conv_first(F.pixel_unshuffle(pixels, self.multiple))
        x = x + self.conv_body(self.body(x))
        x = _leaky(self.conv_up1(F.interpolate(x, scale_factor=2, mode="nearest")))
        x = _leaky(self.conv_up2(F.interpolate(x, scale_factor=2, mode="nearest")))
        enlarged: Tensor = self.conv_last(_leaky(self.conv_hr(x)))
        return enlarged


class _DenseBlock(nn.Module):
    """Five convolutions, each seeing all before it; a fifth of the answer is added."""

    def __init__(self, features: int, growth: int) -> None:
        super().__init__()
        self.conv1 = _conv(features, growth)
        self.conv2 = _conv(features + growth, growth)
        self.conv3 = _conv(features + 2 * growth, growth)
        self.conv4 = _conv(features + 3 * growth, growth)
        self.conv5 = _conv(features + 4 * growth, features)

    def forward(self, x: Tensor) -> Tensor:
        seen = [x]
        for conv in (self.conv1, self.conv2, self.conv3, self.conv4):
            seen.append(_leaky(conv(torch.cat(seen, dim=1))))
        change: Tensor = self.conv5(torch.cat(seen, dim=1))
        return x + 0.2 * change


class _DenseTriple(nn.Module):
    """Three dense blocks in a row; a fifth of the answer is added (the paper's RRDB)."""

    def __init__(self, features: int, growth: int) -> None:
        super().__init__()
        self.rdb1 = _DenseBlock(features, growth)
        self.rdb2 = _DenseBlock(features, growth)
        self.rdb3 = _DenseBlock(features, growth)

    def forward(self, x: Tensor) -> Tensor:
        change: Tensor = self.rdb3(self.rdb2(self.rdb1(x)))
        return x + 0.2 * change


def _conv(inputs: int, outputs: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, kernel_size=3, padding=1)


def _leaky(x: Tensor) -> Tensor:
    return F.leaky_relu(x, negative_slope=0.2)


def detect(shapes: Shapes) -> Architecture:
    """Tell an upscaler's architecture from its tensors' names and shapes.

    Nothing is loaded: a safetensors header is enough. Raises UpscalerError for anything that is
    not exactly one of the two published layouts.
    """
    if "conv_first.weight" in shapes:
        found = _detect_rrdb(shapes)
    elif "body.0.weight" in shapes:
        found = _detect_compact(shapes)
    else:
        raise UpscalerError(
            f"not a known upscaler: it holds {_some(shapes)}; allowed are Real-ESRGAN's SRVGGNetCompact "
            "(body.0.weight, ...) and RRDBNet (conv_first.weight, ...); older ESRGAN files (model.0.weight, ...) "
            "must be converted to RRDBNet's names"
        )
    _check_complete(shapes, found)
    return found


def _detect_compact(shapes: Shapes) -> Architecture:
    last = max(int(match[1]) for name in shapes if (match := re.fullmatch(r"body\.(\d+)\.weight", name)))
    if "body.1.weight" not in shapes:
        raise UpscalerError(
            "SRVGGNetCompact without slopes (body.1.weight): it was made with relu or leakyrelu, and nothing in "
            "the file tells which; allowed is prelu, as in all published Real-ESRGAN models"
        )
    features, channels = _shape(shapes, "body.0.weight", 4)[:2]
    pixels = _shape(shapes, f"body.{last}.weight", 4)[0]
    scale = round((pixels / channels) ** 0.5)
    # an index beyond the number of tensors would make the network as deep as a forged name says
    if scale < 1 or scale * scale * channels != pixels or last % 2 or not 2 <= last < len(shapes):
        raise UpscalerError(
            f"body.{last}.weight: {pixels} outputs for {channels} channels; a compact upscaler ends, after pairs "
            "of convolution and slopes, in a convolution with channels * scale * scale outputs"
        )
    return Architecture("compact", scale, channels, features, blocks=(last - 2) // 2)


def _detect_rrdb(shapes: Shapes) -> Architecture:
    features, packed = _shape(shapes, "conv_first.weight", 4)[:2]
    channels = _shape(shapes, "conv_last.weight", 4)[0]
    scales = {channels: 4, channels * 4: 2, channels * 16: 1}
    if packed not in scales:
        raise UpscalerError(
            f"conv_first.weight: has {packed} inputs; allowed for a network that ends in {channels} channels are "
            + ", ".join(f"{inputs} (x{scale})" for inputs, scale in scales.items())
        )
    growth = _shape(shapes, "body.0.rdb1.conv1.weight", 4)[0]
    blocks = {int(match[1]) for name in shapes if (match := re.match(r"body\.(\d+)\.rdb1\.", name))}
    return Architecture("rrdb", scales[packed], channels, features, len(blocks), growth)


def _shape(shapes: Shapes, name: str, rank: int) -> tuple[int, ...]:
    if name not in shapes:
        raise UpscalerError(f"{name}: missing; an upscaler of this kind has it: is the file cut short?")
    shape = tuple(shapes[name])
    if len(shape) != rank or min(shape) < 1:
        raise UpscalerError(f"{name}: must have {rank} dimensions, none of them empty (got {list(shape)})")
    return shape


def _check_complete(shapes: Shapes, found: Architecture) -> None:
    """Compare with the network that would be built, so that loading later cannot fail."""
    with torch.device("meta"):
        wanted = {name: tuple(tensor.shape) for name, tensor in build(found).state_dict().items()}
    missing, extra = wanted.keys() - shapes.keys(), shapes.keys() - wanted.keys()
    wrong = [name for name in wanted.keys() & shapes.keys() if wanted[name] != tuple(shapes[name])]
    if missing or extra or wrong:
        raise UpscalerError(
            f"looks like {found} but does not match it: missing {_some(missing)}; unknown {_some(extra)}; "
            f"of another shape {_some(wrong)}; the file must hold exactly one network"
        )


def _some(names: Mapping[str, object] | set[str] | list[str]) -> str:
    first = sorted(names)[:3]
    more = len(names) - len(first)
    return (", ".join(first) or "nothing") + (f" and {more} more" if more else "")


def build(architecture: Architecture) -> UpscaleNetwork:
    """Make the network with random weights; under ``torch.device("meta")``, without memory."""
    a = architecture
    if a.kind == "compact":
        return SRVGGNetCompact(a.channels, a.features, a.blocks, a.scale)
    return RRDBNet(a.channels, a.features, a.blocks, a.growth, a.scale)


def load(tensors: Mapping[str, Tensor]) -> UpscaleNetwork:
    """Make the network that these tensors belong to, holding them as they are, ready to run.

    Their dtype and device are kept (use ``.to``); they are not copied. Raises UpscalerError.
    """
    with torch.device("meta"):
        module = build(detect({name: tuple(tensor.shape) for name, tensor in tensors.items()}))
    module.load_state_dict(tensors, strict=True, assign=True)
    return module.requires_grad_(False).eval()


def upscale(
    module: UpscaleNetwork,
    pixels: Tensor,
    *,
    tile: int = 256,
    overlap: int | None = None,
    on_tile: OnTile | None = None,
) -> Tensor:
    """Enlarge pictures ``[B, C, H, W]`` in 0..1 to ``[B, C, scale * H, scale * W]`` in 0..1.

    Each tile of ``tile`` x ``tile`` input pixels (0: the whole picture) is computed with
    ``overlap`` more on every side, by default the network's reach but at most 32. From the reach
    on the result is that of the whole picture: 18 for Real-ESRGAN compact. RRDB reaches hundreds
    of pixels, of which the far ones hardly count: at 32, tiled and whole drawings agree to 64 dB
    or better. Tiles go to the module's device and dtype; the answer has those of ``pixels``.
    ``on_tile(done, total)`` is called after each tile and may raise to stop. Raises UpscalerError.
    """
    _check_upscale(module, pixels, tile, overlap)
    batch, channels, height, width = pixels.shape
    margin = _up_to(min(module.reach, USUAL_OVERLAP) if overlap is None else overlap, module.multiple)
    step = _up_to(tile or max(height, width), module.multiple)
    # a network that folds pixels needs whole folds; the border is repeated and cut off again
    right, below = -width % module.multiple, -height % module.multiple
    padded = F.pad(pixels, (0, right, 0, below), mode="replicate") if right or below else pixels
    result = pixels.new_empty(batch, channels, (height + below) * module.scale, (width + right) * module.scale)
    windows = [(i, *window) for i in range(batch) for window in _windows(height + below, width + right, step)]
    for done, (i, rows, columns) in enumerate(windows, start=1):
        _upscale_tile(module, padded[i : i + 1], rows, columns, margin, result[i : i + 1])
        if on_tile is not None:
            on_tile(done, len(windows))
    return result[..., : height * module.scale, : width * module.scale].contiguous()


def _windows(height: int, width: int, step: int) -> Iterator[tuple[slice, slice]]:
    for top in range(0, height, step):
        for left in range(0, width, step):
            yield slice(top, min(top + step, height)), slice(left, min(left + step, width))


def _upscale_tile(
    module: UpscaleNetwork, image: Tensor, rows: slice, columns: slice, margin: int, result: Tensor
) -> None:
    """Compute one tile with its margin and write its inside into ``result``."""
    top, left = max(rows.start - margin, 0), max(columns.start - margin, 0)
    window = image[..., top : rows.stop + margin, left : columns.stop + margin]
    weight = next(module.parameters())
    with torch.no_grad():
        enlarged = module(window.to(weight.device, weight.dtype)).clamp(0, 1)
    inside = enlarged[..., _scaled(rows, module.scale, top), _scaled(columns, module.scale, left)]
    result[..., _scaled(rows, module.scale), _scaled(columns, module.scale)] = inside.to(result)


def _scaled(pixels: slice, scale: int, origin: int = 0) -> slice:
    return slice((pixels.start - origin) * scale, (pixels.stop - origin) * scale)


def _up_to(value: int, multiple: int) -> int:
    return -(-value // multiple) * multiple


def _check_upscale(module: UpscaleNetwork, pixels: Tensor, tile: int, overlap: int | None) -> None:
    if pixels.ndim != 4 or pixels.shape[1] != module.channels or 0 in pixels.shape or not pixels.is_floating_point():
        raise UpscalerError(
            f"pixels: must be floating point [batch, {module.channels}, height, width], none of them 0 "
            f"(got {pixels.dtype} {list(pixels.shape)}); an alpha channel is enlarged separately"
        )
    if tile < 0:
        raise UpscalerError(f"tile: must be at least 0, which means the whole picture at once (got {tile})")
    if overlap is not None and overlap < 0:
        raise UpscalerError(f"overlap: must be at least 0 (got {overlap}); {USUAL_OVERLAP} is usual")
