"""Files that nodes write: same content, same name; other content, another; nothing is ever overwritten."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from engine_kit import N, carry_out, engine, workflow
from packs import maths, probe, steering

from graphgen import Files, OutputFile, hookimpl, node
from graphgen.effects import Provenance, check_folder, write_files
from graphgen.engine import Engine
from graphgen.errors import PathError
from graphgen.jsontypes import JSON
from graphgen.plugins import module_plugins
from graphgen.registry import Registry, build_registry
from graphgen.report import Report

NOTE = {".note": probe.register_formats()[0]}


LATER = {number: threading.Event() for number in range(1, 5)}
"""Set when the file of a number was made."""


@node(category="files", effect=True)
def backwards(value: int) -> Files:
    """Write a number, after those that follow it."""
    assert value == 3 or LATER[value + 1].wait(30)
    LATER.get(value, threading.Event()).set()
    return Files((OutputFile(f"n{value}", ".txt", b"number"),))


@node(category="files", effect=True)
def written(value: int) -> Files:
    """Write a number."""
    return Files((OutputFile(f"n{value}", ".txt", b"number"),))


@hookimpl
def register_nodes() -> list[Callable[..., object]]:
    """Contribute the nodes."""
    return [backwards, written]


def with_own() -> Registry:
    """The fake packs, and the nodes of this module."""
    modules = {"maths": maths, "probe": probe, "steering": steering, "here": sys.modules[__name__]}
    return build_registry(module_plugins(modules))


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Engine]:
    with engine(tmp_path) as made:
        yield made


def saving(text: str, suffix: str = ".txt", **rest: JSON) -> dict[str, JSON]:
    nodes = {"w": N("maths.word", {"text": text}), "s": N("probe.save", {"suffix": suffix}, text="w.str")}
    return workflow(nodes, **rest)


def write(folder: Path, data: bytes, stem: str = "note", suffix: str = ".txt", **texts: str) -> Path:
    (path,) = write_files(Files((OutputFile(stem, suffix, data),)), folder, NOTE, Provenance(texts, dict))
    return Path(path)


class TestInRuns:
    """Effect nodes in workflows."""

    def test_the_file_is_written_and_named_by_its_content(self, machine: Engine) -> None:
        report, _ = carry_out(machine, saving("hello"))
        (path,) = map(Path, report.files)
        assert path.parent == machine.config.roots.outputs
        assert path.name.startswith("note-")
        assert path.read_text() == "hello"
        assert carry_out(machine, saving("bye"))[0].files != report.files

    def test_a_missing_file_is_put_back_without_running_anything(self, tmp_path: Path) -> None:
        with engine(tmp_path) as first:
            (path,) = map(Path, carry_out(first, saving("hello"))[0].files)
        path.unlink()
        with engine(tmp_path) as second:
            report, _ = carry_out(second, saving("hello"))
        assert (report.ran, report.files) == (0, (str(path),))
        assert path.read_text() == "hello"

    def test_the_files_of_a_map_are_listed_item_by_item(self, tmp_path: Path) -> None:
        nodes: dict[str, JSON] = {
            "many": N("steering.numbers", {"count": 4}),
            "each": {**N("here.backwards", value="many.ints"), "map": {"over": ["value"]}},
            "first": N("probe.save", {"name": "a"}, text="word.str"),
            "word": N("maths.word", {"text": "last, for it comes from one more"}),
        }
        for _ in range(2):  # computed, and from the cache
            with engine(tmp_path, installed=with_own()) as machine:
                report, _ = carry_out(machine, workflow(nodes))
            assert [Path(file).name.partition("-")[0] for file in report.files] == ["n0", "n1", "n2", "n3", "a"]

    def test_a_map_that_writes_files_and_is_kept_has_nothing_to_run(self, tmp_path: Path) -> None:
        def document(count: int) -> dict[str, JSON]:
            nodes: dict[str, JSON] = {
                "many": N("steering.numbers", {"count": count}),
                "texts": {**N("maths.quick", a="many.ints"), "map": {"over": ["a"]}},
                "inner": {**N("subgraph.write", value="texts.int"), "map": {"over": ["value"]}},
            }
            inside: JSON = {
                "inputs": {"value": {"type": "int"}},
                "outputs": {"int": {"from": "sum.int"}},
                "nodes": {
                    "sum": N("maths.add", {"extra": 2}, a="inputs.value"),
                    "twice": N("maths.shift", {"by": 2}, value="sum.int"),
                    "save": {**N("here.written", value="twice.ints"), "map": {"over": ["value"]}},
                },
            }
            return workflow(nodes, "inner.int", subgraphs={"write": inside})

        def run(count: int) -> tuple[int, int, Report]:
            with engine(tmp_path, installed=with_own()) as machine:
                plan = machine.plan(machine.check(document(count)))
                return plan.to_run, plan.found, machine.execute(plan)

        assert run(3)[2].ran
        for file in (tmp_path / "outputs").iterdir():
            file.unlink()
        to_run, _, report = run(3)
        assert (to_run, report.ran, len(report.files)) == (0, 0, 6)
        assert all(Path(file).exists() for file in report.files)
        assert run(4)[0] > 0
        with engine(tmp_path, installed=with_own()) as machine:
            assert machine.plan(machine.check(document(3)), force=["inner"]).state("inner") == "run"
            machine.cache.clear()
            plan = machine.plan(machine.check(document(3)))
            assert plan.state("inner") == "run"

    def test_a_file_that_somebody_changed_is_left_alone(self, machine: Engine) -> None:
        (path,) = map(Path, carry_out(machine, saving("hello"))[0].files)
        path.write_text("my own words")
        (other,) = map(Path, carry_out(machine, saving("hello"))[0].files)
        assert path.read_text() == "my own words"
        assert other.name == f"{path.stem}-2.txt"
        assert other.read_text() == "hello"

    def test_running_again_makes_no_new_files(self, machine: Engine) -> None:
        for _ in range(3):
            carry_out(machine, saving("hello", ".note"))
        assert len(list(machine.config.roots.outputs.iterdir())) == 1

    def test_the_file_carries_the_workflow_and_runs_again(self, machine: Engine) -> None:
        source = saving("hello", ".note", parameters={"words": {"sets": ["w.text"]}})
        (path,) = carry_out(machine, source, words="bye")[0].files
        assert machine.read(path).nodes["w"].settings["text"] == "bye"
        assert carry_out(machine, Path(path))[0].files == (path,)

    def test_moving_nodes_in_an_editor_makes_no_new_file(self, machine: Engine) -> None:
        (path,) = carry_out(machine, saving("hello", ".note", view={"x": 1}))[0].files
        assert carry_out(machine, saving("hello", ".note", view={"x": 2}))[0].files == (path,)
        assert machine.read(path).view == {"x": 1}

    def test_a_file_without_a_workflow_says_so(self, machine: Engine) -> None:
        path = write(machine.config.roots.outputs, b"hello", suffix=".note")
        with pytest.raises(
            Exception, match="no workflow is in this file; name a file that graphgen made, or a workflow"
        ):
            machine.read(path)

    def test_what_goes_wrong_with_a_file_fails_the_node(self, machine: Engine) -> None:
        report, _ = carry_out(machine, saving("unembeddable", ".note"))
        assert report.failures[0].message == "ValueError: this is no such file"
        report, _ = carry_out(machine, saving("hello", "/../../x"))
        assert "is no suffix of a file; allowed: a dot, letters and digits, as '.png'" in report.failures[0].message
        assert carry_out(machine, saving("hello"))[0].status == "done"

    def test_an_outputs_folder_that_cannot_be_made_is_told_before_anything_runs(self, machine: Engine) -> None:
        machine.config.roots.outputs.write_text("a file is in the way")
        with pytest.raises(PathError, match=r"outputs: .* cannot be written to: File exists; choose another folder"):
            carry_out(machine, saving("hello"))


@pytest.mark.parametrize(
    "stem", ["../x", "/x", "a/../../x", "", ".", "a/", "a//b", "a\\b", "a\0b", "C:x", "./x", "a/./b", "a\nb"]
)
def test_names_stay_inside_the_folder(tmp_path: Path, stem: str) -> None:
    with pytest.raises(PathError, match="is no name inside the outputs folder; allowed: a relative name"):
        write(tmp_path / "out", b"x", stem)


def test_a_link_does_not_lead_out(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "away").symlink_to(tmp_path)
    with pytest.raises(PathError, match="leaves the outputs folder by a link"):
        write(tmp_path / "out", b"x", "away/x")


@pytest.mark.parametrize("suffix", ["png", ".", "", ".p/ng", ".png\0", "..", ". png"])
def test_suffixes_are_suffixes(tmp_path: Path, suffix: str) -> None:
    with pytest.raises(PathError, match="is no suffix of a file"):
        write(tmp_path, b"x", suffix=suffix)


def test_folders_are_made_and_two_suffixes_are_fine(tmp_path: Path) -> None:
    assert write(tmp_path, b"x", "portraits/anna", ".tar.gz").parent == tmp_path / "portraits"


def test_texts_that_name_the_content_name_the_file(tmp_path: Path) -> None:
    first, other = write(tmp_path, b"x", suffix=".note", seed="1"), write(tmp_path, b"x", suffix=".note", seed="2")
    assert first != other
    assert write(tmp_path, b"x", suffix=".note", seed="1") == first


def test_no_part_of_a_file_is_left_behind(tmp_path: Path) -> None:
    write(tmp_path, b"x")
    assert [path.suffix for path in tmp_path.iterdir()] == [".txt"]


def test_a_folder_that_has_the_name_is_left_alone(tmp_path: Path) -> None:
    path = write(tmp_path, b"x")
    path.unlink()
    path.mkdir()
    assert write(tmp_path, b"x").name == f"{path.stem}-2.txt"


def test_an_outputs_folder_that_cannot_be_written_to_is_told_before_the_run(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file stands where the folder should be")
    with pytest.raises(PathError, match=r"cannot be written to: .*; choose another folder with -o"):
        check_folder(tmp_path / "taken" / "outputs")
    check_folder(tmp_path / "new")
    assert (tmp_path / "new").is_dir()
