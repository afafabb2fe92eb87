"""A run as it is told: phases that never go backwards, and why nothing seems to happen."""

from __future__ import annotations

import io
import re
import sys
from pathlib import Path

import pytest
from cli_kit import Terminal, workflow

from graphgen import events
from graphgen.cli.progress import Progress
from graphgen.cli.screen import Screen


class Stream(io.StringIO):
    """Standard output, on a terminal or not."""

    encoding = "utf-8"

    def __init__(self, *, terminal: bool) -> None:
        super().__init__()
        self.terminal = terminal

    def isatty(self) -> bool:
        return self.terminal


class Watched:
    """A Progress with a clock that is moved by hand."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, terminal: bool) -> None:
        monkeypatch.setenv("TERM", "xterm")
        monkeypatch.setenv("COLUMNS", "100")
        self.now = 0.0
        self.out = Stream(terminal=terminal)
        self.progress = Progress(Screen(self.out, self.out), ["sample"], clock=lambda: self.now)

    def tell(self, *told: events.Event) -> list[str]:
        """Tell events, let two seconds pass, and return what was written since."""
        begun = len(self.out.getvalue())
        for event in told:
            self.progress(event)
        self.now += 2
        self.progress.tick()
        written = re.sub("\x1b\\[[0-9;]*[mK]", "", self.out.getvalue()[begun:])
        return [line.rstrip() for line in re.split("[\r\n]", written) if line.strip()]


def phases(watched: Watched) -> list[str]:
    """Load weights, then take steps."""
    shown = watched.tell(events.NodeStarted("sample", "cpu"))
    for done in (500_000, 1_000_000):
        shown += watched.tell(events.NodeProgress("sample", done, 1_000_000, "loading"))
    for done in (1, 2, 4):
        shown += watched.tell(events.NodeProgress("sample", done, 4))
    return shown


def test_loading_has_no_bar_so_that_the_bar_only_grows(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = phases(Watched(monkeypatch, terminal=True))
    assert any("loading 50 %" in line for line in shown)
    filled = [line.count("━") for line in shown if "━" in line or "─" in line]
    assert filled
    assert filled == sorted(filled)
    assert not any("loading" in line and "─" in line for line in shown)


def test_lines_name_the_phase(monkeypatch: pytest.MonkeyPatch) -> None:
    assert phases(Watched(monkeypatch, terminal=False)) == [
        "▸ sample   running",
        "  sample   loading  50 %",
        "  sample      25 %  1/4",
        "  sample      50 %  2/4",
    ]


@pytest.mark.parametrize("terminal", [True, False])
def test_what_was_yielded_is_counted(monkeypatch: pytest.MonkeyPatch, *, terminal: bool) -> None:
    watched = Watched(monkeypatch, terminal=terminal)
    watched.progress(events.NodeStarted("sample", "cpu"))
    shown = watched.tell(events.NodePartial("sample", 1_200, {"images": "image 1x3x64x64"}))
    assert "1,200 so far" in " ".join("".join(shown).split())


@pytest.mark.parametrize("terminal", [True, False])
@pytest.mark.parametrize("total", [16, 17, 0])
def test_turns_beyond_some_number_are_counted_and_not_named(
    monkeypatch: pytest.MonkeyPatch, total: int, *, terminal: bool
) -> None:
    watched = Watched(monkeypatch, terminal=terminal)
    told = watched.tell(
        events.NodeStarted("sample", "zone"),
        events.NodeProgress("sample", 0, total, "turns"),
        *(events.NodeStarted(f"sample/{turn}/blur", "cpu") for turn in range(16)),
    )
    told += watched.tell(events.NodeProgress("sample", 17 if total == 0 else 12, total, "turns"))
    after = watched.tell(
        events.NodeCached("sample/12/blur", "disk"),
        events.NodeFinished("sample/13/blur", 2.0, {}),
        events.NodeStarted("sample/16/blur", "cpu"),
        events.NodeFailed("sample/14/blur", "images.blur", "too large", "", ""),
    )
    named = {name for name in re.findall(r"sample/\d+", "".join(after)) if total != 16}
    assert "sample/14" in "".join(after), "what fails is always named"
    if total == 16:
        assert "sample/12" in "".join(after)
        return
    assert named == {"sample/14"}
    if total:
        assert not any("sample/" in line for line in told)
        assert any("12/17" in line for line in told)
    assert watched.tell(events.NodeFinished("sample", 3.0, {}))[-1].split()[:2] == ["✓", "sample"]
    assert watched.progress.inside == 1


@pytest.mark.parametrize("terminal", [True, False])
def test_waiting_is_told_once_with_its_reason(monkeypatch: pytest.MonkeyPatch, *, terminal: bool) -> None:
    watched = Watched(monkeypatch, terminal=terminal)
    assert "waits for another run that computes the same" in " ".join(
        "".join(watched.tell(events.NodeWaiting("sample"))).split()
    )
    if not terminal:
        assert watched.tell() == []
    after = watched.tell(events.NodeStarted("sample", "cpu"))
    assert not any("waits" in line for line in after)
    assert watched.tell(events.NodeCached("sample", "disk"))[-1].split()[-1] == "cached"


def test_who_was_said_to_run_is_named_at_the_end_in_a_run_of_many(monkeypatch: pytest.MonkeyPatch) -> None:
    watched = Watched(monkeypatch, terminal=False)
    names = [f"n{number}" for number in range(100)]
    watched.progress = Progress(Screen(watched.out, watched.out), names, clock=lambda: watched.now)
    assert watched.tell(events.NodeWaiting("n1"), events.NodeStarted("n2", "cpu")) != []
    told = watched.tell(events.NodeCached("n1", "disk"), events.NodeSkipped("n2", "'n0' failed", "failed", "n0"))
    assert [line.split()[:3] for line in told] == [["○", "n1", "cached"], ["–", "n2", "skipped"]]
    assert watched.tell(events.NodeCached("n3", "disk"), events.NodeSkipped("n4", "'n0' failed", "failed", "n0")) == []


@pytest.mark.skipif(sys.platform == "win32", reason="claims have no links there")
def test_a_second_process_says_what_it_waits_for(tmp_path: Path) -> None:
    terminal, gate = Terminal(tmp_path), tmp_path / "gate"
    nodes = {"long": {"type": "toy.gated", "settings": {"gate": str(gate)}}}
    file = terminal.save(workflow(nodes, outputs={"n": {"from": "long.float"}}))
    with terminal.start("run", file, "--json") as first:
        assert first.stdout is not None
        assert any('"node_started"' in line and '"long"' in line for line in iter(first.stdout.readline, ""))
        with terminal.start("run", file) as second:
            assert second.stdout is not None
            told = []
            for line in iter(second.stdout.readline, ""):
                told.append(line)
                if "waits" in line:
                    gate.touch()
            assert second.wait(timeout=240) == 0, second.stderr and second.stderr.read()
        assert first.communicate(timeout=240)[1] == ""
    out = "".join(told)
    assert (first.returncode, out.count("waits  for another run that computes the same")) == (0, 1)
    assert re.search(r"○ long +cached", out)
