"""`graphgen check`: all that is wrong with a workflow, without running it."""

from __future__ import annotations

import json
from collections.abc import Sequence

from graphgen.cli.call import (
    DONE,
    WRONG,
    Parser,
    check_call,
    places_of,
    read_assignments,
    read_source,
    show_problems,
)
from graphgen.cli.facts import rows_of, show_notes
from graphgen.cli.screen import Screen, style
from graphgen.cli.words import count
from graphgen.config import Config
from graphgen.engine import Engine
from graphgen.errors import Problem, WorkflowError
from graphgen.graph import Graph
from graphgen.wirefacts import checked_json, facts_json


def parser() -> Parser:
    """Return the options of the command."""
    usage = "FILE [--set name=value ...] [--facts] [--json]"
    made = Parser("check", "Say what is wrong with a workflow, without running it.", usage)
    made.add_argument("file", metavar="FILE", help="a workflow, a picture graphgen made, or - for stdin")
    made.add_argument("--set", metavar="name=value", action="append", default=[], help="set a parameter")
    made.add_argument("--facts", action="store_true", help="show what is known on each wire before anything runs")
    made.add_json("the problems, and with --facts the facts")
    return made


def execute(arguments: Sequence[str]) -> int:
    """Do what the call says; return the exit code."""
    call = parser().parse_args(arguments)
    given = read_assignments(call.set)
    screen = Screen()
    graph: Graph | None = None
    problems: Sequence[Problem] = ()
    places: dict[str, str] = {}
    with Engine(Config.load(), use_cache=False) as engine:
        try:
            workflow = read_source(engine, call.file)
            places = places_of(workflow, given)
            graph, _ = check_call(engine, workflow, given)
            problems = engine.find_missing_files(graph)
        except WorkflowError as error:
            problems = error.problems
        types = engine.registry.types
    if call.json:
        facts = {"facts": facts_json(graph, types) if graph else None} if call.facts else {}
        screen.line(json.dumps({**checked_json(graph, problems), **facts}))
    elif problems:
        show_problems(screen, call.file, problems, places)
    elif graph:
        screen.rows(rows_of(graph, types) if call.facts else [], ("", "dim"), indent=0)
        show_notes(screen, graph)
        screen.line(f"{style('ok', 'green')}: {_describe(graph)}")
    return WRONG if problems else DONE


def _describe(graph: Graph) -> str:
    workflow = graph.workflow
    parts = [count(len(graph.nodes), "node"), count(len(workflow.parameters), "parameter")]
    if graph.outputs:
        parts.append(f"{count(len(graph.outputs), 'output')} ({', '.join(graph.outputs)})")
    writers = [name for name, node in graph.nodes.items() if node.spec.effect]
    if writers:
        parts.append(f"files from {', '.join(writers)}")
    return ", ".join(parts)
