"""Random workflows with everything that steers a run, against a naive evaluator, in one process and in two."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from random import Random
from secrets import token_hex
from typing import Any

import pytest
from engine_kit import Log, carry_out, engine
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lane_kit import WORKER, installed, others
from naive_flows import Document, Notes, compute, outputs_of
from packs.steering import CALLS, TRAPS
from random_flows import edited, random_flow

from graphgen import Facts, NoValue
from graphgen.cache import StoredValue
from graphgen.control import Control
from graphgen.engine import Engine
from graphgen.events import Event, NodeFinished, NodeLog
from graphgen.graph import Graph, GraphNode
from graphgen.pins import hold
from graphgen.report import Report
from graphgen.zones import BODY

RELAXED = settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
FEW = settings(RELAXED, max_examples=4)
"""For tests of processes, of which each costs most of a second to start."""


def plain(outputs: dict[str, Any]) -> dict[str, Any]:
    """Return outputs as they compare: without blocked ones."""
    return {name: value for name, value in outputs.items() if not isinstance(value, NoValue)}


def check(machine: Engine, document: Document, expected: dict[str, Any], notes: Notes) -> None:
    """Run a workflow and compare its outputs, failures and skipped nodes with what they should be."""
    report, log = carry_out(machine, document)
    graph = machine.check(document)
    names = set(graph.nodes)
    assert_as_foretold(graph, report, log)
    assert plain(dict(report.outputs)) == plain(expected)
    failed, skipped = log.failed & names, log.skipped & names
    assert failed | skipped == notes.failed | notes.skipped
    assert failed <= notes.failed, "of nodes that are equal one fails, and the others are skipped"
    assert bool(failed) == bool(notes.failed)
    assert report.status == ("failed" if notes.failed else "done")


def assert_as_foretold(graph: Graph, report: Report, log: Log) -> None:
    """Check that what was known before the run holds of all values that came out, inside maps and loops too."""
    for name, value in plain(dict(report.outputs)).items():
        wire = graph.outputs[name]
        assert holds(graph.nodes[wire.node].facts.get(wire.output, {}), value), f"{wire} is {value}"
    for event in log.events:
        node = node_at(graph, event.node) if isinstance(event, NodeFinished) else None
        for output, summary in event.summaries.items() if node and isinstance(event, NodeFinished) else ():
            facts = node.facts.get(output, {}) if node else {}
            told = {"value": json.dumps(facts.get("value")), "count": f"list of {facts.get('count')}"}
            assert all(summary == told[fact] or "no value" in summary for fact in facts.keys() & told), event


def holds(facts: Facts, value: Any) -> bool:
    """Tell whether a value is as foretold."""
    item, count = facts.get("item", {}), facts.get("count")
    assert isinstance(item, Mapping)
    return (
        facts.get("value", value) == value
        and (count is None or count == len(value))
        and all(holds(item, one) for one in (value if item else ()))
    )


def node_at(graph: Graph, name: str) -> GraphNode | None:
    """Find a node by its name in a run, in bodies of zones too; None where a graph that a node returned holds it."""
    if name in graph.nodes:
        return graph.nodes[name]
    for zone in graph.nodes.values():
        turn, _, rest = name.removeprefix(f"{zone.name}/").partition("/")
        if zone.zone and name.startswith(f"{zone.name}/") and turn.isdigit():
            return node_at(zone.zone.graph, f"{BODY}/{rest}" if rest else BODY)
    return None


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
def test_forced_nodes_run_again_and_nothing_else_does_that_is_kept(tmp_path: Path, seed: int) -> None:
    chance = Random(seed)
    document = random_flow(chance)
    expected, notes = compute(document)
    with engine(tmp_path / token_hex(4)) as machine:
        carry_out(machine, document)
        again = carry_out(machine, document)[1].ran
        graph = machine.check(document)
        needed = list(machine.plan(graph).recipes)
        plan = machine.plan(graph, force=chance.sample(needed, chance.randrange(1, len(needed) + 1)))
        log = Log()
        report = machine.execute(plan, listen=log)
    assert plain(dict(report.outputs)) == plain(expected)
    assert (log.failed & set(graph.nodes), log.skipped & set(graph.nodes)) == (notes.failed, notes.skipped)
    ran = log.ran & set(graph.nodes)
    assert ran <= plan.forced | again, "what is below a forced node gives what it gave, so it is found"
    found = plan.forced - ran - log.failed - log.skipped
    kinds = {graph.nodes[name].spec.id for name in ran & plan.forced}
    holds_others = any(graph.nodes[name].zone or kind == "steering.unfold" for name in plan.forced for kind in kinds)
    assert holds_others or {graph.nodes[name].spec.id for name in found} <= kinds, "or another forced node did the same"


@RELAXED
@given(seed=st.integers(0, 10**6))
def test_a_pinned_node_gives_what_it_gave_whatever_is_edited(tmp_path: Path, seed: int) -> None:
    chance = Random(seed)
    document = random_flow(chance)
    before, first = compute(document)
    with engine(tmp_path / token_hex(4)) as machine:
        stored = carry_out(machine, document)[0].outputs.stored
        for name in pinnable(document, stored):
            if chance.random() < 0.4:
                given = {output: stored[f"{name}_{output}"] for output in outputs_of(document["nodes"][name]["type"])}
                for value in given.values():
                    hold(value, machine.config.roots.data)
                digests = {output: value.digest for output, value in given.items()}
                document["nodes"][name] |= {"mode": "pin", "pinned": digests}
        changed = edited(chance, document)
        pinned = {name: node["pinned"] for name, node in changed["nodes"].items() if node.get("mode") == "pin"}
        held = {name: {output: before[f"{name}_{output}"] for output in given} for name, given in pinned.items()}
        expected, notes = compute({**changed, "held": held})
        CALLS.clear()
        check(machine, changed, expected, notes)
        assert same_calls(notes.calls - first.calls)
        machine.cache.clear()
        check(machine, changed, expected, notes)


def pinnable(document: Document, stored: Mapping[str, StoredValue]) -> list[str]:
    """Return the nodes of which all values are there."""
    nodes = {name: node for name, node in document["nodes"].items() if "mode" not in node}
    return [name for name in nodes if all(f"{name}_{output}" in stored for output in outputs_of(nodes[name]["type"]))]


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
    both = [start(tmp_path, "thread", range(12)) for _ in range(2)]
    answers = [process.communicate(timeout=240)[0] for process in both]
    for answer in answers:
        for seed, found in json.loads(answer.splitlines()[-1]).items():
            expected, _ = compute(random_flow(Random(int(seed))))
            assert found == plain(expected)
    assert [process.returncode for process in both] == [0, 0]


@FEW
@given(seed=st.integers(0, 10**6))
def test_a_process_that_is_killed_at_any_event_loses_nothing_and_spoils_nothing(tmp_path: Path, seed: int) -> None:
    """Two processes, one after the other, are killed by `kill -9`; two engines after them find or make everything."""
    chance, folder = Random(seed), tmp_path / token_hex(4)
    seeds = chance.sample(range(10**6), 3)
    for _ in range(2):
        with start(folder, chance.choice(["thread", "thread", "process"]), seeds) as process:
            assert process.stdout
            for _ in islice(process.stdout, chance.randrange(1, 150)):
                pass
            process.kill()
    for _ in range(2):
        with engine(folder, installed=installed(), disabled_plugins=others()) as machine:
            for number in seeds:
                document = random_flow(Random(number))
                check(machine, document, *compute(document))


def start(folder: Path, workers: str, seeds: Iterable[int]) -> subprocess.Popen[str]:
    """Start a process that runs random workflows (`flow_process.py`)."""
    script = Path(__file__).parent / "flow_process.py"
    command = [sys.executable, str(script), str(folder), workers, *map(str, seeds)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, **WORKER})


@dataclass
class Killer(Log):
    """Listens to a run, and kills one of its workers, whatever that is at, at the first event from a number on."""

    chance: Random = field(default_factory=Random)
    events_left: int = 0

    def __call__(self, event: Event) -> None:
        super().__call__(event)
        self.events_left -= 1
        if self.events_left < 0 and (found := workers()):
            os.kill(self.chance.choice(found), signal.SIGKILL)
            self.events_left = 10**6

    @property
    def left_out(self) -> bool:
        """Whether a map did without an item because of a kill."""
        told = [event.message for event in self.events if isinstance(event, NodeLog)]
        return any("left out" in message and "(SIGKILL)" in message for message in told)


def workers() -> list[int]:
    """Return the worker processes of this process."""
    children = [path.read_text().split() for path in Path("/proc/self/task").glob("*/children")]
    found = [int(pid) for pids in children for pid in pids]
    return sorted(pid for pid in found if b"graphgen.worker" in Path(f"/proc/{pid}/cmdline").read_bytes())


@FEW
@given(seed=st.integers(0, 10**6))
def test_workers_killed_at_any_moment_cost_their_nodes_and_nothing_else(tmp_path: Path, seed: int) -> None:
    """One is killed at some event, others in the middle of a node; the next run, and one after a restart, are whole."""
    chance, folder = Random(seed), tmp_path / token_hex(4)
    document = random_flow(chance)
    expected, notes = compute(document)
    killer = Killer(chance=chance, events_left=chance.randrange(15))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", WORKER["PYTHONPATH"])
        patch.setenv(TRAPS, str(folder / "traps"))
        with engine(folder, installed=installed(), disabled_plugins=others(), workers="process") as machine:
            set_traps(folder / "traps", chance)
            report = machine.run(document, listen=killer)
            for trap in (folder / "traps").iterdir():
                trap.unlink()
            assert_killed_in_clear_words(killer, report, expected, notes)
            check(machine, document, expected, notes)
    with engine(folder, installed=installed(), disabled_plugins=others()) as machine:
        check(machine, document, expected, notes)


def set_traps(folder: Path, chance: Random) -> None:
    """Set traps in the way of the first calls of `counted`; every fourth kills."""
    folder.mkdir()
    for number in range(20):
        (folder / f"{number:02}").write_text("deadly" * (chance.random() < 0.25))


def assert_killed_in_clear_words(killer: Killer, report: Report, expected: dict[str, Any], notes: Notes) -> None:
    """Check a run of which workers were killed: what failed says so, and what came out is right."""
    killed = [str(failure) for failure in report.failures if failure.node.partition("/")[0] not in notes.failed]
    assert all("was killed (SIGKILL)" in words for words in killed)
    if not killer.left_out:
        assert all(expected[name] == value for name, value in plain(dict(report.outputs)).items())
