"""Draw training scenes and encode them once: the joint training then reads latents only.

Out: latents.safetensors in the build folder: the scaled latents, half precision, and the facts.
"""

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL
from safetensors.torch import save_file

from training.emoji.autoencoder import SCALING_FACTOR, to_tensor
from training.emoji.captions import held_out_pairs
from training.emoji.data import NATIVE, STYLES, Scene, compose, draw_aligned_scene, load_native, load_sprites

NATIVE_SHARE = 0.35


def draw_scenes(
    rng: np.random.Generator, concepts: Sequence[int], count: int, held_out: set[tuple[int, int]]
) -> list[Scene]:
    """Draw scenes evenly over concepts and styles, without the held-out pairs."""
    scenes = []
    for index in range(count):
        concept, style = concepts[index % len(concepts)], (index // len(concepts)) % len(STYLES)
        colour = NATIVE
        if rng.random() > NATIVE_SHARE:
            colour = int(rng.choice([c for c in range(NATIVE) if (concept, c) not in held_out]))
        scenes.append(draw_aligned_scene(rng, concept, style, colour))
    return scenes


@torch.no_grad()
def main() -> None:
    """Encode the scenes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", type=Path, default=Path("build"))
    parser.add_argument("--count", type=int, default=13600)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    sprites = load_sprites(arguments.build)
    held_out = held_out_pairs(load_native(arguments.build))
    autoencoder = AutoencoderKL.from_pretrained(arguments.build / "vae").eval()
    rng = np.random.default_rng(4)
    drawn = [i for i, concept in enumerate(sprites.concepts) if concept.drawn]
    scenes = draw_scenes(rng, drawn, arguments.count, held_out)
    started, latents = time.monotonic(), []
    for start in range(0, len(scenes), 32):
        images = np.stack([compose(sprites, scene) for scene in scenes[start : start + 32]])
        mode = autoencoder.encode(to_tensor(images)).latent_dist.mode()
        latents.append((mode * SCALING_FACTOR).half())
    fields = ("concept", "style", "colour", "named_background")
    tensors = {f: torch.tensor([getattr(s, f) for s in scenes], dtype=torch.int16) for f in fields}
    tensors["scale"] = torch.tensor([s.scale for s in scenes])
    tensors["latents"] = torch.cat(latents).contiguous()
    save_file(tensors, arguments.build / "latents.safetensors")
    print(
        f"{len(scenes)} scenes in {time.monotonic() - started:.0f} s; latent std {tensors['latents'].float().std():.3f}"
    )


if __name__ == "__main__":
    main()
