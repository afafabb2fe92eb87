"""Stopping `graphgen run`: Ctrl-C once and twice, SIGTERM, and a reader who goes away."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path

import pytest
from cli_kit import Terminal, workflow


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    return Terminal(tmp_path)


def endless(**settings: object) -> dict[str, object]:
    """Return a workflow whose first node is done soon and whose second one takes minutes."""
    nodes = {
        "short": {"type": "toy.slow", "settings": {"steps": 1, "seed": 5}},
        "long": {"type": "toy.slow", "inputs": {"value": "short.float"}, "settings": settings},
        "note": {"type": "toy.write", "inputs": {"value": "long.float"}},
    }
    return workflow(nodes, parameters={"steps": {"sets": ["long.steps"]}})


def wait_for(process: subprocess.Popen[str], event: str, node: str) -> None:
    """Read events until one of a node comes."""
    assert process.stdout
    for line in process.stdout:
        found = json.loads(line)
        if (found["event"], found.get("node")) == (event, node):
            return
    raise AssertionError(f"no {event} of {node} came")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_cancelling_keeps_what_is_finished_and_leaves_nothing_half_written(
    terminal: Terminal, number: signal.Signals, code: int
) -> None:
    file = terminal.save(endless(steps=5000, pause=0.05))
    process = terminal.start("run", file, "--json")
    wait_for(process, "node_progress", "long")
    process.send_signal(number)
    out, err = process.communicate(timeout=240)
    assert process.returncode == code
    assert "cancelling" in err
    assert "Traceback" not in err
    finished = json.loads(out.splitlines()[-1])
    assert (finished["event"], finished["status"], finished["skipped"]) == ("run_finished", "cancelled", 2)
    assert terminal.written == []
    assert not [path for path in terminal.folder.rglob("*") if path.suffix in (".part", ".tmp")]
    again = terminal.call("run", file, "--set", "steps=2", "--json")
    assert again.code == 0
    assert {event["node"] for event in again.events("node_cached")} == {"short"}
    assert {event["node"] for event in again.events("node_finished")} == {"long", "note"}


def test_a_second_ctrl_c_stops_at_once(terminal: Terminal) -> None:
    process = terminal.start("run", terminal.save(endless(steps=1, pause=60)), "--json")
    wait_for(process, "node_started", "long")
    process.send_signal(signal.SIGINT)
    assert process.stderr
    assert "Ctrl-C again stops at once" in process.stderr.readline()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=240)
    assert process.returncode == 130
    assert "run_finished" not in out
    assert "Traceback" not in err


def test_ctrl_c_for_people_says_what_was_not_done(terminal: Terminal) -> None:
    process = terminal.start("run", terminal.save(endless(steps=5000, pause=0.05)))
    assert process.stdout
    assert any("long" in line for line in iter(process.stdout.readline, "")), "told after a second"
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=240)
    assert process.returncode == 130
    assert "cancelling: what is finished is kept" in err
    assert "– note" in out
    assert out.splitlines()[-1].startswith("cancelled in ")


def test_a_reader_who_goes_away_ends_the_run_without_a_traceback(terminal: Terminal) -> None:
    process = terminal.start("run", terminal.save(endless(steps=5000, pause=0.05)), "--json")
    wait_for(process, "node_started", "long")
    assert process.stdout
    assert process.stderr
    process.stdout.close()
    assert process.wait(timeout=240) == 141
    assert process.stderr.read() == ""
    process.stderr.close()
