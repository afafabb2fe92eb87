"""A server from its start to its end: sockets opened, the link told, signals heeded.

In: an engine and settings. Out: nothing; it returns when SIGINT or SIGTERM came and all is put back in order.
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from aiohttp import web

from graphgen.engine import Engine
from graphgen.errors import ConfigError, Problem
from graphgen.server.app import make_app
from graphgen.server.settings import Settings

_GRACE = 3.0
"""Seconds that answers under way may take when the server stops."""
_TURN = 0.001
"""Seconds after which a busy thread makes way for others: a large workflow being checked keeps nobody waiting."""
_LONGEST_HEADER = 16 * 1024

_silent = logging.getLogger("graphgen.server.http")
"""Would be told of malformed requests, with what stands in them; faults of ours are logged elsewhere."""
_silent.disabled = True


def serve(engine: Engine, settings: Settings, tell: Callable[[str], None]) -> None:
    """Serve until a signal says to stop. `tell` is given the address when requests are answered.

    Raises:
        ConfigError: the address cannot be listened at, or another server works on the same data.
    """
    _allow_many_files()
    sys.setswitchinterval(_TURN)
    asyncio.run(_serve(engine, settings, tell))


async def _serve(engine: Engine, settings: Settings, tell: Callable[[str], None]) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with suppress(NotImplementedError):  # Windows stops by Ctrl-C alone
            loop.add_signal_handler(number, stop.set)
    runner = make_runner(engine, settings)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, settings.host, settings.port).start()
        except OSError as error:
            where, cure = f"{settings.host}:{settings.port}", "choose another with --port, or 0 for any that is free"
            raise ConfigError([Problem("no_address", where, f"cannot listen: {error.strerror}", cure=cure)]) from error
        host, port = runner.addresses[0][:2]
        tell(f"http://{f'[{host}]' if ':' in host else host}:{port}/")
        await stop.wait()
    finally:
        await runner.cleanup()


def make_runner(engine: Engine, settings: Settings) -> web.AppRunner:
    """Return what serves an engine over HTTP, not begun yet."""
    return web.AppRunner(
        make_app(engine, settings, data_folder(engine)),
        access_log=None,  # it would hold the tokens of links
        logger=_silent,
        max_field_size=_LONGEST_HEADER,
        max_line_size=_LONGEST_HEADER,
        shutdown_timeout=_GRACE,
    )


def data_folder(engine: Engine) -> Path:
    """Return the folder for what must outlive the server."""
    return engine.config.roots.data / "server"


def kept_token(engine: Engine, *, renew: bool = False) -> str:
    """Return the token that this server's links have had before, or make one; only its owner can read the file."""
    path = data_folder(engine) / "token"
    if not renew:
        with suppress(OSError):
            if found := path.read_text(encoding="ascii").strip():
                return found
    token = secrets.token_urlsafe(32)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(token)
    return token


def _allow_many_files() -> None:
    """Raise the number of files and sockets that may be open at once to what the system allows."""
    if sys.platform != "win32":
        import resource  # it is not there on Windows

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 65_536)), hard))
