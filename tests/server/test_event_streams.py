"""Events as they come: the same by both ways, resumable, and nobody who is slow holds anything up."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import aiohttp
from engine_kit import N, workflow
from server.server_kit import Client, serving
from server.test_runs import SUM, gated

Heard = list[dict[str, Any]]


def over(heard: Heard) -> bool:
    return bool(heard) and heard[-1]["event"] == "run_finished"


def written(heard: Heard) -> Heard:
    return [event for event in heard if "id" in event]


async def by_socket(client: Client, path: str) -> Heard:
    """Listen at the WebSocket until the run is over."""
    heard: Heard = []
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(client.address + path, headers=client.headers()) as socket,
    ):
        while not over(heard):
            heard.append(json.loads(await socket.receive_str()))
    return heard


def test_both_ways_tell_what_is_written_down(tmp_path: Path) -> None:
    with serving(tmp_path) as client:
        run = client.wait(client.submit(SUM)["id"])["id"]
        kept = client.events(run)
        query = f"run={run}&after=0"
        assert written(client.run(client.stream(f"/api/events?{query}", over))) == kept
        assert written(client.run(by_socket(client, f"/api/socket?{query}"))) == kept
        middle = kept[2]["id"]
        resumed = client.run(client.stream(f"/api/events?run={run}", over, Last_Event_ID=str(middle)))
        assert written(resumed) == kept[3:]
        assert [event["id"] for event in kept] == sorted({event["id"] for event in kept})


def test_live_events_come_to_all_who_watch_in_order(tmp_path: Path) -> None:
    with serving(tmp_path) as client:

        async def watch() -> tuple[list[Heard], str]:
            streams = [asyncio.create_task(client.stream("/api/events?after=0", over)) for _ in range(5)]
            sockets = [asyncio.create_task(by_socket(client, "/api/socket?after=0")) for _ in range(5)]
            answer = await client.call_async("POST", "/api/runs", {"workflow": SUM})
            return [written(heard) for heard in await asyncio.gather(*streams, *sockets)], answer.json["id"]

        heard, run = client.run(watch())
        assert all(events == client.events(run) for events in heard)


def test_progress_and_previews_pass_by_and_are_not_kept(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    with serving(tmp_path) as client:
        run = client.submit(gated(gate))["id"]

        def progressing(heard: Heard) -> bool:
            return any(event["event"] == "node_progress" for event in heard)

        heard = client.run(client.stream(f"/api/events?run={run}&after=0", progressing))
        late = client.run(client.stream(f"/api/events?run={run}", progressing))
        assert [event["event"] for event in late if "id" in event] == []
        assert "id" not in heard[-1]
        gate.touch()
        client.wait(run)
        assert "node_progress" not in [event["event"] for event in client.events(run)]


def test_more_events_than_are_kept_in_memory_come_from_the_store(tmp_path: Path) -> None:
    nodes = {f"n{number}": N("maths.number", {"value": number}) for number in range(900)}
    many = workflow({**nodes, "all": N("maths.total", values=[f"{name}.int" for name in nodes])}, "all.int")
    with serving(tmp_path) as client:
        runs = [client.wait(client.submit(many, force="all")["id"])["id"] for _ in range(4)]
        last = client.events(runs[-1])[-1]["id"]
        assert last > 5000

        def all_there(heard: Heard) -> bool:
            return bool(heard) and heard[-1]["id"] == last

        heard = client.run(client.stream("/api/events?after=0", all_there))
        assert [event["id"] for event in heard] == list(range(1, last + 1))
        own = client.run(client.stream(f"/api/events?after=0&run={runs[0]}", over))
        assert {event["run"] for event in own} == {runs[0]}


def test_a_client_that_reads_nothing_holds_nothing_up(tmp_path: Path) -> None:
    with serving(tmp_path) as client:

        async def beside_sleepers() -> None:
            async with aiohttp.ClientSession() as session:
                sleepers = [
                    await session.ws_connect(f"{client.address}/api/socket?after=0", headers=client.headers())
                    for _ in range(20)
                ]
                for number in range(10):
                    body = {"workflow": SUM, "parameters": {"extra": number}}
                    answer = await client.call_async("POST", "/api/runs", body)
                    done = await client.wait_async(answer.json["id"])
                    assert done["status"] == "done"
                for sleeper in sleepers:
                    await sleeper.close()

        client.run(beside_sleepers())


def test_streams_end_when_the_server_stops_and_go_on_after_it(tmp_path: Path) -> None:
    with serving(tmp_path) as client:
        first = client.events(client.wait(client.submit(SUM)["id"])["id"])
    with serving(tmp_path) as client:
        run = client.submit(SUM)["id"]
        heard = client.run(client.stream("/api/events", over, Last_Event_ID=str(first[-1]["id"])))
        assert written(heard) == client.events(client.wait(run)["id"])


def test_only_so_many_streams_are_open_at_once(tmp_path: Path) -> None:
    from graphgen.server.settings import Limits

    with serving(tmp_path, limits=Limits(watchers=1)) as client:

        async def two() -> int:
            async with (
                aiohttp.ClientSession() as session,
                session.get(f"{client.address}/api/events", headers=client.headers()) as first,
            ):
                await first.content.readline()
                return (await client.call_async("GET", "/api/events")).status

        assert client.run(two()) == 429
        assert client.get("/api/events", Last_Event_ID="x").status == 400
