"""Render the emoji sets to sprites, and place sprites on backgrounds.

In: the folder of npm packages (node_modules). Out: `Sprites`, premultiplied RGBA images by concept,
style and colour; `compose` makes the 64 x 64 training images from them.
"""

import argparse
import io
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import resvg_py
from numpy.typing import NDArray
from PIL import Image as Pillow

from training.emoji.palette import COLOURS, WHITE, recolour

SIZE = 64
SPRITE_SIZE = 96
NATIVE = len(COLOURS)
"""The colour index of a sprite as drawn; 0 to NATIVE - 1 are COLOURS."""
STYLES: tuple[str, ...] = ("flat", "cartoon")
PACKAGES: dict[str, str] = {
    "flat": "@iconify-json/fluent-emoji-flat",
    "cartoon": "@iconify-json/noto",
}
PACKAGES_FOLDER = Path(__file__).with_name("node_modules")
CONCEPTS_FILE = Path(__file__).with_name("concepts.txt")


@dataclass(frozen=True)
class Concept:
    """Hold one concept: its code point, its nouns, the commonest first, and whether the model draws it."""

    code: str
    english: tuple[str, ...]
    korean: tuple[str, ...]
    drawn: bool


@dataclass(frozen=True)
class Sprites:
    """Hold premultiplied RGBA, uint8, shape (concepts, styles, colours + native, 96, 96, 4)."""

    concepts: tuple[Concept, ...]
    pixels: NDArray[np.uint8]


@dataclass(frozen=True)
class Scene:
    """Describe one training image completely; indices are into concepts, STYLES and COLOURS.

    `background` is an RGB triple 0..255; `named_background` its colour index, or -1 for a tint
    without a name. `scale` is the object's share of the picture's side, `shift` its offset from
    the centre in the same unit.
    """

    concept: int
    style: int
    colour: int
    background: tuple[int, int, int]
    named_background: int
    scale: float
    shift: tuple[float, float]
    flip: bool


def load_concepts(path: Path = CONCEPTS_FILE) -> tuple[Concept, ...]:
    """Read the concept list: `code | noun, synonym | Korean noun, synonym` a line."""
    concepts = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            code, english, korean = (part.strip() for part in line.split("|"))
            words = [tuple(w.strip() for w in part.split(",")) for part in (english, korean)]
            drawn = not code.startswith("~")
            concepts.append(Concept(code.removeprefix("~"), words[0], words[1], drawn))
    return tuple(concepts)


def load_tags(package: Path, language: str, concepts: tuple[Concept, ...]) -> list[list[str]]:
    """Return, for each concept, the emojibase label and tags that name no other concept."""
    entries = json.loads((package / language / "data.json").read_text(encoding="utf-8"))
    by_code = {entry["hexcode"].removesuffix("-FE0F"): entry for entry in entries}
    words = [[w.lower() for w in (by_code[c.code]["label"], *by_code[c.code].get("tags", ()))] for c in concepts]
    count: dict[str, int] = {}
    for concept, own in zip(concepts, words, strict=True):
        for word in {*own, *concept.english, *concept.korean}:
            count[word] = count.get(word, 0) + 1
    colour_words = {w for colour in COLOURS for w in (*colour.english, *colour.korean)}
    return [[w for w in own if count[w] == 1 and not colour_words & set(w.split()) and len(w) > 1] for own in words]


def render(packages: Path, style: str, code: str) -> NDArray[np.float32]:
    """Rasterise one emoji to RGBA, float32 0..1, straight alpha, 96 x 96."""
    folder = packages / PACKAGES[style]
    characters, icons = read_json(folder / "chars.json"), read_json(folder / "icons.json")
    name = characters.get(code.lower()) or characters[code.lower() + "-fe0f"]
    side = icons["width"]
    body = icons["icons"][name]["body"]
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'viewBox="0 0 {side} {side}" width="{SPRITE_SIZE}" height="{SPRITE_SIZE}">{body}</svg>'
    )
    png = bytes(resvg_py.svg_to_bytes(svg_string=svg))
    image = Pillow.open(io.BytesIO(png)).convert("RGBA")
    return crop_to_object(image)


def crop_to_object(image: Pillow.Image) -> NDArray[np.float32]:
    """Scale the object so that its longer side fills the sprite, centred: styles differ in margins."""
    left, top, right, bottom = image.getbbox() or (0, 0, SPRITE_SIZE, SPRITE_SIZE)
    side = max(right - left, bottom - top)
    x, y = (left + right - side) / 2, (top + bottom - side) / 2
    square = image.convert("RGBa").transform(
        (SPRITE_SIZE, SPRITE_SIZE),
        Pillow.Transform.AFFINE,
        (side / SPRITE_SIZE, 0, x, 0, side / SPRITE_SIZE, y),
        Pillow.Resampling.BICUBIC,
    )
    return (np.asarray(square.convert("RGBA")) / 255).astype(np.float32)


_json_cache: dict[Path, dict] = {}  # type: ignore[type-arg]


def read_json(path: Path) -> dict:  # type: ignore[type-arg]
    """Read a JSON file once."""
    if path not in _json_cache:
        _json_cache[path] = json.loads(path.read_text(encoding="utf-8"))
    return _json_cache[path]


def render_all(packages: Path) -> Sprites:
    """Render every concept in every style and colour."""
    concepts = load_concepts()
    shape = (len(concepts), len(STYLES), NATIVE + 1, SPRITE_SIZE, SPRITE_SIZE, 4)
    pixels = np.zeros(shape, np.uint8)
    for i, concept in enumerate(concepts):
        for j, style in enumerate(STYLES):
            image = render(packages, style, concept.code)
            for colour in range(NATIVE + 1):
                painted = image if colour == NATIVE else recolour(image, colour)
                premultiplied = painted.copy()
                premultiplied[..., :3] *= painted[..., 3:]
                pixels[i, j, colour] = np.clip(premultiplied * 255 + 0.5, 0, 255)
    return Sprites(concepts, pixels)


def load_sprites(build: Path) -> Sprites:
    """Read the sprites that `python data.py` rendered."""
    return Sprites(load_concepts(), np.load(build / "sprites.npy", mmap_mode="r"))


def mark_native(sprites: Sprites) -> NDArray[np.bool_]:
    """Mark, as (concept, colour), the colours that an emoji has of itself in either style."""
    shape = (len(sprites.concepts), NATIVE)
    marks = np.zeros(shape, np.bool_)
    for concept, colour in np.ndindex(shape):
        images = sprites.pixels[concept].astype(np.float32) / 255
        difference = np.square(images[:, colour] - images[:, NATIVE]).mean((1, 2, 3))
        # Relative to the object's area, or a thin object would count as native in every colour.
        area = images[:, NATIVE, :, :, 3].mean((1, 2))
        marks[concept, colour] = bool((np.sqrt(difference / area) < 0.13).any())
    return marks


def load_native(build: Path) -> NDArray[np.bool_]:
    """Read the marks of `mark_native`."""
    marks: NDArray[np.bool_] = np.load(build / "native.npy")
    return marks


def draw_background(rng: np.random.Generator, colour: int) -> tuple[tuple[int, int, int], int]:
    """Draw a background for an object of that colour: white, a named colour, or a tint."""
    kind = rng.random()
    # A white object would vanish on white.
    if kind < (0.15 if colour == WHITE else 0.45):
        return (255, 255, 255), WHITE
    if kind < 0.78:
        named = int(rng.choice([c for c in range(len(COLOURS)) if c not in (colour, WHITE)]))
        jitter = rng.integers(-10, 11, 3)
        rgb = np.clip(np.array(COLOURS[named].rgb) + jitter, 0, 255)
        return (int(rgb[0]), int(rgb[1]), int(rgb[2])), named
    tint = 255 - rng.random() * 90 * rng.random(3)
    return (int(tint[0]), int(tint[1]), int(tint[2])), -1


def draw_scene(rng: np.random.Generator, concept: int, style: int, colour: int, flip: bool) -> Scene:
    """Draw everything a caption may leave open, for the autoencoder: background, size and place."""
    background, named = draw_background(rng, colour)
    small = rng.random() < 0.12
    scale = float(rng.uniform(0.42, 0.55) if small else rng.uniform(0.7, 1.0))
    room = min(0.08, 0.5 - scale / 2 + 0.02) if not small else 0.12
    shift = (float(rng.uniform(-room, room)), float(rng.uniform(-room, room)))
    return Scene(concept, style, colour, background, named, scale, shift, flip)


def draw_aligned_scene(rng: np.random.Generator, concept: int, style: int, colour: int) -> Scene:
    """Draw a scene for the denoiser: three sizes, places on the latents' grid of four pixels.

    A shift by a fraction of a latent pixel gives an unrelated code, which a denoiser would have to
    learn anew; a shift by a whole one gives the same code elsewhere, which convolutions know already.
    """
    background, named = draw_background(rng, colour)
    side, reach = ((32, 2), (64, 0), (56, 1))[int(rng.choice(3, p=(0.1, 0.1, 0.8)))]
    x, y = rng.binomial(2 * reach, 0.5, 2) * 4 / SIZE - reach * 4 / SIZE  # the middle is likeliest
    return Scene(concept, style, colour, background, named, side / SIZE, (float(x), float(y)), False)


def compose(sprites: Sprites, scene: Scene) -> NDArray[np.uint8]:
    """Draw a scene: RGB, uint8, 64 x 64 x 3."""
    sprite = Pillow.fromarray(sprites.pixels[scene.concept, scene.style, scene.colour], "RGBa")
    if scene.flip:
        sprite = sprite.transpose(Pillow.Transpose.FLIP_LEFT_RIGHT)
    side = max(8, round(SIZE * scene.scale))
    sprite = sprite.resize((side, side), Pillow.Resampling.LANCZOS)
    corner = [round(SIZE * (0.5 + s) - side / 2) for s in scene.shift]
    sheet = Pillow.new("RGBa", (SIZE, SIZE))
    sheet.paste(sprite, (corner[0], corner[1]))
    rgba = np.asarray(sheet, np.float32)
    background = np.array(scene.background, np.float32)
    rgb = rgba[..., :3] + background * (1 - rgba[..., 3:] / 255)
    return np.clip(rgb + 0.5, 0, 255).astype(np.uint8)


def main() -> None:
    """Render the sprites into the build folder."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--packages", type=Path, default=PACKAGES_FOLDER)
    parser.add_argument("--build", type=Path, default=Path("build"))
    arguments = parser.parse_args()
    arguments.build.mkdir(parents=True, exist_ok=True)
    sprites = render_all(arguments.packages)
    np.save(arguments.build / "sprites.npy", sprites.pixels)
    np.save(arguments.build / "native.npy", mark_native(sprites))
    print(f"{len(sprites.concepts)} concepts, {sprites.pixels.nbytes / 1e6:.0f} MB")


if __name__ == "__main__":
    main()
