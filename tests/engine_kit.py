"""What the engine's tests share: two fake packs as a registry, engines in a folder, and a record of what happened."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

from packs import maths, probe, steering, streams

from graphgen import events
from graphgen.config import Config, Roots
from graphgen.control import Control
from graphgen.engine import Engine, Source
from graphgen.errors import Problem, WorkflowError
from graphgen.events import Event
from graphgen.jsontypes import JSON
from graphgen.plugins import module_plugins
from graphgen.registry import Registry, build_registry
from graphgen.report import Report

HERE = Path(__file__).parent


@cache
def registry() -> Registry:
    """The nodes `maths.*`, `probe.*`, `steering.*` and `streams.*`."""
    made = build_registry(module_plugins({"maths": maths, "probe": probe, "steering": steering, "streams": streams}))
    assert not made.broken, made.broken
    return made


def config(folder: Path, **changes: object) -> Config:
    """A configuration whose roots lie in a folder."""
    roots = Roots(**{name: folder / name for name in ("models", "inputs", "outputs", "cache", "data")})
    for path in (roots.models, roots.inputs, roots.data):
        path.mkdir(parents=True, exist_ok=True)
    return replace(Config(roots=roots, threads=4), **changes)  # type: ignore[arg-type]


@contextmanager
def engine(
    folder: Path, *, use_cache: bool = True, installed: Registry | None = None, **changes: object
) -> Iterator[Engine]:
    """An engine over the fake packs; a second one in the same folder is what comes after a restart."""
    with Engine(config(folder, **changes), installed or registry(), use_cache=use_cache) as made:
        yield made


def workflow(nodes: Mapping[str, JSON], *outputs: str, **rest: JSON) -> dict[str, JSON]:
    """Write a workflow; `outputs` are wires, each an output named after its node."""
    named = {wire.partition(".")[0]: {"from": wire} for wire in outputs}
    return {"graphgen": 1, "nodes": dict(nodes), **({"outputs": named} if named else {}), **rest}


def N(type_: str, settings: Mapping[str, JSON] | None = None, **wires: JSON) -> dict[str, JSON]:  # noqa: N802
    """Write a node: its type, its settings, and its wires by name."""
    return {"type": type_, "settings": dict(settings or {}), "inputs": wires}


@dataclass
class Log:
    """Listens to a run."""

    events: list[Event] = field(default_factory=list)

    def __call__(self, event: Event) -> None:
        self.events.append(event)

    def of(self, kind: type[Event]) -> list[str]:
        """The nodes that events of a kind are about, in order."""
        return [event.node for event in self.events if isinstance(event, kind)]  # type: ignore[union-attr]

    @property
    def ran(self) -> set[str]:
        return set(self.of(events.NodeFinished))

    @property
    def cached(self) -> set[str]:
        return set(self.of(events.NodeCached))

    @property
    def skipped(self) -> set[str]:
        return set(self.of(events.NodeSkipped))

    @property
    def failed(self) -> set[str]:
        return set(self.of(events.NodeFailed))


def carry_out(
    engine: Engine, source: Source, *, control: Control | None = None, targets: list[str] | None = None, **values: JSON
) -> tuple[Report, Log]:
    """Run a workflow and keep what it told."""
    log = Log()
    return engine.run(source, values, listen=log, control=control, targets=targets), log


def problems_of(engine: Engine, source: Source, **values: JSON) -> list[Problem]:
    """Check a workflow that is wrong."""
    try:
        engine.check(source, values)
    except WorkflowError as error:
        return list(error.problems)
    raise AssertionError("nothing was found wrong with it")
