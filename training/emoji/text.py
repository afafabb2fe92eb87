"""Train the text encoder alone: its output must tell every fact that a caption states.

Captions cost far less than images, so the words (synonyms, Korean, word order) are learnt here, and
the joint training that follows starts with an encoder that already separates them. The token table
stays frozen throughout. Pairs held out from the images are held out here, too.
"""

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from transformers import CLIPTextModel, CLIPTokenizer

from training.emoji.autoencoder import learning_rate
from training.emoji.captions import SIZES, Captioner, Facts, held_out_pairs
from training.emoji.data import PACKAGES_FOLDER, STYLES, load_native
from training.emoji.networks import TEXT_WIDTH, make_text_encoder
from training.emoji.palette import COLOURS
from training.emoji.tokens import LENGTH, write_tokenizer

FIELDS = ("concept", "style", "colour", "background", "size")


class FactHead(nn.Module):
    """Read the facts off the encoder's mean state after the end of text."""

    def __init__(self, concepts: int) -> None:
        super().__init__()
        counts = (concepts, len(STYLES) + 1, len(COLOURS) + 1, len(COLOURS) + 1, len(SIZES) + 1)
        self.layers = nn.ModuleList(nn.Linear(TEXT_WIDTH, count) for count in counts)

    def forward(self, states: Tensor, ids: Tensor) -> list[Tensor]:
        """Return one row of logits per field."""
        # The denoiser attends to all 77 states, most of which are the padding's.
        after = (ids == ids[0, -1]).float()[..., None]
        mean = (states * after).sum(1) / after.sum(1)
        return [layer(mean) for layer in self.layers]


def draw_facts(rng: np.random.Generator, concepts: int, held_out: set[tuple[int, int]]) -> Facts:
    """Draw facts as captions state them, held-out pairs excepted."""
    concept = int(rng.integers(concepts))
    colour = int(rng.integers(len(COLOURS))) if rng.random() < 0.65 else None
    if colour is not None and (concept, colour) in held_out:
        colour = None
    return Facts(
        concept,
        int(rng.integers(len(STYLES))) if rng.random() < 0.5 else None,
        colour,
        int(rng.integers(len(COLOURS))) if rng.random() < 0.5 else None,
        int(rng.integers(len(SIZES))) if rng.random() < 0.3 else None,
    )


def draw_batch(
    rng: np.random.Generator, captioner: Captioner, held_out: set[tuple[int, int]], count: int
) -> tuple[list[str], Tensor]:
    """Return captions and their facts' class indices, the last class of a field meaning unstated."""
    facts = [draw_facts(rng, len(captioner.concepts), held_out) for _ in range(count)]
    limits = {"style": len(STYLES), "colour": len(COLOURS), "background": len(COLOURS)}
    limits["size"] = len(SIZES)
    rows = []
    for fact in facts:
        values = [getattr(fact, field) for field in FIELDS]
        pairs = zip(FIELDS, values, strict=True)
        rows.append([limits[f] if value is None else value for f, value in pairs])
    return [captioner.phrase(rng, fact) for fact in facts], torch.tensor(rows)


def encode_words(tokenizer: CLIPTokenizer, captions: list[str]) -> Tensor:
    """Tokenise as Stable Diffusion 1.x does: 77 tokens, padded with end-of-text."""
    batch = tokenizer(captions, padding="max_length", max_length=LENGTH, truncation=True)
    return torch.tensor(batch["input_ids"])


def freeze_tokens(encoder: CLIPTextModel, table: Path) -> None:
    """Put the MiniLM table into the token embedding and freeze it."""
    embedding = encoder.get_input_embeddings()
    with torch.no_grad():
        embedding.weight.copy_(load_file(table)["table"])
    embedding.weight.requires_grad_(False)


def train(arguments: argparse.Namespace) -> None:
    """Train for the given minutes and write `text_encoder_start/`."""
    torch.manual_seed(0)
    rng = np.random.default_rng(3)
    write_tokenizer(arguments.vocabulary, arguments.build / "tokenizer")
    tokenizer = CLIPTokenizer.from_pretrained(arguments.build / "tokenizer")
    captioner = Captioner(arguments.packages)
    held_out = held_out_pairs(load_native(arguments.build))
    encoder = make_text_encoder()
    freeze_tokens(encoder, arguments.build / "token_table.safetensors")
    head = FactHead(len(captioner.concepts))
    parameters = [p for p in (*encoder.parameters(), *head.parameters()) if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, arguments.rate, betas=(0.9, 0.99))
    started, step, correct = time.monotonic(), 0, []
    while (seconds := time.monotonic() - started) < arguments.minutes * 60:
        for group in optimizer.param_groups:
            done = seconds / 60 / arguments.minutes
            group["lr"] = learning_rate(arguments.rate, done, step, 100)
        captions, facts = draw_batch(rng, captioner, held_out, arguments.batch)
        ids = encode_words(tokenizer, captions)
        logits = head(encoder(ids).last_hidden_state, ids)
        pairs = zip(logits, facts.T, strict=True)
        loss = torch.stack([nn.functional.cross_entropy(x, y) for x, y in pairs]).sum()
        optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        correct.append([float((x.argmax(1) == y).float().mean()) for x, y in zip(logits, facts.T, strict=True)])
        step += 1
        if step % 50 == 0:
            means = dict(zip(FIELDS, np.mean(correct, 0).round(3).tolist(), strict=True))
            print(f"{seconds:.0f} s step {step} loss {loss.item():.3f} {means}", flush=True)
            correct.clear()
    encoder.save_pretrained(arguments.build / "text_encoder_start")


def main() -> None:
    """Train the text encoder on captions."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", type=Path, default=Path("build"))
    parser.add_argument("--packages", type=Path, default=PACKAGES_FOLDER)
    parser.add_argument("--vocabulary", type=Path, required=True, help="open_clip_torch wheel")
    parser.add_argument("--minutes", type=float, default=6)
    parser.add_argument("--batch", type=int, default=48)
    parser.add_argument("--rate", type=float, default=2e-3)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    train(arguments)


if __name__ == "__main__":
    main()
