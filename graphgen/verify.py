"""Run a picture's workflow again and compare: is every value what its run record says, and if not, where and why.

In: a made file with its record, and an engine that looks nothing up. Out: a `Verdict`. Values are compared by their
digests, node by node; with a tolerance, what the file shows is compared number by number as well.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from math import inf, log10
from pathlib import Path

from graphgen.codec import Distance, ValueCodec
from graphgen.control import Control
from graphgen.engine import Engine
from graphgen.errors import NodeError, Problem, WorkflowError
from graphgen.events import Event, RunStatus
from graphgen.files import Files
from graphgen.graph import Graph
from graphgen.hookspecs import FileFormat
from graphgen.jsontypes import JSON
from graphgen.provenance import RECORD_KEY, Chronicle
from graphgen.record import Difference, RunRecord, differences, read_run_record


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of running a file's workflow again.

    `compared` counts the nodes whose values the record knows. `differing` are in topological order: the first is where
    the difference comes from. `distance` is how far apart what the files show is, None where nobody can tell.
    `same` is the answer: all digests agree, or, with a tolerance, what the files show does.
    """

    status: RunStatus
    same: bool
    compared: int
    differing: tuple[Difference, ...] = ()
    distance: Distance | None = None
    failures: tuple[NodeError, ...] = ()

    def to_json(self) -> dict[str, JSON]:
        """Return the verdict as JSON."""
        return {
            "status": self.status,
            "same": self.same,
            "compared": self.compared,
            "first": self.differing[0].node if self.differing else None,
            "differing": [asdict(item) for item in self.differing],
            "largest_difference": self.distance.largest if self.distance else None,
            "psnr": psnr(self.distance) if self.distance and self.distance.squared else None,
            "failures": [str(failure) for failure in self.failures],
        }


def read_record_of(engine: Engine, path: Path) -> RunRecord:
    """Return the run record that a made file carries.

    Raises:
        WorkflowError: there is none that can be read.
    """
    texts = engine.texts_in(path)
    try:
        return read_run_record(texts[RECORD_KEY])
    except KeyError:
        message, cure = "no run record is in this file", "make the picture again with this version of graphgen"
    except ValueError as error:
        message, cure = str(error), "make the picture again, or verify it with the version that made it"
    raise WorkflowError([Problem("no_record", str(path), message, cure=cure)])


def verify(
    engine: Engine,
    path: Path,
    graph: Graph,
    record: RunRecord,
    *,
    tolerance: float | None = None,
    listen: Callable[[Event], None] | None = None,
    control: Control | None = None,
) -> Verdict:
    """Run a file's workflow again and compare what comes out with the file and its record. Writes no files.

    Args:
        engine: One that uses no cache; else the nodes that are cached would be compared with themselves.
        path: The file.
        graph: Its workflow, checked.
        record: Its record.
        tolerance: How far what the files show may be apart anywhere, where 1 is from black to white; None compares
            digests alone.
        listen: Receives the run's events.
        control: Cancels the run.

    Raises:
        WorkflowError: the record is of another workflow, or something that it reads is not there.
    """
    lost = [name for name in record.targets if name not in graph.nodes]
    if lost:
        message = f"its record tells of a node '{lost[0]}' that its workflow does not have"
        raise WorkflowError([Problem("no_record", str(path), message, cure="make the picture again")])
    given: list[Files] = []

    def take(_node: str, files: Files, _chronicle: Chronicle) -> tuple[str, ...]:
        given.append(files)
        return ()

    plan = engine.plan(graph, record.targets)
    report = engine.execute(plan, listen=listen, control=control, previews=False, take=take)
    now = report.record()
    compared = sum(1 for name, node in now.nodes.items() if node.values and _values_in(record, name))
    if report.status != "done":
        return Verdict(report.status, same=False, compared=compared, failures=report.failures)
    differing = tuple(differences(record, now))
    format_ = engine.registry.formats.get(path.suffix.lower())
    distance = None
    if tolerance is not None and format_ is not None:
        shown = [file.data for files in given for file in files.files if file.suffix == path.suffix.lower()]
        distance = _nearest(path.read_bytes(), shown, format_, engine.registry.codec)
    near = distance is not None and tolerance is not None and distance.largest <= tolerance
    return Verdict("done", near if distance is not None else not differing, compared, differing, distance)


def psnr(distance: Distance) -> float:
    """Return the peak signal-to-noise ratio in decibels: 40 is hard to see, infinity is equal."""
    return 10 * log10(1 / distance.squared) if distance.squared else inf


def _values_in(record: RunRecord, name: str) -> Mapping[str, str]:
    node = record.nodes.get(name)
    return node.values if node else {}


def _nearest(before: bytes, now: Sequence[bytes], format_: FileFormat, codec: ValueCodec) -> Distance | None:
    """Compare what a file shows with that of the files made now, of which the nearest is meant."""
    if format_.show is None:
        return None
    shown = codec.encode(format_.show(before))
    found = [codec.distance(shown, codec.encode(format_.show(data))) for data in now]
    return min((item for item in found if item is not None), key=lambda item: item.squared, default=None)
