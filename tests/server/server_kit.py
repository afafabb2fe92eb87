"""A real server at a real port, in a thread or in a process of its own, and a client that talks to it over HTTP."""

from __future__ import annotations

import asyncio
import io
import json
import re
import subprocess
import threading
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import Any, TypeVar

import aiohttp
from aiohttp import web
from cli_kit import Terminal
from engine_kit import config
from packs import maths, probe
from packs.toy import toy

from graphgen.engine import Engine
from graphgen.plugins import module_plugins
from graphgen.registry import Registry, build_registry
from graphgen.server.needs import Machine
from graphgen.server.serving import make_runner
from graphgen.server.settings import Limits, Settings

T = TypeVar("T")
TOKEN = "a-token-for-tests"  # noqa: S105 - it opens nothing
_PATIENCE = 240.0


@cache
def registry() -> Registry:
    """The nodes `maths.*`, `probe.*` and `toy.*`."""
    return build_registry(module_plugins({"maths": maths, "probe": probe, "toy": toy}))


def nothing_here() -> Machine:
    """A machine on which nothing is installed, for what does not ask for anything."""
    return Machine(Registry(), lambda _, name: Path(name))


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)

    @property
    def kind(self) -> str:
        """The kind of a problem document, after looking whether it is one."""
        assert self.headers["Content-Type"].startswith("application/problem+json"), self
        document = self.json
        assert document["status"] == self.status
        return str(document["type"]).removeprefix("urn:graphgen:problem:")


@dataclass
class Client:
    """Calls a server and waits for the answer."""

    address: str
    token: str | None = TOKEN
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Carry out a coroutine."""
        return self._loop.run_until_complete(asyncio.wait_for(work, _PATIENCE))

    def close(self) -> None:
        self._loop.close()

    def headers(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        own = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        return {**own, **(more or {})}

    def call(self, method: str, path: str, body: object = None, **headers: str) -> Answer:
        """Call once; `body` is sent as JSON, bytes as they are. Underscores in headers' names become hyphens."""
        return self.run(self.call_async(method, path, body, **headers))

    async def call_async(self, method: str, path: str, body: object = None, **headers: str) -> Answer:
        named = {name.replace("_", "-"): text for name, text in headers.items()}
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        if body is not None and not isinstance(body, bytes):
            named.setdefault("Content-Type", "application/json")
        options: dict[str, Any] = {"data": None if data is None else io.BytesIO(data), "headers": self.headers(named)}
        async with (
            aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session,
            session.request(method, self.address + path, allow_redirects=False, **options) as response,
        ):
            return Answer(response.status, response.headers.copy(), await response.read())

    def get(self, path: str, **headers: str) -> Answer:
        return self.call("GET", path, **headers)

    def submit(self, workflow: object, key: str | None = None, **more: object) -> dict[str, Any]:
        """Put a run in line."""
        headers = {"Idempotency_Key": key} if key else {}
        answer = self.call("POST", "/api/runs", {"workflow": workflow, **more}, **headers)
        assert answer.status in (200, 201), answer.body.decode()
        found: dict[str, Any] = answer.json
        return found

    def wait(self, run: str, until: Callable[[dict[str, Any]], bool] | None = None) -> dict[str, Any]:
        """Wait until a run is over, or until something is true of it."""
        return self.run(self.wait_async(run, until))

    async def wait_async(self, run: str, until: Callable[[dict[str, Any]], bool] | None = None) -> dict[str, Any]:
        while True:
            found: dict[str, Any] = (await self.call_async("GET", f"/api/runs/{run}")).json
            if (until or (lambda view: view["ended"] is not None))(found):
                return found
            await asyncio.sleep(0.02)

    def events(self, run: str, after: int = 0) -> list[dict[str, Any]]:
        """Return a run's events that are written down."""
        found: list[dict[str, Any]] = self.get(f"/api/runs/{run}/events?after={after}").json["events"]
        return found

    async def stream(
        self, path: str, until: Callable[[list[dict[str, Any]]], bool], **headers: str
    ) -> list[dict[str, Any]]:
        """Listen to server-sent events until something is true of those heard."""
        heard: list[dict[str, Any]] = []
        named = {name.replace("_", "-"): text for name, text in headers.items()}
        async with (
            aiohttp.ClientSession() as session,
            session.get(self.address + path, headers=self.headers(named)) as response,
        ):
            assert response.status == 200, await response.text()
            while not until(heard):
                line = (await response.content.readline()).decode()
                assert line, "the stream ended"
                if line.startswith("data: "):
                    heard.append(json.loads(line.removeprefix("data: ")))
        return heard


@contextmanager
def serving(
    folder: Path, *, limits: Limits | None = None, installed: Registry | None = None, **settings: Any
) -> Iterator[Client]:
    """A server in a thread, its roots in a folder; a second one in the same folder is what comes after a restart."""
    settings = {"token": TOKEN, **settings}
    made = Settings(port=0, limits=limits or Limits(), **settings)
    ready = threading.Event()
    stops: list[Callable[[], object]] = []
    addresses: list[tuple[str, int]] = []

    async def serve(engine: Engine) -> None:
        stop = asyncio.Event()
        stops.append(partial(asyncio.get_running_loop().call_soon_threadsafe, stop.set))
        runner = make_runner(engine, made)
        await runner.setup()
        await web.TCPSite(runner, made.host, 0).start()
        addresses.append(runner.addresses[0][:2])
        ready.set()
        await stop.wait()
        await runner.cleanup()

    def work() -> None:
        with Engine(config(folder), installed or registry()) as engine:
            try:
                asyncio.run(serve(engine))
            finally:
                ready.set()

    thread = threading.Thread(target=work, name="server")
    thread.start()
    ready.wait()
    assert addresses, "the server did not start"
    client = Client(f"http://{addresses[0][0]}:{addresses[0][1]}", made.token)
    try:
        yield client
    finally:
        client.close()
        stops[0]()
        thread.join()


@dataclass
class Process:
    """A server in a process of its own, as `graphgen serve` starts it."""

    terminal: Terminal
    process: subprocess.Popen[str]
    client: Client

    def kill(self) -> None:
        """End it as `kill -9` does."""
        self.process.kill()
        self.process.communicate()
        self.client.close()

    def stop(self) -> int:
        """Ask it to stop, as Ctrl-C does; return its exit code."""
        self.process.terminate()
        self.process.communicate()
        self.client.close()
        return self.process.returncode


def start(terminal: Terminal, *arguments: str) -> Process:
    """Start `graphgen serve` and wait until it answers."""
    process = terminal.start("serve", "--no-browser", "--port", "0", *arguments)
    assert process.stdout is not None
    line = process.stdout.readline()
    found = re.search(r"(http://\S+?)/\?token=(\S+)", line)
    if found is None:
        out, err = process.communicate()
        raise AssertionError(f"the server did not start: {line}{out}{err}")
    return Process(terminal, process, Client(found[1], found[2]))
