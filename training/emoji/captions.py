"""Write captions: decide which facts of a scene are stated, and put them into English or Korean.

A fact the caption leaves open was drawn at random when the scene was made, so that at sampling time
different seeds fill it in differently.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from training.emoji.data import NATIVE, STYLES, Concept, Scene, load_concepts, load_tags
from training.emoji.palette import COLOURS, WHITE

KOREAN_SHARE = 0.18
SIZES: tuple[str, ...] = ("small", "big")
SIZE_WORDS = (("small", "little", "tiny"), ("big", "large", "huge"))
SIZE_WORDS_KOREAN = (("작은", "조그만"), ("큰", "커다란"))
STYLE_WORDS_KOREAN = ("플랫 스타일", "만화 스타일")
SMALL_BELOW, BIG_ABOVE = 0.6, 0.9


@dataclass(frozen=True)
class Facts:
    """Hold what a caption states; None is left open. Indices as in Scene, size in SIZES."""

    concept: int
    style: int | None = None
    colour: int | None = None
    background: int | None = None
    size: int | None = None


class Captioner:
    """Put facts into words."""

    def __init__(self, packages: Path) -> None:
        self.concepts = load_concepts()
        folder = packages / "emojibase-data"
        self.tags = {c: load_tags(folder, c, self.concepts) for c in ("en", "ko")}

    def phrase(self, rng: np.random.Generator, facts: Facts) -> str:
        """Write one caption."""
        if rng.random() < KOREAN_SHARE:
            return self.korean(rng, facts)
        return self.english(rng, facts)

    def noun(self, rng: np.random.Generator, index: int, language: str) -> str:
        """Choose a noun: the main one half of the time, else a synonym, seldom a tag."""
        concept: Concept = self.concepts[index]
        names = concept.english if language == "en" else concept.korean
        tags = self.tags[language][index]
        if rng.random() < 0.5:
            return names[0]
        if tags and rng.random() < 0.2:
            return tags[rng.integers(len(tags))]
        return names[rng.integers(len(names))]

    def english(self, rng: np.random.Generator, facts: Facts) -> str:
        """Write "[small] [a] [colour] noun[, STYLE style][ on a COLOUR background]"."""
        words = []
        if facts.size is not None:
            words.append(choose(rng, SIZE_WORDS[facts.size]))
        if facts.colour is not None:
            words.append(choose(rng, COLOURS[facts.colour].english))
        words.append(self.noun(rng, facts.concept, "en"))
        text = " ".join(words)
        if rng.random() < 0.6:
            text = f"{'an' if text[0] in 'aeiou' else 'a'} {text}"
        tails = []
        if facts.style is not None:
            name = STYLES[facts.style]
            tails.append(str(rng.choice([f", {name} style", f" in {name} style"])))
        if facts.background is not None:
            colour = choose(rng, COLOURS[facts.background].english)
            article = "an" if colour[0] in "aeiou" else "a"
            joint = str(rng.choice([f" on {article}", f" on {article}", f", {article}", ","]))
            tails.append(f"{joint} {colour} background")
        if rng.random() < 0.3:
            tails.reverse()
        return text + "".join(tails)

    def korean(self, rng: np.random.Generator, facts: Facts) -> str:
        """Write "[노란 배경의] [작은] [파란] 강아지[, 만화 스타일]"."""
        words = []
        if facts.background is not None:
            colour = choose(rng, COLOURS[facts.background].korean)
            words.append(f"{colour} {rng.choice(['배경의', '배경에', '배경 위의'])}")
        if facts.size is not None:
            words.append(choose(rng, SIZE_WORDS_KOREAN[facts.size]))
        if facts.colour is not None:
            words.append(choose(rng, COLOURS[facts.colour].korean))
        words.append(self.noun(rng, facts.concept, "ko"))
        text = " ".join(words)
        return text if facts.style is None else f"{text}, {STYLE_WORDS_KOREAN[facts.style]}"


def choose(rng: np.random.Generator, words: tuple[str, ...]) -> str:
    """Choose a word: the first with 65 %, else any."""
    return words[0] if rng.random() < 0.65 else words[rng.integers(len(words))]


def state(rng: np.random.Generator, scene: Scene) -> Facts:
    """Decide what a caption of this scene states.

    Colour, named background and smallness always (nothing else explains them), style and bigness
    about half of the time, a white background a quarter.
    """
    background: int | None = scene.named_background if scene.named_background >= 0 else None
    if background == WHITE and rng.random() < 0.75:
        background = None
    size = None
    if scene.scale < SMALL_BELOW:
        size = 0
    elif scene.scale > BIG_ABOVE and rng.random() < 0.6:
        size = 1
    return Facts(
        concept=scene.concept,
        style=scene.style if rng.random() < 0.5 else None,
        colour=scene.colour if scene.colour != NATIVE else None,
        background=background,
        size=size,
    )


def held_out_pairs(native: np.ndarray, share: float = 0.12) -> set[tuple[int, int]]:
    """Choose the (concept, colour) pairs that training never sees, the same ones every time.

    `native[concept, colour]` marks the pairs that are the emoji's own colours: they are no test.
    """
    rng = np.random.default_rng(7)
    pairs = [(int(i), int(c)) for i, c in np.argwhere(~native)]
    chosen = rng.permutation(len(pairs))[: round(share * native.size)]
    return {pairs[i] for i in chosen}
