"""Much at once: a long line, many who watch, a large workflow and a large body, and everybody is answered meanwhile."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import aiohttp
from engine_kit import N, workflow
from server.server_kit import Client, serving
from server.test_runs import SUM, gated

from graphgen.server.settings import Limits


async def put_in_line(client: Client, session: aiohttp.ClientSession, count: int) -> list[str]:
    """Submit runs over a few connections."""
    numbers, found = iter(range(count)), list[str]()

    async def submit() -> None:
        for number in numbers:
            body = {"workflow": SUM, "parameters": {"extra": number % 3}}
            async with session.post(f"{client.address}/api/runs", json=body, headers=client.headers()) as answer:
                found.append((await answer.json())["id"])

    await asyncio.gather(*(submit() for _ in range(8)))
    return found


def test_a_thousand_runs_wait_while_a_hundred_watch_and_all_are_done(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    with serving(tmp_path, at_once=1) as client:
        first = client.submit(gated(gate))["id"]

        async def watch(session: aiohttp.ClientSession, query: str, count: int) -> int:
            done = 0
            address = f"{client.address}/api/socket?after=0{query}"
            async with session.ws_connect(address, headers=client.headers()) as socket:
                while done < count:
                    done += json.loads(await socket.receive_str())["event"] == "run_finished"
            return done

        async def all_of_it() -> list[int]:
            async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
                whole = [asyncio.create_task(watch(session, "", 1_001)) for _ in range(5)]
                runs = await put_in_line(client, session, 1_000)
                single = [asyncio.create_task(watch(session, f"&run={run}", 1)) for run in runs[:95]]
                queue = (await client.call_async("GET", "/api/queue")).json
                assert queue["running"] == [first]
                assert sorted(queue["waiting"]) == sorted(runs)
                assert (await client.call_async("GET", "/")).status == 200
                gate.touch()
                return await asyncio.gather(*whole, *single)

        assert client.run(all_of_it()) == [1_001] * 5 + [1] * 95
        assert client.get("/api/system").json["runs"] == {"done": 1_001}


def test_a_line_that_is_full_says_so(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    with serving(tmp_path, at_once=1, limits=Limits(queued=2)) as client:
        first = client.submit(gated(gate))["id"]
        client.wait(first, lambda view: view["status"] == "running")
        waiting = [client.submit(SUM, key=f"{number}")["id"] for number in range(2)]
        answer = client.call("POST", "/api/runs", {"workflow": SUM})
        assert (answer.status, answer.kind) == (429, "queue-full")
        assert client.submit(SUM, key="1")["id"] == waiting[1]
        gate.touch()
        assert [client.wait(run)["status"] for run in waiting] == ["done", "done"]


def test_others_are_answered_while_a_large_workflow_is_taken_in_and_run(tmp_path: Path) -> None:
    nodes = {f"n{number}": N("maths.number", {"value": number}) for number in range(10_000)}
    large = workflow(nodes, *(f"{name}.int" for name in list(nodes)[:3]))
    with serving(tmp_path) as client:

        async def beside() -> tuple[str, int]:
            taking = asyncio.create_task(
                client.call_async("POST", "/api/runs", {"workflow": large, "targets": list(nodes)})
            )
            answered = 0
            while not taking.done():
                assert (await client.call_async("GET", "/api/queue")).status == 200
                answered += 1
            answer = await taking
            assert answer.status == 201, answer.body
            return answer.json["id"], answered

        run, answered = client.run(beside())
        assert answered > 0
        done = client.wait(run)
        assert (done["status"], done["ran"]) == ("done", 10_000)
        events = client.events(run)
        while more := client.events(run, events[-1]["id"]):
            events += more
        told = [event["node"] for event in events if event["event"] == "node_finished"]
        assert len(told) == len(set(told)) == 10_000


def test_a_body_of_ten_megabytes_is_taken_in(tmp_path: Path) -> None:
    text = "a" * 10_000_000
    with serving(tmp_path) as client:
        run = client.submit(workflow({"word": N("toy.speak", {"message": text})}, "word.str"))
        assert client.wait(run["id"])["status"] == "done"
        assert len(client.get(f"/api/runs/{run['id']}/workflow").body) > 10_000_000
        assert len(client.get("/api/runs").body) < 10_000
