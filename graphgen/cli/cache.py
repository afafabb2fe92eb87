"""`graphgen cache`: what the cache holds, and clearing it."""

from __future__ import annotations

import json
from collections.abc import Sequence

from graphgen.cache import CacheInfo
from graphgen.cli.call import DONE, FAILED, Parser
from graphgen.cli.screen import Screen, style
from graphgen.cli.words import count, size
from graphgen.engine import Engine


def parser() -> Parser:
    """Return the options of the command."""
    made = Parser("cache", "Show what the cache holds, or clear it.", "info | clear [--json]")
    made.add_argument("action", choices=("info", "clear"), help="info shows what it holds, clear empties it")
    made.add_json("the numbers")
    return made


def execute(arguments: Sequence[str]) -> int:
    """Do what the call says; return the exit code."""
    call = parser().parse_args(arguments)
    screen = Screen()
    with Engine() as engine:
        info = engine.cache.info()
        if call.action == "clear":
            engine.cache.clear()
    if call.action == "clear":
        numbers = {"results": info.disk_results, "bytes": info.disk_bytes}
        text = f"{style('cleared', 'green')}: {count(info.disk_results, 'result')}, {size(info.disk_bytes)}"
        screen.line(json.dumps({"cleared": numbers}) if call.json else text)
        return DONE
    if call.json:
        screen.line(json.dumps(_json(info)))
    else:
        _show(screen, info)
    return FAILED if info.problem else DONE


def _show(screen: Screen, info: CacheInfo) -> None:
    if info.directory is None:
        screen.line("the disk cache is turned off (disk_bytes is 0)")
        return
    share = f" ({100 * info.disk_bytes / info.disk_budget:.0f} %)" if info.disk_budget else ""
    rows = [
        ("folder", str(info.directory)),
        ("results", f"{info.disk_results:,}"),
        ("size", f"{size(info.disk_bytes)} of {size(info.disk_budget)}{share}"),
    ]
    if info.problem:
        rows.append(("problem", style(info.problem, "red")))
    screen.rows(rows, ["dim"], indent=0)


def _json(info: CacheInfo) -> dict[str, object]:
    return {
        "directory": str(info.directory) if info.directory else None,
        "results": info.disk_results,
        "bytes": info.disk_bytes,
        "budget": info.disk_budget,
        "problem": info.problem,
    }
