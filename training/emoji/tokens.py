"""Write CLIP's tokenizer files from open-clip-torch's byte-pair vocabulary (MIT).

In: the wheel, or the bpe_simple_vocab_16e6.txt.gz in it. Out: vocab.json, merges.txt and the
configuration that transformers' CLIPTokenizer and Stable Diffusion's layout expect.
"""

import gzip
import json
import zipfile
from pathlib import Path

MERGES = 49152 - 256 - 2
START, END = "<|startoftext|>", "<|endoftext|>"
LENGTH = 77


def byte_characters() -> list[str]:
    """Return GPT-2's 256 byte characters in vocabulary order: printable bytes stand for themselves."""
    printable = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAC + 1), *range(0xAE, 0xFF + 1)]
    others = [byte for byte in range(256) if byte not in printable]
    return [chr(byte) for byte in printable] + [chr(256 + n) for n in range(len(others))]


def read_merges(source: Path) -> list[str]:
    """Read the 48,894 merges, most frequent first, from the wheel or the gzip file."""
    if source.suffix == ".whl":
        with zipfile.ZipFile(source) as wheel:
            packed = wheel.read("open_clip/bpe_simple_vocab_16e6.txt.gz")
    else:
        packed = source.read_bytes()
    # The first line names the version; the file goes on past what CLIP uses.
    return gzip.decompress(packed).decode("utf-8").split("\n")[1 : MERGES + 1]


def write_tokenizer(source: Path, folder: Path) -> None:
    """Write a CLIP tokenizer folder as Stable Diffusion 1.x has it: padded with end-of-text."""
    merges = read_merges(source)
    characters = byte_characters()
    words = [*characters, *(c + "</w>" for c in characters)]
    words += ["".join(merge.split()) for merge in merges] + [START, END]
    folder.mkdir(parents=True, exist_ok=True)
    vocabulary = {word: index for index, word in enumerate(words)}
    write_json(folder / "vocab.json", vocabulary)
    text = "#version: 0.2\n" + "\n".join(merges) + "\n"
    (folder / "merges.txt").write_text(text, encoding="utf-8")
    special = {"bos_token": START, "eos_token": END, "unk_token": END, "pad_token": END}
    write_json(folder / "special_tokens_map.json", special)
    settings = {
        **special,
        "tokenizer_class": "CLIPTokenizer",
        "model_max_length": LENGTH,
        "do_lower_case": True,
        "add_prefix_space": False,
        "errors": "replace",
    }
    write_json(folder / "tokenizer_config.json", settings)


def write_json(path: Path, value: object) -> None:
    """Write a JSON file with two-space indents, one line for large tables."""
    indent = 2 if len(str(value)) < 10_000 else None
    path.write_text(json.dumps(value, ensure_ascii=False, indent=indent) + "\n", encoding="utf-8")
