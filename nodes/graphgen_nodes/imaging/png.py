"""PNG files as carriers of texts: put texts in, read them out, without decoding the picture.

Texts are written as iTXt chunks (UTF-8) before the picture data; read are iTXt, zTXt and tEXt chunks. Files may be
anybody's: nothing here trusts a length, and what is inflated is bounded. Neither torch nor Pillow is needed.
Source: W3C, "Portable Network Graphics (PNG) Specification", third edition, sections 5 and 11.3.3.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from graphgen import FileFormat

SIGNATURE = b"\x89PNG\r\n\x1a\n"
MAX_TEXT = 64 * 2**20
"""The most bytes that all texts of a file may take, inflated."""
MAX_CHUNKS = 2**18
"""The most chunks a file may have: 2 GiB at the 8 KiB that encoders usually write at a time."""

_LONGEST_CHUNK = 2**31 - 1
_TEXT_CHUNKS = (b"iTXt", b"zTXt", b"tEXt")


class Chunk(NamedTuple):
    """One chunk: its type, its content, and where it begins and ends in the file, CRC included."""

    kind: bytes
    content: memoryview
    begin: int
    end: int


def read(data: bytes) -> dict[str, str]:
    """Return the texts a PNG file carries, by keyword; of several with one keyword, the first.

    Raises:
        ValueError: the bytes are not a whole PNG file, or its texts are damaged or larger than 64 MiB.
    """
    texts: dict[str, str] = {}
    room = MAX_TEXT
    for chunk in _chunks(data):
        if chunk.kind in _TEXT_CHUNKS:
            keyword, text = _read_text(chunk, room)
            room -= len(text)
            texts.setdefault(keyword, _utf8(text) if chunk.kind == b"iTXt" else text.decode("latin-1"))
    return texts


def embed(data: bytes, texts: Mapping[str, str]) -> bytes:
    """Return a PNG file with texts put in before the picture data; those it had under the same keywords go.

    Raises:
        ValueError: the bytes are not a whole PNG file, or a keyword is not 1 to 79 printable Latin-1 characters.
    """
    added = b"".join(_write_text(keyword, text) for keyword, text in texts.items())
    parts: list[bytes | memoryview] = []
    whole, copied, placed = memoryview(data), 0, False
    for chunk in _chunks(data):
        if chunk.kind == b"IDAT" and not placed:
            parts += [whole[copied : chunk.begin], added]
            copied, placed = chunk.begin, True
        elif chunk.kind in _TEXT_CHUNKS and _keyword(chunk.content)[0] in texts:
            parts.append(whole[copied : chunk.begin])
            copied = chunk.end
    if not placed:
        raise ValueError("the PNG file has no picture data (no IDAT chunk)")
    return b"".join([*parts, whole[copied:]])


def _chunks(data: bytes) -> Iterator[Chunk]:
    """Yield the chunks from IHDR to IEND, each checked but for the picture data, whose CRC is its decoder's matter."""
    if data[:8] != SIGNATURE:
        raise ValueError("not a PNG file: the first eight bytes are not PNG's")
    view, position = memoryview(data), 8
    for number in range(MAX_CHUNKS):
        if position + 12 > len(view):
            raise ValueError(f"the PNG file is truncated: it ends at byte {len(view)}, before its IEND chunk")
        length, kind = struct.unpack_from(">I4s", view, position)
        end = position + 12 + length
        _check_frame(kind, length, end, len(view), number)
        content = view[position + 8 : end - 4]
        if kind != b"IDAT" and zlib.crc32(view[position + 4 : end - 4]) != struct.unpack_from(">I", view, end - 4)[0]:
            raise ValueError(f"the PNG file is damaged: its {kind.decode()} chunk at byte {position} has a wrong CRC")
        yield Chunk(kind, content, position, end)
        if kind == b"IEND":
            return
        position = end
    raise ValueError(f"the PNG file has more than {MAX_CHUNKS} chunks; save it again with another program")


def _check_frame(kind: bytes, length: int, end: int, size: int, number: int) -> None:
    if not kind.isalpha():
        raise ValueError(f"the PNG file is damaged: {kind!r} is not the type of a chunk")
    if length > _LONGEST_CHUNK:
        raise ValueError(f"the PNG file is damaged: its {kind.decode()} chunk claims {length} bytes")
    if end > size:
        raise ValueError(f"the PNG file is truncated: its {kind.decode()} chunk should end at byte {end} of {size}")
    if (number == 0) != (kind == b"IHDR") or (number == 0 and length != 13):
        raise ValueError("the PNG file is damaged: it must begin with one IHDR chunk of 13 bytes")


def _read_text(chunk: Chunk, room: int) -> tuple[str, bytes]:
    keyword, rest = _keyword(chunk.content)
    packed = chunk.kind == b"zTXt"
    if chunk.kind == b"iTXt":
        if len(rest) < 2 or rest[0] > 1:
            raise ValueError(f"the PNG file's text '{keyword}' is damaged: no compression flag")
        packed, parts = rest[0] == 1, bytes(rest[2:]).split(b"\0", 2)
        if len(parts) < 3:
            raise ValueError(f"the PNG file's text '{keyword}' is damaged: no language or no translated keyword")
        method, body = rest[1], memoryview(parts[2])
    else:
        method, body = (rest[0], rest[1:]) if packed and rest else (0, rest)
    if packed:
        return keyword, _inflate(keyword, method, body, room)
    if len(body) > room:
        raise ValueError(_too_large(keyword))
    return keyword, bytes(body)


def _keyword(content: memoryview) -> tuple[str, memoryview]:
    end = bytes(content[:80]).find(b"\0")
    if end < 1:
        raise ValueError("the PNG file has a text chunk without a keyword of 1 to 79 characters")
    return bytes(content[:end]).decode("latin-1"), content[end + 1 :]


def _inflate(keyword: str, method: int, body: memoryview, room: int) -> bytes:
    if method != 0:
        raise ValueError(f"the PNG file's text '{keyword}' is compressed by method {method}; known is 0, deflate")
    inflater = zlib.decompressobj()
    try:
        text = inflater.decompress(body, room + 1)
    except zlib.error as error:
        raise ValueError(f"the PNG file's text '{keyword}' cannot be inflated; it is damaged") from error
    if len(text) > room:
        raise ValueError(_too_large(keyword))
    if not inflater.eof:
        raise ValueError(f"the PNG file's text '{keyword}' is truncated")
    return text


def _too_large(keyword: str) -> str:
    return f"the PNG file's texts take more than {MAX_TEXT // 2**20} MiB, reached at '{keyword}'; it may be an attack"


def _utf8(text: bytes) -> str:
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"a text of the PNG file is not UTF-8 (at its byte {error.start})") from error


def _write_text(keyword: str, text: str) -> bytes:
    if not re.fullmatch(r"[!-~\xa1-\xff](?:[ -~\xa1-\xff]{0,77}[!-~\xa1-\xff])?", keyword):
        raise ValueError(f"{keyword!r} cannot be a PNG keyword; allowed: 1 to 79 printable Latin-1 characters")
    try:
        encoded = text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise ValueError(f"the text '{keyword}' holds half a surrogate pair at {error.start}") from error
    content = keyword.encode("latin-1") + b"\0\0\0\0\0" + encoded  # not compressed, no language, no translation
    if len(encoded) > MAX_TEXT:
        raise ValueError(f"the text '{keyword}' has {len(encoded)} bytes; a PNG file may carry {MAX_TEXT} here")
    crc = zlib.crc32(content, zlib.crc32(b"iTXt"))
    return struct.pack(">I4s", len(content), b"iTXt") + content + struct.pack(">I", crc)


def show(data: bytes) -> object:
    """Return a PNG file's pixels as a tensor; see files.shown."""
    from graphgen_nodes.imaging.files import shown

    return shown(data)


def thumbnail(data: bytes, longest: int) -> tuple[str, bytes]:
    """Return a PNG file made small; see thumbnails.shrunk."""
    from graphgen_nodes.imaging.thumbnails import shrunk

    return shrunk(data, longest)


def convert(data: bytes, quality: int, opaque: bool) -> bytes:  # noqa: ARG001 - PNG loses nothing
    """Return any picture file as a PNG; see thumbnails.converted."""
    from graphgen_nodes.imaging.thumbnails import converted

    return converted(data, "PNG", 100, opaque=opaque)


def holes(data: bytes) -> bytes | None:
    """Return where a picture file is transparent; see thumbnails.holes."""
    from graphgen_nodes.imaging import thumbnails

    return thumbnails.holes(data)


PNG = FileFormat(".png", "image/png", embed, read, show, thumbnail, convert, holes)
