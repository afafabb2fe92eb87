"""Workflows that get another name: file, versions and runs go along together, whatever happens, and nobody is lost."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest
from server.server_kit import Answer, Client, nothing_here, serving
from server.test_runs import SUM
from server.test_saved_workflows import put

from graphgen.server.library import Library
from graphgen.server.names import is_name
from graphgen.server.store import Store
from graphgen.server.versions import Moment


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    with serving(tmp_path) as made:
        yield made


def move(client: Client, name: str, to: object, seen: str | None = None) -> Answer:
    headers = {"If_Match": f'"{seen}"'} if seen else {}
    return client.call("POST", f"/api/workflows/{quote(name, safe='')}/move", {"to": to}, **headers)


def names(client: Client) -> set[str]:
    return {view["name"] for view in client.get("/api/workflows").json["workflows"] if view["own"]}


def history(client: Client, name: str) -> list[str]:
    path = f"/api/workflows/{quote(name, safe='')}/versions"
    return [client.get(f"{path}/{one['version']}").json["name"] for one in client.get(path).json["versions"]]


def test_versions_runs_and_what_is_compared_go_along(client: Client, tmp_path: Path) -> None:
    first = put(client, "sum", SUM).json["etag"]
    second = put(client, "sum", {**SUM, "name": "A better sum"}, first).json["etag"]
    run = client.wait(client.submit("sum")["id"])["id"]
    answer = move(client, "sum", "numbers/total", second)
    assert (answer.status, answer.json) == (200, {"name": "numbers/total", "etag": second})
    assert answer.headers["ETag"] == f'"{second}"'
    assert names(client) == {"numbers/total"}
    assert history(client, "numbers/total") == ["A better sum", "A sum"]
    assert history(client, "sum") == []
    assert client.get("/api/deleted-workflows").json == {"workflows": []}
    shown = client.get(f"/api/runs/{run}").json
    assert (shown["saved"], shown["identity"], shown["status"]) == ("sum", "numbers/total", "done")
    assert [one["id"] for one in client.get("/api/runs?identity=numbers/total").json["runs"]] == [run]
    assert client.call("POST", f"/api/runs/{run}/again").status == 201
    planned = client.call("POST", "/api/plan", {"workflow": "numbers/total"}).json
    assert planned["compared"] is not None
    assert client.wait(client.submit("numbers/total")["id"])["status"] == "done"
    assert (tmp_path / "data" / "workflows" / "numbers" / "total.json").is_file()


def test_who_knows_the_old_name_is_told_the_new_one_until_it_is_another_workflow(client: Client) -> None:
    etag = put(client, "a", SUM).json["etag"]
    move(client, "a", "b", etag)
    move(client, "b", "c", etag)
    for name in ("a", "b"):
        gone = client.get(f"/api/workflows/{name}")
        assert (gone.status, gone.kind, gone.json["moved_to"]) == (404, "moved", "c")
        late = put(client, name, {**SUM, "name": "late"}, etag)
        assert (late.status, late.kind, late.json["moved_to"]) == (412, "moved", "c")
        assert client.call("POST", "/api/runs", {"workflow": name}).json["moved_to"] == "c"
        assert move(client, name, "d", etag).json["moved_to"] == "c"
        assert client.call("DELETE", f"/api/workflows/{name}", If_Match=f'"{etag}"').json["moved_to"] == "c"
    assert put(client, "a", {**SUM, "name": "another"}).status == 200
    assert client.get("/api/workflows/a").json["name"] == "another"
    assert move(client, "c", "b", etag).status == 200  # back again
    assert client.get("/api/workflows/b").status == 200
    assert client.get("/api/workflows/c").json["moved_to"] == "b"


def test_nothing_that_is_there_is_written_over(client: Client) -> None:
    one, two = put(client, "one", SUM).json["etag"], put(client, "two", {**SUM, "name": "two"}).json["etag"]
    example = client.get("/api/workflows/text_to_image").headers["ETag"].strip('"')
    assert move(client, "one", "two", one).kind == "taken"
    assert move(client, "one", "one", one).kind == "taken"
    assert move(client, "one", "text_to_image", one).kind == "taken"
    assert move(client, "one", "TWO", one).kind == "bad-name"
    assert move(client, "one", "three").kind == "not-seen"
    assert move(client, "one", "three", two).kind == "changed"
    assert move(client, "text_to_image", "three", example).kind == "example"
    assert move(client, "nothing", "three", one).kind == "not-found"
    assert (names(client), history(client, "two")) == ({"one", "two"}, ["two"])
    assert move(client, "one", "One", one).status == 200
    assert names(client) == {"One", "two"}


def test_what_was_deleted_under_the_new_name_before_can_still_be_brought_back(client: Client) -> None:
    old = put(client, "folder/sum", {**SUM, "name": "deleted"}).json["etag"]
    client.call("DELETE", "/api/workflows/folder%2Fsum", If_Match=f'"{old}"')
    move(client, "sum", "folder/sum", put(client, "sum", SUM).json["etag"])
    assert history(client, "folder/sum") == ["A sum"]
    (gone,) = client.get("/api/deleted-workflows").json["workflows"]
    assert (gone["name"], gone["title"]) == ("folder/sum (1)", "deleted")
    path = f"/api/workflows/{quote(gone['name'], safe='')}/versions/{gone['version']}/restore"
    assert client.call("POST", path).status == 200
    assert names(client) == {"folder/sum", "folder/sum (1)"}


def test_folders_come_and_go_with_what_is_in_them(client: Client, tmp_path: Path) -> None:
    folder = tmp_path / "data" / "workflows"
    first = put(client, "a/b/one", SUM).json["etag"]
    second = put(client, "a/two", SUM).json["etag"]
    listed = {view["name"]: view for view in client.get("/api/workflows").json["workflows"]}
    assert {"a/b/one", "a/two"} <= set(listed)
    (alone,) = client.get("/api/workflows?name=a/two").json["workflows"]
    assert alone == listed["a/two"]
    assert client.get("/api/workflows?name=a/three").json == {"workflows": []}
    move(client, "a/b/one", "one", first)
    assert not (folder / "a" / "b").exists()
    client.call("DELETE", "/api/workflows/a%2Ftwo", If_Match=f'"{second}"')
    assert not (folder / "a").exists()
    assert folder.is_dir()


BAD = [
    "",
    "/",
    "a/",
    "/a",
    "a//b",
    "../x",
    "a/../b",
    "a/..",
    "./a",
    "a/.b",
    "a\\b",
    "C:/x",
    "con/a",
    "a/NUL",
    "x" * 101,
]
BAD += ["a.json/b", "a/b.", " a", "a/ b", "a\0b", "a\nb", "/".join("abcdefghi"), "/".join(["x" * 60] * 4)]


@pytest.mark.parametrize("name", BAD)
def test_no_new_name_leaves_the_folder(client: Client, tmp_path: Path, name: str) -> None:
    assert not is_name(name)
    etag = put(client, "sum", SUM).json["etag"]
    before = sorted(path for path in (tmp_path / "data" / "workflows").rglob("*"))
    assert move(client, "sum", name, etag).status == 422
    assert client.call("PUT", f"/api/workflows/{quote(name, safe='')}", SUM).status in (400, 404, 405, 422)
    assert sorted(path for path in (tmp_path / "data" / "workflows").rglob("*")) == before
    assert client.get("/api/workflows/sum").json == SUM


@pytest.mark.parametrize("body", [{}, {"to": 3}, {"to": None}, {"to": "b", "more": 1}, [], "b"])
def test_what_is_no_move_is_refused(client: Client, body: object) -> None:
    etag = put(client, "sum", SUM).json["etag"]
    answer = client.call("POST", "/api/workflows/sum/move", body, If_Match=f'"{etag}"')
    assert (answer.status, answer.kind) == (422, "invalid-body")


def test_links_and_files_are_no_folders(client: Client, tmp_path: Path) -> None:
    etag = put(client, "sum", SUM).json["etag"]
    own, outside = tmp_path / "data" / "workflows", tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.json").write_text("{}")
    (own / "link").symlink_to(outside, target_is_directory=True)
    (own / "file").write_text("")
    for to in ("link/sum", "link/deeper/sum", "file/sum"):
        assert move(client, "sum", to, etag).kind == "bad-name"
        assert put(client, to, SUM).status in (404, 409)
    assert client.get("/api/workflows/link%2Fsecret").status == 404
    assert names(client) == {"sum"}
    assert [path.name for path in outside.iterdir()] == ["secret.json"]


def test_who_watches_is_told_of_the_move(client: Client) -> None:
    async def watch() -> list[dict[str, Any]]:
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(f"{client.address}/api/socket", headers=client.headers()) as socket,
        ):
            saved = await client.call_async("PUT", "/api/workflows/sum", SUM)
            await client.call_async(
                "POST",
                "/api/workflows/sum/move",
                {"to": "a/sum"},
                If_Match=saved.headers["ETag"],
                X_Graphgen_Client="left tab",
            )
            return [json.loads(await socket.receive_str()) for _ in range(2)]

    saved, moved = client.run(watch())
    del moved["time"]
    assert moved == {
        "event": "workflow_moved",
        "name": "sum",
        "to": "a/sum",
        "etag": saved["etag"],
        "client": "left tab",
    }


# --- kill -9 --------------------------------------------------------------------------------------------------------

DYING = """
import asyncio, os, sys
from pathlib import Path
from graphgen.server import moving, records
from graphgen.registry import Registry
from graphgen.server.library import Library
from graphgen.server.needs import Machine
from graphgen.server.store import Store
from graphgen.server.versions import Moment

def die(*_):
    os._exit(9)

folder, place = Path(sys.argv[1]), sys.argv[2]
store = Store(folder / "server")
library = Library.of(folder / "workflows", Machine(Registry(), lambda _, name: Path(name)))
if place == "before the file":
    moving.file_of = die
elif place == "after the file":
    moving._sync = die
elif place == "before the end":
    moving.remove_empty = die
tag = library.read("sum")[1]

async def move():
    await store.write_twice(
        asyncio.get_running_loop(),
        lambda connection: library.begin_move(connection, "sum", "a/sum", tag),
        lambda connection: (library.end_move(connection, "sum", "a/sum"), die())[0],
    )

asyncio.run(move())
"""


@pytest.mark.parametrize("place", ["before the file", "after the file", "before the end", "after the end"])
def test_26_a_move_that_is_killed_is_whole_or_was_not(tmp_path: Path, place: str) -> None:
    library = Library.of(tmp_path / "workflows", nothing_here())
    with closing(Store(tmp_path / "server")) as store:
        store.write(lambda connection: library.save(connection, "sum", {"name": "first"}, None, Moment(1.0))).result()
        tag = library.read("sum")[1]
        store.write(lambda connection: library.save(connection, "sum", {"name": "second"}, tag, Moment(2.0))).result()
    command = [sys.executable, "-c", DYING, str(tmp_path), place]
    assert subprocess.run(command, check=False).returncode == 9
    with closing(Store(tmp_path / "server")) as store:
        store.write(library.recover).result()
        own = [view["name"] for view in library.listed() if view["own"]]
        assert own == (["sum"] if place == "before the file" else ["a/sum"])
        assert store.read(kept).result() == {own[0]: 2}
        assert store.read(library.deleted).result() == []
        assert store.read(unfinished).result() == 0


def unfinished(connection: sqlite3.Connection) -> int:
    return int(connection.execute("SELECT count(*) FROM moves WHERE NOT done").fetchone()[0])


def kept(connection: sqlite3.Connection) -> dict[str, int]:
    return dict(tuple(row) for row in connection.execute("SELECT name, count(*) FROM versions GROUP BY name"))


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="needs a folder that cannot be written to")
def test_a_file_that_cannot_be_moved_stays_with_all_that_belongs_to_it(client: Client, tmp_path: Path) -> None:
    etag = put(client, "a/sum", SUM).json["etag"]
    folder = tmp_path / "data" / "workflows" / "a"
    folder.chmod(0o500)
    try:
        assert move(client, "a/sum", "sum", etag).status == 503
    finally:
        folder.chmod(0o700)
    assert (names(client), history(client, "a/sum")) == ({"a/sum"}, ["A sum"])
    assert move(client, "a/sum", "sum", etag).status == 200
    assert history(client, "sum") == ["A sum"]
