"""The benchmark of sampling: both sides do the same, each family is measured, and a failure costs no other."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from benchmarks.families import NAMES, main, sampler_of
from benchmarks.pipelines import pipeline_of
from benchmarks.subjects import SUBJECTS, TINY, find_subject
from graphgen_nodes.families.flux import unpack

pytestmark = pytest.mark.filterwarnings("ignore")  # diffusers' own

CPU = torch.device("cpu")


@pytest.mark.parametrize("name", NAMES)
def test_a_row_of_each_family(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "found" / "families.json"
    assert main(["--tiny", "--rounds", "1", "--out", str(out), name]) == 0
    rows = json.loads(out.read_text())["rows"]
    assert [row["network"] for row in rows] == [TINY + name] * (2 if find_subject(name).room else 1)
    assert all(row["ours"]["seconds"] > 0 and row["theirs"]["seconds"] > 0 for row in rows)
    assert rows[0]["theirs"]["name"] in capsys.readouterr().out


@pytest.mark.parametrize("name", ["sd1", "sd2", "sdxl", "sd3_medium", "flux_dev"])
def test_both_sides_make_the_same_latent(name: str) -> None:
    subject = find_subject(TINY + name)
    network = subject.build(CPU, torch.float32)
    _, run = pipeline_of(subject, network)
    theirs = run(3)
    if name == "flux_dev":
        side = subject.size // 16
        theirs = unpack(theirs, side, side)
    with sampler_of(subject, network, CPU) as ours, sampler_of(subject, network, CPU, room=100_000) as streamed:
        found = ours(3).made
        torch.testing.assert_close(streamed(3).made, found)
    assert found.std() > 0.1
    torch.testing.assert_close(found, theirs, rtol=0, atol=1e-3 * float(theirs.abs().max()))


def test_a_family_that_fails_costs_no_other(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    nowhere = replace(find_subject("tiny dit"), name="broken")  # its nodes do not find it by this name
    monkeypatch.setitem(SUBJECTS, "tiny sd1", nowhere)
    out = tmp_path / "families.json"
    assert main(["--tiny", "--rounds", "1", "--out", str(out), "sd1", "dit"]) == 1
    assert [row["network"] for row in json.loads(out.read_text())["rows"]] == ["tiny dit"]
    shown = capsys.readouterr()
    assert "broken: failed" in shown.out
    assert "KeyError" in shown.err


def test_unknown_families_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["sd4"])
    assert "unknown: sd4; allowed: sd1, sd2, sdxl" in capsys.readouterr().err
