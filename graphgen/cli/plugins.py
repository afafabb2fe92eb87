"""`graphgen plugins`: what is installed, and why something is not usable."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence

from graphgen.cli.call import DONE, FAILED, Parser, installed
from graphgen.cli.screen import Screen, style
from graphgen.cli.words import count
from graphgen.plugins import BrokenPlugin
from graphgen.registry import Registry


def parser() -> Parser:
    """Return the options of the command."""
    made = Parser("plugins", "List the plugins, and why some are broken.", "[--verbose] [--json]")
    made.add_argument("--verbose", action="store_true", help="show the tracebacks of broken plugins")
    made.add_json("the list")
    return made


def execute(arguments: Sequence[str]) -> int:
    """Do what the call says; return the exit code, which tells whether a plugin is broken."""
    call = parser().parse_args(arguments)
    registry, config = installed()
    screen = Screen()
    nodes = Counter(name.partition(".")[0] for name in registry.nodes)
    if call.json:
        screen.line(json.dumps(_json(registry, nodes, config.disabled_plugins)))
    else:
        _show(screen, registry, nodes, config.disabled_plugins, verbose=call.verbose)
    return FAILED if registry.broken else DONE


def _show(screen: Screen, registry: Registry, nodes: Counter[str], disabled: Sequence[str], *, verbose: bool) -> None:
    screen.line(f"{count(len(registry.plugins), 'plugin')}")
    rows = [
        (plugin.name, f"{plugin.distribution} {plugin.version}", count(nodes[plugin.name], "node"))
        for plugin in registry.plugins
    ]
    screen.rows(rows, ["cyan"])
    if disabled:
        screen.line(f"\ndisabled: {', '.join(disabled)}")
    for plugin in registry.broken:
        _show_broken(screen, plugin, verbose=verbose)


def _show_broken(screen: Screen, plugin: BrokenPlugin, *, verbose: bool) -> None:
    screen.line()
    origin = f" ({plugin.distribution})" if plugin.distribution else ""
    screen.line(f"{style(f'{screen.symbols.failed} {plugin.name}', 'red')}{origin} is broken: {plugin.error}")
    if verbose:
        screen.rows([(plugin.traceback.rstrip(),)], indent=4)
    else:
        screen.line(style("  --verbose shows where it failed", "dim"))


def _json(registry: Registry, nodes: Counter[str], disabled: Sequence[str]) -> dict[str, object]:
    return {
        "plugins": [
            {
                "name": plugin.name,
                "distribution": plugin.distribution,
                "version": plugin.version,
                "editable": plugin.source is not None,
                "nodes": nodes[plugin.name],
            }
            for plugin in registry.plugins
        ],
        "broken": [
            {
                "name": plugin.name,
                "distribution": plugin.distribution,
                "error": plugin.error,
                "traceback": plugin.traceback,
            }
            for plugin in registry.broken
        ],
        "disabled": list(disabled),
    }
