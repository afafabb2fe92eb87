"""`graphgen unpin`: let pinned nodes of a workflow's file run again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from graphgen.cli.call import DONE, WRONG, Parser, show_problems
from graphgen.cli.screen import Screen
from graphgen.engine import Engine
from graphgen.errors import WorkflowError
from graphgen.pinning import unpin_file


def parser() -> Parser:
    """Return the options of the command."""
    made = Parser("unpin", "Let pinned nodes run again.", "FILE NODE [NODE ...] [--json]")
    made.add_argument("file", metavar="FILE", help="a workflow, which is changed")
    made.add_argument("nodes", metavar="NODE", nargs="+", help="a pinned node")
    made.add_json("what was unpinned")
    return made


def execute(arguments: Sequence[str]) -> int:
    """Do what the call says; return the exit code."""
    call = parser().parse_args(arguments)
    screen, done = Screen(), list[str]()
    try:
        with Engine(use_cache=False) as engine:
            for node in call.nodes:
                unpin_file(engine, Path(call.file), node)
                done.append(node)
    except WorkflowError as error:
        if call.json:
            screen.line(json.dumps({"unpinned": done, "problems": [item.to_json() for item in error.problems]}))
        show_problems(screen, call.file, error.problems, {}, most=20)
        return WRONG
    screen.line(json.dumps({"unpinned": done}) if call.json else f"unpinned {', '.join(done)}")
    return DONE
