"""`graphgen run` with worker processes: whatever a node does to its process, the run goes on and says so clearly."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cli_kit import Terminal, workflow


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    return Terminal(tmp_path, packs=("toy", "perils"))


def beside(perilous: dict[str, Any]) -> dict[str, object]:
    """Return a workflow of a perilous node, one that waits for it, and two that have nothing to do with it."""
    return workflow(
        {
            "danger": perilous,
            "after": {"type": "toy.add", "inputs": {"numbers": ["danger.int"]}},
            "slow": {"type": "toy.slow", "settings": {"steps": 2}},
            "note": {"type": "toy.write", "inputs": {"value": "slow.float"}},
        },
        outputs={"after": {"from": "after.float"}, "note": {"from": "note.files"}},
    )


def spinning(terminal: Terminal) -> subprocess.Popen[str]:
    """Start a run of a node that never ends and does not listen; the file `pid` names its worker."""
    danger = {"type": "perils.spin", "settings": {"started": str(terminal.folder / "pid")}}
    file = terminal.save(workflow({"danger": danger}, outputs={"int": {"from": "danger.int"}}))
    process = terminal.start("run", file, "--json", GRAPHGEN_WORKERS="process")
    until((terminal.folder / "pid").exists)
    return process


def until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + 240
    while not condition():
        assert time.monotonic() < end, "waited for too long"
        time.sleep(0.01)


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("raise", "SystemExit: enough; the node called sys.exit, which ends it alone; "),
        ("exit", "its worker process ended with exit code 9; "),
        ("kill", "its worker process was killed (SIGKILL); most likely the system had no memory left; "),
        (
            "segfault",
            "its worker process crashed (SIGSEGV: compiled code used memory that is not its own); ",
        ),
        ("abort", "its worker process gave up (SIGABRT: "),
    ],
)
def test_a_node_that_ends_its_process_fails_alone(terminal: Terminal, how: str, words: str) -> None:
    file = terminal.save(beside({"type": "perils.die", "settings": {"how": how}}))
    answer = terminal.call("run", file, "--json", "--workers", "process")
    assert answer.code == 1, answer.err
    (failed,) = answer.events("node_failed")
    assert failed["node"] == "danger"
    assert failed["message"].startswith(words)
    assert [event["node"] for event in answer.events("node_skipped")] == ["after"]
    assert {event["node"] for event in answer.events("node_finished")} == {"slow", "note"}
    assert len(terminal.written) == 1
    again = terminal.call("run", file, "--json", "--workers", "process")
    assert [event["node"] for event in again.events("node_cached")] == ["note"]


def test_a_node_that_never_ends_is_ended_by_the_time_limit(terminal: Terminal) -> None:
    file = terminal.save(beside({"type": "perils.dawdle"}))
    answer = terminal.call("run", file, "--json", GRAPHGEN_TIME_LIMIT="3")
    assert answer.code == 1, answer.err
    (failed,) = answer.events("node_failed")
    assert failed["message"].startswith("it took longer than the 3 s of time_limit; ")
    assert len(terminal.written) == 1


def test_ctrl_c_ends_a_node_that_does_not_listen(terminal: Terminal) -> None:
    process = spinning(terminal)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=240)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert json.loads(out.splitlines()[-1])["status"] == "cancelled"
    assert gone(int((terminal.folder / "pid").read_text()))


def test_workers_die_with_the_engine(terminal: Terminal) -> None:
    process = spinning(terminal)
    worker = int((terminal.folder / "pid").read_text())
    assert worker != process.pid
    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=240)
    until(lambda: gone(worker))


@pytest.mark.parametrize("workers", ["thread", "process"])
def test_what_nodes_print_leaves_the_json_alone(terminal: Terminal, workers: str) -> None:
    file = terminal.save(workflow({"talk": {"type": "perils.speak"}}, outputs={"words": {"from": "talk.str"}}))
    answer = terminal.call("run", file, "--json", "--workers", workers)
    assert answer.code == 0, answer.err
    assert [line["event"] for line in answer.lines][-1] == "run_finished"
    assert {"out loud printed", "out loud original", "out loud below"} <= {*answer.err.splitlines()}


def test_a_limit_that_threads_cannot_keep_is_refused(terminal: Terminal) -> None:
    file = terminal.save(beside({"type": "perils.dawdle"}))
    answer = terminal.call("run", file, "--workers", "thread", GRAPHGEN_TIME_LIMIT="5")
    assert answer.code == 2
    assert (
        "time_limit: cannot be kept with workers = thread; remove it, or set workers to process or auto" in answer.err
    )
    answer = terminal.call("run", file, "--workers", "boat")
    assert "--workers: 'boat' is not allowed; give auto, thread or process" in answer.err
