"""What the server costs: runs put in line, runs of nothing finished, and an unchanged workflow sent again.

A server in a process of its own, over HTTP at a real port, everything on disk before it is acknowledged. Compared with
ComfyUI 0.3.64 on a machine of this class, which keeps all of it in memory.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import Any

import aiohttp

from benchmarks.measure import Measurement

_MANY = 2_000
COMFY_SUBMISSIONS, COMFY_FINISHED, COMFY_UNCHANGED = 2700.0, 1600.0, 3.0
_COMMAND = "import sys; from graphgen.cli import main; sys.exit(main())"
_NOTHING = {"graphgen": 1, "nodes": {"n": {"type": "values.number"}}, "outputs": {"n": {"from": "n.float"}}}


def measure() -> Iterator[Measurement]:
    """Yield the figures."""
    with tempfile.TemporaryDirectory() as folder, _server(Path(folder)) as (address, token, process):
        began = _processor_time(process)
        submissions, finished = asyncio.run(_many(address, token, _MANY))
        spent = _processor_time(process) - began
        unchanged = asyncio.run(_unchanged(address, token, 200))
        wide = asyncio.run(_once(address, token, _wide(10_000)))
    yield _against("submissions a second", submissions, "1/s", COMFY_SUBMISSIONS)
    yield _against("finished runs of one cached node a second", finished, "1/s", COMFY_FINISHED)
    if spent:
        yield Measurement(
            "server", "such a run, from its submission to its end, processor time", spent / _MANY * 1e3, "ms"
        )
    yield _against("an unchanged run, from its submission to its end", unchanged * 1e3, "ms", COMFY_UNCHANGED)
    yield Measurement("server", "10,000 cheap nodes, from their submission to their end", wide, "s")


def _against(name: str, value: float, unit: str, theirs: float) -> Measurement:
    return Measurement("server", name, value, unit, None, f"ComfyUI {theirs:g} {unit}", value / theirs)


def _wide(count: int) -> dict[str, Any]:
    """Return a workflow of many cheap nodes, which run in the server's own process."""
    nodes = {f"n{number}": {"type": "values.number", "settings": {"value": number}} for number in range(count)}
    return {"graphgen": 1, "nodes": nodes, "outputs": {name: {"from": f"{name}.float"} for name in nodes}}


@contextmanager
def _server(folder: Path) -> Iterator[tuple[str, str, int]]:
    """Start a server in an empty folder."""
    roots = {f"GRAPHGEN_{name}_DIR": str(folder / name.lower()) for name in ("CACHE", "DATA", "OUTPUTS", "INPUTS")}
    process = subprocess.Popen(
        [sys.executable, "-c", _COMMAND, "serve", "--no-browser", "--port", "0"],
        cwd=folder,
        env={**os.environ, **roots},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        found = re.search(r"(http://\S+?)/\?token=(\S+)", process.stdout.readline())
        assert found is not None
        yield found[1], found[2], process.pid
    finally:
        process.terminate()
        process.communicate()


def _processor_time(process: int) -> float:
    """Return the seconds of processor time that a process has used, all its threads together; 0 where nobody says."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:  # no Linux
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def _many(address: str, token: str, count: int) -> tuple[float, float]:
    """Put runs in line over 16 connections, and wait until all are done; return both in runs a second."""
    body = json.dumps({"workflow": _NOTHING}).encode()
    async with _session(token) as session:
        await _finished(session, address, await _submit(session, address, body))
        began = perf_counter()
        numbers = iter(range(count))

        async def submit() -> list[str]:
            return [await _submit(session, address, body) for _ in numbers]

        batches = await asyncio.gather(*(submit() for _ in range(16)))
        submitted = perf_counter() - began
        for run in (batch[-1] for batch in batches):
            await _finished(session, address, run)
        return count / submitted, count / (perf_counter() - began)


async def _unchanged(address: str, token: str, count: int) -> float:
    """Return the seconds of the median unchanged run, one after another, its end told by the socket."""
    body = json.dumps({"workflow": _NOTHING}).encode()
    took: list[float] = []
    async with _session(token) as session, session.ws_connect(f"{address}/api/socket") as socket:
        for _ in range(count):
            began = perf_counter()
            await _submit(session, address, body)
            while json.loads(await socket.receive_str())["event"] != "run_finished":
                pass
            took.append(perf_counter() - began)
    return sorted(took)[count // 2]


async def _once(address: str, token: str, workflow: dict[str, Any]) -> float:
    """Return the seconds that a workflow takes, checked, carried out, and each event written down."""
    async with _session(token) as session, session.ws_connect(f"{address}/api/socket") as socket:
        began = perf_counter()
        await _submit(session, address, json.dumps({"workflow": workflow}).encode())
        while json.loads(await socket.receive_str())["event"] != "run_finished":
            pass
        return perf_counter() - began


def _session(token: str) -> aiohttp.ClientSession:
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    return aiohttp.ClientSession(headers=headers, connector=aiohttp.TCPConnector(limit=32))


async def _submit(session: aiohttp.ClientSession, address: str, body: bytes) -> str:
    async with session.post(f"{address}/api/runs", data=body) as answer:
        assert answer.status == 201, await answer.text()
        return str((await answer.json())["id"])


async def _get(session: aiohttp.ClientSession, url: str) -> Any:
    async with session.get(url) as answer:
        return await answer.json()


async def _finished(session: aiohttp.ClientSession, address: str, run: str) -> None:
    while (await _get(session, f"{address}/api/runs/{run}"))["ended"] is None:
        await asyncio.sleep(0.01)
