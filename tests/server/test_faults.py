"""(27) Faults of the machine while runs are at work: nothing that was acknowledged is lost, and all goes on later."""

from __future__ import annotations

import logging
import sqlite3
import subprocess
import sys
from contextlib import closing
from itertools import count
from pathlib import Path
from shutil import which
from typing import Any

import pytest
from engine_kit import N, workflow
from server.server_kit import serving
from server.test_runs import NOTE, SUM, gated

from graphgen.server import records, submitting

REFUSAL = "CREATE TRIGGER refuse BEFORE UPDATE ON runs BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END"


def test_27_while_nothing_can_be_written_runs_wait_at_their_start_and_at_their_end(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    gate, database = tmp_path / "gate", tmp_path / "data" / "server" / "server.sqlite"
    with serving(tmp_path, at_once=2) as client, closing(sqlite3.connect(database, timeout=60)) as beside:
        first = client.submit(gated(gate))["id"]
        client.wait(first, lambda view: view["status"] == "running")
        beside.execute(REFUSAL)
        second = client.submit(SUM)["id"]
        gate.touch()
        client.wait(first, lambda _: f"the start of the run {second} is not written yet; make room" in caplog.text)
        client.wait(first, lambda _: f"the end of the run {first} is not written yet; make room" in caplog.text)
        assert [client.get(f"/api/runs/{run}").json["status"] for run in (first, second)] == ["running", "queued"]
        caplog.set_level(logging.CRITICAL)
        beside.execute("DROP TRIGGER refuse")
        beside.commit()
        assert [client.wait(run)["status"] for run in (first, second)] == ["done", "done"]


def test_27_a_clock_that_goes_backwards_changes_no_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = count(2_000_000_000, -3_600)
    for module in (records, submitting):
        monkeypatch.setattr(module, "time", lambda: float(next(now)))
    gate = tmp_path / "gate"
    with serving(tmp_path, at_once=1) as client:
        first = client.submit(gated(gate))["id"]
        client.wait(first, lambda view: view["status"] == "running")
        waiting = [client.submit(SUM, parameters={"extra": number})["id"] for number in range(3)]
        assert client.get("/api/queue").json == {"running": [first], "waiting": waiting}
    gate.touch()
    with serving(tmp_path, at_once=1) as client:
        views = [client.wait(run) for run in (first, *waiting)]
        assert [view["status"] for view in views] == ["done"] * 4
        assert all(view["seconds"] >= 0 for view in views)
        listed = client.get("/api/runs").json["runs"]
        assert [run["id"] for run in listed] == [*reversed(waiting), first]
        heard = client.run(client.stream("/api/events?after=0", lambda found: len(over(found)) == 4))
        assert [event["run"] for event in over(heard)] == [first, *waiting]
        assert [event["id"] for event in heard if "id" in event] == sorted(
            event["id"] for event in heard if "id" in event
        )


def over(heard: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [event for event in heard if event["event"] == "run_finished"]


def test_27_outputs_that_cannot_be_written_fail_their_run_and_no_other(tmp_path: Path) -> None:
    outputs = tmp_path / "outputs"
    outputs.write_text("a file where the folder should be")
    with serving(tmp_path) as client:
        failed = client.wait(client.submit(NOTE)["id"])
        assert failed["status"] == "failed"
        (failure,) = failed["failures"]
        assert "outputs" in failure["message"]
        assert client.wait(client.submit(SUM)["id"])["status"] == "done"
        outputs.unlink()
        assert client.wait(client.submit(NOTE)["id"])["files"]


@pytest.mark.skipif(sys.platform != "linux" or not which("mount"), reason="makes a small disk as Linux does")
def test_27_a_disk_that_fills_up_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    disk = tmp_path / "data"
    disk.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "graphgen-test", disk], capture_output=True)
    if made.returncode:
        pytest.skip("only root may make a small disk")
    try:
        acknowledged: list[str] = []
        with serving(tmp_path, at_once=1) as client:
            while len(acknowledged) < 1_000:
                text = f"{len(acknowledged)} {'x' * 20_000}"
                document = workflow({"word": N("toy.speak", {"message": text})}, "word.str")
                answer = client.call("POST", "/api/runs", {"workflow": document})
                if answer.status != 201:
                    break
                acknowledged.append(answer.json["id"])
            assert (answer.status, answer.kind) == (503, "storage")
            assert "make room on the disk" in answer.json["detail"]
            assert client.get("/health").status == 200
            subprocess.run(["mount", "-o", "remount,size=64m", disk], check=True)
            assert {client.wait(run)["status"] for run in acknowledged} == {"done"}
            assert client.wait(client.submit(SUM)["id"])["status"] == "done"
        with serving(tmp_path) as client:
            assert {client.get(f"/api/runs/{run}").json["status"] for run in acknowledged} == {"done"}
    finally:
        subprocess.run(["umount", disk], check=True)
