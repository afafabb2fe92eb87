"""What made a result, written down: the texts that made files carry, and the run record among them.

In: a plan, how far it was carried out, and the ledger, which remembers what earlier runs computed. Out: the record of
any node that came to its end, and lines for the ledger. What the plan did not need to look at, because what lies below
was cached, is in the record as earlier runs left it: so a file that is written again says the same as the first time.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import JsonValue

from graphgen.effects import Provenance
from graphgen.faces import INPUTS
from graphgen.filedigests import FileDigests, path_of_stamp
from graphgen.graph import GraphNode
from graphgen.jsontypes import JSON, json_digest
from graphgen.ledger import Ledger, Made
from graphgen.outcome import Outcome
from graphgen.plan import Plan
from graphgen.record import NodeRecord, RunRecord
from graphgen.workflow import Workflow

TEXT_KEY = "graphgen"
"""The text in a made file that holds the workflow, with the parameters' values filled in."""
PARAMETERS_KEY = "graphgen.parameters"
"""The text in a made file that holds the parameters' values."""
VIEW_KEY = "graphgen.view"
"""The text in a made file that holds the editor's view of the workflow."""
RECORD_KEY = "graphgen.record"
"""The text in a made file that holds the run record."""


@dataclass(frozen=True)
class Archive:
    """What outlives a run: the ledger, the digests of model files, and how environments and files are named."""

    ledger: Ledger
    digests: FileDigests
    environment_of: Callable[[str], Mapping[str, str]]
    """Returns what a type of node computes with."""
    name_of: Callable[[Path], str]
    """Names a model file without telling where it lies on this machine."""


@dataclass(frozen=True)
class Chronicle:
    """One run, as it is written down."""

    plan: Plan
    outcome: Outcome
    parameters: Mapping[str, JSON]
    archive: Archive

    def record(self, targets: Iterable[str]) -> RunRecord:
        """Return the record of nodes that came to their end, and of all that led to them."""
        targets = tuple(targets)
        names = self._leading_to(targets)
        made = self._made(names)
        environments: list[Mapping[str, str]] = []
        nodes: dict[str, NodeRecord] = {}
        for name in names:
            found = made.get(name, Made({}))
            if found.environment and found.environment not in environments:
                environments.append(found.environment)
            index = environments.index(found.environment) if found.environment else None
            nodes[name] = self._node(name, found, index)
        return RunRecord(_graph_digest(self.plan.graph.workflow), targets, tuple(environments), nodes)

    def provenance(self, node: str) -> Provenance:
        """Return the texts for the files that a node writes."""
        document = self.plan.graph.workflow.to_json()
        view = document.pop("view", {})
        values = {**_current(self.plan.graph.workflow), **self.parameters}

        def passing() -> dict[str, str]:
            record = json.dumps(self.record([node]).to_json(), ensure_ascii=False, separators=(",", ":"))
            return {RECORD_KEY: record, **({VIEW_KEY: _text(view)} if view else {})}

        return Provenance({TEXT_KEY: _text(document), PARAMETERS_KEY: _text(values)}, passing)

    def keep(self) -> None:
        """Leave what this run computed in the ledger, if it made files, whose records will want it again."""
        if not any(self.plan.graph.nodes[name].spec.effect for name in self.plan.recipes):
            return
        made: dict[str, Made] = {}
        for name in self.outcome.seconds:
            key = self._key(name)
            if key and name in self.outcome.digests:
                made[key] = self._made_now(name)
        self.archive.ledger.remember(made)

    def _leading_to(self, targets: Iterable[str]) -> list[str]:
        """Return nodes and all they depend on, in topological order."""
        nodes, waiting = self.plan.graph.nodes, list(targets)
        found = set(waiting)
        while waiting:
            for wires in nodes[waiting.pop()].wires.values():
                for wire in wires:
                    if wire.node not in found:
                        found.add(wire.node)
                        waiting.append(wire.node)
        return [name for name in self.plan.recipes if name in found]

    def _made(self, names: Iterable[str]) -> dict[str, Made]:
        """Return what is known of nodes: of those that ran from this run, of others from the ledger."""
        made: dict[str, Made] = {}
        others: dict[str, str] = {}
        for name in names:
            leader = self.plan.equal.get(name, name)
            if leader in self.outcome.seconds:
                made[name] = self._made_now(leader)
            else:
                others[name] = self._key(name)
        recalled = self.archive.ledger.recall(filter(None, others.values())) if others else {}
        for name, key in others.items():
            values, found = self._values(name), recalled.get(key)
            if found and values in (None, found.values):
                made[name] = found
            elif values is not None:
                made[name] = Made(values)
        return made

    def _made_now(self, name: str) -> Made:
        environment: dict[str, str] = {}
        for type_ in sorted(_types_in(self.plan.graph.nodes[name])):
            environment |= self.archive.environment_of(type_)
        labels, weights, adapted = [name], self.outcome.weights, self.outcome.adapted
        if self.plan.graph.nodes[name].zone is not None:  # what was used and done inside
            labels += [label for label in {*weights, *adapted} if label.startswith(f"{name}/")]
        stamps = set().union(*(weights.get(label, ()) for label in labels))
        if words := sorted(set().union(*(adapted.get(label, ()) for label in labels))):
            environment["adapted"] = "; ".join(words)
        return Made(self._values(name) or {}, tuple(sorted(stamps)), environment)

    def _values(self, name: str) -> dict[str, str] | None:
        """Return the digests of a node's values; a map that writes files gives only those that somebody is wired to."""
        digests = self.outcome.digests.get(name)
        outputs = (output.name for output in self.plan.graph.nodes[name].spec.outputs)
        return None if digests is None else {output: digests[output] for output in outputs if output in digests}

    def _key(self, name: str) -> str:
        """Return the key a node was planned under; nodes of graphs that came up while the run went on have none."""
        return "" if name in self.outcome.strayed else self.plan.keys.get(name) or ""

    def _node(self, name: str, made: Made, environment: int | None) -> NodeRecord:
        recipe = self.plan.recipes[name]
        files = {
            self.archive.name_of(path_of_stamp(stamp)): self.archive.digests.of(stamp) or ""
            for stamp in sorted(made.stamps, key=path_of_stamp)
        }
        return NodeRecord(
            recipe.type,
            recipe.version,
            self._key(name),
            recipe.environment,
            recipe.fingerprint,
            made.values,
            {file: digest for file, digest in files.items() if digest},
            environment,
        )


def _graph_digest(workflow: Workflow) -> str:
    document = workflow.to_json()
    document.pop("view", None)
    return json_digest(document)


def read_view(text: str) -> dict[str, JsonValue]:
    """Read the editor's view from a made file; anybody may have written it, and nothing depends on it."""
    try:
        view = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return view if isinstance(view, dict) else {}


def _types_in(node: GraphNode) -> set[str]:
    """Return the type of a node, or those of the nodes that it repeats."""
    if node.zone is None:
        return {node.spec.id}
    inside = (part for name, part in node.zone.graph.nodes.items() if name != INPUTS)
    return set().union(*map(_types_in, inside))


def _current(workflow: Workflow) -> dict[str, JSON]:
    """Return the value each parameter has in the workflow, where one is written."""
    found: dict[str, JSON] = {}
    for name, parameter in workflow.parameters.items():
        node, _, setting = parameter.sets[0].partition(".")
        if node in workflow.nodes and setting in workflow.nodes[node].settings:
            found[name] = workflow.nodes[node].settings[setting]
    return found


def _text(value: JSON) -> str:
    return json.dumps(value, ensure_ascii=False)
