"""Check token ids against transformers, published examples and each folder layout."""

import base64
import json
import lzma
import subprocess
import sys
from pathlib import Path

import pytest
from transformers import CLIPTokenizer, T5Tokenizer

from graphgen_nodes.text.chunks import chunked
from graphgen_nodes.text.syntax import plain
from graphgen_nodes.text.tokenizers import ASSETS, KINDS, PromptTokenizer, TokenizerError, load_tokenizer

BEGIN, END = "<|startoftext|>", "<|endoftext|>"
HARD = [
    "",
    "   ",
    "a photo of a cat",
    "A Photo OF a CAT!!!",
    "don't  you'll they've I'm he'd it's 'S 'LL",
    "naïve café Ünïcödé — “quotes” … ½ ² ﬁ",
    "e\u0301 is é",
    "빨간 사과와 파란색 하트",
    "赤いリンゴ、青いハート",
    "مرحبا بالعالم हिन्दी ภาษาไทย",
    "🍎❤️👩‍👩‍👧‍👦🏳️‍🌈",
    "tab\tnew\nline\r\n  many   spaces ",
    "3.14159 2024 ١٢٣",
    "C++/C# a_b #hash @user http://x.y/z?q=1&r=2",
    "<|startoftext|> hi <|endoftext|> there <|EndOfText|>",
    "ß ẞ İ ı Σς",
    "\u200bzero\u200dwidth\u00a0nbsp \x00\x01\x7f",
    "((masterpiece:1.3)), [bad] {x|y} !?!?...---",
    "supercalifragilisticexpialidocious" * 5,
    "a" * 300,
    "word " * 200,
]


def clip_merges() -> list[tuple[str, str]]:
    text = lzma.decompress((ASSETS / "clip" / "merges.txt.xz").read_bytes()).decode()
    lines = text.split("\n")[1:-1]
    return [(left, right) for left, right in (line.split(" ") for line in lines)]


def clip_vocabulary() -> dict[str, int]:
    """Number the tokens as OpenAI's code does: bytes sorted by whether they print, then merges."""
    printable = [b for b in range(256) if chr(b).isprintable() and chr(b) != " "]
    others = [b for b in range(256) if b not in printable]
    letters = [chr(b) for b in printable] + [chr(256 + i) for i in range(len(others))]
    tokens = letters + [x + "</w>" for x in letters] + ["".join(pair) for pair in clip_merges()] + [BEGIN, END]
    return {token: i for i, token in enumerate(tokens)}


@pytest.fixture(scope="module")
def clip_oracle() -> CLIPTokenizer:
    return CLIPTokenizer(vocab=clip_vocabulary(), merges=clip_merges())


@pytest.fixture(scope="module")
def t5_oracle() -> T5Tokenizer:
    """Build transformers' own T5 pipeline around the shipped pieces."""
    shipped = json.loads(load_tokenizer("t5").backend.to_str())
    charsmap = shipped["normalizer"]["normalizers"][0]["precompiled_charsmap"]
    vocab = [(piece, score) for piece, score in shipped["model"]["vocab"]]
    return T5Tokenizer(vocab=vocab, _spm_precompiled_charsmap=base64.b64decode(charsmap))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Write a diffusers tokenizer/ folder in the vocab.json and merges.txt layout."""
    (tmp_path / "vocab.json").write_text(json.dumps(clip_vocabulary()), encoding="utf-8")
    lines = ["#version: 0.2", *(" ".join(pair) for pair in clip_merges()), ""]
    (tmp_path / "merges.txt").write_text("\n".join(lines), encoding="utf-8")
    return tmp_path


def write(file: Path, found: object) -> None:
    file.write_text(json.dumps(found), encoding="utf-8")


def test_clip_gives_the_published_ids() -> None:
    assert load_tokenizer("clip").encode("a photo of a cat", 7) == [49406, 320, 1125, 539, 320, 2368, 49407]


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("a red apple on a table", [3, 9, 1131, 8947, 30, 3, 9, 953, 1]),
        # the example of the T5 page in transformers' documentation
        (
            "translate English to German: The house is wonderful.",
            [13959, 1566, 12, 2968, 10, 37, 629, 19, 1627, 5, 1],
        ),
        ("", [1]),
    ],
)
def test_t5_gives_the_published_ids(text: str, ids: list[int]) -> None:
    assert load_tokenizer("t5").encode(text, 12) == ids + [0] * (12 - len(ids))


@pytest.mark.parametrize("text", HARD)
def test_clip_agrees_with_transformers(text: str, clip_oracle: CLIPTokenizer) -> None:
    padded = clip_oracle(text, padding="max_length", max_length=77, truncation=True)["input_ids"]
    tokenizer = load_tokenizer("clip")
    assert tokenizer.encode(text) == padded
    assert tokenizer.count(text) == len(clip_oracle(text)["input_ids"])


@pytest.mark.parametrize("text", [*HARD, "Hello <extra_id_0> world"])
@pytest.mark.parametrize("length", [77, 256, 512])
def test_t5_agrees_with_transformers(text: str, length: int, t5_oracle: T5Tokenizer) -> None:
    padded = t5_oracle(text, padding="max_length", max_length=length, truncation=True)["input_ids"]
    assert load_tokenizer("t5").encode(text, length) == padded


def test_each_kind_pads_as_its_encoder_was_trained() -> None:
    tails = {kind: load_tokenizer(kind).encode("cat", 6)[-2:] for kind in KINDS}
    assert tails == {"clip": [49407, 49407], "openclip": [0, 0], "t5": [0, 0]}
    assert {kind: len(load_tokenizer(kind).encode("cat")) for kind in KINDS} == {"clip": 77, "openclip": 77, "t5": 256}
    assert load_tokenizer("clip").encode("cat", 5, pad_id=7) == [49406, 2368, 49407, 7, 7]


def test_an_exclamation_mark_is_a_word_and_not_padding() -> None:
    assert load_tokenizer("openclip").encode("cat!", 6) == [49406, 2368, 256, 49407, 0, 0]


@pytest.mark.parametrize("kind", KINDS)
def test_a_long_prompt_keeps_its_end_token(kind: str) -> None:
    tokenizer = load_tokenizer(kind)
    text = "one two three four five six seven"
    whole, cut = tokenizer.encode(text, 20), tokenizer.encode(text, 6)
    assert cut == [*whole[:5], tokenizer.end]
    assert chunked(tokenizer, plain(text), 20, 1).unread == ""
    dropped = chunked(tokenizer, plain(text), 6, 1).unread
    assert text.endswith(dropped)
    kept = text.removesuffix(dropped)
    assert tokenizer.encode(kept, 6) == cut


def test_cut_off_names_the_words_as_they_were_typed() -> None:
    assert chunked(load_tokenizer("clip"), plain("A Photo of a Big Cat, sitting"), 7, 1).unread == "Cat, sitting"


def test_a_length_without_room_is_refused() -> None:
    with pytest.raises(TokenizerError, match=r"'clip': length must be at least 2 \(got 1\)"):
        load_tokenizer("clip").encode("cat", 1)
    assert load_tokenizer("t5").encode("cat", 1) == [1]


def test_half_a_character_is_refused() -> None:
    with pytest.raises(TokenizerError, match=r"lone surrogate\) at position 2"):
        load_tokenizer("t5").encode("a \ud83d cat")


def test_a_folder_with_merges_reads_like_the_shipped_one(folder: Path) -> None:
    found, shipped = load_tokenizer(folder), load_tokenizer("clip")
    assert [found.encode(text) for text in HARD] == [shipped.encode(text) for text in HARD]
    assert (found.begin, found.end, found.pad, found.length) == (49406, 49407, 49407, 77)


def test_padding_follows_the_map_then_the_config_as_in_transformers(folder: Path) -> None:
    write(
        folder / "tokenizer_config.json",
        {"pad_token": {"__type": "AddedToken", "content": END}, "model_max_length": 77},
    )
    assert load_tokenizer(folder).pad == CLIPTokenizer.from_pretrained(folder).pad_token_id == 49407
    write(folder / "special_tokens_map.json", {"pad_token": "!"})
    assert load_tokenizer(folder).pad == CLIPTokenizer.from_pretrained(folder).pad_token_id == 0
    write(folder / "tokenizer_config.json", {"pad_token": END, "added_tokens_decoder": {}})
    assert load_tokenizer(folder).pad == CLIPTokenizer.from_pretrained(folder).pad_token_id == 49407


def test_a_folder_saved_by_transformers_is_read(tmp_path: Path, clip_oracle: CLIPTokenizer) -> None:
    clip_oracle("cat", padding="max_length", max_length=9, truncation=True)  # leaves its cutting and padding on
    clip_oracle.save_pretrained(tmp_path)
    assert (tmp_path / "tokenizer.json").is_file()
    tokenizer = load_tokenizer(str(tmp_path))
    assert tokenizer.length == 77
    assert [tokenizer.encode(text) for text in HARD] == [load_tokenizer("clip").encode(text) for text in HARD]


def test_a_t5_folder_is_read(tmp_path: Path) -> None:
    shipped = load_tokenizer("t5")
    (tmp_path / "tokenizer.json").write_text(shipped.backend.to_str(), encoding="utf-8")
    write(tmp_path / "tokenizer_config.json", {"pad_token": "<pad>", "model_max_length": 512})
    found = load_tokenizer(tmp_path)
    assert (found.begin, found.end, found.pad, found.length) == (None, 1, 0, 512)
    assert [found.encode(text, 256) for text in HARD] == [shipped.encode(text) for text in HARD]


def test_a_folder_with_only_sentencepiece_names_the_cure(tmp_path: Path) -> None:
    (tmp_path / "spiece.model").write_bytes(b"\n")
    with pytest.raises(TokenizerError, match=r"only spiece\.model.*load_tokenizer\('t5'\)"):
        load_tokenizer(tmp_path)


def test_what_is_not_a_tokenizer_says_so(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(TokenizerError, match=r"nowhere: no such folder.*clip, openclip, t5"):
        load_tokenizer(tmp_path / "nowhere")
    write(folder / "special_tokens_map.json", {"pad_token": "<nothing>"})
    with pytest.raises(TokenizerError, match=r"pad_token is '<nothing>'"):
        load_tokenizer(folder)
    write(folder / "vocab.json", {"a": 1})
    with pytest.raises(TokenizerError, match=r"vocab\.json: must map tokens"):
        load_tokenizer(folder)
    (folder / "vocab.json").write_text("[", encoding="utf-8")
    with pytest.raises(TokenizerError, match=r"vocab\.json: is not JSON"):
        load_tokenizer(folder)
    (folder / "tokenizer.json").write_text("{}", encoding="utf-8")
    with pytest.raises(TokenizerError, match=r"tokenizer\.json: cannot be read"):
        load_tokenizer(folder)
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(TokenizerError, match=r"holds no tokenizer; allowed are tokenizer\.json"):
        load_tokenizer(empty)


def test_a_tokenizer_is_a_frozen_value() -> None:
    tokenizer = load_tokenizer("clip")
    assert isinstance(tokenizer, PromptTokenizer)
    with pytest.raises(AttributeError):
        tokenizer.pad = 3  # type: ignore[misc]


def test_the_module_imports_neither_torch_nor_transformers() -> None:
    code = (
        "import sys; from graphgen_nodes.text.tokenizers import load_tokenizer as load;"
        "load('clip').encode('a cat'); load('t5').encode('a cat');"
        "print(sorted({'torch', 'transformers', 'numpy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
