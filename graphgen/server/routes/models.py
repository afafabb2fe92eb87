"""What lies in the models root, and what comes along, with what plugins tell of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from aiohttp import web

from graphgen.engine import Engine
from graphgen.server.route import SERVICE, Route
from graphgen.server.shapes import ModelsList, ModelView

_MOST = 2_000
_DEEPEST = 4
_WEIGHTS = (".safetensors", ".gguf")
_MARKS = ("model_index.json", "config.json")
"""A folder that holds one of these is one model."""


async def listed(request: web.Request) -> web.StreamResponse:
    """List the models: safetensors and GGUF files and diffusers folders, by the name that a setting is given."""
    service = request.app[SERVICE]
    return web.json_response({"models": await service.aside(_models, service.engine)})


def _models(engine: Engine) -> list[ModelView]:
    root = engine.config.roots.models
    found = [(path, path.relative_to(root).as_posix(), False) for path in _inside(root, root)]
    found += [(item.path, item.name, True) for item in engine.registry.shipped if item.root == "models"]
    return [_view(engine, path, name, shipped=shipped) for path, name, shipped in found[:_MOST]]


def _view(engine: Engine, path: Path, name: str, *, shipped: bool) -> ModelView:
    about, problem = engine.registry.describe_model(path)
    return {
        "name": name,
        "size": _size(path),
        "shipped": shipped,
        "about": dict(about),
        "problem": problem and problem.replace(str(path), name),  # where it lies is nobody's business
    }


def _inside(folder: Path, root: Path, depth: int = 0) -> Iterator[Path]:
    """Yield the models below a folder; links that lead out of the root are left alone."""
    try:
        entries = sorted(folder.iterdir())
    except OSError:
        return
    for entry in entries:
        if entry.name.startswith(".") or not entry.resolve().is_relative_to(root.resolve()):
            continue
        if _is_model(entry):
            yield entry
        elif entry.is_dir() and depth < _DEEPEST:
            yield from _inside(entry, root, depth + 1)


def _is_model(entry: Path) -> bool:
    if entry.is_dir():
        return any((entry / mark).is_file() for mark in _MARKS)
    return entry.is_file() and entry.suffix in _WEIGHTS


def _size(path: Path) -> int:
    if path.is_file():
        return path.stat().st_size
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())


ROUTES = [Route("GET", "/api/models", listed, {200: ModelsList})]
