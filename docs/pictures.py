"""Draw the pictures of the README and of docs/examples.md with the embedded model: `python docs/pictures.py`.

Of the examples, all those run whose model comes along, each as it stands; what they give lies side by side, in order.
"""

from __future__ import annotations

from pathlib import Path

import examples
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
COLUMNS, SIDE, HIGH, GAP = 6, 128, 160, 8
"""Of the README's grid, and the height of an example's pictures and the room between them, in pixels."""


def main() -> None:
    """Draw each prompt once, with the same seed, and lay the pictures out in a grid; then draw the examples."""
    with Engine() as engine:
        _save(_grid([_draw(engine, prompt) for prompt in PROMPTS]), TARGET)
        for path in examples.embedded():
            given = engine.run(path).outputs.values()
            _save(_row([picture for value in given for picture in _pictures(value)]), examples.picture_of(path))
        _save(_row(_kept_to_words(engine)), TARGET.with_name("prompt_to_prompt_local.png"))


def _draw(engine: Engine, prompt: str) -> Picture.Image:
    plan = engine.plan(engine.check(ROOT / "workflows" / "text_to_image.json", {"prompt": prompt}), ["enlarged"])
    return _pictures(engine.execute(plan).outputs["picture"])[0]


def _kept_to_words(engine: Engine) -> list[Picture.Image]:
    """Draw a picture, its edit everywhere, and its edit kept to words."""
    path = ROOT / "workflows" / "prompt_to_prompt_local.json"
    picture, everywhere = _pictures(engine.run(path, {"start": 1.0}).outputs["picture"])
    return [picture, everywhere, _pictures(engine.run(path).outputs["picture"])[1]]


def _pictures(value: object) -> list[Picture.Image]:
    """Return the pictures of a batch, or of a list of batches."""
    batches = value if isinstance(value, list) else [value]
    pixels = [one for batch in batches if isinstance(batch, Image) for one in batch.pixels]
    return [Picture.fromarray((one.permute(1, 2, 0) * 255).round().to(torch.uint8).numpy()) for one in pixels]


def _grid(pictures: list[Picture.Image]) -> Picture.Image:
    rows = -(-len(pictures) // COLUMNS)
    sheet = Picture.new("RGB", (COLUMNS * SIDE, rows * SIDE), "white")
    for index, picture in enumerate(pictures):
        place = (index % COLUMNS * SIDE, index // COLUMNS * SIDE)
        sheet.paste(picture.resize((SIDE, SIDE), Picture.Resampling.LANCZOS), place)
    return sheet


def _row(pictures: list[Picture.Image]) -> Picture.Image:
    """Return pictures side by side, all of one height."""
    sized = [one.resize((one.width * HIGH // one.height, HIGH), Picture.Resampling.LANCZOS) for one in pictures]
    sheet = Picture.new("RGB", (sum(one.width + GAP for one in sized) - GAP, HIGH), "white")
    left = 0
    for one in sized:
        sheet.paste(one, (left, 0))
        left += one.width + GAP
    return sheet


def _save(picture: Picture.Image, path: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    picture.save(path, optimize=True)
    print(f"wrote {path}")


if __name__ == "__main__":
    main()
