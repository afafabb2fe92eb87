"""Write the trained parts as one diffusers folder in half precision, with card and licences.

In: text_encoder/, unet/ and vae/ of the build folder. Out: the model folder. The card's text is
card.md beside this file; its {placeholders} are filled from the evaluation's JSON.
"""

import argparse
import json
import shutil
from pathlib import Path

from diffusers import AutoencoderKL, UNet2DConditionModel
from transformers import CLIPTextModel

from training.emoji.networks import save_pipeline

HERE = Path(__file__).parent


def fill_card(text: str, report: dict[str, dict[str, object]]) -> str:
    """Put the evaluation's figures into the card."""
    for name, result in report.items():
        if isinstance(result, dict) and "exact" in result:
            for key in ("exact", "noun", "background", "count"):
                text = text.replace(f"{{{name}.{key}}}", str(result[key]))
    distances = [float(str(value)) for value in report.get("seed_distance", {}).values()]
    if distances:
        mean = sum(distances) / len(distances)
        text = text.replace("{seed_distance.mean}", f"{mean:.3f}")
        text = text.replace("{seed_distance.least}", f"{min(distances):.3f}")
        text = text.replace("{seed_distance.most}", f"{max(distances):.3f}")
    return text


def main() -> None:
    """Export the model."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", type=Path, default=Path("build"))
    parser.add_argument("--vocabulary", type=Path, required=True, help="open_clip_torch wheel")
    parser.add_argument("--evaluation", type=Path, help="JSON of evaluate.py, for the card")
    parser.add_argument("--out", type=Path, default=Path("build/model"))
    arguments = parser.parse_args()
    build, out = arguments.build, arguments.out
    out.mkdir(parents=True, exist_ok=True)
    save_pipeline(
        out,
        arguments.vocabulary,
        CLIPTextModel.from_pretrained(build / "text_encoder"),
        UNet2DConditionModel.from_pretrained(build / "unet"),
        AutoencoderKL.from_pretrained(build / "vae"),
    )
    card = (HERE / "card.md").read_text(encoding="utf-8")
    if arguments.evaluation is not None:
        report = json.loads(arguments.evaluation.read_text(encoding="utf-8"))
        card = fill_card(card, report)
        shutil.copy(arguments.evaluation, out / "evaluation.json")
    (out / "README.md").write_text(card, encoding="utf-8")
    shutil.copytree(HERE / "LICENSES", out / "LICENSES", dirs_exist_ok=True)


if __name__ == "__main__":
    main()
