"""Files that clients bring: found by content, read by nodes, and no danger to a browser."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from engine_kit import N, workflow
from server.server_kit import Answer, Client, serving
from server.test_runs import SUM

from graphgen.jsontypes import digest
from graphgen.server.settings import Limits


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    with serving(tmp_path_factory.mktemp("server"), limits=Limits(upload_bytes=100_000)) as made:
        yield made


def upload(client: Client, data: bytes, name: str = "note.txt") -> Answer:
    return client.call("POST", f"/api/uploads?name={name}", data, Content_Type="application/octet-stream")


def test_an_upload_is_an_input_under_the_name_that_is_given_back(client: Client) -> None:
    taken = upload(client, b"a few words")
    assert taken.status == 201
    view = taken.json
    assert (view["digest"], view["size"]) == (digest(b"a few words"), 11)
    assert view["name"] == f"uploads/{view['digest']}.txt"
    document = workflow({"file": N("toy.read", {"path": view["name"]})}, "file.str")
    assert client.wait(client.submit(document)["id"])["outputs"]["file"]["summary"] == "'a few words'"
    assert upload(client, b"a few words").json == view


def test_11_an_upload_comes_back_as_an_attachment(client: Client) -> None:
    page = b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"
    for name in ("x.svg", "x.html", "x.SVG", "x.xhtml", "x"):
        view = upload(client, page, name).json
        answer = client.get(view["url"])
        assert answer.body == page
        assert answer.headers["Content-Type"] == "application/octet-stream"
        assert answer.headers["Content-Disposition"].startswith("attachment")
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "sandbox" in answer.headers["Content-Security-Policy"]


def test_an_upload_that_is_too_large_leaves_nothing(client: Client, tmp_path: Path) -> None:
    with serving(tmp_path, limits=Limits(upload_bytes=1000)) as own:
        assert upload(own, b"x" * 1001).kind == "too-large"
        assert upload(own, b"x" * 1000).status == 201
        assert len(list((tmp_path / "inputs" / "uploads").iterdir())) == 1


@pytest.mark.parametrize("name", ["a.b/c", "x.%00", "x.p%0d%0ang", "x.ünï", "x." + "y" * 13])
def test_10_a_name_is_nothing_but_a_suffix(client: Client, name: str) -> None:
    answer = upload(client, b"data", name)
    assert answer.status in (201, 400)
    if answer.status == 201:
        assert "/" not in answer.json["name"].removeprefix("uploads/")


def test_22_a_bomb_is_not_made_small(client: Client) -> None:
    view = upload(client, b"\x89PNG\r\n\x1a\n" + b"\0" * 60, "bomb.png").json
    assert client.get(f"{view['url']}/thumbnail").status in (404, 422)


def test_a_file_gives_its_workflow_back(client: Client) -> None:
    view = upload(client, json.dumps(SUM).encode(), "sum.json").json
    assert set(client.get(f"{view['url']}/workflow").json["workflow"]["nodes"]) == {"two", "sum"}
    note = workflow(
        {"word": N("toy.speak", {"message": "hush"}), "save": N("probe.save", {"suffix": ".note"}, text="word.str")},
        parameters={"word": {"sets": ["word.message"]}},
    )
    (file,) = client.wait(client.submit(note, parameters={"word": "loud"})["id"])["files"]
    carried = client.get(f"{file['url']}/workflow").json
    assert carried["parameters"] == {"word": "loud"}
    assert carried["workflow"]["nodes"]["word"]["settings"] == {"message": "loud"}
    plain = upload(client, b"no workflow", "plain.note").json
    answer = client.get(f"{plain['url']}/workflow")
    assert (answer.status, answer.kind) == (422, "invalid-workflow")
    assert "/inputs/" not in answer.body.decode()
