"""Train the autoencoder: 64 x 64 RGB to a 16 x 16 latent of four channels, and back.

In: the sprites. Out: `vae/` in the build folder, its latents whitened per channel, so that
latent * scaling_factor has mean 0 and standard deviation 1 in every channel.
"""

import argparse
import math
import time
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL
from torch import Tensor, nn
from torch.nn import functional

from training.emoji.data import NATIVE, STYLES, Sprites, compose, draw_scene, load_sprites
from training.emoji.storage import Average, load_state, save_state

SCALING_FACTOR = 0.18215
KL_WEIGHT = 3e-4


def make_autoencoder() -> AutoencoderKL:
    """Make the network with fresh weights."""
    return AutoencoderKL(
        in_channels=3,
        out_channels=3,
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        block_out_channels=(16, 32, 64),
        layers_per_block=1,
        latent_channels=4,
        norm_num_groups=8,
        sample_size=64,
        scaling_factor=SCALING_FACTOR,
        mid_block_add_attention=False,
    )


def draw_images(sprites: Sprites, rng: np.random.Generator, count: int) -> Tensor:
    """Draw random scenes as a batch, float32 -1..1, (count, 3, 64, 64)."""
    images = []
    for _ in range(count):
        concept, style = rng.integers(len(sprites.concepts)), rng.integers(len(STYLES))
        colour = NATIVE if rng.random() < 0.4 else rng.integers(NATIVE)
        scene = draw_scene(rng, int(concept), int(style), int(colour), rng.random() < 0.5)
        images.append(compose(sprites, scene))
    return to_tensor(np.stack(images))


def to_tensor(images: np.ndarray) -> Tensor:
    """Convert uint8 (N, H, W, 3) to float32 -1..1 (N, 3, H, W)."""
    return torch.from_numpy(images).permute(0, 3, 1, 2).contiguous().float() / 127.5 - 1


def reconstruction_loss(output: Tensor, target: Tensor) -> Tensor:
    """Return L1 at three scales, plus L1 of the gradients, which keeps edges sharp."""
    loss = (output - target).abs().mean()
    for axis in (2, 3):
        loss = loss + (output.diff(dim=axis) - target.diff(dim=axis)).abs().mean()
    for _ in range(2):
        output, target = functional.avg_pool2d(output, 2), functional.avg_pool2d(target, 2)
        loss = loss + (output - target).abs().mean()
    return loss


@torch.no_grad()
def psnr(network: AutoencoderKL, images: Tensor) -> float:
    """Return the mean peak signal-to-noise ratio of the reconstructions, in decibels."""
    decoded = network.decode(network.encode(images).latent_dist.mode()).sample.clamp(-1, 1)
    error = ((decoded - images) / 2).square().mean((1, 2, 3))
    return float((-10 * error.log10()).mean())


@torch.no_grad()
def whiten(network: AutoencoderKL, images: Tensor) -> None:
    """Fold the latents' mean and deviation per channel into quant_conv and post_quant_conv."""
    latents = network.encode(images).latent_dist.mode()
    mean, deviation = latents.mean((0, 2, 3)), latents.std((0, 2, 3))
    gain = 1 / (deviation * SCALING_FACTOR)
    quant, post = network.quant_conv, network.post_quant_conv
    channels = len(mean)
    quant.weight[:channels] *= gain[:, None, None, None]
    quant.bias[:channels] = (quant.bias[:channels] - mean) * gain
    quant.bias[channels:] += 2 * gain.log()  # the other half is the log-variance
    post.bias += (post.weight[:, :, 0, 0] * mean).sum(1)
    post.weight /= gain[None, :, None, None]


def learning_rate(peak: float, done: float, step: int, warmup: int) -> float:
    """Warm up, then fall on a cosine to 1 % at the end of the time, done = 0..1."""
    cosine = 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(done, 1)))
    return peak * min(1, (step + 1) / warmup) * cosine


def train_step(network: AutoencoderKL, optimizer: torch.optim.Optimizer, images: Tensor) -> float:
    """Take one step; return the loss."""
    posterior = network.encode(images).latent_dist
    output = network.decode(posterior.sample()).sample
    loss = reconstruction_loss(output, images) + KL_WEIGHT * posterior.kl().mean() / 1024
    optimizer.zero_grad(set_to_none=True)
    torch.autograd.backward(loss)
    nn.utils.clip_grad_norm_(network.parameters(), 1.0)
    optimizer.step()
    return float(loss.item())


def train(arguments: argparse.Namespace) -> None:
    """Train for the given minutes; checkpoint, resume, and write the whitened average at the end."""
    torch.manual_seed(0)
    sprites = load_sprites(arguments.build)
    network = make_autoencoder()
    average = Average(network, 0.998)
    optimizer = torch.optim.AdamW(network.parameters(), arguments.rate, betas=(0.9, 0.99))
    folder = arguments.build / "autoencoder_state"
    progress = load_state(folder, {"vae": network}, {"vae": average}, optimizer)
    step, spent = int(progress.get("step", 0)), progress.get("seconds", 0.0)
    rng = np.random.default_rng([1, step])
    started, saved, losses = time.monotonic() - spent, time.monotonic(), []
    held = draw_images(sprites, np.random.default_rng(0), 64)
    while (seconds := time.monotonic() - started) < arguments.minutes * 60:
        rate = learning_rate(arguments.rate, seconds / 60 / arguments.minutes, step, 200)
        for group in optimizer.param_groups:
            group["lr"] = rate
        losses.append(train_step(network, optimizer, draw_images(sprites, rng, arguments.batch)))
        average.update(network)
        step += 1
        if step % 250 == 0 or time.monotonic() - saved > 120:
            view = make_autoencoder()
            view.load_state_dict(average.values)
            figure = psnr(view, held)
            print(f"{seconds:.0f} s step {step} lr {rate:.1e} loss {np.mean(losses):.4f} psnr {figure:.2f}", flush=True)
            losses.clear()
            saved = time.monotonic()
            state = {"step": float(step), "seconds": seconds}
            save_state(folder, {"vae": network}, {"vae": average}, optimizer, state)
    finish(arguments.build, sprites, average)


def finish(build: Path, sprites: Sprites, average: Average) -> None:
    """Whiten the average and write it as a diffusers folder."""
    network = make_autoencoder()
    network.load_state_dict(average.values)
    images = draw_images(sprites, np.random.default_rng(2), 1024)
    before = psnr(network, images[:128])
    with torch.no_grad():
        whiten(network, images)
        latents = network.encode(images).latent_dist.mode() * SCALING_FACTOR
    print(
        f"psnr {before:.2f} before, {psnr(network, images[:128]):.2f} after whitening; "
        f"mean {latents.mean((0, 2, 3)).tolist()} std {latents.std((0, 2, 3)).tolist()}"
    )
    network.save_pretrained(build / "vae")


def main() -> None:
    """Train the autoencoder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", type=Path, default=Path("build"))
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    train(arguments)


if __name__ == "__main__":
    main()
