"""(27) Faults of the machine while runs are at work: nothing that was acknowledged is lost, and all goes on later."""

from __future__ import annotations

import logging
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from server.server_kit import serving
from server.test_runs import SUM, gated

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
