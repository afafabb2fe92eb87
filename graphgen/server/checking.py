"""What a client asks to run, checked before it is put in line, so that it is told all that is wrong at once.

In: documents and parameters. Out: checked graphs. A run is checked again when its turn comes, and many send the same
small workflow again and again, so those that depend on nothing but themselves are checked once.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Mapping
from threading import Lock
from typing import Any

from graphgen.engine import Engine
from graphgen.errors import Problem, WorkflowError
from graphgen.graph import Graph
from graphgen.jsontypes import digest
from graphgen.parameters import unknown_parameters
from graphgen.server.requests import Submission
from graphgen.sweep import plan_sweep
from graphgen.workflow import Workflow

SMALL = 200
"""Nodes of a workflow that may be remembered, and is written as JSON at once."""
_LONGEST = 64 * 1024
"""Characters of one that may be remembered."""
_REMEMBERED = 256
"""Graphs that are remembered, those that were asked for last."""


class Checker:
    """Checks workflows of at most so many nodes with an engine. Thread-safe."""

    def __init__(self, engine: Engine, most: int) -> None:
        self.engine = engine
        self._most = most
        self._known: OrderedDict[str, Graph] = OrderedDict()
        self._lock = Lock()

    def check(self, document: Mapping[str, Any], parameters: Mapping[str, Any]) -> Graph:
        """Check a workflow with its parameters set.

        Raises:
            WorkflowError: with all that is wrong with the parameters and with the workflow.
        """
        return self._check(document, _key_of(None if is_large(document) else written(document), parameters), parameters)

    def check_written(self, text: str, parameters: Mapping[str, Any]) -> Graph:
        """Check a workflow by its text, which is not even read where it was found to be in order before.

        Raises:
            WorkflowError: with all that is wrong with the parameters and with the workflow.
        """
        key = _key_of(text, parameters)
        return self._recall(key) or self._check(json.loads(text), key, parameters)

    def knows(self, text: str, asked: Submission) -> bool:
        """Tell, without waiting for anything, whether a run that is asked for was found to be in order before."""
        if asked.sweep is not None or asked.targets is not None or asked.force:
            return False
        return self._recall(_key_of(text, asked.parameters)) is not None

    def check_submission(self, document: Mapping[str, Any], asked: Submission) -> None:
        """Check a run that is asked for: its workflow, parameters, targets and files, and each variation of a sweep.

        Raises:
            WorkflowError: with all that is wrong.
        """
        engine, sweep = self.engine, asked.sweep
        if sweep is None:
            graph = self.check(document, asked.parameters)
            if asked.targets is not None or asked.force or graph.reads_outside:
                engine.plan(graph, asked.targets, asked.force)
            return
        workflow = self.read(document)
        both = {name: value for name, value in asked.parameters.items() if name in sweep.axes}
        problems = unknown_parameters(workflow, [*asked.parameters, *sweep.axes])
        for name in both:
            message = "is both set and swept"
            problems.append(Problem("set_and_swept", name, message, cure="take one of the two away"))
        if problems:
            raise WorkflowError(problems)
        plan_sweep(
            engine, workflow, sweep.axes, asked.parameters, how=sweep.how, targets=asked.targets, force=asked.force
        )

    def _check(self, document: Mapping[str, Any], key: str | None, parameters: Mapping[str, Any]) -> Graph:
        if known := self._recall(key):
            return known
        graph = self._checked(document, parameters)
        if key and not graph.reads_outside:
            self._remember(key, graph)
        return graph

    def _checked(self, document: Mapping[str, Any], parameters: Mapping[str, Any]) -> Graph:
        workflow = self.read(document)
        problems = unknown_parameters(workflow, parameters)
        known = {name: value for name, value in parameters.items() if name in workflow.parameters}
        try:
            graph = self.engine.check(workflow, known)
        except WorkflowError as error:
            raise WorkflowError([*problems, *error.problems]) from error
        if problems:
            raise WorkflowError(problems)
        return graph

    def read(self, document: Mapping[str, Any]) -> Workflow:
        """Read a workflow.

        Raises:
            WorkflowError: its form is wrong, or it is too large.
        """
        nodes = document.get("nodes")
        if isinstance(nodes, dict) and len(nodes) > self._most:
            message = f"the workflow has {len(nodes):,} nodes"
            allowed = f"up to {self._most:,}"
            raise WorkflowError([Problem("too_large", "nodes", message, len(nodes), allowed, "split it")])
        return self.engine.read(document)

    def _recall(self, key: str | None) -> Graph | None:
        if key is None:
            return None
        with self._lock:
            if key in self._known:
                self._known.move_to_end(key)
            return self._known.get(key)

    def _remember(self, key: str, graph: Graph) -> None:
        with self._lock:
            self._known[key] = graph
            if len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)


def is_large(document: Mapping[str, Any]) -> bool:
    """Tell whether writing a workflow takes long enough to keep others waiting."""
    nodes = document.get("nodes")
    return not isinstance(nodes, dict) or len(nodes) > SMALL


def written(document: Mapping[str, Any]) -> str:
    """Write a workflow as the store keeps it: the same document is the same text."""
    return json.dumps(document, separators=(",", ":"))


def _key_of(text: str | None, parameters: Mapping[str, Any]) -> str | None:
    """Identify a small workflow and its parameters; None where it may be large, or pinned to values outside of it."""
    if text is None or len(text) > _LONGEST or '"pinned"' in text:
        return None
    return digest(text.encode(), b"\0", json.dumps(parameters).encode())
