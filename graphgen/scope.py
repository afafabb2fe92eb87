"""One graph being carried out: a run's own, one turn of a zone, or what a node returned to run in its place."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from time import perf_counter

from graphgen.cache import Claim, StoredValue
from graphgen.faces import INPUTS
from graphgen.graph import GraphNode
from graphgen.growing import Growing
from graphgen.plan import Plan
from graphgen.tasks import Lane, Report, Task, new_id
from graphgen.wavefront import Values, Wavefront
from graphgen.wires import Wire
from graphgen.zones import label


class Scope:
    """A plan under way. `prefix` is what its nodes' names begin with; `ended` is called once nothing is left of it.

    `tolerant`: a node that fails here is told, but does not fail the run. `owner` is the job it belongs to; `turn`
    tells which of that one's turns it is.
    """

    def __init__(
        self,
        plan: Plan,
        prefix: str = "",
        ended: Callable[[Scope], None] | None = None,
        *,
        tolerant: bool = False,
        owner: Job | None = None,
        turn: int = 0,
    ) -> None:
        self.plan = plan
        self.prefix = prefix
        self.ended = ended
        self.tolerant = tolerant
        self.owner = owner
        self.turn = turn
        self.depth: int = owner.scope.depth + 1 if owner else 0
        self.front = Wavefront(plan)
        self.targets = frozenset(plan.targets)
        self.values: dict[str, Values] = {}
        """The targets' values."""
        self.over = False
        """Whether its end was noted."""
        self.inside: dict[str, frozenset[str]] = {}
        """For zones here that write files: the keys that their turns ended with, where these tell all."""
        self.failed: list[str] = []
        """What went wrong, in short."""
        self.growing: dict[Wire, Growing] = {}
        """Lists that nodes at work are giving item by item, by output, where somebody takes them so."""
        self.early: dict[str, Job] = {}
        """Nodes that began while a list they take was still growing, and is."""
        self.strayed: set[str] = set()
        """Nodes with other values than their planned keys stand for, because a file changed or memory was short."""

    def label(self, name: str) -> str:
        """Return what a node is called in the whole run."""
        return label(self.prefix, name) if self.prefix else name

    def outermost(self, node: GraphNode) -> str:
        """Return the node of the run's own graph that this one is, or is inside of."""
        name, owner = node.name, self.owner
        while owner is not None:
            name, owner = owner.node.name, owner.scope.owner
        return name

    def place(self, name: str) -> tuple[int, ...]:
        """Return where a node stands in the whole run: nodes in order, and in zones the turns in order."""
        here = (self.plan.places[name],)
        return (*self.owner.scope.place(self.owner.node.name), self.turn, *here) if self.owner else here

    def wanted(self, name: str) -> set[str]:
        """Return the outputs of a node that somebody is wired to."""
        graph = self.plan.graph
        wires = [
            *graph.outputs.values(),
            *(wire for node in graph.nodes.values() for wire in chain(*node.wires.values())),
        ]
        return {wire.output for wire in wires if wire.node == name}

    def ends(self) -> set[str] | None:
        """Return the keys under which lies what a later run of the same needs, and nothing else; None if none tell."""
        plan, found, waiting, seen = self.plan, set[str](), list(self.plan.targets), set[str]()
        while waiting:
            name = waiting.pop()
            node, key = plan.graph.nodes[name], plan.keys.get(name)
            if name in seen or name == INPUTS or node.pinned:
                continue
            seen.add(name)
            gone_into = node.zone is not None and node.zone.effects
            if node.lazy or (key is None and not gone_into) or name in self.strayed:
                return None
            if gone_into:
                inside = self.inside.get(name)
                if inside is None:
                    return None
                found |= inside
            elif key and not node.spec.cheap:
                found.add(key)
                continue
            waiting += [wire.node for wires in node.wires.values() for wire in wires]
        return found

    def outputs(self) -> dict[str, StoredValue]:
        """Return the graph's outputs that were reached, by name."""
        ends = self.plan.graph.outputs
        return {name: self.values[wire.node][wire.output] for name, wire in ends.items() if wire.node in self.values}


@dataclass(slots=True, eq=False)
class Job:
    """A node about to run or running: what it is given, and the keys its result is kept under (its value key first)."""

    scope: Scope
    node: GraphNode
    inputs: Mapping[str, tuple[StoredValue, ...]]
    keys: tuple[str, ...] = ()
    fingerprint: str = ""
    claim: Claim | None = None
    lane: Lane | None = None
    told: bool = False
    """Whether it was said that somebody else is at it."""
    fleeting: bool = False
    """What it gives serves this run only, because its keys do not say all that it depends on."""
    ends: frozenset[str] | None = frozenset()
    """If it is a zone that writes files: the keys that its turns ended with so far, None once these do not tell all."""
    worked: bool = False
    """If it is a zone: whether anything in it ran that is worth keeping."""
    forced: int = 0
    """The run that forces it, and takes nothing that was made before; 0 where none does."""
    began: float = field(default_factory=perf_counter)
    streams: Mapping[str, Growing] = field(default_factory=dict)
    """Lists among its inputs that were growing when it began, by socket."""
    held: Report | None = None
    """How it ended, while such a list is still growing."""
    dropped: bool = False
    """Whether nobody wants to know any more how it ends."""
    task: int = 0
    """The task that does it."""

    def make_task(self, run: int, priority: int, *, watched: bool, streamed: bool) -> Task:
        """Return the task that does the job on a lane."""
        node = self.node
        self.task = new_id()
        return Task(
            self.task,
            node.spec.id,
            node.settings,
            self.inputs,
            watched,
            self.keys[-1] if self.keys else "",  # the planned one, where there is one
            tuple(node.lazy - self.scope.front.asked(node.name)) if node.lazy else (),
            run,
            priority,
            bool(self.forced),
            tuple(self.streams),
            streamed,
        )

    @property
    def common(self) -> str:
        """What jobs share whose results serve each other: the value key, for forced ones within their run."""
        return f"{self.keys[0]} {self.forced}" if self.forced else self.keys[0]

    @property
    def label(self) -> str:
        """The node's name in the whole run."""
        return self.scope.label(self.node.name)

    @property
    def whole(self) -> bool:
        """Whether all that comes in is there."""
        return all(growing.whole for growing in self.streams.values())

    def owners(self) -> Iterator[Job]:
        """Yield the jobs that it stands in, the nearest first."""
        owner = self.scope.owner
        while owner is not None:
            yield owner
            owner = owner.scope.owner
