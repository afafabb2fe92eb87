"""How a run ended: what the scheduler gives, and what a report is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from graphgen.errors import NodeError
from graphgen.events import RunStatus
from graphgen.plan import Plan
from graphgen.tasks import Adapted, Measured, Used
from graphgen.wavefront import Values


@dataclass
class Outcome:
    """How a run ended: the targets' values by node, what failed, and how many nodes did what."""

    values: dict[str, Values] = field(default_factory=dict)
    failures: list[NodeError] = field(default_factory=list)
    written: list[tuple[tuple[int, ...], tuple[str, ...]]] = field(default_factory=list)
    """The files of each node that gave some, behind its place in the run."""
    undone: list[str] = field(default_factory=list)
    """Nodes that were skipped."""
    ran: int = 0
    cached: int = 0
    cancelled: bool = False
    seconds: dict[str, float] = field(default_factory=dict)
    """What each node that ran took."""
    digests: dict[str, Mapping[str, str]] = field(default_factory=dict)
    """The digests of the values of each node that came to its end, by output."""
    weights: dict[str, set[str]] = field(default_factory=dict)
    """The stamps of the model files that nodes which ran have used."""
    costs: dict[str, Measured] = field(default_factory=dict)
    """What else nodes have cost that ran on a device."""
    adapted: dict[str, list[str]] = field(default_factory=dict)
    """What nodes that ran did otherwise than asked, in words."""
    strayed: set[str] = field(default_factory=set)
    """Nodes with other values than their planned keys stand for, because a file changed or memory was short."""

    def account(self, name: str, report: Used | Measured | Adapted) -> None:
        """Take in what a node tells of its costs, and of what it did otherwise than asked."""
        if isinstance(report, Adapted):
            self.adapted.setdefault(name, []).append(report.words)
        elif isinstance(report, Used):
            self.weights.setdefault(name, set()).update(report.stamps)
        else:
            self.costs[name] = report

    def seconds_again(self, name: str) -> float:
        """Return what a node that ran would take again: its weights are loaded once for many."""
        cost, seconds = self.costs.get(name), self.seconds[name]
        return max(0.0, seconds - cost.loading) if cost else seconds

    def keyless(self, plan: Plan) -> dict[str, Mapping[str, str]]:
        """Return the digests of what was given by nodes to which no key leads: below those that run every time."""
        strayed, keys = self.strayed, plan.keys
        return {name: given for name, given in self.digests.items() if name in strayed or keys.get(name) is None}

    @property
    def files(self) -> tuple[str, ...]:
        """List the files: node by node, in the order of the workflow, and of what a map wrote item by item."""
        return tuple(file for _, files in sorted(self.written) for file in files)

    @property
    def skipped(self) -> int:
        """Count the nodes that could not run."""
        return len(self.undone)

    @property
    def status(self) -> RunStatus:
        """Tell in one word how the run ended."""
        return "cancelled" if self.cancelled else "failed" if self.failures else "done"
