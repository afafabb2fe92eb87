"""Rows as clients see them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphgen.hookspecs import FileFormat
from graphgen.server.contents import is_seen_small
from graphgen.server.records import Run
from graphgen.server.shapes import FileView, RunView, VariationView


def run_view(run: Run, formats: Mapping[str, FileFormat]) -> RunView:
    """Show a run."""
    asked, came = run.call, run.outcome
    return {
        "id": run.id,
        "number": run.number,
        "status": run.status,
        "name": run.name,
        "saved": asked["saved"],
        "identity": run.identity,
        "priority": run.priority,
        "client": run.client,
        "attempts": run.attempts,
        "created": run.created,
        "started": run.started,
        "ended": run.ended,
        "parameters": asked["parameters"],
        "targets": asked["targets"],
        "sweep": asked["sweep"],
        "seconds": came.get("seconds"),
        "ran": came.get("ran", 0),
        "cached": came.get("cached", 0),
        "skipped": came.get("skipped", 0),
        "outputs": came.get("outputs", {}),
        "blocked": came.get("blocked", {}),
        "files": [file_view(item, formats) for item in came.get("files", ())],
        "failures": came.get("failures", []),
        "problems": came.get("problems", []),
        "variations": [_variation(item, formats) for item in came.get("variations", ())],
    }


def file_view(item: Mapping[str, Any], formats: Mapping[str, FileFormat]) -> FileView:
    """Show a file, and where to get it."""
    url = f"/api/outputs/{item['digest']}"
    return {
        "name": item["name"],
        "node": item["node"],
        "digest": item["digest"],
        "media_type": item["media_type"],
        "size": item["size"],
        "url": url,
        "thumbnail": f"{url}/thumbnail" if is_seen_small(item["name"], formats) else None,
    }


def _variation(item: Mapping[str, Any], formats: Mapping[str, FileFormat]) -> VariationView:
    return {
        "variation": item["variation"],
        "parameters": item["parameters"],
        "status": item["status"],
        "outputs": item["outputs"],
        "blocked": item["blocked"],
        "failures": item["failures"],
        "files": [file_view(file, formats) for file in item["files"]],
    }
