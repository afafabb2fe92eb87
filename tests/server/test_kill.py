"""(26) A server that is killed at any moment has lost nothing that it has acknowledged, and does nothing twice.

Real processes, `kill -9` at random moments, and the count of what is there afterwards. `GRAPHGEN_KILLS=50` kills more
often than the eight times of every test run.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import aiohttp
import pytest
from cli_kit import Terminal, workflow
from server import server_kit
from server.server_kit import Process

Start: TypeAlias = Callable[..., Process]
KILLS = int(os.environ.get("GRAPHGEN_KILLS", "8"))


@pytest.fixture
def start() -> Iterator[Start]:
    """Start servers, none of which outlives the test, however that ends."""
    started: list[Process] = []

    def begin(terminal: Terminal, *arguments: str) -> Process:
        started.append(server_kit.start(terminal, *arguments))
        return started[-1]

    yield begin
    for server in started:
        if server.process.poll() is None:
            server.kill()


def job(number: int) -> dict[str, Any]:
    """A workflow of three nodes that takes a moment and writes one file, another one for each number."""
    return workflow(
        {
            "number": {"type": "toy.number", "settings": {"value": number}},
            "slow": {
                "type": "toy.slow",
                "inputs": {"value": "number.float"},
                "settings": {"steps": 3, "pause": 0.003},
            },
            "write": {"type": "toy.write", "inputs": {"value": "slow.float"}, "settings": {"name": f"job{number}"}},
        }
    )


async def keep_asking(server: Process, acknowledged: dict[int, str], first: int) -> None:
    """Put runs in line until the server dies, and remember those that it has acknowledged."""
    for number in range(first, first + 10_000):
        body = {"workflow": job(number)}
        try:
            answer = await server.client.call_async("POST", "/api/runs", body, Idempotency_Key=f"job {number}")
        except (aiohttp.ClientError, ConnectionError, TimeoutError):
            return
        assert answer.status in (200, 201), answer.body
        acknowledged[number] = answer.json["id"]
        await asyncio.sleep(0.01)


def kill_while_asking(server: Process, acknowledged: dict[int, str], after: float) -> None:
    """Ask for runs, and kill the server some time later."""

    async def both() -> None:
        asking = asyncio.create_task(keep_asking(server, acknowledged, max(acknowledged, default=-1) + 1))
        while not acknowledged:
            await asyncio.sleep(0.01)
        await asyncio.sleep(after)
        server.process.kill()
        await asking

    server.client.run(both())
    server.kill()


@pytest.mark.skipif(os.name != "posix", reason="kills as POSIX does")
@pytest.mark.timeout(3600)
def test_26_kill_at_random_moments_loses_nothing(tmp_path: Path, start: Start) -> None:
    terminal, acknowledged = Terminal(tmp_path), dict[int, str]()
    chance = random.Random(26)
    for _ in range(KILLS):
        kill_while_asking(start(terminal), acknowledged, chance.uniform(0.0, 0.6))
    server = start(terminal)
    try:
        assert acknowledged
        for number, run in acknowledged.items():
            view = server.client.wait(run)
            assert view["status"] == "done", view
            (file,) = view["files"]
            assert server.client.get(file["url"]).body == f"value: {float(number)}".encode()
            again = server.client.call("POST", "/api/runs", {"workflow": job(number)}, Idempotency_Key=f"job {number}")
            assert (again.status, again.json["id"]) == (200, run)
            events = server.client.events(run)
            assert [event["event"] for event in events].count("run_finished") == 1
            assert [event["event"] for event in events].count("run_queued") == 1
        listed: set[str] = set()
        before = 0
        while before is not None:
            page = server.client.get(f"/api/runs?limit=500&before={before}").json
            listed |= {run["id"] for run in page["runs"]}
            before = page["next"]
        assert set(acknowledged.values()) <= listed
        whole = [name for name in terminal.written if not name.startswith(".")]
        assert {name.rpartition("-")[0] for name in whole} >= {f"job{number}" for number in acknowledged}
        assert len({name.rpartition("-")[0] for name in whole}) == len(whole)
    finally:
        assert server.stop() == 0


@pytest.mark.skipif(os.name != "posix", reason="kills as POSIX does")
def test_26_an_interrupted_run_goes_on_from_what_is_cached(tmp_path: Path, start: Start) -> None:
    terminal, gate = Terminal(tmp_path), tmp_path / "gate"
    document = workflow(
        {
            "slow": {"type": "toy.slow", "settings": {"steps": 2}},
            "gate": {"type": "toy.gated", "inputs": {"value": "slow.float"}, "settings": {"gate": str(gate)}},
            "write": {"type": "toy.write", "inputs": {"value": "gate.float"}},
        }
    )
    server = start(terminal)
    run = server.client.submit(document)["id"]
    queued = [server.client.submit(job(number))["id"] for number in range(3)]

    def at_the_gate(heard: list[dict[str, Any]]) -> bool:
        return any(event["event"] == "node_started" and event["node"] == "gate" for event in heard)

    server.client.run(server.client.stream(f"/api/events?run={run}&after=0", at_the_gate))
    server.client.wait(server.client.submit(document, targets=["slow"])["id"])  # at its end all that is kept is on disk
    server.kill()
    gate.touch()
    server = start(terminal)
    done = server.client.wait(run)
    assert (done["status"], done["attempts"]) == ("done", 2)
    events = server.client.events(run)
    names = [event["event"] for event in events]
    later = events[names.index("run_interrupted") :]
    assert [event["node"] for event in later if event["event"] == "node_started"] == ["gate", "write"]
    assert [event["node"] for event in later if event["event"] == "node_cached"] == ["slow"]
    assert all(server.client.wait(waiting)["status"] == "done" for waiting in queued)
    assert server.stop() == 0


@pytest.mark.skipif(os.name != "posix", reason="kills as POSIX does")
def test_26_who_watches_goes_on_after_a_kill_and_is_told_everything_once(tmp_path: Path, start: Start) -> None:
    terminal, heard = Terminal(tmp_path), list[dict[str, Any]]()
    runs: list[str] = []
    for turn in range(3):
        server = start(terminal, "--at-once", "1")
        runs += [server.client.submit(job(10 * turn + number))["id"] for number in range(4)]
        last = str(heard[-1]["id"]) if heard else "0"
        listening = server.client.stream("/api/events", lambda found: len(over(found)) == 2, Last_Event_ID=last)
        found = server.client.run(listening)
        heard += [event for event in found if "id" in event]
        server.kill()
    server = start(terminal)
    found = server.client.run(
        server.client.stream(
            "/api/events", lambda more: len(over([*heard, *more])) == len(runs), Last_Event_ID=str(heard[-1]["id"])
        )
    )
    heard += [event for event in found if "id" in event]
    numbers = [event["id"] for event in heard]
    assert numbers == sorted(set(numbers))
    assert sorted(event["run"] for event in over(heard)) == sorted(runs)
    for run in runs:
        written = [event for event in server.client.events(run) if event["id"] <= numbers[-1]]
        assert [event for event in heard if event["run"] == run] == written
    assert server.stop() == 0


def over(heard: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [event for event in heard if event["event"] == "run_finished"]


@pytest.mark.skipif(os.name != "posix", reason="stops as POSIX does")
def test_a_server_that_is_stopped_puts_back_what_it_was_at(tmp_path: Path, start: Start) -> None:
    terminal, gate = Terminal(tmp_path), tmp_path / "gate"
    document = workflow(
        {"gate": {"type": "toy.gated", "settings": {"gate": str(gate)}}}, outputs={"g": {"from": "gate.float"}}
    )
    server = start(terminal)
    run = server.client.submit(document)["id"]
    server.client.wait(run, lambda view: view["status"] == "running")
    assert server.stop() == 0
    gate.touch()
    server = start(terminal)
    assert (server.client.wait(run)["status"], server.client.wait(run)["attempts"]) == ("done", 1)
    assert server.stop() == 0


@pytest.mark.skipif(os.name != "posix", reason="kills as POSIX does")
def test_what_was_cancelled_stays_cancelled(tmp_path: Path, start: Start) -> None:
    terminal = Terminal(tmp_path)
    document = workflow(
        {"gate": {"type": "toy.gated", "settings": {"gate": "nowhere"}}}, outputs={"g": {"from": "gate.float"}}
    )
    server = start(terminal, "--at-once", "1")
    first, second = server.client.submit(document)["id"], server.client.submit(document)["id"]
    server.client.wait(first, lambda view: view["status"] == "running")
    assert server.client.call("DELETE", f"/api/runs/{second}").status == 200
    assert server.client.call("DELETE", f"/api/runs/{first}").status in (200, 202)
    server.kill()
    server = start(terminal)
    assert [server.client.wait(run)["status"] for run in (first, second)] == ["cancelled", "cancelled"]
    assert server.stop() == 0


def test_two_servers_do_not_share_a_folder(tmp_path: Path, start: Start) -> None:
    terminal = Terminal(tmp_path)
    server = start(terminal)
    try:
        answer = terminal.call("serve", "--no-browser", "--port", "0")
        assert answer.code == 2
        assert "another server works here" in answer.err
    finally:
        assert server.stop() == 0
