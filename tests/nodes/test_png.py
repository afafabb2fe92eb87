"""PNG files carry texts, and no file, however hostile, does more than raise ValueError."""

import io
import struct
import subprocess
import sys
import zlib

import numpy
import PIL.Image
import PIL.PngImagePlugin
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphgen_nodes.imaging.png import MAX_CHUNKS, MAX_TEXT, PNG, SIGNATURE, embed, read


def chunk(kind: bytes, content: bytes, crc: int | None = None) -> bytes:
    found = zlib.crc32(kind + content) if crc is None else crc
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", found)


HEADER = chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0))
DATA = chunk(b"IDAT", zlib.compress(b"\0\0\0\0"))
END = chunk(b"IEND", b"")


def png(*chunks: bytes) -> bytes:
    return SIGNATURE + HEADER + b"".join(chunks) + DATA + END


def itxt(keyword: bytes, text: bytes, flag: int = 0, method: int = 0) -> bytes:
    return chunk(b"iTXt", keyword + b"\0" + bytes([flag, method]) + b"\0\0" + text)


PLAIN = png()


def test_texts_come_back_and_the_picture_is_the_same() -> None:
    target = io.BytesIO()
    pixels = numpy.arange(48, dtype=numpy.uint8).reshape(4, 4, 3)
    PIL.Image.fromarray(pixels).save(target, "PNG")
    texts = {"graphgen": '{"name": "파란 개 🐕"}', "graphgen:run": "", "Caf\xe9": "x\ny"}
    marked = embed(target.getvalue(), texts)
    assert read(marked) == texts
    with PIL.Image.open(io.BytesIO(marked)) as picture:  # an independent reader agrees
        assert isinstance(picture, PIL.PngImagePlugin.PngImageFile)
        assert dict(picture.text) == texts
        assert (numpy.asarray(picture) == pixels).all()


def test_texts_stand_before_the_picture_data() -> None:
    marked = embed(PLAIN, {"graphgen": "x"})
    assert marked.index(b"iTXt") < marked.index(b"IDAT")
    assert marked.replace(itxt(b"graphgen", b"x"), b"") == PLAIN


def test_embedding_again_replaces_what_has_the_same_keyword_wherever_it_stands() -> None:
    late = SIGNATURE + HEADER + chunk(b"tEXt", b"kept\0yes") + DATA + itxt(b"graphgen", b"old") + END
    marked = embed(late, {"graphgen": "new"})
    assert read(marked) == {"kept": "yes", "graphgen": "new"}
    assert b"old" not in marked
    assert embed(marked, {"graphgen": "new"}) == marked


def test_texts_that_other_programs_write_are_read() -> None:
    info = PIL.PngImagePlugin.PngInfo()
    info.add_text("latin", "\xfcber")
    info.add_text("packed", "p" * 5000, zip=True)
    info.add_itxt("unicode", "ü", lang="de", tkey="Schlüssel", zip=True)
    target = io.BytesIO()
    PIL.Image.new("RGB", (1, 1)).save(target, "PNG", pnginfo=info)
    assert read(target.getvalue()) == {"latin": "\xfcber", "packed": "p" * 5000, "unicode": "ü"}


def test_of_two_texts_with_one_keyword_the_first_counts() -> None:
    assert read(png(itxt(b"graphgen", b"first"), itxt(b"graphgen", b"second"))) == {"graphgen": "first"}


@given(
    texts=st.dictionaries(
        st.from_regex(r"[!-~]([ -~]{0,20}[!-~])?", fullmatch=True),
        st.text(st.characters(exclude_categories=["Cs"])),
        max_size=4,
    )
)
def test_any_texts_come_back(texts: dict[str, str]) -> None:
    assert read(embed(PLAIN, texts)) == texts


BAD = {
    "not a PNG": (b"GIF89a", "not a PNG file"),
    "nothing": (b"", "not a PNG file"),
    "signature alone": (SIGNATURE, "truncated"),
    "no end": (PLAIN[:-12], "truncated"),
    "half a chunk": (PLAIN[:-3], "truncated"),
    "huge length": (SIGNATURE + HEADER + b"\xff\xff\xff\xffIDAT" + bytes(8), "claims 4294967295 bytes"),
    "length past the end": (SIGNATURE + HEADER + b"\x7f\xff\xff\xffIDAT" + bytes(8), "truncated"),
    "strange type": (SIGNATURE + HEADER + chunk(b"I\0AT", b""), "not the type of a chunk"),
    "no header": (SIGNATURE + DATA + END, "must begin with one IHDR"),
    "two headers": (png(HEADER), "must begin with one IHDR"),
    "short header": (SIGNATURE + chunk(b"IHDR", b"\0") + END, "must begin with one IHDR"),
    "wrong CRC": (png(chunk(b"tEXt", b"a\0b", crc=1)), "tEXt chunk at byte 33 has a wrong CRC"),
    "no keyword": (png(chunk(b"tEXt", b"\0b")), "without a keyword"),
    "no end of keyword": (png(chunk(b"tEXt", b"a" * 200)), "without a keyword"),
    "no flag": (png(chunk(b"iTXt", b"a\0")), "no compression flag"),
    "flag 7": (png(itxt(b"a", b"b", flag=7)), "no compression flag"),
    "method 9": (png(itxt(b"a", zlib.compress(b"b"), flag=1, method=9)), "method 9"),
    "no language": (png(chunk(b"iTXt", b"a\0\0\0en")), "no language"),
    "not UTF-8": (png(itxt(b"a", b"\xff\xfe")), "not UTF-8"),
    "not deflated": (png(chunk(b"zTXt", b"a\0\0xyz")), "cannot be inflated"),
    "empty zTXt": (png(chunk(b"zTXt", b"a\0")), "truncated"),
    "deflate cut off": (png(chunk(b"zTXt", b"a\0\0" + zlib.compress(b"b" * 999)[:-6])), "truncated"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_files_are_refused_with_a_clear_text(name: str) -> None:
    data, message = BAD[name]
    with pytest.raises(ValueError, match=message):
        read(data)


def test_a_text_that_inflates_without_end_is_refused() -> None:
    bomb = zlib.compress(bytes(MAX_TEXT + 1), 9)
    assert len(bomb) < 100_000
    for hostile in (chunk(b"zTXt", b"a\0\0" + bomb), itxt(b"a", bomb, flag=1)):
        with pytest.raises(ValueError, match="more than 64 MiB"):
            read(png(hostile))


def test_many_texts_that_inflate_are_refused_together() -> None:
    part = zlib.compress(bytes(MAX_TEXT // 4 + 1), 9)
    bombs = [chunk(b"zTXt", str(number).encode() + b"\0\0" + part) for number in range(4)]
    assert len(read(png(*bombs[:3]))) == 3
    with pytest.raises(ValueError, match="more than 64 MiB, reached at '3'"):
        read(png(*bombs))


def test_endless_chunks_are_refused() -> None:
    with pytest.raises(ValueError, match=f"more than {MAX_CHUNKS} chunks"):
        read(png(chunk(b"tIME", b"") * MAX_CHUNKS))


def test_embedding_refuses_what_cannot_be_written() -> None:
    for keyword in ("", " a", "a ", "k" * 80, "a\0b", "키"):
        with pytest.raises(ValueError, match="cannot be a PNG keyword"):
            embed(PLAIN, {keyword: "x"})
    with pytest.raises(ValueError, match="half a surrogate pair"):
        embed(PLAIN, {"a": "\ud800"})
    with pytest.raises(ValueError, match="no picture data"):
        embed(SIGNATURE + HEADER + END, {"a": "b"})
    with pytest.raises(ValueError, match="truncated"):
        embed(PLAIN[:-1], {"a": "b"})


def read_or_refuse(data: bytes) -> None:
    try:
        texts = read(data)
    except ValueError:
        return
    assert all(isinstance(text, str) for text in texts.values())


@given(data=st.binary(max_size=300))
def test_no_bytes_crash_the_reader(data: bytes) -> None:
    read_or_refuse(data)
    read_or_refuse(SIGNATURE + HEADER + data + END)


@given(kind=st.sampled_from([b"iTXt", b"zTXt", b"tEXt"]), content=st.binary(max_size=200))
def test_no_text_chunk_crashes_the_reader(kind: bytes, content: bytes) -> None:
    read_or_refuse(png(chunk(kind, content)))


RICH = embed(png(chunk(b"zTXt", b"z\0\0" + zlib.compress(b"packed"))), {"graphgen": '{"nodes": {}}'})


@settings(max_examples=300)
@given(at=st.integers(0, len(RICH) - 1), value=st.integers(0, 255), end=st.integers(0, len(RICH)))
def test_no_damage_crashes_the_reader(at: int, value: int, end: int) -> None:
    damaged = bytearray(RICH)
    damaged[at] = value
    read_or_refuse(bytes(damaged))
    read_or_refuse(bytes(damaged[:end]))


def test_the_format_is_what_the_engine_asks_for() -> None:
    assert (PNG.suffix, PNG.media_type, PNG.embed, PNG.read) == (".png", "image/png", embed, read)
    assert read(embed(PLAIN, {"graphgen": "{}"})) == {"graphgen": "{}"}


def test_neither_torch_nor_pillow_is_imported() -> None:
    code = "import sys, graphgen_nodes.imaging.png; print([m for m in ('torch', 'PIL', 'numpy') if m in sys.modules])"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"
