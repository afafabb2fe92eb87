"""Sampling with each family's network at its published size: graphgen beside the pipeline of diffusers.

`python -m benchmarks.families [--tiny] [--rounds N] [--out FILE] [sd1] [sdxl] ...` measures some or all families, and
prints a row as soon as it has one. Networks have random weights that are made on the device, so nothing is downloaded
and nothing large is written; both sides use the same network, in turns, in one process. What is timed is the node
`sampling.sample` as a workflow runs it, and a call of a pipeline that is given its prompts' embeddings and stops at the
latent. The first round warms up; of the others the median counts. The most memory is what torch allocated while a side
ran, the network included.

Where there is no GPU, networks are tiny: what is seen then is what a step costs besides the network.
"""

from __future__ import annotations

import gc
import json
import sys
import traceback
from argparse import ArgumentParser
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any, NamedTuple

import diffusers
import torch
import transformers
from torch import Tensor, nn

from benchmarks.measure import Measurement
from benchmarks.pipelines import pipeline_of
from benchmarks.ready import NEGATIVE, ReadyPack
from benchmarks.subjects import PUBLISHED, TINY, Subject, find_subject
from graphgen.config import Config
from graphgen.engine import Engine
from graphgen.events import Event, NodeFinished
from graphgen.jsontypes import JSON
from graphgen.plugins import find_plugins, module_plugins
from graphgen.registry import build_registry
from graphgen_nodes.devices import HALF
from graphgen_nodes.families import family
from graphgen_nodes.sockets import Latent
from graphgen_nodes.weights import choose_dtype

ROUNDS = 3
NAMES = tuple(subject.name for subject in PUBLISHED)
RESULTS = Path(__file__).parent / "results"
COLUMNS = ("network", "what", "parameters", "graphgen", "compared with", "", "ratio", "most", "")
WIDTHS = (16, 15, 16, 13, 25, 13, 5, 9, 9)


class Sampled(NamedTuple):
    """One run: the seconds it took, and what it made."""

    seconds: float
    made: Tensor


Sampler = Callable[[int], Sampled]
"""Samples by a seed."""


@dataclass(frozen=True)
class Side:
    """What one side took: seconds for a step, and the most bytes on the GPU; None where there is none."""

    name: str
    seconds: float
    memory: int | None


@dataclass(frozen=True)
class Row:
    """One comparison: a network of so many parameters, what was sampled with it, and the two sides."""

    network: str
    what: str
    parameters: int
    dtype: str
    steps: int
    ours: Side
    theirs: Side

    def to_json(self) -> dict[str, JSON]:
        """Return the row as a JSON object."""
        return asdict(self)

    def line(self) -> str:
        """Return the row of the table."""
        number = f"{self.parameters / 1e6:.4g} M {self.dtype}"
        ratio = f"{self.ours.seconds / self.theirs.seconds:.2f}"
        sides = (_time(self.ours), self.theirs.name, _time(self.theirs), ratio)
        return _line((self.network, self.what, number, *sides, _memory(self.ours), _memory(self.theirs)))


def measure() -> Iterator[Measurement]:
    """Measure all families, tiny ones where there is no GPU."""
    _quiet()
    for subject in _chosen((), tiny=not torch.cuda.is_available()):
        for row in measure_subject(subject, ROUNDS):
            group, value = f"{row.network}, {row.what}", row.ours.seconds * 1e3
            ratio = row.ours.seconds / row.theirs.seconds
            yield Measurement(group, "each step", value, "ms", None, row.theirs.name, ratio)


def measure_subject(subject: Subject, rounds: int) -> Iterator[Row]:
    """Measure graphgen and diffusers in turns, and graphgen once more where the network is to be streamed too.

    Raises:
        RuntimeError: what was made holds NaN or infinity.
        NodeError: a node failed.
    """
    device = torch.device("cuda:0" if torch.cuda.is_available() else "cpu")
    dtype = choose_dtype("auto", HALF if device.type == "cuda" else "float32", family(subject.family).denoiser)
    network = subject.build(device, dtype)
    name, run = pipeline_of(subject, network)
    with sampler_of(subject, network, device) as ours:
        sides = {"graphgen": ours, name: lambda seed: _timed(run, seed, device)}
        resident, other = _in_turns(subject, rounds, device, sides)
    yield _row(subject, network, resident, other)
    if subject.room:
        network = network.to("cpu")
        with sampler_of(subject, network, device, subject.room) as ours:
            (streamed,) = _in_turns(subject, 1, device, {"graphgen": ours})
        yield _row(subject, network, streamed, Side("all on the device", resident.seconds, resident.memory))


@contextmanager
def sampler_of(
    subject: Subject, network: nn.Module, device: torch.device, room: int | None = None
) -> Iterator[Sampler]:
    """Yield what samples on a device in graphgen, of which the sampling node is timed.

    Weights that take more than `room` bytes are streamed from where the network is; None: there is room for all.

    What it yields raises a NodeError where a node fails.
    """
    pack = ReadyPack()
    pack.networks[subject.name] = network
    registry = build_registry([*find_plugins(), *module_plugins({"ready": pack})])
    with TemporaryDirectory() as folder:
        roots = {name: Path(folder) / name for name in ("models", "inputs", "outputs", "cache", "data")}
        settings = {**roots, "device": str(device), "device_bytes": room}
        with Engine(Config.load(settings, environment={}), registry) as engine:
            yield lambda seed: _sample(engine, subject, seed)


def workflow(subject: Subject, seed: int) -> dict[str, JSON]:
    """Return the workflow that samples a subject, as the example of its family does."""
    guided: dict[str, Any] = {"denoiser": "denoiser.denoiser"}
    nodes: dict[str, Any] = {"denoiser": {"type": "ready.denoiser", "settings": {"subject": subject.name}}}
    if subject.family not in ("ddpm", "ncsnpp"):
        nodes["positive"] = {"type": "ready.prompt", "settings": {"subject": subject.name}}
        guided["positive"] = "positive.conditioning"
    nodes["guider"] = {"type": "guiders.none", "inputs": guided}
    if subject.scale:
        nodes["negative"] = {"type": "ready.prompt", "settings": {"subject": subject.name, "seed": NEGATIVE}}
        guided["negative"] = "negative.conditioning"
        nodes["guider"] = {"type": "guiders.classifier_free", "inputs": guided, "settings": {"scale": subject.scale}}
    inputs = {"guider": "guider.guider", "sampler": "sampler.sampler", "schedule": "schedule.schedule"}
    if subject.family == "ddpm":  # whose pipeline keeps its predictions in the range of pictures
        nodes["clip"] = {"type": "guiders.clip", "inputs": {"guider": "guider.guider"}}
        inputs["guider"] = "clip.guider"
    size = {"width": subject.size, "height": subject.size, "batch": subject.batch}
    (sampler, options), (schedule, spacing) = subject.sampler, subject.schedule
    sized = {"latent": "latent.latent"} if schedule == "schedules.default" else {}
    nodes |= {
        "latent": {"type": "latents.empty", "inputs": {"denoiser": "denoiser.denoiser"}, "settings": size},
        "sampler": {"type": sampler, "settings": options},
        "schedule": {
            "type": schedule,
            "inputs": {"denoiser": "denoiser.denoiser", **sized},
            "settings": {**spacing, "steps": subject.steps},
        },
        "noise": {"type": "noise.gaussian", "settings": {"seed": seed}},
        "sample": {
            "type": "sampling.sample",
            "inputs": {**inputs, "noise": "noise.noise", "latent": "latent.latent"},
            "settings": {"preview": False, "keep_every": 0},
        },
    }
    return {"graphgen": 1, "nodes": nodes, "outputs": {"latent": {"from": "sample.latent"}}}


def _sample(engine: Engine, subject: Subject, seed: int) -> Sampled:
    spent: list[float] = []

    def listen(event: Event) -> None:
        if isinstance(event, NodeFinished) and event.node == "sample":
            spent.append(event.seconds)

    report = engine.execute(engine.plan(engine.check(workflow(subject, seed))), listen=listen, previews=False)
    if report.failures:
        raise report.failures[0]
    latent = report.outputs["latent"]
    assert isinstance(latent, Latent)
    return Sampled(spent[0], latent.samples)


def _timed(run: Callable[[int], Tensor], seed: int, device: torch.device) -> Sampled:
    _synchronise(device)
    began = perf_counter()
    made = run(seed)
    _synchronise(device)
    return Sampled(perf_counter() - began, made)


def _in_turns(subject: Subject, rounds: int, device: torch.device, sides: Mapping[str, Sampler]) -> list[Side]:
    """Run each side once to warm up and then so many rounds, and return what they took."""
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    memory: dict[str, int] = {}
    for seed in range(rounds + 1):
        for name, run in sides.items():
            if device.type == "cuda":
                torch.cuda.reset_peak_memory_stats(device)
            found = run(seed)
            if device.type == "cuda":
                memory[name] = torch.cuda.max_memory_allocated(device)  # of the last round, when all is warm
            if not torch.isfinite(found.made).all():
                raise RuntimeError(f"{subject.name}: {name} made NaN or infinity, which says nothing of its speed")
            seconds[name].append(found.seconds)
    return [Side(name, median(took[1:]) / subject.steps, memory.get(name)) for name, took in seconds.items()]


def _row(subject: Subject, network: nn.Module, ours: Side, theirs: Side) -> Row:
    size = f"{subject.size}x{subject.size}"
    what = " ".join([size, *([f"x {subject.batch}"] if subject.batch > 1 else []), *(["CFG"] if subject.scale else [])])
    values = list(network.parameters())
    dtype = str(values[0].dtype).removeprefix("torch.")
    return Row(subject.name, what, sum(value.numel() for value in values), dtype, subject.steps, ours, theirs)


def _synchronise(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _time(side: Side) -> str:
    return f"{side.seconds * 1e3:.4g} ms/step"


def _memory(side: Side) -> str:
    return "" if side.memory is None else f"{side.memory / 2**30:.2f} GiB"


def _line(cells: Sequence[str]) -> str:
    return "  ".join(cell.ljust(width) for cell, width in zip(cells, WIDTHS, strict=True)).rstrip()


def _chosen(names: Sequence[str], *, tiny: bool) -> list[Subject]:
    return [find_subject(TINY + name if tiny else name) for name in names or NAMES]


def _quiet() -> None:
    """Keep what the libraries have to say of missing picture processors and number formats out of the table."""
    diffusers.utils.logging.set_verbosity_error()
    transformers.utils.logging.set_verbosity_error()


def _write(path: Path, rows: Sequence[Row]) -> None:
    """Write what is measured so far."""
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    machine = {"gpu": gpu, "torch": torch.__version__, "diffusers": diffusers.__version__}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"machine": machine, "rows": [row.to_json() for row in rows]}, indent=1))


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure the named families, print a row for each and write them down; return 1 where one failed."""
    parser = ArgumentParser(prog="python -m benchmarks.families", description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="family", help=f"of {', '.join(NAMES)}; all by default")
    parser.add_argument("--tiny", action="store_true", help="measure tiny networks, as where there is no GPU")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="how often to measure, after one round to warm up")
    parser.add_argument("--out", type=Path, help="the JSON file to write")
    given = parser.parse_args(arguments)
    if unknown := [name for name in given.names if name not in NAMES]:
        parser.error(f"unknown: {', '.join(unknown)}; allowed: {', '.join(NAMES)}")
    out = given.out or RESULTS / f"families-{datetime.now(UTC):%Y-%m-%dT%H-%M-%S}.json"
    rows: list[Row] = []
    failed = False
    _quiet()
    print(_line(COLUMNS), flush=True)
    for subject in _chosen(given.names, tiny=given.tiny or not torch.cuda.is_available()):
        try:
            for row in measure_subject(subject, given.rounds):
                rows.append(row)
                print(row.line(), flush=True)
                _write(out, rows)
        except Exception:  # one family's failure must not cost the others
            failed = True
            print(f"{subject.name}: failed", flush=True)
            traceback.print_exc()
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
    print(f"\nwritten to {out}")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
