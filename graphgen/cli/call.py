"""The call as typed: options read strictly, and what is wrong with them told with the cure."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from graphgen.cli.screen import Screen, style
from graphgen.cli.words import count
from graphgen.config import Config
from graphgen.engine import Engine
from graphgen.errors import GraphgenError, Problem, WorkflowError
from graphgen.graph import Graph
from graphgen.jsontypes import JSON
from graphgen.parameters import read_parameters
from graphgen.plugins import find_plugins
from graphgen.registry import Registry, build_registry
from graphgen.workflow import FormError, Workflow, parse

DONE = 0
FAILED = 1
WRONG = 2


class CallError(GraphgenError):
    """The command line is wrong."""


class Parser(ArgumentParser):
    """argparse that raises CallError instead of ending the program, and takes no abbreviations."""

    def __init__(self, command: str, description: str, usage: str, *, add_help: bool = True) -> None:
        super().__init__(
            prog=f"graphgen {command}",
            description=description,
            usage=f"graphgen {command} {usage}",
            allow_abbrev=False,
            add_help=add_help,
        )

    def error(self, message: str) -> NoReturn:
        """Raise what is wrong with the call."""
        raise CallError(f"{message}; `{self.prog} --help` shows how")

    def add_json(self, what: str) -> None:
        """Add the option --json."""
        self.add_argument("--json", action="store_true", help=f"print {what} as JSON, and nothing else")


def read_assignments(texts: Sequence[str]) -> dict[str, str]:
    """Split `name=value` texts; of several values for one name the last counts.

    Raises:
        CallError: one has no `=`.
    """
    found: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise CallError(f"--set {text}: write it as name=value, for example --set seed=7")
        found[name.strip()] = value
    return found


def read_source(engine: Engine, file: str) -> Workflow:
    """Read the workflow a call names; `-` is standard input.

    Raises:
        WorkflowError: there is none, or its form is wrong.
    """
    if file != "-":
        return engine.read(file)
    try:
        return parse(sys.stdin.buffer.read().decode("utf-8"))
    except FormError as error:
        raise engine.complete(error) from error
    except UnicodeDecodeError as error:
        message = f"is not UTF-8 text (byte {error.start})"
        raise WorkflowError([Problem("not_json", "standard input", message, cure="pipe a workflow's JSON")]) from error


def absolute_paths(texts: Iterable[str]) -> list[str]:
    """Return the texts that are absolute paths: a person who types one at the terminal may name any file."""
    return [text for text in texts if "\0" not in text and Path(text).is_absolute()]


def installed() -> tuple[Registry, Config]:
    """Return what is installed, without an engine: enough for commands that only look."""
    config = Config.load()
    return build_registry(find_plugins(config.disabled_plugins)), config


def check_call(engine: Engine, workflow: Workflow, given: Mapping[str, str]) -> tuple[Graph, dict[str, JSON]]:
    """Check a workflow with the parameters typed, and return it with their values.

    Raises:
        WorkflowError: with all that is wrong with the parameters and with the workflow.
    """
    engine.allow_paths(absolute_paths(given.values()))
    try:
        values = read_parameters(given, workflow, engine.registry)
    except WorkflowError as error:
        wrong = {problem.place for problem in error.problems}
        rest = {name: text for name, text in given.items() if name not in wrong}
        try:
            check_call(engine, workflow, rest)
        except WorkflowError as more:
            raise WorkflowError([*error.problems, *more.problems]) from error
        raise
    return engine.check(workflow, values), values


def places_of(workflow: Workflow, names: Iterable[str], option: str = "--set") -> dict[str, str]:
    """Map the names of parameters, and each place that they set, such as `sampler.steps`, to how they were set."""
    known = workflow.parameters
    return {
        place: f"{option} {name}" for name in names for place in (name, *(known[name].sets if name in known else ()))
    }


def short_path(path: str) -> str:
    """Return a path from the current folder where it lies inside."""
    try:
        return str(Path(path).relative_to(Path.cwd()))
    except ValueError:
        return path


def show_problems(
    screen: Screen, file: str, problems: Sequence[Problem], parameters: Mapping[str, str], most: int | None = None
) -> None:
    """Show what is wrong with a workflow on standard error, a line for each problem.

    `parameters` says for places such as `sampler.steps` what was typed there (`--set steps`); `most` limits the lines.
    """
    screen.error(style(f"{'standard input' if file == '-' else file}: {count(len(problems), 'problem')}", "bold"))
    for problem in problems[:most]:
        place, text = problem.place or "workflow", str(problem).removeprefix(f"{problem.place}: ")
        parameter = parameters.get(place)
        if parameter:
            place = parameter if parameter.endswith(f" {place}") else f"{place} ({parameter})"
        screen.error(f"  {style(place, 'red')}: {text}")
    if most is not None and len(problems) > most:
        screen.error(f"  and {len(problems) - most:,} more; `graphgen check` lists them all")
