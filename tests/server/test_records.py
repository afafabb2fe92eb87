"""Rows of runs: what is forgotten, and who comes first after many interruptions."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from functools import partial
from pathlib import Path
from threading import Event
from time import time
from typing import Any

import pytest

from graphgen.errors import ConfigError
from graphgen.server import records
from graphgen.server.problems import Trouble
from graphgen.server.store import SCHEMA, Store


def new(name: str, **more: Any) -> dict[str, Any]:
    return {
        "id": name, "key": None, "request": "", "priority": 0, "client": "", "name": name, "created": time(),
        "asked": "{}", "workflow": "{}", "identity": "", **more,
    }  # fmt: skip


def put(store: Store, name: str, **more: Any) -> records.Run:
    return store.write(partial(records.insert, new=new(name, **more), full=False)).result()[0]


def order(store: Store) -> list[str]:
    return [run.id for run in store.read(records.waiting).result()]


def test_a_run_that_is_interrupted_often_lets_others_go_first(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for name in ("first", "second"):
        put(store, name)
    for _ in range(records.ATTEMPTS):
        assert order(store) == ["first", "second"]
        store.write(partial(records.begin, run="first")).result()
        store.write(records.recover).result()
    assert order(store) == ["second", "first"]
    store.close()


def test_old_runs_that_are_over_are_forgotten_with_their_events(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for number in range(6):
        put(store, f"run{number}")
    for number in (0, 2, 5):
        store.write(partial(records.cancel, run=f"run{number}")).result()
    store.write(partial(records.prune, keep=3)).result()
    found = store.read(partial(records.page, before=None, limit=10, wanted=records.Wanted())).result()
    assert [run.id for run in found] == ["run5", "run4", "run3", "run1"]
    assert store.read(partial(records.events_after, after=0, run="run0", limit=10)).result() == []
    last = store.read(records.last_event).result()
    store.close()
    again = Store(tmp_path)
    assert again.read(records.last_event).result() == last
    again.close()


def test_what_raises_is_undone_alone(tmp_path: Path) -> None:
    store = Store(tmp_path)

    def half(connection: Any) -> None:
        records.insert(connection, new("half"), full=False)
        raise Trouble(409, "no", "no")

    failing, right = store.write(half), store.write(partial(records.insert, new=new("whole"), full=False))
    with pytest.raises(Trouble):
        failing.result()
    assert right.result()[1]
    assert order(store) == ["whole"]
    store.close()


def test_who_stops_waiting_does_not_stop_the_writing(tmp_path: Path) -> None:
    store, gate = Store(tmp_path), Event()
    store.write(lambda _: gate.wait())

    async def leave() -> records.Run:
        loop = asyncio.get_running_loop()
        gone = store.write_from(loop, partial(records.insert, new=new("gone"), full=False))
        stays = store.write_from(loop, partial(records.insert, new=new("stays"), full=False))
        wrong = store.write_from(loop, partial(records.find, run="nobody"))
        gone.cancel()
        gate.set()
        with pytest.raises(Trouble, match="no such run"):
            await wrong
        return (await stays)[0]

    assert asyncio.run(leave()).id == "stays"
    assert order(store) == ["gone", "stays"]
    store.close()


def test_what_an_event_loop_asked_for_is_written_after_its_end(tmp_path: Path) -> None:
    store, gate = Store(tmp_path), Event()

    async def ask() -> None:
        store.write(lambda _: gate.wait())
        store.write_from(asyncio.get_running_loop(), partial(records.insert, new=new("late"), full=False))

    asyncio.run(ask())
    gate.set()
    assert put(store, "later").id == "later"
    assert order(store) == ["late", "later"]
    store.close()


def test_a_folder_is_held_by_one_and_let_go(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with pytest.raises(ConfigError, match="another server works here"):
        Store(tmp_path)
    store.close()
    Store(tmp_path).close()


def test_a_store_of_a_newer_graphgen_is_left_alone(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.write(lambda connection: connection.execute("PRAGMA user_version = 99")).result()
    store.close()
    with pytest.raises(ConfigError, match="newer graphgen"):
        Store(tmp_path)


def test_27_a_full_disk_is_told_and_nothing_is_half_written(tmp_path: Path) -> None:
    store = Store(tmp_path)
    put(store, "before")
    pages = store.read(lambda connection: connection.execute("PRAGMA page_count").fetchone()[0]).result()
    store.write(lambda connection: connection.execute(f"PRAGMA max_page_count = {pages + 1}").fetchone()).result()
    beside = store.write(records.last_event)
    full = store.write(partial(records.insert, new=new("during", workflow="x" * 100_000), full=False))
    with pytest.raises(sqlite3.OperationalError, match="full"):
        full.result()
    beside.exception()  # what was in the same transaction may have been undone with it, and was told so
    store.write(lambda connection: connection.execute("PRAGMA max_page_count = 1000000").fetchone()).result()
    put(store, "after", workflow="x" * 100_000)
    assert order(store) == ["before", "after"]
    events = store.read(partial(records.events_after, after=0, run=None, limit=10)).result()
    assert [entry.run for entry in events] == ["before", "after"]
    store.close()


def test_a_file_of_an_earlier_version_is_brought_up_to_date(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "server.sqlite")) as old:
        old.executescript(f"{SCHEMA[0]} PRAGMA user_version = 1;")
        old.execute(
            "INSERT INTO runs (id, request, status, priority, place, client, name, created, asked, workflow)"
            " VALUES ('a', '', 'queued', 0, 1, '', '', 0, '{}', '{}')"
        )
        old.commit()
    with closing(Store(tmp_path)) as opened:
        found = opened.read(partial(records.page, before=None, limit=9, wanted=records.Wanted(identity=""))).result()
        assert [run.id for run in found] == ["a"]
