"""Draw the picture in the README with the embedded model: `python docs/pictures.py`."""

from __future__ import annotations

from pathlib import Path

import torch
from PIL import Image as Picture

from graphgen.engine import Engine
from graphgen_nodes import Image

ROOT = Path(__file__).parent.parent
TARGET = Path(__file__).parent / "pictures" / "emoji.png"
PROMPTS = (
    "a red apple",
    "a smiling face",
    "a blue heart",
    "a penguin",
    "a doughnut",
    "a blue dog on a yellow background",
    "a rocket",
    "a ghost",
    "a green cat",
    "a black rabbit",
    "빨간 사과",
    "파란색 하트",
)
COLUMNS, SIDE = 6, 128


def main() -> None:
    """Draw each prompt once, with the same seed, and lay the pictures out in a grid."""
    with Engine() as engine:
        pictures = [_draw(engine, prompt) for prompt in PROMPTS]
    rows = -(-len(pictures) // COLUMNS)
    sheet = Picture.new("RGB", (COLUMNS * SIDE, rows * SIDE), "white")
    for index, picture in enumerate(pictures):
        sheet.paste(picture.resize((SIDE, SIDE), Picture.Resampling.LANCZOS), _place(index))
    TARGET.parent.mkdir(exist_ok=True)
    sheet.save(TARGET, optimize=True)
    print(f"wrote {TARGET}")


def _draw(engine: Engine, prompt: str) -> Picture.Image:
    plan = engine.plan(engine.check(ROOT / "workflows" / "text_to_image.json", {"prompt": prompt}), ["enlarged"])
    image = engine.execute(plan).outputs["picture"]
    assert isinstance(image, Image)  # noqa: S101 - the workflow says so
    pixels = (image.pixels[0].permute(1, 2, 0) * 255).round().to(torch.uint8)
    return Picture.fromarray(pixels.numpy())


def _place(index: int) -> tuple[int, int]:
    return (index % COLUMNS * SIDE, index // COLUMNS * SIDE)


if __name__ == "__main__":
    main()
