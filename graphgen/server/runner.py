"""One run, from the line to its end: checked again, planned, carried out, and its end written down at once.

In: a run's id. Out: rows. That the run is over is one commit, together with its files and its last event; so a server
that is killed before it does the run again, of which then everything is cached, and after it never.
"""

from __future__ import annotations

import json
import logging
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from threading import Event as Flag
from typing import Any, TypeVar

from graphgen.control import Control
from graphgen.effects import write_files
from graphgen.errors import GraphgenError, NodeError, PathError, Problem, WorkflowError, error_line
from graphgen.files import Files
from graphgen.jsontypes import JSON
from graphgen.outputs import Outputs
from graphgen.provenance import Chronicle
from graphgen.report import Report
from graphgen.server import records
from graphgen.server.checking import Checker
from graphgen.server.contents import index_file
from graphgen.server.hub import Hub
from graphgen.server.planning import recorded_as
from graphgen.server.recorder import Recorder
from graphgen.server.records import FileRow, Run, Status, body_of
from graphgen.server.store import Act, Store
from graphgen.sweep import Variation, carry_out, plan_sweep

T = TypeVar("T")
_AGAIN = 1.0
"""Seconds after which what could not be written is tried again."""
_log = logging.getLogger("graphgen.server")


@dataclass
class _Result:
    """What came of a run."""

    status: Status
    document: dict[str, JSON] = field(default_factory=dict)
    files: list[FileRow] = field(default_factory=list)


class Runner:
    """Carries runs out with a checker's engine; any number at once, each in a thread of its caller's."""

    def __init__(self, checker: Checker, store: Store, hub: Hub, closing: Flag) -> None:
        self._engine = checker.engine
        self._check = checker.check_written
        self._store = store
        self._hub = hub
        self._closing = closing
        """Set when the server stops: what is cancelled then is not over, but waits for the next start."""

    def __call__(self, run_id: str, control: Control) -> None:
        """Carry a run out to its end; one that does not wait any more is left alone."""
        begun = self._begin(run_id)
        if begun is None:
            return
        run, workflow = begun
        recorder = Recorder(run.id, self._store, self._hub)
        result = self._result(run, workflow, recorder, control)
        rest = recorder.close()
        self._hub.forget(run.id)
        if result.status == "cancelled" and self._closing.is_set():
            self._store.write(partial(records.stop, run=run.id)).result()
            return
        last: dict[str, JSON] = {
            **(recorder.last or {"event": "run_finished", "seconds": 0.0}),
            "status": result.status,
        }
        last["files"] = [row.name for row in result.files]
        self._finish(run.id, result, [*rest, body_of(run.id, last)])

    def _result(self, run: Run, workflow: str, recorder: Recorder, control: Control) -> _Result:
        """Carry a run out; whatever goes wrong with it is its result."""
        try:
            asked = {**run.call, "identity": run.identity}
            work = self._sweep if asked.get("sweep") else self._single
            return work(asked, workflow, recorder, control)
        except WorkflowError as error:
            return _refused(recorder, error.problems)
        except PathError as error:
            return _refused(recorder, [Problem("bad_path", error.at, error.message, None, error.allowed, error.cure)])
        except (GraphgenError, OSError) as error:
            _log.warning("the run %s: %s", run.id, error)
            return _failed(error_line(error))
        except Exception as error:
            _log.exception("a fault while carrying out the run %s", run.id)
            return _failed(f"a fault in graphgen: {error_line(error)}")

    def _single(self, asked: Mapping[str, Any], workflow: str, recorder: Recorder, control: Control) -> _Result:
        engine, written = self._engine, dict[str, str]()
        plan = engine.plan(self._check(workflow, asked["parameters"]), asked["targets"], asked["force"])

        def take(node: str, files: Files, chronicle: Chronicle) -> tuple[str, ...]:
            made_by = chronicle.provenance(node)
            names = write_files(files, engine.config.roots.outputs, engine.registry.formats, made_by)
            written.update(dict.fromkeys(names, node))
            return names

        report = engine.execute(
            plan,
            identity=recorded_as(asked["identity"]),
            parameters=asked["parameters"],
            listen=recorder,
            control=control,
            previews=asked["previews"],
            take=take,
        )
        return self._told(report, written)

    def _sweep(self, asked: Mapping[str, Any], workflow: str, recorder: Recorder, control: Control) -> _Result:
        engine, sweep = self._engine, asked["sweep"]
        planned = plan_sweep(
            engine,
            json.loads(workflow),
            sweep["axes"],
            asked["parameters"],
            how=sweep["how"],
            targets=asked["targets"],
            force=asked["force"],
        )
        named: list[JSON] = [
            {"variation": part.number, "parameters": dict(part.swept), "nodes": dict(part.names)}
            for part in planned.parts
        ]
        recorder.add({"event": "sweep_started", "variations": named})
        swept = carry_out(engine, planned, listen=recorder, control=control, previews=asked["previews"])
        result = self._told(swept.run, {})
        result.document["variations"] = [self._variation(item) for item in swept.variations]
        return result

    def _told(self, report: Report, written: Mapping[str, str]) -> _Result:
        rows = {path: self._index(path) for path in dict.fromkeys(report.files)}
        document: dict[str, JSON] = {
            "seconds": report.seconds,
            "ran": report.ran,
            "cached": report.cached,
            "skipped": report.skipped,
            "outputs": _outputs_json(report.outputs),
            "blocked": dict(report.blocked),
            "failures": [_failure_json(failure) for failure in report.failures],
            "files": [_file_json(row, written.get(path, "")) for path, row in rows.items()],
        }
        return _Result(report.status, document, list(rows.values()))

    def _variation(self, item: Variation) -> dict[str, JSON]:
        return {
            "variation": item.number,
            "parameters": dict(item.swept),
            "status": item.status,
            "outputs": _outputs_json(item.outputs),
            "blocked": dict(item.blocked),
            "failures": [_failure_json(failure) for failure in item.failures],
            "files": [_file_json(self._index(path), "") for path in item.outputs.files],
        }

    def _index(self, path: str) -> FileRow:
        return index_file("outputs", self._engine.config.roots.outputs, Path(path), self._engine.registry.formats)

    def _begin(self, run: str) -> tuple[Run, str] | None:
        """Mark a run as running; None where it does not wait any more, or the server stops."""
        return self._persist(partial(records.begin, run=run), f"the start of the run {run}", synced=False)

    def _finish(self, run: str, result: _Result, bodies: list[str]) -> None:
        """Write the end of a run down; without it the run would be done again."""
        act: Act[None] = partial(
            records.finish, run=run, status=result.status, result=result.document, files=result.files, bodies=bodies
        )
        self._persist(act, f"the end of the run {run}")

    def _persist(self, act: Act[T], what: str, *, synced: bool = True) -> T | None:
        """Write something, however long the disk is full; None where the server stops before."""
        while True:
            try:
                return self._store.write(act, synced=synced).result()
            except sqlite3.Error as error:
                _log.error("%s is not written yet; make room on the disk of %s: %s", what, self._store.folder, error)
                if self._closing.wait(_AGAIN):
                    return None


def _refused(recorder: Recorder, problems: tuple[Problem, ...] | list[Problem]) -> _Result:
    """Tell of a workflow that was in order when it was put in line, and is not any more: a file is gone, say."""
    told = [problem.to_json() for problem in problems]
    recorder.add({"event": "run_refused", "problems": told})
    return _Result("failed", {"problems": told})


def _failed(message: str) -> _Result:
    return _Result("failed", {"failures": [{"node": "", "type": "", "message": message}]})


def _outputs_json(outputs: Outputs) -> dict[str, JSON]:
    return {name: {"summary": value.summary(), "digest": value.digest} for name, value in outputs.stored.items()}


def _failure_json(failure: NodeError) -> dict[str, JSON]:
    return {"node": failure.node, "type": failure.type, "message": failure.message, "inputs": failure.inputs}


def _file_json(row: FileRow, node: str) -> dict[str, JSON]:
    return {"name": row.name, "digest": row.digest, "media_type": row.media_type, "size": row.size, "node": node}
