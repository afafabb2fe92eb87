"""What a caller gets of a run: how it ended, and its outputs by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from graphgen import events
from graphgen.errors import NodeError
from graphgen.estimates import Estimate
from graphgen.events import RunStatus
from graphgen.novalue import reason_in
from graphgen.outcome import Outcome
from graphgen.outputs import Outputs
from graphgen.plan import Plan
from graphgen.record import RunRecord


@dataclass(frozen=True)
class Report:
    """How a run ended: `outputs` has those that were reached, `files` the paths written or found in place.

    `blocked` says of the outputs that a node blocked (see NoValue) why they are not there.
    """

    run: str
    status: RunStatus
    outputs: Outputs
    files: tuple[str, ...]
    failures: tuple[NodeError, ...]
    ran: int
    cached: int
    skipped: int
    seconds: float
    blocked: Mapping[str, str]
    record: Callable[[], RunRecord]
    """Writes the run record of the targets: what each node was, what it gave, and what it was made with."""


def report_of(run_id: str, plan: Plan, outcome: Outcome, seconds: float, record: Callable[[], RunRecord]) -> Report:
    """Say how a run ended."""
    reached = {
        name: outcome.values[wire.node][wire.output]
        for name, wire in plan.graph.outputs.items()
        if wire.node in outcome.values
    }
    blocked = {name: reason for name, value in reached.items() if (reason := reason_in(value.document)) is not None}
    files = outcome.files
    return Report(
        run_id,
        outcome.status,
        Outputs({name: value for name, value in reached.items() if name not in blocked}, files),
        files,
        tuple(outcome.failures),
        outcome.ran,
        outcome.cached,
        outcome.skipped,
        seconds,
        blocked,
        record,
    )


def started(run_id: str, plan: Plan, estimate: Estimate) -> events.RunStarted:
    """Say as an event that a plan begins, and what it will take."""
    return events.RunStarted(
        run_id,
        plan.to_run,
        plan.found,
        plan.targets,
        estimate.seconds,
        len(estimate.unknown),
        estimate.peak_bytes,
    )


def finished(report: Report) -> events.RunFinished:
    """Say the same as an event."""
    return events.RunFinished(
        report.run,
        report.status,
        report.seconds,
        report.ran,
        report.cached,
        len(report.failures),
        report.skipped,
        report.files,
    )
