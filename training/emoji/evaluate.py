"""Measure a saved model: does a picture show the noun, the colour and the background it was asked for?

A sample's object is cropped, scaled to 32 x 32, and compared with every sprite (concept x style x
colour, mirrored too) on the sample's own background: the nearest neighbour tells what it shows.
Out: one JSON file.
"""

import argparse
import itertools
import json
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from training.emoji.captions import held_out_pairs
from training.emoji.data import NATIVE, Sprites, load_native, load_sprites
from training.emoji.palette import COLOURS, WHITE
from training.emoji.sampling import Model, load_model, sample, save_sheet

SIDE = 32


@dataclass(frozen=True)
class Settings:
    """Hold the sampler's settings."""

    steps: int
    guidance: float
    shift: float


@dataclass(frozen=True)
class Question:
    """Hold a prompt and what its picture must show; colour None means the emoji's own."""

    prompt: str
    concept: int
    colour: int | None
    background: int


class Judge:
    """Tell which sprite a picture shows."""

    def __init__(self, sprites: Sprites, native: np.ndarray) -> None:
        self.sprites, self.native = sprites, native
        flat = sprites.pixels.reshape(-1, *sprites.pixels.shape[3:])
        small = np.stack([shrink(image) for image in flat])
        both = np.concatenate([small, small[:, :, ::-1]])
        self.rgb, self.alpha = both[..., :3], both[..., 3:]

    def look(self, image: np.ndarray) -> tuple[int, int, int, float]:
        """Return the nearest concept, its colour, the nearest named background and the RMSE."""
        background = border_colour(image)
        crop = crop_object(image, background)
        targets = self.rgb + (1 - self.alpha) * background
        errors = np.sqrt(np.square(targets - crop).mean((1, 2, 3)))
        best = int(errors.argmin())
        shape = self.sprites.pixels.shape[:3]
        concept, _, colour = np.unravel_index(best % int(np.prod(shape)), shape)
        palette = np.array([c.rgb for c in COLOURS]) / 255
        named = int(np.square(palette - background).sum(1).argmin())
        return int(concept), int(colour), named, float(errors[best])

    def matches(self, question: Question, concept: int, colour: int) -> tuple[bool, bool]:
        """Return whether the noun is right, and whether noun and colour both are."""
        noun = concept == question.concept
        if question.colour is None:
            own = colour == NATIVE or bool(self.native[concept, colour])
            return noun, noun and own
        same = colour == question.colour
        own = colour == NATIVE and bool(self.native[concept, question.colour])
        return noun, noun and (same or own)


def shrink(sprite: np.ndarray) -> np.ndarray:
    """Scale a premultiplied sprite to 32 x 32, float32 0..1."""
    image = Image.fromarray(np.ascontiguousarray(sprite), "RGBa").resize((SIDE, SIDE), Image.Resampling.BOX)
    return np.asarray(image, np.float32) / 255


def border_colour(image: np.ndarray) -> np.ndarray:
    """Return the median colour of the picture's corners' surroundings, RGB 0..1."""
    edge = np.concatenate(
        [image[:3].reshape(-1, 3), image[-3:].reshape(-1, 3), image[:, :3].reshape(-1, 3), image[:, -3:].reshape(-1, 3)]
    )
    return np.asarray(np.median(edge, 0), np.float32)


def crop_object(image: np.ndarray, background: np.ndarray) -> np.ndarray:
    """Crop a square around all that differs from the background, scaled to 32 x 32."""
    differs = np.abs(image - background).max(-1) > 0.16
    rows, columns = (np.flatnonzero(differs.sum(axis) >= 2) for axis in (1, 0))
    if len(rows) < 4 or len(columns) < 4:
        rows = columns = np.arange(image.shape[0])
    top, bottom, left, right = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
    side = max(bottom - top, right - left)
    y, x = (top + bottom - side) / 2, (left + right - side) / 2
    # Outside the picture there is more background.
    padded = np.pad(image, ((32, 32), (32, 32), (0, 0)), "constant", constant_values=np.nan)
    padded = np.where(np.isnan(padded), background, padded)
    pixels = Image.fromarray((padded * 255 + 0.5).astype(np.uint8))
    box = (x + 32, y + 32, x + 32 + side, y + 32 + side)
    small = pixels.resize((SIDE, SIDE), Image.Resampling.BOX, box=box)
    return np.asarray(small, np.float32) / 255


def article(words: str) -> str:
    """Put the indefinite article before words."""
    return f"{'an' if words[0] in 'aeiou' else 'a'} {words}"


def ask(sprites: Sprites, concept: int, colour: int | None, background: int) -> Question:
    """Write the English prompt for a concept, colour and background."""
    noun = sprites.concepts[concept].english[0]
    words = noun if colour is None else f"{COLOURS[colour].name} {noun}"
    tail = f" on {article(COLOURS[background].name)} background"
    return Question(article(words) + tail, concept, colour, background)


def ask_korean(sprites: Sprites, concept: int, colour: int, background: int) -> Question:
    """Write the Korean prompt for a concept, colour and background."""
    noun = sprites.concepts[concept].korean[0]
    words = f"{COLOURS[background].korean[0]} 배경의 {COLOURS[colour].korean[0]} {noun}"
    return Question(words, concept, colour, background)


def make_questions(sprites: Sprites, native: np.ndarray) -> dict[str, list[Question]]:
    """Make the test sets: held-out and trained pairs, own colours, backgrounds, Korean."""
    rng = np.random.default_rng(11)
    drawn = [i for i, concept in enumerate(sprites.concepts) if concept.drawn]
    held_out = sorted(pair for pair in held_out_pairs(native) if pair[0] in drawn)
    every = [(int(i), int(c)) for i, c in np.argwhere(~native) if int(i) in drawn]
    trained = [pair for pair in every if pair not in set(held_out)]
    chosen = [trained[i] for i in rng.permutation(len(trained))[: len(held_out) // 2]]
    # White objects are asked for on blue: on white they would be invisible.
    plain = {WHITE: 4}

    def coloured(pairs: list[tuple[int, int]]) -> list[Question]:
        return [ask(sprites, i, c, plain.get(c, WHITE)) for i, c in pairs]

    def on_colours(korean: bool) -> list[Question]:
        picks = [trained[i] for i in rng.permutation(len(trained))[:33]]
        questions = []
        for index, (concept, colour) in enumerate(picks):
            background = index % len(COLOURS)
            if background == colour:
                background = (background + 3) % len(COLOURS)
            write = ask_korean if korean else ask
            questions.append(write(sprites, concept, colour, background))
        return questions

    return {
        "held_out_pairs": coloured(held_out),
        "trained_pairs": coloured(chosen),
        "own_colours": [ask(sprites, i, None, WHITE) for i in drawn],
        "backgrounds": on_colours(korean=False),
        "korean": on_colours(korean=True),
    }


def draw(model: Model, prompts: list[str], seeds: list[int], settings: Settings) -> np.ndarray:
    """Sample in batches of 16."""
    images = []
    for start in range(0, len(prompts), 16):
        part = slice(start, start + 16)
        images.append(sample(model, prompts[part], seeds[part], settings.steps, settings.guidance, settings.shift))
    return np.concatenate(images)


def score(
    model: Model, judge: Judge, questions: list[Question], settings: Settings, sheet: Path | None
) -> dict[str, object]:
    """Sample one picture per question and count what is right."""
    prompts = [question.prompt for question in questions]
    images = draw(model, prompts, list(range(len(prompts))), settings)
    if sheet is not None:
        save_sheet(sheet, images, columns=16)
    exact = nouns = backgrounds = 0
    errors, missed = [], []
    for question, image in zip(questions, images, strict=True):
        concept, colour, named, error = judge.look(image)
        noun, both = judge.matches(question, concept, colour)
        exact, nouns = exact + both, nouns + noun
        backgrounds += named == question.background
        errors.append(error)
        if not both:
            shown = COLOURS[colour].name if colour < NATIVE else "native"
            missed.append(f"{question.prompt} -> {shown} {judge.sprites.concepts[concept].english[0]}")
    return {
        "count": len(prompts),
        "exact": exact,
        "noun": nouns,
        "background": backgrounds,
        "mean_rmse": round(float(np.mean(errors)), 4),
        "missed": missed,
    }


SEED_PROMPTS = (
    "a red apple",
    "a blue dog on a yellow background",
    "a rocket",
    "a smiling face",
    "a green cat",
    "a small house",
    "파란색 하트",
    "a guitar, flat style",
)


def seed_distance(model: Model, settings: Settings, sheet: Path | None) -> dict[str, float]:
    """Return the mean pairwise RMSE (pixels 0..1) between eight seeds of each prompt."""
    distances, rows = {}, []
    for prompt in SEED_PROMPTS:
        images = draw(model, [prompt] * 8, list(range(100, 108)), settings)
        pairs = itertools.combinations(images, 2)
        rmse = [float(np.sqrt(np.square(a - b).mean())) for a, b in pairs]
        distances[prompt] = round(float(np.mean(rmse)), 4)
        rows.append(images)
    if sheet is not None:
        save_sheet(sheet, np.concatenate(rows), columns=8)
    return distances


def sweep(model: Model, judge: Judge, questions: dict[str, list[Question]]) -> list[dict[str, object]]:
    """Score a sample of all sets at several settings."""
    chosen = [q for name in ("held_out_pairs", "own_colours", "backgrounds") for q in questions[name][::6]]
    results: list[dict[str, object]] = []
    settings = [Settings(20, g, 3.0) for g in (1.5, 3.0, 4.5)]
    settings += [Settings(20, 3.0, 1.0), Settings(20, 3.0, 5.0), Settings(8, 3.0, 3.0)]
    for setting in settings:
        result = score(model, judge, chosen, setting, None)
        del result["missed"]
        results.append({**setting.__dict__, **result})
        print(results[-1], flush=True)
    return results


def main() -> None:
    """Evaluate a model folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--build", type=Path, default=Path("build"))
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--guidance", type=float, default=3.0)
    parser.add_argument("--shift", type=float, default=3.0)
    parser.add_argument("--sweep", action="store_true", help="compare settings only")
    parser.add_argument("--out", type=Path, default=Path("build/evaluation.json"))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    sprites, native = load_sprites(arguments.build), load_native(arguments.build)
    model, judge = load_model(arguments.model), Judge(sprites, native)
    questions = make_questions(sprites, native)
    settings = Settings(arguments.steps, arguments.guidance, arguments.shift)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    sheets = arguments.out.parent
    if arguments.sweep:
        text = json.dumps(sweep(model, judge, questions), indent=2) + "\n"
        arguments.out.with_name("sweep.json").write_text(text, encoding="utf-8")
        return
    started = time.monotonic()
    report: dict[str, object] = {"settings": settings.__dict__}
    for name, asked in questions.items():
        report[name] = score(model, judge, asked, settings, sheets / f"{name}.png")
        print(name, {k: v for k, v in report[name].items() if k != "missed"}, flush=True)  # type: ignore[attr-defined]
    report["seed_distance"] = seed_distance(model, settings, sheets / "seeds.png")
    print(report["seed_distance"], f"{time.monotonic() - started:.0f} s", flush=True)
    text = json.dumps(report, indent=2, ensure_ascii=False) + "\n"
    arguments.out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
