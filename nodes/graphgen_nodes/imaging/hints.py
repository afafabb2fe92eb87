"""What can be drawn of a picture without a network, for others to follow: edges, lines, coarse pictures.

Functions from `pixels[batch, channels, height, width]` in 0..1, of which an alpha channel is left out, to RGB of the
same size. Outside a picture its rim goes on. Pictures of a batch are worked on one by one, so that each is as if alone.
"""

from __future__ import annotations

from itertools import product

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import conv2d, pad

from graphgen_nodes.imaging.geometry import Size
from graphgen_nodes.imaging.resampling import resample

LUMA = (0.299, 0.587, 0.114)
"""What red, green and blue weigh in brightness (ITU-R BT.601)."""
SOBEL = torch.tensor([[-1.0, 0.0, 1.0], [-2.0, 0.0, 2.0], [-1.0, 0.0, 1.0]])
DIRECTIONS = ((0, 1), (1, 1), (1, 0), (1, -1))
"""Steps (down, right) along a gradient of 0, 45, 90 and 135 degrees, rows counted downwards."""
AROUND = tuple(step for step in product((-1, 0, 1), repeat=2) if step != (0, 0))


def brightness(pixels: Tensor) -> Tensor:
    """Return how bright pixels are, `[batch, 1, height, width]`."""
    weights = torch.tensor(LUMA).reshape(1, 3, 1, 1)
    return (pixels[:, :3] * weights).sum(dim=1, keepdim=True)


def as_rgb(gray: Tensor) -> Tensor:
    """Return `[batch, 1, height, width]` as RGB."""
    return gray.clamp(0, 1).repeat(1, 3, 1, 1)


def blurred(pixels: Tensor, sigma: float) -> Tensor:
    """Blur by a Gaussian of a standard deviation in pixels, cut off at four of them; 0 leaves all as it is."""
    if sigma == 0:
        return pixels
    radius = int(4 * sigma + 0.5)
    offsets = torch.arange(-radius, radius + 1, dtype=torch.float32)
    kernel = torch.exp(-0.5 * (offsets / sigma) ** 2)
    kernel = (kernel / kernel.sum()).reshape(1, 1, 1, -1)
    planes = []
    for plane in pixels.reshape(-1, 1, 1, *pixels.shape[2:]):
        across = conv2d(pad(plane, (radius, radius, 0, 0), mode="replicate"), kernel)
        planes.append(conv2d(pad(across, (0, 0, radius, radius), mode="replicate"), kernel.transpose(2, 3)))
    return torch.cat(planes).reshape(pixels.shape)


def canny(pixels: Tensor, low: float, high: float, sigma: float) -> Tensor:
    """Find edges (Canny 1986): white lines, a pixel wide, on black.

    Blur, take the brightness's gradient, keep what is greatest along its direction, and of this all that is above
    `high` and what hangs together with it above `low`. Both are in OpenCV's units divided by 255: a step from black
    to white has 4.
    """
    edges = []
    for gray in torch.split(blurred(brightness(pixels), sigma), 1):
        padded = pad(gray, (1, 1, 1, 1), mode="replicate")
        across, down = (conv2d(padded, kernel.reshape(1, 1, 3, 3)) for kernel in (SOBEL, SOBEL.T))
        steep = torch.hypot(across, down)
        thin = torch.where(_ridges(steep, across, down), steep, 0.0)[0, 0].numpy()
        edges.append(torch.from_numpy(_hysteresis(thin > high, thin > low)))
    return as_rgb(torch.stack(edges).float()[:, None])


def lines(pixels: Tensor, sigma: float, sharpness: float, level: float, slope: float) -> Tensor:
    """Draw lines by an extended difference of Gaussians (Winnemoeller et al. 2012): bright ones on black.

    Where the brightness, sharpened by the difference between it blurred by `sigma` and by 1.6 `sigma`, falls below
    `level` there is a line, the whiter the further below, by tanh of `slope` times as far.
    """
    gray = brightness(pixels)
    near, far = blurred(gray, sigma), blurred(gray, 1.6 * sigma)
    sharp = (1 + sharpness) * near - sharpness * far
    return as_rgb(torch.where(sharp >= level, 0.0, -torch.tanh(slope * (sharp - level))))


def tiled(pixels: Tensor, factor: int) -> Tensor:
    """Make a picture smaller by a factor and as large as it was again, so that only what is coarse is left."""
    height, width = pixels.shape[-2:]
    small = resample(pixels[:, :3], Size(max(width // factor, 1), max(height // factor, 1)), "area")
    return resample(small, Size(width, height), "bicubic")


def _ridges(steep: Tensor, across: Tensor, down: Tensor) -> Tensor:
    """Tell where a gradient is greater than before it and not smaller than behind it, along its nearest direction."""
    sector = torch.round(torch.atan2(down, across) / (torch.pi / 4)).long() % 4
    padded = pad(steep, (1, 1, 1, 1))
    height, width = steep.shape[-2:]
    kept = torch.zeros_like(steep, dtype=torch.bool)
    for number, (y, x) in enumerate(DIRECTIONS):
        behind = padded[..., 1 + y : 1 + y + height, 1 + x : 1 + x + width]
        before = padded[..., 1 - y : 1 - y + height, 1 - x : 1 - x + width]
        kept |= (sector == number) & (steep > before) & (steep >= behind)
    return kept


def _hysteresis(strong: NDArray[np.bool_], weak: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the weak pixels that hang together with a strong one, the strong ones among them, over all eight sides."""
    found, left = np.pad(strong, 1), np.pad(weak & ~strong, 1)
    front = np.argwhere(found)
    while len(front):
        near = np.unique(np.concatenate([front + step for step in AROUND]), axis=0)
        front = near[left[near[:, 0], near[:, 1]]]
        found[front[:, 0], front[:, 1]] = True
        left[front[:, 0], front[:, 1]] = False
    return found[1:-1, 1:-1]
