"""The command line: `graphgen run | serve | pin | unpin | verify | check | nodes | plugins | convert | cache | doctor`.

Each command is a module with `execute(arguments) -> exit code`, imported when it is called. Exit codes: 0 done, 1 a
node failed or something is amiss, 2 the workflow or the call is wrong, 70 a fault in graphgen, 130 cancelled.
"""

from __future__ import annotations

import gc
import logging
import os
import sys
import traceback
from collections.abc import Mapping, Sequence
from importlib import import_module
from importlib.metadata import version

from graphgen.cli.call import DONE, FAILED, WRONG, CallError
from graphgen.cli.screen import Screen, style
from graphgen.errors import ConfigError, GraphgenError, PathError, WorkflowError, did_you_mean, one_of

COMMANDS: Mapping[str, str] = {
    "run": "run a workflow",
    "serve": "serve graphgen to browsers and programs",
    "pin": "let a node give what it gave in a run, without running",
    "unpin": "let a pinned node run again",
    "verify": "run a picture again and say what differs, and why",
    "check": "say what is wrong with a workflow, without running it",
    "nodes": "list the nodes, or show one of them",
    "plugins": "list the plugins, and why some are broken",
    "convert": "take the tensors out of a pickled file",
    "cache": "show or clear the cache",
    "doctor": "look at this installation, and say how to mend it",
}
FAULT = 70
CANCELLED = 130
BROKEN_PIPE = 141

_WRONG_CALL = (CallError, ConfigError, PathError, WorkflowError)


def main(argv: Sequence[str] | None = None) -> int:
    """Do what the command line says; return the exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    gc.freeze()  # what is imported stays; looking it through again and again would take a twentieth of a short call
    logging.basicConfig(format="warning: %(message)s", level=logging.WARNING)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # what a terminal cannot show is no reason to fail
    try:
        code = _dispatch(arguments)
        sys.stdout.flush()
    except GraphgenError as error:
        Screen().error(f"{style('error:', 'red')} {error}")
        return WRONG if isinstance(error, _WRONG_CALL) else FAILED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or flushing at exit would fail again
        return BROKEN_PIPE
    except KeyboardInterrupt:
        Screen().error("cancelled")
        return CANCELLED
    except Exception:
        Screen().error(traceback.format_exc().rstrip())
        Screen().error("this is a fault in graphgen; please report it with the lines above")
        return FAULT
    return code


def _dispatch(arguments: list[str]) -> int:
    if not arguments or arguments[0] in ("-h", "--help"):
        _help()
        return DONE if arguments else WRONG
    name, *rest = arguments
    if name == "--version":
        Screen().line(f"graphgen {version('graphgen')}")
        return DONE
    if name not in COMMANDS:
        cure = did_you_mean(name, tuple(COMMANDS)) or "`graphgen --help` lists them"
        raise CallError(f"there is no command '{name}'; allowed: {one_of(tuple(COMMANDS))}; {cure}")
    code: int = import_module(f"graphgen.cli.{name}").execute(rest)
    return code


def _help() -> None:
    screen = Screen()
    screen.line("usage: graphgen COMMAND ...   (graphgen COMMAND --help tells more)")
    screen.line()
    screen.rows(list(COMMANDS.items()), ["bold"])
    screen.line()
    screen.line("graphgen --version prints the version.")
