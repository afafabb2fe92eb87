"""How the server is: alive, with what, and at what."""

from __future__ import annotations

import platform
import shutil
from dataclasses import fields
from importlib.metadata import version
from pathlib import Path
from time import monotonic

from aiohttp import web

from graphgen.engine import Engine
from graphgen.server import records
from graphgen.server.route import SERVICE, Route, Service
from graphgen.server.shapes import Health, System

_BEGAN = monotonic()


async def health(request: web.Request) -> web.StreamResponse:  # noqa: ARG001 - a handler's signature
    """Say that the server is there; needs no token, and tells nothing else."""
    return web.json_response({"status": "ok"})


async def system(request: web.Request) -> web.StreamResponse:
    """Say what the server is made of, what it holds, and how much room there is."""
    return web.json_response(await _system(request.app[SERVICE]))


async def metrics(request: web.Request) -> web.StreamResponse:
    """Tell figures as Prometheus reads them."""
    found = await _system(request.app[SERVICE])
    running, waiting = request.app[SERVICE].dispatcher.order()
    lines = [
        *_gauge("graphgen_uptime_seconds", "Seconds since the start", {"": found["uptime"]}),
        *_gauge("graphgen_runs", "Runs by status", {f'status="{name}"': n for name, n in found["runs"].items()}),
        *_gauge("graphgen_queue_running", "Runs at work", {"": len(running)}),
        *_gauge("graphgen_queue_waiting", "Runs in line", {"": len(waiting)}),
        *_gauge("graphgen_watchers", "Streams of events that are open", {"": found["watchers"]}),
        *_gauge("graphgen_cache", "What the cache holds", {f'what="{name}"': n for name, n in found["cache"].items()}),
        *_gauge(
            "graphgen_free_bytes",
            "Room on the disk of each folder",
            {f'root="{name}"': free for name, free in found["free"].items() if free is not None},
        ),
        *_gauge("graphgen_last_event", "The number of the last event", {"": request.app[SERVICE].hub.last}),
    ]
    text = "\n".join(lines) + "\n"
    return web.Response(text=text, headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"})


async def _system(service: Service) -> System:
    runs = await service.read(records.counts)
    engine = service.engine
    cache, free = await service.aside(lambda: (_cache(engine), _free(engine)))
    return {
        "graphgen": version("graphgen"),
        "python": platform.python_version(),
        "uptime": round(monotonic() - _BEGAN, 3),
        "device": {"name": engine.device.name, "dtype": engine.device.dtype},
        "plugins": [plugin.name for plugin in engine.registry.plugins],
        "broken": [{"name": item.name, "error": str(item.error)} for item in engine.registry.broken],
        "cache": cache,
        "free": free,
        "runs": runs,
        "watchers": service.hub.watchers,
    }


def _cache(engine: Engine) -> dict[str, int]:
    info = engine.cache.info()
    return {
        "memory_results": info.memory_results,
        "memory_bytes": info.memory_bytes,
        "disk_results": info.disk_results,
        "disk_bytes": info.disk_bytes,
    }


def _free(engine: Engine) -> dict[str, int | None]:
    """Return the room on the disk of each root; null where that cannot be told."""
    roots = engine.config.roots
    return {field.name: _free_at(getattr(roots, field.name)) for field in fields(roots)}


def _free_at(path: Path) -> int | None:
    there = next((place for place in (path, *path.parents) if place.exists()), None)
    try:
        return shutil.disk_usage(there).free if there else None
    except OSError:
        return None


def _gauge(name: str, about: str, values: dict[str, int | float]) -> list[str]:
    rows = [f"{name}{{{labels}}} {value}" if labels else f"{name} {value}" for labels, value in values.items()]
    return [f"# HELP {name} {about}.", f"# TYPE {name} gauge", *rows]


ROUTES = [
    Route("GET", "/health", health, {200: Health}),
    Route("GET", "/api/system", system, {200: System}),
    Route("GET", "/metrics", metrics, {200: "text/plain"}),
]
