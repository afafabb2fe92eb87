"""Versions that are kept: few where many were saved by themselves, and all that somebody wanted."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from server.server_kit import Client, nothing_here, serving
from server.test_runs import SUM
from server.test_saved_workflows import put

from graphgen.server import thinning, versions
from graphgen.server.library import Library
from graphgen.server.store import Store
from graphgen.server.thinning import Mark, superfluous
from graphgen.server.versions import Moment

NOW = 1_700_000_000.0
MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    with serving(tmp_path) as made:
        yield made


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(Store(tmp_path / "server")) as opened:
        yield opened


# --- what goes, by the clock alone ----------------------------------------------------------------------------------


@st.composite
def histories(draw: st.DrawFn) -> list[Mark]:
    """Versions saved one after another, up to now, by two sessions, some of them wanted."""
    pauses = draw(st.lists(st.sampled_from([0.6, 7.0, 45.0, 400.0, HOUR, 9 * HOUR, 3 * DAY, 40 * DAY]), max_size=40))
    wanted = st.tuples(st.sampled_from(["a", "b"]), *[st.sampled_from([False, False, False, True])] * 3)
    saved, marks = NOW, list[Mark]()
    for number, pause in zip(range(len(pauses), 0, -1), pauses, strict=True):
        session, on_purpose, ran, named = draw(wanted)
        marks.append(Mark(number, saved, session, not on_purpose, ran, named))
        saved -= pause
    return marks


def kept(marks: Sequence[Mark], now: float) -> list[Mark]:
    gone = set(superfluous(marks, now))
    assert gone <= {mark.number for mark in marks}
    return [mark for mark in marks if mark.number not in gone]


LATER = st.sampled_from([0.0, 5.0, MINUTE, HOUR, DAY, 20 * DAY, 400 * DAY])


@given(histories(), LATER)
def test_the_latest_and_all_that_is_wanted_stay(marks: list[Mark], later: float) -> None:
    left = kept(marks, NOW + later)
    assert left[:1] == marks[:1]
    assert [mark for mark in marks if not mark.thinned] == [mark for mark in left if not mark.thinned]


@given(histories(), LATER, LATER)
def test_thinning_often_or_seldom_leaves_the_same_and_nothing_comes_back(
    marks: list[Mark], first: float, second: float
) -> None:
    early = kept(marks, NOW + first)
    assert kept(early, NOW + first) == early
    assert kept(early, NOW + first + second) == kept(marks, NOW + first + second)


@given(histories(), LATER)
def test_what_went_has_one_beside_it_that_stayed(marks: list[Mark], later: float) -> None:
    now = NOW + later
    left = kept(marks, now)
    for mark in set(marks) - set(left):
        reach = max(length for age, length in thinning.TIERS if age <= now - mark.saved)
        assert any(one.number > mark.number and 0 <= one.saved - mark.saved < reach for one in left)


def test_a_day_of_editing_is_kept_in_hundreds_and_a_year_in_days() -> None:
    day = [Mark(number, NOW - (120_000 - number) * 0.6, "a", True, False, False) for number in range(120_000)]
    assert len(kept(day, NOW)) <= 30 + 1 + 24 * 12
    assert len(kept(day, NOW + 2 * DAY)) <= 25
    assert len(kept(day, NOW + 60 * DAY)) <= 3


def test_each_stretch_holds_whole_ones_of_the_stretch_before() -> None:
    lengths = [length for _, length in thinning.TIERS]
    assert all(longer % shorter == 0 for shorter, longer in pairwise(lengths))


def test_there_is_an_end_to_what_programs_save_but_not_to_what_has_a_name() -> None:
    many = [Mark(number, NOW - 10_000 + number, "", False, False, number % 10 == 0) for number in range(3_000)]
    left = kept(many, NOW)
    assert sum(not mark.named for mark in left) == thinning.MOST_ON_PURPOSE
    assert [mark for mark in left if mark.named] == [mark for mark in many if mark.named]
    assert left[-1] == many[-1]
    spread = [Mark(number, NOW - number * DAY, "a", True, False, False) for number in range(3_000)]
    assert len(kept(spread, NOW)) == thinning.MOST


# --- as the library saves them --------------------------------------------------------------------------------------


def test_an_hour_of_automatic_saves_leaves_one_for_each_five_minutes(store: Store, tmp_path: Path) -> None:
    library, seen = Library.of(tmp_path / "workflows", nothing_here()), None
    start = NOW - NOW % HOUR

    def work(connection: sqlite3.Connection) -> None:
        nonlocal seen
        for second in range(0, 3600, 2):
            seen = library.save(connection, "sum", {"second": second}, seen, Moment(start + second, "tab"))

    store.write(work).result()
    found = store.read(lambda connection: versions.listed(connection, "sum")).result()
    assert found[0]["etag"] == seen
    ages = [round(start + 3598 - view["saved"]) for view in found]
    assert ages == sorted(ages)
    assert sum(age > 300 for age in ages) <= 12
    assert sum(age <= 300 for age in ages) <= 31
    assert all(view["automatic"] for view in found)


def test_two_tabs_that_work_at_once_keep_a_version_each(store: Store, tmp_path: Path) -> None:
    library = Library.of(tmp_path / "workflows", nothing_here())

    def work(connection: sqlite3.Connection) -> None:
        first = library.save(connection, "sum", {"by": "left"}, None, Moment(NOW, "left"))
        second = library.save(connection, "sum", {"by": "right"}, first, Moment(NOW + 1, "right"))
        library.save(connection, "sum", {"by": "left again"}, second, Moment(NOW + 600, "left"))

    store.write(work).result()
    assert len(store.read(lambda connection: versions.listed(connection, "sum")).result()) == 3


# --- over HTTP ------------------------------------------------------------------------------------------------------


def save(client: Client, name: str, document: object, seen: str | None, session: str = "tab") -> str:
    headers = {"If_Match": f'"{seen}"'} if seen else {}
    answer = client.call("PUT", f"/api/workflows/{name}?automatic=true", document, X_Graphgen_Client=session, **headers)
    assert answer.status == 200, answer.body
    return str(answer.json["etag"])


def listed(client: Client, name: str = "sum") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.get(f"/api/workflows/{name}/versions").json["versions"]
    return found


def test_saving_on_purpose_what_was_saved_by_itself_keeps_it(client: Client) -> None:
    seen = save(client, "sum", SUM, None)
    assert [view["automatic"] for view in listed(client)] == [True]
    seen = put(client, "sum", SUM, seen).json["etag"]
    assert [view["automatic"] for view in listed(client)] == [False]
    save(client, "sum", SUM, seen)  # the same once more is no new version, and takes nothing back
    assert [view["automatic"] for view in listed(client)] == [False]
    assert client.call("PUT", "/api/workflows/sum?automatic=perhaps", SUM).kind == "bad-query"


def test_a_version_that_was_run_is_marked_whoever_ran_it(client: Client) -> None:
    seen = save(client, "sum", SUM, None)
    changed = {**SUM, "description": "changed"}
    seen = save(client, "sum", changed, seen)
    client.wait(client.submit("sum")["id"])
    assert listed(client)[0]["ran"]
    latest = {**SUM, "description": "once more"}
    save(client, "sum", latest, seen, "another tab")
    client.wait(client.submit(latest, identity="sum")["id"])
    client.wait(client.submit({**SUM, "name": "never saved"}, identity="sum")["id"])
    found = listed(client)
    assert found[0]["ran"]
    texts = [client.get(f"/api/workflows/sum/versions/{view['version']}").json for view in found if view["ran"]]
    assert texts == [latest, changed]


def test_a_version_gets_a_name_and_loses_it(client: Client) -> None:
    put(client, "sum", SUM)
    path = "/api/workflows/sum/versions/1"
    named = client.call("PATCH", path, {"label": " before the merge "})
    assert (named.status, named.json["label"], named.json["version"]) == (200, "before the merge", 1)
    assert listed(client) == [named.json]
    assert client.call("PATCH", path, {"label": ""}).json["label"] == ""
    for body in ({"label": "x" * 101}, {"label": "a\nb"}, {"label": 3}, {}, {"label": "a", "more": 1}):
        assert client.call("PATCH", path, body).kind == "invalid-body"
    assert client.call("PATCH", "/api/workflows/sum/versions/2", {"label": "a"}).status == 404
    assert client.call("PATCH", "/api/workflows/other/versions/1", {"label": "a"}).status == 404


def test_what_was_edited_by_hand_is_kept_when_an_editor_saves_over_it(client: Client, tmp_path: Path) -> None:
    save(client, "sum", SUM, None)
    (tmp_path / "data" / "workflows" / "sum.json").write_text('{"graphgen": 1, "name": "by hand", "nodes": {}}')
    by_hand = client.get("/api/workflows/sum").headers["ETag"].strip('"')
    save(client, "sum", {**SUM, "name": "later"}, by_hand)
    names = {client.get(f"/api/workflows/sum/versions/{view['version']}").json["name"] for view in listed(client)}
    assert {"by hand", "later"} <= names
