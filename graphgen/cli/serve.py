"""`graphgen serve`: the server, for the browser and for programs."""

from __future__ import annotations

import os
import webbrowser
from collections.abc import Sequence

from graphgen.cli.call import DONE, CallError, Parser
from graphgen.cli.screen import Screen, style
from graphgen.config import Config
from graphgen.engine import Engine

TOKEN = "GRAPHGEN_TOKEN"  # noqa: S105 - a variable's name
_LEAST = 16


def parser() -> Parser:
    """Return the options of the command."""
    usage = (
        "[--host HOST] [--port PORT] [--no-browser] [--at-once N] [--allow-host NAME ...] [--allow-origin SITE ...] "
        "[--new-token | --no-token]"
    )
    made = Parser("serve", "Serve graphgen to browsers and programs.", usage)
    made.add_argument("--host", default="127.0.0.1", help="the address to listen at; by default this machine alone")
    made.add_argument("--port", type=int, default=8420, help="the port, 0 for any that is free (default 8420)")
    made.add_argument("--no-browser", action="store_true", help="do not open the link that is printed")
    made.add_argument("--at-once", type=int, default=2, metavar="N", help="runs carried out at once (default 2)")
    made.add_argument(
        "--allow-host", action="append", default=[], metavar="NAME", help="another name that this machine goes by"
    )
    made.add_argument(
        "--allow-origin", action="append", default=[], metavar="SITE", help="a site whose pages may use the server"
    )
    made.add_argument("--new-token", action="store_true", help="make a new token; links and cookies with the old end")
    made.add_argument("--no-token", action="store_true", help="let in every program of this machine")
    return made


def execute(arguments: Sequence[str]) -> int:
    """Do what the call says; return the exit code."""
    call = parser().parse_args(arguments)
    if not 0 <= call.port < 65536:
        raise CallError(f"--port {call.port}: a port is a number from 0 to 65535")
    if not 1 <= call.at_once <= 64:
        raise CallError(f"--at-once {call.at_once}: allowed are 1 to 64")
    from graphgen.server.security import hosts_of  # aiohttp takes a tenth of a second to import
    from graphgen.server.serving import kept_token, serve
    from graphgen.server.settings import Settings

    screen = Screen()
    with Engine(Config.load(), lasting=True) as engine:
        token = None if call.no_token else _given_token() or kept_token(engine, renew=call.new_token)
        settings = Settings(
            token,
            host=call.host,
            port=call.port,
            hosts=hosts_of(call.allow_host),
            origins=frozenset(site.rstrip("/") for site in call.allow_origin),
            at_once=call.at_once,
        )

        def tell(address: str) -> None:
            link = f"{address}?token={token}" if token else address
            screen.line(f"graphgen is at {style(link, 'bold')}")
            screen.line("Ctrl-C stops it; what is waiting goes on at the next start")
            if not call.no_browser:
                webbrowser.open(link)

        serve(engine, settings, tell)
    return DONE


def _given_token() -> str | None:
    """Return the token that the environment gives.

    Raises:
        CallError: it is so short that it can be guessed.
    """
    token = os.environ.get(TOKEN)
    if token and len(token) < _LEAST:
        raise CallError(f"{TOKEN} is too short to be a secret: write {_LEAST} characters or more")
    return token or None
