"""What a run gives to Python."""

from __future__ import annotations

from pathlib import Path

from engine_kit import N, carry_out, engine, workflow


def test_outputs_show_what_they_are(tmp_path: Path) -> None:
    nodes = {
        "n": N("maths.number", {"value": 7}),
        "w": N("maths.word", {"text": "hello"}),
        "s": N("probe.save", text="w.str"),
    }
    with engine(tmp_path) as machine:
        outputs = carry_out(machine, workflow(nodes, "n.int", "w.str"))[0].outputs
    (file,) = outputs.files
    assert Path(file).is_file()
    assert repr(outputs) == f"Outputs(n: 7, w: 'hello'; files: {file})"
    assert dict(outputs) == {"n": 7, "w": "hello"}


def test_outputs_without_files_and_files_without_outputs(tmp_path: Path) -> None:
    with engine(tmp_path) as machine:
        assert repr(carry_out(machine, workflow({"n": N("maths.number")}, "n.int"))[0].outputs) == "Outputs(n: 0)"
        nodes = {f"w{i}": N("maths.word", {"text": str(i)}) for i in range(6)}
        nodes |= {f"s{i}": N("probe.save", text=f"w{i}.str") for i in range(6)}
        shown = repr(carry_out(machine, workflow(nodes))[0].outputs)
    assert shown.startswith("Outputs(files: ")
    assert shown.endswith(" and 2 more)")
