"""The terminal as the commands see it: lines, one live line, sober colour, and no trust in what is printed.

In: text, some of it from strangers' files. Out: what a terminal, a pipe or a log can take: no colour where there is no
terminal (or NO_COLOR is set), ASCII where nothing else can be shown, and no escape sequence but our own.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from typing import TextIO
from unicodedata import combining, east_asian_width

_ESCAPES = {"bold": 1, "dim": 2, "red": 31, "green": 32, "yellow": 33, "cyan": 36}
_OURS = re.compile("\x1b\\[(?:0|1|2|31|32|33|36)m")
_UNSAFE = re.compile(
    "(\x1b\\[(?:0|1|2|31|32|33|36)m)|[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
"""Control characters, those that turn the writing direction, half characters; group 1 is what we wrote ourselves."""


@dataclass(frozen=True, slots=True)
class Symbols:
    """The signs in front of lines."""

    done: str
    cached: str
    failed: str
    skipped: str
    begun: str
    file: str
    filled: str
    empty: str


PRETTY = Symbols("✓", "○", "✗", "–", "▸", "→", "━", "─")
ASCII = Symbols("+", "=", "x", "-", ">", "->", "#", "-")


class Screen:
    """Standard output and standard error, kept apart from each other and from the live line.

    `live` tells whether there is a line that can be rewritten. `width` is None where lines need not fit.
    """

    def __init__(self, out: TextIO | None = None, err: TextIO | None = None) -> None:
        self._out = out or sys.stdout
        self._err = err or sys.stderr
        terminal = self._out.isatty() and os.environ.get("TERM") != "dumb"
        self.live = terminal
        self.width = shutil.get_terminal_size().columns if terminal else None
        self.symbols = PRETTY if _can_show(self._out, "…" + "".join(astuple(PRETTY))) else ASCII
        self._colours = {
            id(stream): stream.isatty() and os.environ.get("TERM") != "dumb" and not os.environ.get("NO_COLOR")
            for stream in (self._out, self._err)
        }
        self._shown = ""

    def line(self, text: str = "") -> None:
        """Write a line, or several, to standard output."""
        self._clear()
        self._write(self._out, text)

    def error(self, text: str) -> None:
        """Write a line, or several, to standard error."""
        self._clear()
        self._out.flush()
        self._write(self._err, text)

    def status(self, text: str) -> None:
        """Rewrite the live line; it goes when anything else is written. Nothing happens where there is none."""
        if self.live and text != self._shown:
            self._out.write("\r" + self._safe(self._out, cut(text, (self.width or 80) - 1)) + "\x1b[K")
            self._out.flush()
            self._shown = text

    def rows(self, rows: Sequence[Sequence[str]], styles: Sequence[str] = (), indent: int = 2) -> None:
        """Write rows as aligned columns; the last column is wrapped where lines have to fit."""
        for text in columns(rows, styles, indent, self.width):
            self.line(text)

    def _clear(self) -> None:
        if self._shown:
            self._shown = ""
            self._out.write("\r\x1b[K")

    def _write(self, stream: TextIO, text: str) -> None:
        stream.write(self._safe(stream, text) + "\n")
        stream.flush()

    def _safe(self, stream: TextIO, text: str) -> str:
        """Show what could command a terminal as text, and drop colours where there is no terminal."""
        if self.symbols is ASCII:
            text = text.replace("…", "...")
        safe = _UNSAFE.sub(lambda found: found[1] or repr(found[0])[1:-1], text)
        return safe if self._colours[id(stream)] else _OURS.sub("", safe)


def style(text: str, how: str) -> str:
    """Return text in a colour or weight: `bold`, `dim`, `red`, `green`, `yellow`, `cyan`; empty for neither."""
    return f"\x1b[{_ESCAPES[how]}m{text}\x1b[0m" if how and text else text


def columns(
    rows: Sequence[Sequence[str]], styles: Sequence[str] = (), indent: int = 2, width: int | None = None
) -> list[str]:
    """Align rows of cells, two spaces apart; wrap the last cell where a width is given and leaves room for it."""
    count = max((len(row) for row in rows), default=0)
    widths = [max((cells(row[i]) for row in rows if i < len(row) - 1), default=0) for i in range(count)]
    lines: list[str] = []
    for row in rows:
        styled = [style(pad(cell, widths[i]), _at(styles, i)) for i, cell in enumerate(row[:-1])]
        start = indent + sum(widths[i] + 2 for i in range(len(row) - 1))
        last = wrap(row[-1], width - start - 1) if width and width - start > 24 else row[-1].split("\n")
        lead = " " * indent + "".join(cell + "  " for cell in styled)
        for number, part in enumerate(last):
            lines.append(((lead if number == 0 else " " * start) + style(part, _at(styles, len(row) - 1))).rstrip())
    return lines


def wrap(text: str, width: int) -> list[str]:
    """Break text into lines of at most `width` cells, at spaces where possible."""
    lines = [""]
    for paragraph in text.split("\n"):
        for word in paragraph.split(" "):
            joined = f"{lines[-1]} {word}" if lines[-1] else word
            if cells(joined) <= width or not lines[-1]:
                lines[-1] = joined
            else:
                lines.append(word)
        lines.append("")
    return lines[:-1]


def cells(text: str) -> int:
    """Return how many cells of a terminal a text takes: Korean letters take two, colours none."""
    bare = _OURS.sub("", text)
    if bare.isascii():
        return len(bare)
    return sum(0 if combining(sign) else 2 if east_asian_width(sign) in "WF" else 1 for sign in bare)


def pad(text: str, width: int) -> str:
    """Fill a text up with spaces."""
    return text + " " * (width - cells(text))


def cut(text: str, width: int | None) -> str:
    """Shorten a text to a number of cells; None leaves it whole."""
    if width is None or cells(text) <= width:
        return text
    kept, room = "", max(width, 1) - 1
    for part in re.split(f"({_OURS.pattern})", text):
        if _OURS.fullmatch(part):
            kept += part
            continue
        for sign in part:
            room -= cells(sign)
            if room < 0:
                return kept + "…" + ("\x1b[0m" if "\x1b" in kept else "")
            kept += sign
    return kept


def _at(styles: Sequence[str], index: int) -> str:
    return styles[index] if index < len(styles) else ""


def _can_show(stream: TextIO, text: str) -> bool:
    try:
        text.encode(stream.encoding or "ascii")
    except (UnicodeError, LookupError):
        return False
    return True
