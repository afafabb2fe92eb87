"""Random workflows with everything that steers a run, against a naive evaluator, in one process and in two."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from random import Random
from secrets import token_hex
from typing import Any

from engine_kit import carry_out, engine
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from naive_flows import Document, Notes, compute
from packs.steering import CALLS
from random_flows import edited, random_flow

from graphgen import NoValue
from graphgen.control import Control
from graphgen.engine import Engine
from graphgen.events import Event

RELAXED = settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


def plain(outputs: dict[str, Any]) -> dict[str, Any]:
    """Return outputs as they compare: without blocked ones."""
    return {name: value for name, value in outputs.items() if not isinstance(value, NoValue)}


def check(machine: Engine, document: Document, expected: dict[str, Any], notes: Notes) -> None:
    """Run a workflow and compare its outputs, failures and skipped nodes with what they should be."""
    report, log = carry_out(machine, document)
    names = set(machine.check(document).nodes)
    assert plain(dict(report.outputs)) == plain(expected)
    failed, skipped = log.failed & names, log.skipped & names
    assert failed | skipped == notes.failed | notes.skipped
    assert failed <= notes.failed, "of nodes that are equal one fails, and the others are skipped"
    assert bool(failed) == bool(notes.failed)
    assert report.status == ("failed" if notes.failed else "done")


def same_calls(calls: set[tuple[str, int, int]], *runs: Notes) -> bool:
    """Tell whether the calls that were made are these, once each; calls without a word do not count.

    Where something failed in one of the runs, what takes its list item by item may have made more, or made them before.
    """
    wanted, made = Counter(word for word, _, _ in calls), +Counter({word: CALLS[word] for word in "abc"})
    return made == wanted or any(notes.troubles for notes in runs)


@RELAXED
@given(seed=st.integers(0, 10**6))
def test_a_random_workflow_gives_what_a_naive_evaluator_gives(tmp_path: Path, seed: int) -> None:
    """Computed, found in memory, found on disk after a restart, and without a cache."""
    document = random_flow(Random(seed))
    expected, notes = compute(document)
    folder = tmp_path / token_hex(4)
    CALLS.clear()
    for _ in range(2):
        with engine(folder) as machine:
            check(machine, document, expected, notes)
            check(machine, document, expected, notes)
        assert same_calls(notes.calls, notes), "equal calls run once, in whatever items, turns and branches they stand"
    with engine(folder, use_cache=False) as machine:
        check(machine, document, expected, notes)


@RELAXED
@given(seed=st.integers(0, 10**6))
def test_after_a_random_edit_exactly_what_has_to_run_runs(tmp_path: Path, seed: int) -> None:
    chance = Random(seed)
    document = random_flow(chance)
    changed = edited(chance, document)
    (_, before), (expected, notes) = compute(document), compute(changed)
    with engine(tmp_path / token_hex(4)) as machine:
        carry_out(machine, document)
        CALLS.clear()
        check(machine, changed, expected, notes)
    assert same_calls(notes.calls - before.calls, before, notes)


@RELAXED
@given(seed=st.integers(0, 10**6))
def test_a_cancel_at_any_event_loses_nothing_and_spoils_nothing(tmp_path: Path, seed: int) -> None:
    chance, control, folder = Random(seed), Control(), tmp_path / token_hex(4)
    document = random_flow(chance)
    expected, notes = compute(document)
    moment, heard = chance.randrange(1, 120), 0
    CALLS.clear()

    def listen(_: Event) -> None:
        nonlocal heard
        heard += 1
        if heard == moment:
            control.cancel()

    with engine(folder) as machine:
        machine.run(document, listen=listen, control=control)
    with engine(folder) as machine:
        check(machine, document, expected, notes)
    assert same_calls(notes.calls, notes)


def test_two_processes_on_one_cache_directory_agree(tmp_path: Path) -> None:
    script = Path(__file__).parent / "flow_process.py"
    command = [sys.executable, str(script), str(tmp_path)]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    answers = [process.communicate(timeout=240)[0] for process in both]
    for answer in answers:
        for seed, found in json.loads(answer).items():
            expected, _ = compute(random_flow(Random(int(seed))))
            assert found == plain(expected)
    assert [process.returncode for process in both] == [0, 0]
