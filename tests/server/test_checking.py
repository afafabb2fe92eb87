"""What is checked once and what each time: small workflows that depend on nothing but themselves are remembered."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from engine_kit import N, config, workflow
from server.server_kit import registry, serving
from server.test_runs import SUM

from graphgen.engine import Engine
from graphgen.errors import WorkflowError
from graphgen.server.checking import Checker, written
from graphgen.server.requests import Submission


@pytest.fixture
def checker(tmp_path: Path) -> Iterator[Checker]:
    with Engine(config(tmp_path), registry()) as engine:
        yield Checker(engine, 1000)


def asked(document: Mapping[str, object] = SUM, **more: Any) -> Submission:
    return Submission(workflow=dict(document), **more)


def test_an_equal_workflow_with_equal_parameters_is_checked_once(checker: Checker) -> None:
    graph = checker.check(SUM, {"extra": 4})
    assert checker.check(json.loads(json.dumps(SUM)), {"extra": 4}) is graph
    assert checker.check_written(written(SUM), {"extra": 4}) is graph
    assert checker.check(SUM, {"extra": 5}).nodes["sum"].settings == {"extra": 5}
    assert checker.check(SUM, {}).nodes["sum"].settings == {"extra": 1}
    other = workflow({"two": N("maths.number", {"value": 3}), "sum": N("maths.add", a="two.int")}, "sum.int")
    assert checker.check(other, {}).nodes["two"].settings == {"value": 3}


def test_what_is_wrong_is_told_each_time(checker: Checker) -> None:
    for _ in range(2):
        with pytest.raises(WorkflowError, match=r"sum\.extra"):
            checker.check(SUM, {"extra": "x"})
        assert not checker.knows(written(SUM), asked(parameters={"extra": "x"}))
        with pytest.raises(WorkflowError, match="none"):
            checker.check_submission(SUM, asked(targets=["none"]))


def test_only_a_run_of_all_that_is_known_needs_no_check(checker: Checker) -> None:
    assert not checker.knows(written(SUM), asked())
    checker.check_submission(SUM, asked())
    assert checker.knows(written(SUM), asked())
    for more in ({"targets": ["two"]}, {"force": "all"}, {"sweep": {"axes": {"extra": [1]}}}):
        assert not checker.knows(written(SUM), asked(**more))


def test_what_reads_files_is_checked_anew_and_so_is_what_may_be_pinned(checker: Checker, tmp_path: Path) -> None:
    reading = workflow({"file": N("toy.read", {"path": "note.txt"})}, "file.str")
    (tmp_path / "inputs" / "note.txt").write_text("words")
    submission = asked(reading)
    checker.check_submission(reading, submission)
    assert not checker.knows(written(reading), submission)
    (tmp_path / "inputs" / "note.txt").unlink()
    with pytest.raises(WorkflowError, match=r"note\.txt"):
        checker.check_submission(reading, submission)
    named = workflow({"pinned": N("maths.number")}, "pinned.int")
    checker.check(named, {})
    assert not checker.knows(written(named), asked(named))


def test_only_so_many_small_ones_are_remembered(checker: Checker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("graphgen.server.checking._REMEMBERED", 2)
    first = checker.check(SUM, {"extra": 0})
    checker.check(SUM, {"extra": 1})
    assert checker.check(SUM, {"extra": 0}) is first
    checker.check(SUM, {"extra": 2})
    assert checker.knows(written(SUM), asked(parameters={"extra": 0}))
    assert not checker.knows(written(SUM), asked(parameters={"extra": 1}))
    many = workflow({f"n{number}": N("maths.number") for number in range(201)}, "n0.int")
    checker.check(many, {})
    assert not checker.knows(written(many), asked(many))


def test_a_remembered_workflow_runs_as_any_other(tmp_path: Path) -> None:
    with serving(tmp_path) as client:
        for extra in (3, 3, 4, 3):
            run = client.wait(client.submit(SUM, parameters={"extra": extra})["id"])
            assert (run["status"], run["outputs"]["sum"]["summary"]) == ("done", str(2 + extra))
