"""The run record: what each node that led to a result was, what it gave, and what it was made with.

A record is compact JSON without times, so that the same run leaves the same record. It travels in files beside the
workflow that made them, and `graphgen verify` compares the record of one run with that of another.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field

from pydantic import TypeAdapter, ValidationError

from graphgen.jsontypes import JSON

VERSION = 1
"""The version of the record's form."""


@dataclass(frozen=True, slots=True)
class NodeRecord:
    """One node: its recipe, the digests of its values by output, and in which of the record's environments it ran.

    `device` is the device class and precision of a node that runs on the device, `reads` identifies the file it reads.
    `files` are the model files it used, by name, with the SHA-256 of all their bytes. Without `values` nobody remembers
    what it gave; without `environment` it came out of the cache, and nobody remembers how it got there.
    """

    type: str
    version: int
    key: str = ""
    device: str = ""
    reads: str = ""
    values: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    environment: int | None = None


@dataclass(frozen=True, slots=True)
class RunRecord:
    """The nodes that led to `targets`, in topological order; `graph` is the digest of the workflow without its view.

    An environment names versions: of graphgen, of Python, of a plugin and of the libraries that it computes with.
    """

    graph: str
    targets: tuple[str, ...]
    environments: tuple[Mapping[str, str], ...]
    nodes: Mapping[str, NodeRecord]
    record: int = VERSION

    def to_json(self) -> dict[str, JSON]:
        """Return the record as JSON; what is empty is left out."""
        nodes = {
            name: {key: value for key, value in asdict(node).items() if value not in ("", {}, None)}
            for name, node in self.nodes.items()
        }
        return {
            "record": self.record,
            "graph": self.graph,
            "targets": self.targets,
            "environments": self.environments,
            "nodes": nodes,
        }

    def made_with(self, node: NodeRecord) -> Mapping[str, str]:
        """Return the environment a node ran in, empty where that is not known."""
        index = node.environment
        return self.environments[index] if index is not None and 0 <= index < len(self.environments) else {}


@dataclass(frozen=True, slots=True)
class Difference:
    """A node whose values are not those of the record: which outputs, and what may have caused it, likeliest first."""

    node: str
    type: str
    outputs: tuple[str, ...]
    causes: tuple[str, ...]


def read_run_record(text: str) -> RunRecord:
    """Read a record; it may come from a stranger's file.

    Raises:
        ValueError: it is none, or of another version; the message says so.
    """
    try:
        document = json.loads(text)
        found = document.get("record") if isinstance(document, dict) else None
        if found != VERSION:
            raise ValueError(f"the run record is of version {found!r}; this graphgen reads version {VERSION}")
        return TypeAdapter(RunRecord).validate_json(text)
    except (ValidationError, RecursionError) as error:
        raise ValueError("the run record is damaged") from error


def differences(before: RunRecord, now: RunRecord) -> Iterator[Difference]:
    """Yield the nodes whose values differ, in topological order; the first is where the difference comes from."""
    for name, node in now.nodes.items():
        old = before.nodes.get(name)
        if old is None:
            continue
        differing = tuple(output for output, digest in node.values.items() if old.values.get(output, digest) != digest)
        if differing:
            causes = tuple(_causes(old, node, before.made_with(old), now.made_with(node)))
            yield Difference(name, node.type, differing, causes)


def _causes(old: NodeRecord, new: NodeRecord, then: Mapping[str, str], now: Mapping[str, str]) -> Iterator[str]:
    """Say what is not as it was, the likeliest cause first."""
    for file, digest in new.files.items():
        if old.files.get(file, digest) != digest:
            yield f"the model file {file} has changed"
    if old.files and new.files and old.files.keys() != new.files.keys():
        yield f"other model files: {', '.join(old.files)} -> {', '.join(new.files)}"
    if old.reads != new.reads:
        yield "the file it reads has changed"
    if old.type != new.type:
        yield f"it was a {old.type}"
    if old.version != new.version:
        yield f"the node's version: {old.version} -> {new.version}"
    if old.device != new.device:
        yield f"the device and precision: {old.device} -> {new.device}"
    for name in sorted({*then, *now}) if then and now else ():
        if then.get(name) != now.get(name):
            yield f"{name}: {then.get(name, 'not there')} -> {now.get(name, 'not there')}"
