"""Run a picture's workflow again and compare: does the file show what comes out, is every value what its record says?

In: a made file with its record, and an engine that looks nothing up. Out: a `Verdict`. Values are compared with the
record by their digests, node by node, so that the first that differs is named; what the file shows is compared number
by number with what the run gives now, since anybody may have changed it and left the record as it was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from math import inf, log10
from pathlib import Path

from graphgen.codec import Distance, Encoded, ValueCodec
from graphgen.control import Control
from graphgen.engine import Engine
from graphgen.errors import NodeError, Problem, WorkflowError
from graphgen.events import Event, RunStatus
from graphgen.files import Files
from graphgen.graph import Graph
from graphgen.jsontypes import JSON
from graphgen.provenance import RECORD_KEY, TEXT_KEY, Chronicle
from graphgen.record import Difference, RunRecord, differences, read_run_record


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of running a file's workflow again.

    `compared` counts the nodes whose values the record knows. `differing` are in topological order: the first is where
    the difference comes from. `showing` tells whether the file shows exactly what the run gives now, None where its
    format cannot tell; `distance` is how far apart they are, None where they are not of one size. `same` is the answer:
    all digests agree and so does what the file shows; or, with a tolerance, what it shows is near enough.
    """

    status: RunStatus
    same: bool
    compared: int
    differing: tuple[Difference, ...] = ()
    showing: bool | None = None
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
            "showing": self.showing,
            "largest_difference": self.distance.largest if self.distance else None,
            "psnr": psnr(self.distance) if self.distance and self.distance.squared else None,
            "failures": [str(failure) for failure in self.failures],
        }


def read_record_of(engine: Engine, path: Path) -> RunRecord:
    """Return the run record that a made file carries.

    Raises:
        WorkflowError: there is none that can be read.
    """
    formats = [suffix for suffix, format_ in engine.registry.formats.items() if format_.read]
    if path.suffix.lower() not in formats:
        message = f"no run record can be in {f'a {path.suffix} file' if path.suffix else 'a file of unknown kind'}"
        kinds = f" ({', '.join(sorted(formats))})" if formats else ""
        cure = f"name a file that graphgen made{kinds}; `graphgen run` runs a workflow"
        raise WorkflowError([Problem("no_record", str(path), message, cure=cure)])
    texts = engine.texts_in(path)
    try:
        return read_run_record(texts[RECORD_KEY])
    except KeyError:
        message, cure = "no run record is in this file", "make the picture again with this version of graphgen"
        if TEXT_KEY not in texts:
            message += ": graphgen did not make it, or another program saved it without what it carried"
            cure = "name a file as graphgen made it"
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
        tolerance: How far what the files show may be apart anywhere, where 1 is from black to white, whatever the
            digests say; None asks for the same digests and the same numbers.
        listen: Receives the run's events.
        control: Cancels the run.

    Raises:
        WorkflowError: the record is of another workflow, something that it reads is not there, or what the file shows
            cannot be read.
    """
    shown = _shown(engine, path, path.read_bytes())
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
    if shown is None:
        return Verdict("done", not differing, compared, differing)
    made = [file.data for files in given for file in files.files if file.suffix == path.suffix.lower()]
    distance = _nearest(shown, filter(None, (_shown(engine, path, data) for data in made)), engine.registry.codec)
    showing = distance == Distance(0.0, 0.0)
    near = distance is not None and tolerance is not None and distance.largest <= tolerance
    same = near if tolerance is not None else showing and not differing
    return Verdict("done", same, compared, differing, showing, distance)


def psnr(distance: Distance) -> float:
    """Return the peak signal-to-noise ratio in decibels: 40 is hard to see, infinity is equal."""
    return 10 * log10(1 / distance.squared) if distance.squared else inf


def _values_in(record: RunRecord, name: str) -> Mapping[str, str]:
    node = record.nodes.get(name)
    return node.values if node else {}


def _shown(engine: Engine, path: Path, data: bytes) -> Encoded | None:
    """Return what bytes of the file's format show, None where nothing tells.

    Raises:
        WorkflowError: they are damaged.
    """
    show = engine.registry.formats[path.suffix.lower()].show
    try:
        return engine.registry.codec.encode(show(data)) if show else None
    except ValueError as error:
        cure = "take an undamaged copy of it"
        raise WorkflowError([Problem("unreadable", str(path), str(error), cure=cure)]) from error


def _nearest(shown: Encoded, made: Iterable[Encoded], codec: ValueCodec) -> Distance | None:
    """Compare what a file shows with what the files made now do, of which the nearest is meant."""
    found = (codec.distance(shown, item) for item in made)
    return min((item for item in found if item is not None), key=lambda item: item.squared, default=None)
