"""Files to choose from: listed by name, found by what a setting is given, small, and never from elsewhere."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import PIL.Image
import pytest
from pydantic import TypeAdapter
from server.server_kit import Client, serving

from graphgen.plugins import find_plugins
from graphgen.registry import build_registry
from graphgen.server import shapes


def picture(path: Path, color: str = "red", size: tuple[int, int] = (40, 20)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    PIL.Image.new("RGB", size, color).save(path)
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("server")
    inputs = made / "inputs"
    for number, name in enumerate(["b.png", "a.jpg", "more/c.webp", "more/deep/Ünï d.png"]):
        os.utime(picture(inputs / name), (1000 + number, 1000 + number))
    (inputs / "notes.txt").write_text("words")
    picture(inputs / ".hidden.png")
    picture(inputs / ".cache" / "e.png")
    picture(made / "secret.png")
    (inputs / "out.png").symlink_to(made / "secret.png")
    (inputs / "way").symlink_to(made)
    (inputs / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"\0" * 60)
    return made


@pytest.fixture(scope="module")
def client(folder: Path) -> Iterator[Client]:
    with serving(folder, installed=build_registry(find_plugins())) as made:
        yield made


def listed(client: Client, query: str = "") -> dict[str, Any]:
    answer = client.get(f"/api/inputs{query}")
    assert answer.status == 200, answer.body
    TypeAdapter(shapes.InputsPage).validate_json(answer.body)
    found: dict[str, Any] = answer.json
    return found


def names(found: dict[str, Any]) -> list[str]:
    return [view["name"] for view in found["files"] if not view["shipped"]]


def test_what_is_there_is_listed_by_name_and_what_is_not_ours_is_not(client: Client) -> None:
    found = listed(client)
    assert names(found) == ["a.jpg", "b.png", "broken.png", "more/c.webp", "more/deep/Ünï d.png", "notes.txt"]
    assert found["folders"] == ["more", "more/deep", "samples"]
    assert {view["name"] for view in found["files"] if view["shipped"]} >= {"samples/red_apple.png"}
    pictures = listed(client, "?kinds=.png,.JPG&find=B")
    assert names(pictures) == ["b.png", "broken.png"]
    assert names(listed(client, "?order=changed&kinds=.png,.jpg,.webp"))[-4:] == [
        "more/deep/Ünï d.png",
        "more/c.webp",
        "a.jpg",
        "b.png",
    ]
    assert client.get("/api/inputs?order=size").status == 400


def test_pages_follow_one_another(client: Client) -> None:
    whole, paged, offset = listed(client), list[str](), 0
    while offset is not None:
        page = listed(client, f"?limit=2&offset={offset}")
        assert page["total"] == whole["total"]
        paged += [view["name"] for view in page["files"]]
        offset = page["next"]
    assert paged == [view["name"] for view in whole["files"]]


def test_files_come_whole_and_small_and_may_be_kept_while_they_are_the_same(client: Client, folder: Path) -> None:
    for view in listed(client, "?kinds=.jpg,.webp,b.png,d.png,apple.png")["files"]:
        whole, small = client.get(view["url"]), client.get(f"{view['thumbnail']}&size=16")
        assert (whole.status, len(whole.body)) == (200, view["size"])
        assert whole.headers["Content-Disposition"].startswith("attachment")
        assert max(PIL.Image.open(io.BytesIO(small.body)).size) == 16, view
        assert "immutable" in whole.headers["Cache-Control"]
        assert "immutable" in small.headers["Cache-Control"]
        again = client.get(f"{view['thumbnail']}&size=16", If_None_Match=small.headers["ETag"])
        assert again.status == 304
    (before,) = listed(client, "?find=b.png")["files"]
    picture(folder / "inputs" / "b.png", "blue", (60, 20))
    (after,) = listed(client, "?find=b.png")["files"]
    assert before["version"] != after["version"]
    stale = client.get(before["thumbnail"])
    assert "no-cache" in stale.headers["Cache-Control"]
    assert stale.headers["ETag"] == client.get(after["thumbnail"]).headers["ETag"]


def test_what_cannot_be_made_small_says_so(client: Client) -> None:
    views = {view["name"]: view for view in listed(client)["files"]}
    assert views["notes.txt"]["thumbnail"] is None
    assert client.get("/api/inputs/thumbnail?name=notes.txt").status == 404
    assert client.get(views["broken.png"]["thumbnail"]).kind == "no-thumbnail"


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "../secret.png", "/etc/hostname", "out.png", "way/secret.png", "a\0b", "more", "none.png", "C:x"],
)
def test_10_no_name_leaves_the_folder(client: Client, name: str) -> None:
    for path in ("file", "thumbnail"):
        answer = client.get(f"/api/inputs/{path}?name={quote(name, safe='')}")
        assert (answer.status, answer.json["detail"]) == (404, "there is no such file")
