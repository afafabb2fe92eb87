"""Forecasts from synthetic samples: the size that explains them is found, and outliers do no harm."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from engine_kit import N, engine, workflow

from graphgen.costs import PIXELS, WORK, forecast, sizes_of
from graphgen.ledger import SAMPLES, Ledger, Sample


def seconds(samples: list[Sample], **sizes: float) -> float:
    found = forecast(samples, sizes)
    assert found is not None
    return found.seconds


def test_without_samples_nothing_is_known() -> None:
    assert forecast([], {"steps": 3}) is None


def test_one_sample_of_the_same_sizes_is_what_is_expected() -> None:
    assert seconds([Sample(2.0, {"steps": 20.0})], steps=20) == 2.0


def test_the_size_that_explains_the_seconds_is_found_among_others() -> None:
    dice = random.Random(1)
    samples = [
        Sample(0.1 * steps * dice.uniform(0.95, 1.05), {"steps": steps, "width": dice.choice([64, 128]), "cfg": 7.0})
        for steps in (10.0, 20.0, 30.0, 25.0, 40.0)
    ]
    assert seconds(samples, steps=50, width=64, cfg=7) == pytest.approx(5.0, rel=0.06)


def test_a_call_that_was_slow_for_its_own_reasons_does_no_harm() -> None:
    samples = [Sample(steps / 10, {"steps": steps}) for steps in (10.0, 20.0, 30.0, 15.0, 25.0)]
    assert seconds([*samples, Sample(60.0, {"steps": 20.0})], steps=40) == pytest.approx(4.0)


def test_sizes_that_explain_nothing_are_left_alone() -> None:
    samples = [Sample(1.0 + 0.01 * seed, {"threshold": value}) for seed, value in enumerate([3.0, 9.0, 4.0, 8.0])]
    assert seconds(samples, threshold=90) == pytest.approx(1.0, abs=0.05)


def test_where_only_one_size_was_seen_work_is_taken_to_be_proportional() -> None:
    samples = [Sample(2.0, {"width": 512.0, PIXELS: 512.0 * 512, WORK: 512.0 * 512 * 20}, working=100)] * 3
    found = forecast(samples, {"width": 1024.0, PIXELS: 1024.0 * 512, WORK: 1024.0 * 512 * 40})
    assert found is not None
    assert (found.seconds, found.working) == (8.0, 200)


def test_nothing_seconds_are_no_trouble() -> None:
    assert seconds([Sample(0.0, {"steps": 1.0}), Sample(0.0, {"steps": 2.0})], steps=3) == 0.0


def test_memory_and_weights_come_from_those_that_knew_them() -> None:
    samples = [Sample(1.0, {}, 300, {"old": (5, 0.1)}), Sample(1.0, {}, None, {"new": (7, 0.2)})]
    found = forecast(samples, {})
    assert found is not None
    assert (found.working, found.weights) == (300, {"new": (7, 0.2)})


def test_sizes_are_settings_and_facts_and_their_products(tmp_path: Path) -> None:
    nodes = {"n": N("maths.number", {"value": 3}), "s": N("maths.scale", {"steps": 5, "factor": 2.0}, value="n.int")}
    with engine(tmp_path) as machine:
        graph = machine.check(workflow(nodes, "s.float"))
    assert sizes_of(graph.nodes["s"], graph) == {"factor": 2.0, "steps": 5.0}
    assert sizes_of(graph.nodes["n"], graph) == {}


class TestRemembering:
    """Samples in the ledger."""

    def test_they_come_back_in_order_the_oldest_let_go(self, tmp_path: Path) -> None:
        for number in range(SAMPLES + 5):
            Ledger(tmp_path).learn([("kind", Sample(float(number), {"steps": 1.0}, number, {"w": (1, 2.0)}))])
        found = Ledger(tmp_path).samples(["kind", "other"])
        assert [sample.working for sample in found["kind"]] == list(range(5, SAMPLES + 5))
        assert found["kind"][-1] == Sample(SAMPLES + 4.0, {"steps": 1.0}, SAMPLES + 4, {"w": (1, 2.0)})
        assert list(found) == ["kind"]

    def test_a_damaged_file_is_replaced(self, tmp_path: Path) -> None:
        (tmp_path / "ledger.sqlite").write_bytes(b"no database" * 500)
        ledger = Ledger(tmp_path)
        assert ledger.samples(["kind"]) == {}
        ledger.learn([("kind", Sample(1.0))])
        assert ledger.samples(["kind"]) == {"kind": [Sample(1.0)]}
