"""Train the denoiser by flow matching, on latents encoded before and the text encoder's states.

x_t = (1 - t) x_0 + t noise; the target is noise - x_0; the timestep fed is 1000 t (Lipman et al.
2023, Esser et al. 2024). The length is a time, not a number of steps: the learning rate follows the
clock, so that a slow machine still ends on a finished schedule. With --text-rate above 0 the text
encoder goes on learning, too; it costs an eighth of the speed. Started by torchrun, every process
takes batches of its own and the gradients are averaged.
"""

import argparse
import copy
import os
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
from diffusers import AutoencoderKL, UNet2DConditionModel
from safetensors.torch import load_file
from torch import Tensor, nn
from transformers import CLIPTextModel, CLIPTokenizer

from training.emoji.autoencoder import learning_rate
from training.emoji.captions import Captioner, state
from training.emoji.data import PACKAGES_FOLDER, Scene
from training.emoji.networks import make_denoiser
from training.emoji.sampling import Model, sample, save_sheet
from training.emoji.storage import Average, load_state, save_state
from training.emoji.text import encode_words

CAPTION_DROPOUT = 0.1
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
    "a pink car",
    "a purple house, cartoon style",
    "a black rabbit",
    "a small red star on a blue background",
    "a big sunflower, flat style",
    "a pizza, cartoon style",
    "an orange fish on a purple background",
    "빨간 사과",
    "파란색 하트",
    "노란 배경의 파란 강아지",
    "고양이, 만화 스타일",
    "a guitar",
    "a castle",
    "an airplane on a pink background",
    "a brown bear, flat style",
)


@dataclass(frozen=True)
class Dataset:
    """Hold the encoded scenes."""

    latents: Tensor
    facts: dict[str, Tensor]

    def scene(self, index: int) -> Scene:
        """Return what is known of a scene; the caption needs no more."""
        fact = {name: values[index].item() for name, values in self.facts.items()}
        return Scene(
            concept=int(fact["concept"]),
            style=int(fact["style"]),
            colour=int(fact["colour"]),
            background=(0, 0, 0),
            named_background=int(fact["named_background"]),
            scale=float(fact["scale"]),
            shift=(0.0, 0.0),
            flip=False,
        )


def load_dataset(build: Path) -> Dataset:
    """Read what encode.py wrote."""
    tensors = load_file(build / "latents.safetensors")
    return Dataset(tensors.pop("latents"), tensors)


def write_captions(dataset: Dataset, captioner: Captioner, rng: np.random.Generator, indices: np.ndarray) -> list[str]:
    """Write one caption per scene, a tenth of them empty for classifier-free guidance."""
    captions = []
    for index in indices:
        facts = state(rng, dataset.scene(int(index)))
        dropped = rng.random() < CAPTION_DROPOUT
        captions.append("" if dropped else captioner.phrase(rng, facts))
    return captions


def flow_matching_loss(unet: UNet2DConditionModel, latents: Tensor, states: Tensor, location: float) -> Tensor:
    """Return the mean squared error of the velocity; logit(t) is normal around `location`."""
    noise = torch.randn_like(latents)
    t = torch.sigmoid(location + torch.randn(len(latents)))
    weight = t[:, None, None, None]
    with torch.autocast("cpu", torch.bfloat16):  # 1.3 times as fast where the processor has AVX-512 BF16
        velocity = unet((1 - weight) * latents + weight * noise, 1000 * t, states).sample
    return nn.functional.mse_loss(velocity.float(), noise - latents)


def average_gradients(parameters: list[nn.Parameter]) -> None:
    """Average the gradients over all processes."""
    gradients = [p.grad for p in parameters if p.grad is not None]
    flat = torch.cat([gradient.flatten() for gradient in gradients])
    dist.all_reduce(flat)
    flat /= dist.get_world_size()
    pieces = torch.split(flat, [gradient.numel() for gradient in gradients])
    for gradient, piece in zip(gradients, pieces, strict=True):
        gradient.copy_(piece.view_as(gradient))


class Trainer:
    """Hold everything that changes during training."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.arguments, build = arguments, arguments.build
        torch.manual_seed(arguments.seed)  # for the fresh weights
        self.dataset = load_dataset(build)
        self.captioner = Captioner(arguments.packages)
        self.tokenizer = CLIPTokenizer.from_pretrained(build / "tokenizer")
        self.text = CLIPTextModel.from_pretrained(build / "text_encoder_start").train()
        self.text.get_input_embeddings().weight.requires_grad_(False)
        self.unet = make_denoiser().train()
        if arguments.weights is not None:
            start = UNet2DConditionModel.from_pretrained(arguments.weights, low_cpu_mem_usage=False)
            self.unet.load_state_dict(start.float().state_dict())
        self.modules: dict[str, nn.Module] = {"unet": self.unet, "text": self.text}
        self.averages = {k: Average(m, arguments.average) for k, m in self.modules.items()}
        text = [p for p in self.text.parameters() if p.requires_grad]
        groups = [
            {"params": list(self.unet.parameters()), "scale": 1.0, "weight_decay": 0.01},
            {"params": text, "scale": arguments.text_rate, "weight_decay": 0.0},
        ]
        self.parameters = [*self.unet.parameters(), *text]
        self.optimizer = torch.optim.AdamW(groups, arguments.rate, betas=(0.9, 0.99), fused=True)
        self.folder = build / "denoiser_state"
        progress = load_state(self.folder, self.modules, self.averages, self.optimizer)
        self.step, self.spent = int(progress.get("step", 0)), progress.get("seconds", 0.0)
        rank = dist.get_rank()
        torch.manual_seed(arguments.seed + self.step + 1_000_003 * rank)
        self.rng = np.random.default_rng([5, self.step, rank])
        self.order = self.rng.permutation(len(self.dataset.latents))
        self.position = 0

    def next_indices(self) -> np.ndarray:
        """Return the next batch of a shuffled pass over the scenes."""
        if self.position + self.arguments.batch > len(self.order):
            self.order, self.position = self.rng.permutation(len(self.order)), 0
        start, self.position = self.position, self.position + self.arguments.batch
        return self.order[start : self.position]

    def train_step(self, done: float) -> float:
        """Take one step at a share `done` of the time; return the loss."""
        rate = learning_rate(self.arguments.rate, done, self.step, self.arguments.warmup)
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group["scale"]
        indices = self.next_indices()
        captions = write_captions(self.dataset, self.captioner, self.rng, indices)
        with torch.set_grad_enabled(self.arguments.text_rate > 0):
            states = self.text(encode_words(self.tokenizer, captions)).last_hidden_state
        latents = self.dataset.latents[torch.from_numpy(indices)].float()
        # Nouns are learnt at high noise and late, details at low noise and soon: start on the former.
        location = 0.9 if done < 0.7 else 0.3
        loss = flow_matching_loss(self.unet, latents, states, location)
        self.optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        average_gradients(self.parameters)
        nn.utils.clip_grad_norm_(self.parameters, 1.0)
        self.optimizer.step()
        for name, module in self.modules.items():
            self.averages[name].update(module)
        self.step += 1
        return loss.item()

    def averaged(self) -> tuple[CLIPTextModel, UNet2DConditionModel]:
        """Return copies of the networks with the averaged weights."""
        text, unet = copy.deepcopy(self.text).eval(), copy.deepcopy(self.unet).eval()
        text.load_state_dict(self.averages["text"].values)
        unet.load_state_dict(self.averages["unet"].values)
        return text, unet

    def show(self, vae: AutoencoderKL) -> None:
        """Write the contact sheet of the fixed prompts, and the averaged weights."""
        text, unet = self.averaged()
        images = sample(Model(self.tokenizer, text, unet, vae), list(PROMPTS), [0] * len(PROMPTS))
        sheets = self.arguments.build / "sheets"
        sheets.mkdir(exist_ok=True)
        save_sheet(sheets / f"{self.step:06d}.png", images, columns=8)
        text.save_pretrained(self.arguments.build / "text_encoder")
        unet.save_pretrained(self.arguments.build / "unet")


def train(arguments: argparse.Namespace) -> None:
    """Train until the time is over; checkpoint and show samples on the way."""
    trainer = Trainer(arguments)
    vae = AutoencoderKL.from_pretrained(arguments.build / "vae").eval()
    started = time.monotonic() - trainer.spent
    total = arguments.minutes * 60
    saved = shown = time.monotonic()
    losses: list[float] = []
    first = dist.get_rank() == 0
    while (seconds := agreed(time.monotonic() - started)) < total:
        losses.append(trainer.train_step(seconds / total))
        if not first:
            continue
        if trainer.step % 50 == 0:
            print(f"{seconds:.0f} s step {trainer.step} loss {np.mean(losses):.4f}", flush=True)
            losses.clear()
        now = time.monotonic()
        if now - saved > 180:
            progress = {"step": float(trainer.step), "seconds": seconds}
            save_state(trainer.folder, trainer.modules, trainer.averages, trainer.optimizer, progress)
            saved = now
        if now - shown > arguments.show_minutes * 60 or (trainer.step == 400):
            trainer.show(vae)
            shown = time.monotonic()
    if first:
        trainer.show(vae)


def agreed(seconds: float) -> float:
    """Return the first process's clock, so that all stop at the same step."""
    clock = torch.tensor(seconds, dtype=torch.float64)
    dist.broadcast(clock, 0)
    return float(clock)


def main() -> None:
    """Train the denoiser and the text encoder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", type=Path, default=Path("build"))
    parser.add_argument("--packages", type=Path, default=PACKAGES_FOLDER)
    parser.add_argument("--minutes", type=float, default=80)
    parser.add_argument("--show-minutes", type=float, default=10)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--text-rate", type=float, default=0.0, help="relative to --rate")
    parser.add_argument("--warmup", type=int, default=200)
    parser.add_argument("--average", type=float, default=0.999)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--weights", type=Path, help="a unet folder whose weights to begin with")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    if "WORLD_SIZE" in os.environ:
        dist.init_process_group("gloo")
    else:
        dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)  # type: ignore[attr-defined]
    train(arguments)
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
