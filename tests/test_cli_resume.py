"""`graphgen run` after it was stopped: by Ctrl-C, by kill -9, with nodes in this process and in workers."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest
from cli_kit import Answer, Terminal
from engine_kit import config
from PIL import Image

from graphgen.engine import Engine
from graphgen.events import Event, NodeLog
from graphgen.jsontypes import JSON
from graphgen.report import Report

TEXT_TO_IMAGE = Path(__file__).parent.parent / "workflows" / "text_to_image.json"
SETTINGS: dict[str, JSON] = {"steps": 32, "prompt": "a green frog", "seed": 4}
STEPS = [word for name, value in SETTINGS.items() for word in ("--set", f"{name}={value}")]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The picture of a run that nobody stops."""
    return pixels(drawn(tmp_path_factory.mktemp("whole"), SETTINGS).files[0])


def drawn(
    folder: Path,
    parameters: Mapping[str, JSON],
    targets: Sequence[str] | None = None,
    listen: Callable[[Event], None] | None = None,
) -> Report:
    """Run the workflow for text to image in this process, which has the libraries, in the folders of a terminal."""
    with Engine(config(folder)) as engine:
        report = engine.run(TEXT_TO_IMAGE, parameters, targets=targets, listen=listen)
    assert report.status == "done", report
    return report


def pixels(file: str | Path) -> bytes:
    """Return the pixels of a picture."""
    with Image.open(file) as opened:
        return opened.tobytes()


def run(terminal: Terminal, *more: str, **environment: str) -> Answer:
    """Run the workflow for text to image to its end."""
    answer = terminal.call("run", str(TEXT_TO_IMAGE), *STEPS, "--json", *more, **environment)
    assert answer.code == 0, answer.err
    return answer


def stop_in_sampling(terminal: Terminal, number: signal.Signals, step: int, **environment: str) -> int:
    """Stop a run after a step of sampling; return its exit code."""
    process = terminal.start("run", str(TEXT_TO_IMAGE), *STEPS, "--json", **environment)
    assert process.stdout
    for line in process.stdout:
        event = json.loads(line)
        told = (event["event"], event.get("node"), event.get("stage"))
        if told == ("node_progress", "sample", "") and event["done"] >= step:
            break
    else:
        raise AssertionError(process.stderr and process.stderr.read())
    process.send_signal(number)
    process.communicate(timeout=240)
    return process.returncode


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "code", "workers"),
    [(signal.SIGINT, 130, "thread"), (signal.SIGKILL, -9, "thread"), (signal.SIGINT, 130, "process")],
)
def test_sampling_goes_on_where_it_was_stopped(
    tmp_path: Path, whole: bytes, number: signal.Signals, code: int, workers: str
) -> None:
    terminal = Terminal(tmp_path, (), complete=True)
    step = 8 if number == signal.SIGINT else 18  # steps are written behind the run's back: give that some time
    assert stop_in_sampling(terminal, number, step, GRAPHGEN_WORKERS=workers) == code
    explained = run(terminal, "--explain", GRAPHGEN_WORKERS=workers)
    (sample,) = [line for line in explained.lines if line["node"] == "sample"]
    found = re.fullmatch(r"goes on from step (\d+) of 32", sample["reasons"][-1])
    assert found, sample
    assert int(found[1]) >= (8 if number == signal.SIGINT else 5), "a step that is finished, or one that was written"
    if workers == "process":
        again = run(terminal, GRAPHGEN_WORKERS=workers)
        told = [event["message"] for event in again.events("node_log")]
        (file,) = again.events("run_finished")[0]["files"]
    else:
        events: list[Event] = []
        (file,) = drawn(tmp_path, SETTINGS, listen=events.append).files
        told = [event.message for event in events if isinstance(event, NodeLog)]
    assert told == [found[0]]
    assert pixels(tmp_path / file) == whole


@pytest.mark.slow
def test_nothing_is_gone_on_from_without_a_cache(tmp_path: Path) -> None:
    drawn(tmp_path, {**SETTINGS, "steps": 6}, ["sample"])
    later = run(Terminal(tmp_path, (), complete=True), "--set", "steps=6", "--only", "sample", "--no-cache")
    assert later.events("node_log") == []
    assert "sample" in {event["node"] for event in later.events("node_finished")}
