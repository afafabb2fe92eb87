"""What a terminal shows: the live line, colour and its absence, alignment, and nothing a stranger could command."""

from __future__ import annotations

import io
import os
import pty
import subprocess
from pathlib import Path

import pytest
from cli_kit import COMMAND, Terminal, a_sum

from graphgen.cli.screen import Screen, cells, columns, cut, style, wrap
from graphgen.cli.words import duration, limits, size, value_text
from graphgen.jsontypes import JSON


def on_a_terminal(terminal: Terminal, *arguments: str, **environment: str) -> str:
    """Call graphgen on a pseudo-terminal and return all it wrote there."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, *arguments],
        cwd=terminal.folder,
        env=terminal.environment(**{"TERM": "xterm", "COLUMNS": "80", **environment}),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    parts = []
    try:
        while part := os.read(ours, 65536):
            parts.append(part)
    except OSError:
        pass  # how Linux says that the other side is closed
    finally:
        os.close(ours)
    assert process.wait(timeout=240) == 0
    return b"".join(parts).decode().replace("\r\n", "\n")


def test_a_terminal_gets_a_live_line_and_colour(tmp_path: Path) -> None:
    terminal = Terminal(tmp_path)
    terminal.save(a_sum(steps=20, pause=0.1))
    shown = on_a_terminal(terminal, "run", "workflow.json")
    live = [part for line in shown.split("\n") for part in line.split("\r") if "/20" in part]
    assert len(live) > 1
    assert all("long" in part for part in live)
    assert any("━" in part for part in live)
    assert all(cells(part.replace("\x1b[K", "")) < 80 for part in live)
    assert "\x1b[32m✓\x1b[0m" in shown
    assert shown.rstrip().split("\n")[-1].startswith("\x1b[32mdone\x1b[0m in ")


def test_no_color_keeps_the_live_line_and_drops_colour(tmp_path: Path) -> None:
    terminal = Terminal(tmp_path)
    terminal.save(a_sum(steps=5, pause=0.1))
    shown = on_a_terminal(terminal, "run", "workflow.json", NO_COLOR="1")
    assert "\x1b[K" in shown
    assert "\x1b" not in shown.replace("\x1b[K", "")


def test_a_dumb_terminal_gets_plain_lines(tmp_path: Path) -> None:
    terminal = Terminal(tmp_path)
    terminal.save(a_sum())
    shown = on_a_terminal(terminal, "run", "workflow.json", TERM="dumb")
    assert "✓ note" in shown
    assert "\x1b" not in shown
    assert "\r" not in shown


def test_a_stream_without_unicode_gets_ascii(tmp_path: Path) -> None:
    terminal = Terminal(tmp_path)
    answer = terminal.call("run", terminal.save(a_sum()), "--set", "title=사과", PYTHONIOENCODING="ascii")
    assert answer.code == 0, answer.err
    assert "+ note" in answer.out
    assert answer.out.isascii()


def test_control_characters_are_shown_and_never_sent() -> None:
    out = io.StringIO()
    Screen(out, out).line("a\x1b[2Jb\x07c\rd\u202ee" + style("f", "red"))
    assert out.getvalue() == "a\\x1b[2Jb\\x07c\\rd\\u202eef\n"


def test_columns_align_and_wrap_the_last_cell() -> None:
    rows = [("name", "사과", "one two three four five six seven"), ("x", "y", "z")]
    assert columns(rows, width=44) == [
        "  name  사과  one two three four five six",
        "              seven",
        "  x     y     z",
    ]


def test_texts_are_cut_and_wrapped_by_the_cells_they_take() -> None:
    assert cut("abcdef", 4) == "abc…"
    assert cut("사과사과", 5) == "사과…"
    assert cut(style("abcdef", "red"), 4) == "\x1b[31mabc…\x1b[0m"
    assert cut("abc", None) == "abc"
    assert wrap("one two\nthree", 5) == ["one", "two", "three"]
    assert cells("e\u0301") == 1


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.0004, "0 ms"), (0.08, "80 ms"), (0.5, "0.5 s"), (9.96, "10 s"), (59.7, "1 min 00 s"), (3725, "1 h 02 min")],
)
def test_durations_are_short(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_sizes_are_short() -> None:
    assert [size(count) for count in (0, 1023, 1536, 20 << 30)] == ["0 B", "1023 B", "1.5 KiB", "20 GiB"]


@pytest.mark.parametrize(
    ("schema", "text"),
    [
        ({"type": "integer", "minimum": 0, "maximum": 2**53 - 1}, "0 … 2^53-1"),
        ({"type": "number", "exclusiveMinimum": 0, "maximum": 1}, "more than 0, at most 1"),
        ({"enum": ["png", "jpeg", "webp"]}, "png, jpeg or webp"),
        ({"const": "only"}, "only"),
        ({"anyOf": [{"type": "integer", "minimum": 1}, {"type": "null"}]}, "at least 1"),
        ({"type": "integer", "multipleOf": 8, "minimum": 8, "maximum": 64}, "8 … 64, multiple of 8"),
        ({"type": "string", "widget": {"kind": "file", "root": "models"}}, "a file in models"),
        ({"type": "string", "pattern": "^#[0-9a-f]{6}$"}, "like ^#[0-9a-f]{6}$"),
        ({"type": "array", "minItems": 1}, "at least 1 of them"),
        ({"type": "string"}, ""),
    ],
)
def test_limits_are_told_in_words(schema: dict[str, JSON], text: str) -> None:
    assert limits(schema) == text


def test_values_read_as_in_a_workflow() -> None:
    assert [value_text(value) for value in (7.0, 0.5, "사과", True, None)] == ["7", "0.5", '"사과"', "true", ""]
