"""A route as data: what the application is made of, and what the API's description is written from."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import ParamSpec, TypeAlias, TypeVar

from aiohttp import web

from graphgen.engine import Engine
from graphgen.server.catalogues import Catalogues
from graphgen.server.checking import Checker
from graphgen.server.dispatch import Dispatcher
from graphgen.server.hub import Hub
from graphgen.server.library import Library
from graphgen.server.settings import Settings
from graphgen.server.store import Act, Store

P = ParamSpec("P")
T = TypeVar("T")
Handler: TypeAlias = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True)
class Route:
    """One way to call the server. The handler's docstring says what it does.

    `body` is the type of the JSON body, `answers` those of the answers by status: a type, or a media type for what is
    not JSON. `query` and `headers` describe what else may be given.
    """

    method: str
    path: str
    handler: Handler
    answers: Mapping[int, object]
    body: object = None
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Service:
    """What handlers work with."""

    engine: Engine
    checker: Checker
    store: Store
    hub: Hub
    dispatcher: Dispatcher
    library: Library
    settings: Settings
    threads: ThreadPoolExecutor

    @cached_property
    def catalogues(self) -> Catalogues:
        """What there is to build with, in each language."""
        return Catalogues(self.engine.registry)

    async def aside(self, work: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
        """Do what waits for a disk in a thread, so that others are answered meanwhile."""
        return await asyncio.to_thread(work, *arguments, **named)

    async def checked(self, work: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
        """Do what may take long, such as checking a large workflow: in a few threads that nobody else needs."""
        return await asyncio.get_running_loop().run_in_executor(self.threads, partial(work, *arguments, **named))

    async def read(self, act: Act[T]) -> T:
        """Read from the store."""
        return await asyncio.wrap_future(self.store.read(act))

    async def write(self, act: Act[T]) -> T:
        """Write to the store; what is returned is on disk."""
        return await self.store.write_from(asyncio.get_running_loop(), act)

    async def write_twice(self, first: Act[None], then: Act[T]) -> T:
        """Write to the store what is about to be done, then do it."""
        return await self.store.write_twice(asyncio.get_running_loop(), first, then)


SERVICE = web.AppKey("service", Service)
