"""Saved workflows: no change is lost that somebody has not seen, and every version comes back."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest
from server.server_kit import Answer, Client, serving
from server.test_runs import SUM

EXAMPLES = Path(__file__).parents[2] / "workflows"


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    with serving(tmp_path) as made:
        yield made


def put(client: Client, name: str, document: object, seen: str | None = None) -> Answer:
    headers = {"If_Match": f'"{seen}"'} if seen else {}
    return client.call("PUT", f"/api/workflows/{quote(name, safe='')}", document, **headers)


def test_a_workflow_is_saved_read_and_run_by_its_name(client: Client, tmp_path: Path) -> None:
    saved = put(client, "a sum", SUM)
    assert saved.status == 200
    read = client.get("/api/workflows/a%20sum")
    assert read.json == SUM
    assert read.headers["ETag"] == saved.headers["ETag"] == f'"{saved.json["etag"]}"'
    assert client.get("/api/workflows/a%20sum", If_None_Match=read.headers["ETag"]).status == 304
    assert json.loads((tmp_path / "data" / "workflows" / "a sum.json").read_text()) == SUM
    run = client.submit("a sum", parameters={"extra": 3})
    assert (run["saved"], client.wait(run["id"])["outputs"]["sum"]["summary"]) == ("a sum", "5")
    assert client.call("POST", f"/api/runs/{run['id']}/again").json["saved"] == "a sum"


def test_own_workflows_and_examples_are_listed(client: Client) -> None:
    put(client, "합계", {**SUM, "description": "Adds"})
    listed = {view["name"]: view for view in client.get("/api/workflows").json["workflows"]}
    assert listed["합계"]["own"]
    assert (listed["합계"]["title"], listed["합계"]["description"]) == ("A sum", "Adds")
    assert listed["합계"]["parameters"] == ["extra"]
    assert {path.stem for path in EXAMPLES.glob("*.json")} <= set(listed)
    assert not listed["text_to_image"]["own"]


def test_a_change_that_was_not_seen_is_not_overwritten(client: Client, tmp_path: Path) -> None:
    first = put(client, "sum", SUM).json["etag"]
    assert put(client, "sum", {**SUM, "name": "blind"}).kind == "not-seen"
    second = put(client, "sum", {**SUM, "name": "second"}, first).json["etag"]
    assert put(client, "sum", {**SUM, "name": "late"}, first).status == 412
    (tmp_path / "data" / "workflows" / "sum.json").write_text('{"graphgen": 1, "name": "by hand", "nodes": {}}')
    assert put(client, "sum", {**SUM, "name": "late"}, second).status == 412
    by_hand = client.get("/api/workflows/sum").headers["ETag"].strip('"')
    assert put(client, "sum", {**SUM, "name": "last"}, by_hand).status == 200
    versions = client.get("/api/workflows/sum/versions").json["versions"]
    names = [client.get(f"/api/workflows/sum/versions/{view['version']}").json["name"] for view in versions]
    assert names == ["last", "by hand", "second", "A sum"]


def test_31_of_two_tabs_that_save_at_once_one_is_told(client: Client) -> None:
    seen = put(client, "sum", SUM).json["etag"]

    async def both() -> list[Answer]:
        saves = (
            client.call_async("PUT", "/api/workflows/sum", {**SUM, "name": name}, If_Match=f'"{seen}"')
            for name in ("left", "right")
        )
        return await asyncio.gather(*saves)

    assert sorted(answer.status for answer in client.run(both())) == [200, 412]


def test_an_earlier_version_is_restored_and_a_deleted_workflow_too(client: Client) -> None:
    first = put(client, "sum", SUM).json["etag"]
    second = put(client, "sum", {**SUM, "name": "worse"}, first).json["etag"]
    assert client.call("POST", "/api/workflows/sum/versions/1/restore").status == 428
    back = client.call("POST", "/api/workflows/sum/versions/1/restore", If_Match=f'"{second}"')
    assert back.json["etag"] == first
    assert client.call("DELETE", "/api/workflows/sum").status == 428
    assert client.call("DELETE", "/api/workflows/sum", If_Match=f'"{first}"').status == 204
    assert client.get("/api/workflows/sum").status == 404
    assert client.call("POST", "/api/workflows/sum/versions/2/restore").status == 200
    assert client.get("/api/workflows/sum").json["name"] == "worse"


def test_examples_are_copied_when_changed_and_never_deleted(client: Client) -> None:
    example = client.get("/api/workflows/text_to_image")
    tag = example.headers["ETag"].strip('"')
    assert client.call("DELETE", "/api/workflows/text_to_image", If_Match=f'"{tag}"').kind == "example"
    assert put(client, "text_to_image", {**example.json, "name": "mine"}, tag).status == 200
    assert client.get("/api/workflows/text_to_image").json["name"] == "mine"
    assert json.loads((EXAMPLES / "text_to_image.json").read_text(encoding="utf-8"))["name"] != "mine"
    mine = client.get("/api/workflows/text_to_image").headers["ETag"]
    assert client.call("DELETE", "/api/workflows/text_to_image", If_Match=mine).status == 204
    assert client.get("/api/workflows/text_to_image").json == example.json


@pytest.mark.parametrize(
    "name",
    ["../x", "..", ".hidden", "a/../b", "a\\b", "C:x", "con", "NUL", "x" * 101, "a.", "a\0b", "a\r\n", "-a", "a "],
)
def test_10_and_13_no_name_leaves_the_folder(client: Client, tmp_path: Path, name: str) -> None:
    answer = client.call("PUT", f"/api/workflows/{quote(name, safe='')}", SUM)
    assert answer.status in (400, 404, 405, 422), name
    assert list(tmp_path.rglob("*.json")) == []
    assert client.get(f"/api/workflows/{quote(name, safe='')}").status in (400, 404)


def test_a_link_out_of_the_folder_is_no_workflow(client: Client, tmp_path: Path) -> None:
    put(client, "sum", SUM)
    (tmp_path / "secret.json").write_text("{}")
    (tmp_path / "data" / "workflows" / "link.json").symlink_to(tmp_path / "secret.json")
    assert client.get("/api/workflows/link").status == 404


def test_names_that_differ_in_case_alone_are_refused(client: Client) -> None:
    put(client, "Sum", SUM)
    assert put(client, "sum", SUM).kind == "bad-name"


def test_what_is_half_done_can_be_saved_and_what_is_no_object_cannot(client: Client) -> None:
    assert put(client, "half", {"graphgen": 1, "nodes": {"a": {"type": "no.such"}}}).status == 200
    assert put(client, "list", [1]).status == 422
    assert client.call("POST", "/api/runs", {"workflow": "half"}).status == 422
    assert client.call("POST", "/api/runs", {"workflow": "nothing"}).status == 404


def test_who_watches_all_runs_is_told_of_each_change_and_by_whom(client: Client) -> None:
    async def watch() -> tuple[list[dict[str, Any]], dict[str, Any]]:
        headers = client.headers()
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(f"{client.address}/api/socket", headers=headers) as all_runs,
            session.ws_connect(f"{client.address}/api/socket?run=none", headers=headers) as one_run,
        ):
            saved = await client.call_async("PUT", "/api/workflows/sum", SUM, X_Graphgen_Client="left tab")
            told = [json.loads(await all_runs.receive_str())]
            await client.call_async("DELETE", "/api/workflows/sum", If_Match=saved.headers["ETag"])
            told.append(json.loads(await all_runs.receive_str()))
            await client.call_async("POST", "/api/workflows/sum/versions/1/restore", X_Graphgen_Client="right tab")
            told.append(json.loads(await all_runs.receive_str()))
            with pytest.raises(TimeoutError):
                await one_run.receive(timeout=0.1)
            return told, saved.json

    told, saved = client.run(watch())
    assert [{name: value for name, value in event.items() if name != "time"} for event in told] == [
        {"event": "workflow_saved", "name": "sum", "etag": saved["etag"], "client": "left tab"},
        {"event": "workflow_deleted", "name": "sum", "client": ""},
        {"event": "workflow_saved", "name": "sum", "etag": saved["etag"], "client": "right tab"},
    ]
    assert all(event["time"] > 0 for event in told)


def test_a_change_that_was_refused_is_not_told_and_a_client_has_a_name_for_printing(client: Client) -> None:
    put(client, "sum", SUM)
    for name in ("x" * 101, "\u200b"):
        answer = client.call("PUT", "/api/workflows/other", SUM, X_Graphgen_Client=name)
        assert (answer.status, answer.kind) == (400, "bad-header")
    assert client.get("/api/workflows/other").status == 404

    async def watch() -> dict[str, Any]:
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(f"{client.address}/api/socket", headers=client.headers()) as socket,
        ):
            assert (await client.call_async("PUT", "/api/workflows/sum", SUM)).status == 428
            await client.call_async("PUT", "/api/workflows/last", SUM)
            told: dict[str, Any] = json.loads(await socket.receive_str())
            return told

    assert client.run(watch())["name"] == "last"


def test_a_workflow_looks_like_its_latest_run_and_an_example_like_what_it_gives(client: Client) -> None:
    put(client, "mine", SUM)
    by_name = {view["name"]: view for view in client.get("/api/workflows").json["workflows"]}
    assert by_name["mine"]["thumbnail"] is None
    shown = client.get(by_name["text_to_image"]["thumbnail"])
    assert (shown.status, shown.headers["Content-Type"]) == (200, "image/png")
    assert client.get(by_name["flux_dev"]["thumbnail"]).headers["Content-Type"].startswith("image/svg+xml")
    assert client.get("/api/workflows/mine/thumbnail").status == 404


def test_runs_are_listed_by_what_their_workflow_goes_by(client: Client) -> None:
    put(client, "mine", SUM)
    saved = client.submit("mine")["id"]
    told = client.submit(SUM, identity="another")["id"]
    assert [run["id"] for run in client.get("/api/runs?identity=mine").json["runs"]] == [saved]
    assert [run["id"] for run in client.get("/api/runs?identity=another").json["runs"]] == [told]


def test_deleted_workflows_are_listed_and_come_back(client: Client) -> None:
    first = put(client, "sum", SUM).json["etag"]
    second = put(client, "sum", {**SUM, "name": "A better sum"}, first).json["etag"]
    put(client, "other", SUM)
    assert client.get("/api/deleted-workflows").json == {"workflows": []}
    client.call("DELETE", "/api/workflows/sum", If_Match=f'"{second}"')
    (gone,) = client.get("/api/deleted-workflows").json["workflows"]
    assert (gone["name"], gone["title"], gone["version"]) == ("sum", "A better sum", 2)
    assert client.call("POST", f"/api/workflows/sum/versions/{gone['version']}/restore").status == 200
    assert client.get("/api/workflows/sum").json["name"] == "A better sum"
    assert client.get("/api/deleted-workflows").json == {"workflows": []}
