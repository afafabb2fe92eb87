"""Events as they come: by server-sent events and by WebSocket, the same ones, resumable from the last one seen."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from aiohttp import WSCloseCode, web

from graphgen.server.asking import number_in
from graphgen.server.hub import Watcher
from graphgen.server.problems import Trouble
from graphgen.server.route import SERVICE, Route

HEARTBEAT = 15.0
"""Seconds without any event after which a sign of life is sent."""
_LARGEST = 64 * 1024
"""Bytes of a message that a client may send; it has nothing to say."""


async def stream(request: web.Request) -> web.StreamResponse:
    """Send events as they come (text/event-stream): written ones with an id, progress and previews without."""
    watcher = _watch(request)
    answer = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
    async with _closing(watcher):
        await answer.prepare(request)
        await write(request, answer, "retry: 1000\n\n")
        async for batch in watcher.batches(HEARTBEAT):
            lines = (f"id: {number}\ndata: {text}\n\n" if number else f"data: {text}\n\n" for number, text in batch)
            await write(request, answer, "".join(lines) or ": still here\n\n")
    return answer


async def socket(request: web.Request) -> web.StreamResponse:
    """Send the same events over a WebSocket, a JSON text each."""
    watcher = _watch(request)
    answer = web.WebSocketResponse(heartbeat=HEARTBEAT, max_msg_size=_LARGEST, compress=False)
    async with _closing(watcher):
        await answer.prepare(request)
        sending = asyncio.create_task(_send(request, answer, watcher))
        try:
            async for _ in answer:
                pass  # what a client says means nothing; its leaving ends the loop
        finally:
            sending.cancel()
            with suppress(asyncio.CancelledError, ConnectionError, TimeoutError):
                await sending
    return answer


async def _send(request: web.Request, answer: web.WebSocketResponse, watcher: Watcher) -> None:
    patience = request.app[SERVICE].settings.limits.patience
    try:
        async for batch in watcher.batches(HEARTBEAT):
            for _, text in batch:
                async with asyncio.timeout(patience):
                    await answer.send_str(text)
    except TimeoutError:
        _abort(request)
        return
    await answer.close(code=WSCloseCode.GOING_AWAY, message=b"the server stops")


async def write(request: web.Request, answer: web.StreamResponse, text: str) -> None:
    """Write to a client, and give it up where it takes nothing in: it will come back and go on where it was."""
    try:
        async with asyncio.timeout(request.app[SERVICE].settings.limits.patience):
            await answer.write(text.encode())
    except TimeoutError:
        _abort(request)
        raise ConnectionResetError("the client takes nothing in") from None


def _abort(request: web.Request) -> None:
    transport = request.transport
    if isinstance(transport, asyncio.Transport):
        transport.abort()


def _watch(request: web.Request) -> Watcher:
    header = request.headers.get("Last-Event-ID", "").strip()
    if header and not (header.isascii() and header.isdigit() and len(header) < 20):
        raise Trouble(400, "bad-header", "Last-Event-ID must be the id of an event")
    after = int(header) if header else number_in(request, "after", -1, least=0, most=2**62)
    return request.app[SERVICE].hub.watch(request.query.get("run"), None if after < 0 else after)


@asynccontextmanager
async def _closing(watcher: Watcher) -> AsyncIterator[None]:
    try:
        yield
    finally:
        watcher.close()


_QUERY = {"run": "events of this run only", "after": "the id of the last event seen; only new ones where it is absent"}
_RESUMED = {"Last-Event-ID": "the same as `after`, as browsers send it"}
ROUTES = [
    Route("GET", "/api/events", stream, {200: "text/event-stream"}, query=_QUERY, headers=_RESUMED),
    Route("GET", "/api/socket", socket, {101: None}, query=_QUERY, headers=_RESUMED),
]
