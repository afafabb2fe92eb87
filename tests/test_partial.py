"""Partial work: where a node goes on after it failed, was cancelled, or took its process along; what explains it."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest
from engine_kit import N, carry_out, engine, workflow
from lane_kit import bench_of

from graphgen.context import Context
from graphgen.errors import ResourceError
from graphgen.jsontypes import JSON
from graphgen.tasks import Failed


def climb(**settings: JSON) -> dict[str, JSON]:
    """Return a workflow with one climb."""
    return workflow({"climb": N("probe.climb", settings)}, "climb.ints")


@pytest.mark.parametrize("kind", ["climb", "climb_async"])
def test_a_node_goes_on_where_it_failed_after_a_restart(tmp_path: Path, kind: str) -> None:
    tired = workflow({"climb": N(f"probe.{kind}", {"tire_at": 2})}, "climb.ints")
    with engine(tmp_path) as machine:
        report, _ = carry_out(machine, tired)
        assert report.status == "failed"
    with engine(tmp_path) as machine:
        report, _ = carry_out(machine, workflow({"climb": N(f"probe.{kind}")}, "climb.ints"))
        assert report.outputs["climb"] == [3, 4, 5]


def test_the_latest_work_under_a_key_is_what_is_found(tmp_path: Path) -> None:
    def push(to: int) -> dict[str, JSON]:
        return workflow({"push": N("probe.push", {"to": to})}, "push.ints")

    for to, pushed in ((3, [1, 2, 3]), (5, [4, 5]), (6, [6])):
        with engine(tmp_path) as machine:
            report, _ = carry_out(machine, push(to))
            assert report.outputs["push"] == pushed


def test_nothing_is_kept_without_a_cache(tmp_path: Path) -> None:
    with engine(tmp_path, use_cache=False) as machine:
        carry_out(machine, climb(tire_at=2))
        report, _ = carry_out(machine, climb())
        assert report.outputs["climb"] == [1, 2, 3, 4, 5]
    assert not (tmp_path / "cache").exists()


def test_explain_says_from_where_a_node_goes_on(tmp_path: Path) -> None:
    with engine(tmp_path) as machine:
        plan = machine.plan(machine.check(climb(tire_at=2)))
        assert machine.explain(plan, "it")[0].reasons == ("it has not run yet",)
        carry_out(machine, climb(tire_at=2))
    with engine(tmp_path) as machine:
        (found,) = machine.explain(machine.plan(machine.check(climb(tire_at=2))), "it")
        assert found.reasons == ("it has not run yet", "goes on from step 2 of 5")
        machine.cache.clear()
        (found,) = machine.explain(plan, "it")
        assert found.reasons == ("it has not run yet",)


def test_a_worker_that_dies_loses_no_partial_work(tmp_path: Path) -> None:
    bench = bench_of("process", tmp_path)
    with closing(bench.lane):
        failed = bench.run("probe.climb", {"tire_at": 3, "how": "kill"})[-1]
        assert isinstance(failed, Failed)
        assert "was killed (SIGKILL)" in failed.error
        assert bench.value("probe.climb") == [4, 5]


def test_a_context_outside_a_run_keeps_nothing() -> None:
    context = Context()
    assert not context.remembers
    context.remember("key", 1, words="half")
    assert context.recall("key") is None
    with pytest.raises(ResourceError, match=r"a list has no digest in a context outside a run; use graphgen\.run"):
        context.digest([1])
