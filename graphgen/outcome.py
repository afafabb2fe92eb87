"""How a run ended: what the scheduler gives, and what a report is made of."""

from __future__ import annotations

from dataclasses import dataclass, field

from graphgen.errors import NodeError
from graphgen.events import RunStatus
from graphgen.wavefront import Values


@dataclass
class Outcome:
    """How a run ended: the targets' values by node, what failed, and how many nodes did what."""

    values: dict[str, Values] = field(default_factory=dict)
    failures: list[NodeError] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    undone: list[str] = field(default_factory=list)
    """Nodes that were skipped."""
    ran: int = 0
    cached: int = 0
    cancelled: bool = False
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def skipped(self) -> int:
        """Count the nodes that could not run."""
        return len(self.undone)

    @property
    def status(self) -> RunStatus:
        """Tell in one word how the run ended."""
        return "cancelled" if self.cancelled else "failed" if self.failures else "done"
