"""What a client asks to run, checked before it is put in line, so that it is told all that is wrong at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphgen.engine import Engine
from graphgen.errors import Problem, WorkflowError
from graphgen.graph import Graph
from graphgen.parameters import unknown_parameters
from graphgen.server.shapes import Submission
from graphgen.sweep import plan_sweep
from graphgen.workflow import Workflow


def check(engine: Engine, document: Mapping[str, Any], parameters: Mapping[str, Any], most: int) -> Graph:
    """Check a workflow with its parameters set.

    Raises:
        WorkflowError: with all that is wrong with the parameters and with the workflow.
    """
    workflow = read(engine, document, most)
    problems = unknown_parameters(workflow, parameters)
    known = {name: value for name, value in parameters.items() if name in workflow.parameters}
    try:
        graph = engine.check(workflow, known)
    except WorkflowError as error:
        raise WorkflowError([*problems, *error.problems]) from error
    if problems:
        raise WorkflowError(problems)
    return graph


def check_submission(engine: Engine, document: Mapping[str, Any], asked: Submission, most: int) -> None:
    """Check a run that is asked for: its workflow, parameters, targets and files, and each variation of a sweep.

    Raises:
        WorkflowError: with all that is wrong.
    """
    if asked.sweep is None:
        engine.plan(check(engine, document, asked.parameters, most), asked.targets, asked.force)
        return
    workflow = read(engine, document, most)
    both = {name: value for name, value in asked.parameters.items() if name in asked.sweep.axes}
    problems = unknown_parameters(workflow, [*asked.parameters, *asked.sweep.axes])
    for name in both:
        message = "is both set and swept"
        problems.append(Problem("set_and_swept", name, message, cure="take one of the two away"))
    if problems:
        raise WorkflowError(problems)
    sweep = asked.sweep
    plan_sweep(engine, workflow, sweep.axes, asked.parameters, how=sweep.how, targets=asked.targets, force=asked.force)


def read(engine: Engine, document: Mapping[str, Any], most: int) -> Workflow:
    """Read a workflow of at most so many nodes.

    Raises:
        WorkflowError: its form is wrong, or it is too large.
    """
    nodes = document.get("nodes")
    if isinstance(nodes, dict) and len(nodes) > most:
        message = f"the workflow has {len(nodes):,} nodes"
        raise WorkflowError([Problem("too_large", "nodes", message, len(nodes), f"up to {most:,}", "split it")])
    return engine.read(document)
