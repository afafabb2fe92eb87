"""The eleven colours: their English and Korean names, their RGB values, and recolouring.

In: premultiplied-free RGBA images, float32 0..1, shape (H, W, 4). Out: the same in a named colour.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.float32]


@dataclass(frozen=True)
class Colour:
    """Hold one colour: its value, and the words for it, the commonest first."""

    name: str
    rgb: tuple[int, int, int]
    english: tuple[str, ...]
    korean: tuple[str, ...]


COLOURS: tuple[Colour, ...] = (
    Colour("red", (226, 38, 45), ("red", "scarlet", "crimson"), ("빨간", "빨간색", "붉은")),
    Colour("orange", (248, 132, 28), ("orange", "amber"), ("주황색", "주황")),
    Colour("yellow", (252, 210, 40), ("yellow", "golden"), ("노란", "노란색")),
    Colour("green", (50, 168, 72), ("green", "emerald", "lime"), ("초록색", "녹색", "초록")),
    Colour("blue", (36, 108, 222), ("blue", "azure", "navy"), ("파란", "파란색", "푸른")),
    Colour("purple", (138, 62, 196), ("purple", "violet"), ("보라색", "보라")),
    Colour("pink", (250, 130, 185), ("pink", "magenta"), ("분홍색", "핑크색", "분홍")),
    Colour("brown", (128, 78, 44), ("brown", "chestnut"), ("갈색", "밤색")),
    Colour("black", (34, 34, 38), ("black", "jet black"), ("검은", "검은색", "까만")),
    Colour("white", (245, 245, 245), ("white", "snow white"), ("하얀", "흰색", "흰")),
    Colour("gray", (140, 142, 146), ("gray", "grey", "silver"), ("회색", "잿빛")),
)
COLOUR_NAMES: tuple[str, ...] = tuple(colour.name for colour in COLOURS)
WHITE = COLOUR_NAMES.index("white")
BLACK = COLOUR_NAMES.index("black")
ACHROMATIC = frozenset({WHITE, BLACK, COLOUR_NAMES.index("gray")})


def rgb_to_hsv(rgb: Image) -> Image:
    """Convert RGB to hue, saturation, value; all 0..1, the last axis holds the three."""
    high, low = rgb.max(-1), rgb.min(-1)
    spread = np.maximum(high - low, 1e-6)
    red, green, blue = rgb[..., 0], rgb[..., 1], rgb[..., 2]
    hue = np.where(
        high == red,
        (green - blue) / spread,
        np.where(high == green, 2 + (blue - red) / spread, 4 + (red - green) / spread),
    )
    saturation = (high - low) / np.maximum(high, 1e-6)
    return np.stack([(hue / 6) % 1, saturation, high], -1).astype(np.float32)


def hsv_to_rgb(hsv: Image) -> Image:
    """Convert hue, saturation, value (0..1) to RGB."""
    hue, saturation, value = hsv[..., 0:1], hsv[..., 1:2], hsv[..., 2:3]
    wheel = (np.array([5.0, 3.0, 1.0]) + hue * 6) % 6
    chroma = np.clip(np.minimum(wheel, 4 - wheel), 0, 1)
    image: Image = (value - value * saturation * chroma).astype(np.float32)
    return image


def dominant_hue(hsv: Image, alpha: Image) -> tuple[float, float]:
    """Return the dominant hue (0..1), and the share of the object that is coloured at all."""
    weight = hsv[..., 1] * hsv[..., 2] * alpha
    bins = 36
    histogram = np.bincount((hsv[..., 0] * bins).astype(int).ravel() % bins, weight.ravel(), bins)
    smooth = histogram + 0.6 * (np.roll(histogram, 1) + np.roll(histogram, -1))
    peak = int(smooth.argmax())
    near = np.abs(hue_difference(hsv[..., 0], (peak + 0.5) / bins)) < 1.5 / bins
    angle = np.angle((weight * near * np.exp(2j * np.pi * hsv[..., 0])).sum())
    coloured = float((alpha * (hsv[..., 1] > 0.25)).sum() / max(float(alpha.sum()), 1e-6))
    return float(angle / (2 * np.pi)) % 1, coloured


def hue_difference(hue: Image, origin: float) -> Image:
    """Return hue - origin, wrapped to -0.5..0.5."""
    difference: Image = ((hue - origin + 0.5) % 1 - 0.5).astype(np.float32)
    return difference


def recolour(image: Image, target: int) -> Image:
    """Paint the dominant hue of an RGBA image in COLOURS[target]; leave the other hues alone.

    An object with hardly any colour (a ghost, a panda) is painted by lightness instead, so that
    its light parts take the colour and its dark features stay.
    """
    hsv, alpha = rgb_to_hsv(image[..., :3]), image[..., 3]
    hue, coloured = dominant_hue(hsv, alpha)
    if coloured < 0.3:
        mask, reference = light_mask(hsv, alpha)
        shift = np.zeros_like(hsv[..., 0])
    else:
        shift = hue_difference(hsv[..., 0], hue)
        mask = np.clip((75 / 360 - np.abs(shift)) / (20 / 360), 0, 1)
        mask = mask * np.clip((hsv[..., 1] - 0.12) / 0.15, 0, 1)
        reference = weighted_median(hsv[..., 2], mask * alpha)
    painted = paint(hsv[..., 2] / max(reference, 0.05), shift, target)
    mixed = image.copy()
    mixed[..., :3] += (painted - image[..., :3]) * mask[..., None]
    return mixed


def light_mask(hsv: Image, alpha: Image) -> tuple[Image, float]:
    """Return where a nearly colourless object is to be painted, and its typical value there."""
    grey = np.clip((0.45 - hsv[..., 1]) / 0.2, 0, 1) * alpha
    light = np.clip((hsv[..., 2] - 0.35) / 0.2, 0, 1)
    # An object that is dark all over (a bomb, a top hat) has no light parts: paint all of it.
    mask = grey * light if (grey * light).sum() > 0.35 * grey.sum() else grey
    return mask.astype(np.float32), weighted_median(hsv[..., 2], mask * alpha)


def weighted_median(values: Image, weights: Image) -> float:
    """Return the weighted median of values, 0.5 where there is no weight."""
    order = np.argsort(values, axis=None)
    total = np.cumsum(weights.ravel()[order])
    if total[-1] <= 0:
        return 0.5
    return float(values.ravel()[order][np.searchsorted(total, total[-1] / 2)])


def paint(shade: Image, shift: Image, target: int) -> Image:
    """Return RGB in the target colour; shade is lightness relative to the object's own (1 = same)."""
    hue, saturation, value = rgb_to_hsv((np.array(COLOURS[target].rgb) / 255).astype(np.float32))
    # Dark colours need a floor and light ones a ceiling, or shading vanishes in them.
    shade = np.clip(shade, 0.1, 1.8)
    if target == BLACK:
        new_value = 0.04 + 0.12 * shade
    elif target == WHITE:
        new_value = np.clip(0.62 + 0.34 * shade, 0, 1)
    else:
        new_value = np.clip(value * shade**0.7, 0, 1)
    # Highlights keep what they cannot gain in value by losing saturation.
    overflow = np.clip(value * shade**0.7 - 1, 0, 0.4)
    new_saturation = saturation * (1 - overflow)
    new_hue = (hue + 0.25 * shift * (target not in ACHROMATIC)) % 1
    hsv = np.stack(np.broadcast_arrays(new_hue, new_saturation, new_value), -1)
    return hsv_to_rgb(hsv.astype(np.float32))
