"""The application: routes, guards and state put together.

In: an engine, settings, and a folder for what must outlive the process. Out: an aiohttp application, which takes up the
runs that wait when it starts, and puts back those at work when it is shut down. It does not close the engine.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from threading import Event

from aiohttp import web
from aiohttp.typedefs import Handler

from graphgen.engine import Engine
from graphgen.server import records
from graphgen.server.checking import Checker
from graphgen.server.dispatch import Dispatcher
from graphgen.server.hub import Hub
from graphgen.server.library import Library
from graphgen.server.needs import Machine
from graphgen.server.problems import Trouble, tell_problems
from graphgen.server.route import SERVICE, Route, Service
from graphgen.server.routes import (
    bundles,
    description,
    events,
    images,
    inputs,
    models,
    nodes,
    outputs,
    page,
    pins,
    runs,
    system,
    uploads,
    values,
    workflows,
)
from graphgen.server.runner import Runner
from graphgen.server.security import GUARD, NO_TOKEN, PAGE, Guard, add_headers, answer_preflight
from graphgen.server.settings import Settings
from graphgen.server.store import Store

ROUTES: list[Route] = [
    *page.ROUTES,
    *system.ROUTES,
    *nodes.ROUTES,
    *runs.ROUTES,
    *workflows.ROUTES,
    *bundles.ROUTES,
    *outputs.ROUTES,
    *uploads.ROUTES,
    *inputs.ROUTES,
    *values.ROUTES,
    *pins.ROUTES,
    *models.ROUTES,
    *events.ROUTES,
    *images.ROUTES,
    *description.ROUTES,
]


def make_app(engine: Engine, settings: Settings, folder: Path) -> web.Application:
    """Return the application; opening its folder is left until it starts."""
    app = web.Application(middlewares=[tell_problems, _let_in], client_max_size=settings.limits.body_bytes)
    app[GUARD] = Guard(settings)
    app.on_response_prepare.append(add_headers)
    app[description.DESCRIBED] = ROUTES
    for route in ROUTES:
        app.router.add_route(route.method, route.path, route.handler)
    app.on_shutdown.append(_end_streams)
    app.cleanup_ctx.append(partial(_work, engine=engine, settings=settings, folder=folder))
    return app


@web.middleware
async def _let_in(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Judge a request before anything else is done for it; who opens a page without a token is asked for it."""
    try:
        return await _judged(request, handler)
    except Trouble as trouble:
        if trouble.kind == NO_TOKEN and request.method == "GET" and "text/html" in request.headers.get("Accept", ""):
            return page.ask(request)
        raise


async def _judged(request: web.Request, handler: Handler) -> web.StreamResponse:
    if request.path == PAGE and "token" in request.query and request.method == "GET":
        request.app[GUARD].check(request, token=False)
        return page.enter(request)
    preflight = request.method == "OPTIONS"
    request.app[GUARD].check(request, token=not preflight)
    return answer_preflight(request) if preflight else await handler(request)


async def _work(app: web.Application, engine: Engine, settings: Settings, folder: Path) -> AsyncIterator[None]:
    """Open what the handlers work with, begin with the runs that wait, and close all of it in the end."""
    store = await asyncio.to_thread(Store, folder)
    await asyncio.wrap_future(store.write(records.recover))
    await asyncio.wrap_future(store.write(records.prune))
    library = Library.of(engine.config.roots.data / "workflows", Machine(engine.registry, engine.path_of))
    await asyncio.wrap_future(store.write(library.recover))
    closing = Event()
    hub = await asyncio.to_thread(Hub, store, asyncio.get_running_loop(), settings.limits.watchers)
    checker = Checker(engine, settings.limits.nodes)
    dispatcher = Dispatcher(Runner(checker, store, hub, closing), settings.at_once)
    dispatcher.start(await asyncio.wrap_future(store.read(records.waiting)))
    with ThreadPoolExecutor(2, "graphgen-check") as threads:
        app[SERVICE] = Service(engine, checker, store, hub, dispatcher, library, settings, threads)
        yield
        closing.set()
        await asyncio.to_thread(dispatcher.close)
    await asyncio.to_thread(store.close)


async def _end_streams(app: web.Application) -> None:
    """Let those who watch go, so that the server can stop."""
    app[SERVICE].hub.close()
