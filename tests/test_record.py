"""The run record: what it says, that it is the same each time, and that strangers' records do no harm."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from engine_kit import N, carry_out, engine, workflow
from packs import probe

from graphgen.jsontypes import JSON
from graphgen.ledger import Ledger, Made
from graphgen.provenance import RECORD_KEY
from graphgen.record import NodeRecord, RunRecord, differences, read_run_record


def saving(text: str = "hello") -> dict[str, JSON]:
    """A text made in two steps, and written to a file that carries its workflow."""
    nodes = {
        "w": N("maths.word", {"text": text}),
        "j": N("maths.join", words=["w.str"]),
        "s": N("probe.save", {"suffix": ".note"}, text="j.str"),
    }
    return workflow(nodes)


def record_in(path: str) -> RunRecord:
    return read_run_record(probe.read_texts(Path(path).read_bytes())[RECORD_KEY])


def record_of(values: str, version: int = 1, **environment: str) -> RunRecord:
    node = NodeRecord("maths.word", version, values={"str": values}, environment=0)
    return RunRecord("graph", ("w",), (environment,), {"w": node})


class TestInFiles:
    """What made files carry."""

    def test_each_node_is_there_with_what_it_gave_and_what_made_it(self, tmp_path: Path) -> None:
        with engine(tmp_path) as machine:
            report, _ = carry_out(machine, saving())
            record = record_in(report.files[0])
        assert list(record.nodes) == ["w", "j", "s"]
        assert record.targets == ("s",)
        assert record.nodes["w"].values == record.nodes["j"].values
        assert all(node.key for node in record.nodes.values())
        assert "graphgen" in record.made_with(record.nodes["s"])
        assert record == report.record()

    def test_only_what_led_to_a_file_is_in_its_record(self, tmp_path: Path) -> None:
        source = saving()
        source["nodes"] = {**source["nodes"], "other": N("maths.word", {"text": "x"})}  # type: ignore[dict-item]
        source["outputs"] = {"other": {"from": "other.str"}}
        with engine(tmp_path) as machine:
            (path,) = carry_out(machine, source, targets=["other", "s"])[0].files
        assert "other" not in record_in(path).nodes

    def test_the_file_is_the_same_byte_for_byte_however_much_was_cached(self, tmp_path: Path) -> None:
        def made(folder: Path, *, use_cache: bool = True) -> bytes:
            with engine(folder, use_cache=use_cache) as machine:
                path = Path(carry_out(machine, saving())[0].files[0])
            data = path.read_bytes()
            path.unlink()
            return data

        first = made(tmp_path)
        with engine(tmp_path) as machine:  # shares all but the file
            carry_out(machine, saving("bye"))
        assert made(tmp_path) == first
        assert made(tmp_path, use_cache=False) == first
        assert made(tmp_path / "elsewhere") == first

    def test_what_is_below_an_impure_node_is_recorded_without_a_key(self, tmp_path: Path) -> None:
        nodes = {"c": N("probe.clock"), "p": N("maths.parity", value="c.int")}
        with engine(tmp_path) as machine:
            record = carry_out(machine, workflow(nodes, "p.int"))[0].record()
        assert record.nodes["p"].key == ""
        assert record.nodes["p"].values

    def test_a_lost_ledger_costs_words_only(self, tmp_path: Path) -> None:
        with engine(tmp_path) as machine:
            Path(carry_out(machine, saving())[0].files[0]).unlink()
        (tmp_path / "cache" / "ledger.sqlite").write_bytes(b"damaged" * 1000)
        with engine(tmp_path) as machine:
            report, _ = carry_out(machine, saving())
        record = record_in(report.files[0])
        assert (report.ran, report.status) == (0, "done")
        assert record.nodes["s"].values
        assert record.nodes["s"].environment is None
        assert record.nodes["w"].values == {}


class TestReading:
    """Records from strangers."""

    def test_what_is_written_is_read(self) -> None:
        record = record_of("1", beads="7")
        assert read_run_record(json.dumps(record.to_json())) == record

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("{", "damaged|Expecting"),
            ("[]", "of version None"),
            ('{"record": 2}', "of version 2; this graphgen reads version 1"),
            ('{"record": 1, "graph": 3}', "damaged"),
            ("[" * 100_000, "damaged"),
        ],
    )
    def test_what_is_no_record_is_refused(self, text: str, words: str) -> None:
        with pytest.raises(ValueError, match=words):
            read_run_record(text)

    def test_an_environment_that_is_not_there_is_unknown(self) -> None:
        record = RunRecord("graph", (), (), {})
        assert record.made_with(NodeRecord("x", 1, environment=7)) == {}


class TestDifferences:
    """Which node differs, and why."""

    def test_equal_values_are_no_difference_whatever_made_them(self) -> None:
        assert list(differences(record_of("1", torch="2.0"), record_of("1", version=2, torch="2.1"))) == []

    def test_causes_are_named_the_likeliest_first(self) -> None:
        (found,) = differences(record_of("1", torch="2.0", same="1"), record_of("2", version=2, torch="2.1", same="1"))
        assert (found.node, found.outputs) == ("w", ("str",))
        assert found.causes == ("the node's version: 1 -> 2", "torch: 2.0 -> 2.1")

    def test_a_value_that_nobody_remembers_differs_from_nothing(self) -> None:
        unknown = RunRecord("graph", ("w",), (), {"w": NodeRecord("maths.word", 1)})
        assert list(differences(unknown, record_of("1"))) == []


class TestLedger:
    """What the cache folder remembers."""

    def test_lines_come_back_in_another_process(self, tmp_path: Path) -> None:
        line = Made({"int": "d"}, ("1:2:3:/x",), {"torch": "2"})
        Ledger(tmp_path).remember({"k": line})
        assert Ledger(tmp_path).recall(["k", "other"]) == {"k": line}

    def test_what_was_made_first_stays_while_the_values_are_the_same(self, tmp_path: Path) -> None:
        ledger = Ledger(tmp_path)
        for environment in ({}, {"torch": "1"}, {"torch": "2"}):
            ledger.remember({"k": Made({"int": "d"}, (), environment)})
        assert ledger.recall(["k"])["k"].environment == {"torch": "1"}
        ledger.remember({"k": Made({"int": "e"}, (), {"torch": "2"})})
        assert ledger.recall(["k"])["k"] == Made({"int": "e"}, (), {"torch": "2"})

    def test_without_a_folder_or_a_writable_one_nothing_is_remembered_and_nothing_raised(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("in the way")
        for folder in (None, tmp_path / "file"):
            Ledger(folder).remember({"k": Made({"int": "d"})})
            assert Ledger(folder).recall(["k"]) == {}

    def test_the_oldest_lines_go(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("graphgen.ledger.MOST", 3)
        ledger = Ledger(tmp_path)
        for number in range(5):
            ledger.remember({str(number): Made({"int": "d"})})
        assert sorted(ledger.recall(map(str, range(5)))) == ["2", "3", "4"]


def test_a_run_that_makes_no_files_leaves_no_ledger(tmp_path: Path) -> None:
    with engine(tmp_path) as machine:
        carry_out(machine, workflow({"n": N("maths.number")}, "n.int"))
    assert not (tmp_path / "cache" / "ledger.sqlite").exists()
