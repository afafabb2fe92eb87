"""Workflows handed on with their pictures: what comes out goes in elsewhere, and nobody's zip does any harm."""

from __future__ import annotations

import io
import json
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from server.server_kit import Answer, Client, serving
from server.test_saved_workflows import put

from graphgen.plugins import find_plugins
from graphgen.registry import Registry, build_registry
from graphgen.server.settings import Limits

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c4944415408d763f8cfc0000003010100c9fe92ef"
    "0000000049454e44ae426082"
)
"""A picture of one pixel."""


@pytest.fixture(scope="module")
def installed() -> Registry:
    return build_registry(find_plugins())


@pytest.fixture
def client(installed: Registry, tmp_path: Path) -> Iterator[Client]:
    with serving(tmp_path / "here", installed=installed, limits=Limits(upload_bytes=200_000)) as made:
        yield made


def workflow(**paths: str) -> dict[str, Any]:
    nodes: dict[str, Any] = {name: {"type": "images.load", "settings": {"path": path}} for name, path in paths.items()}
    return {
        "graphgen": 1,
        "name": "Cats",
        "nodes": nodes,
        "outputs": {name: {"from": f"{name}.image"} for name in paths},
    }


def bundle_of(client: Client, name: str) -> zipfile.ZipFile:
    answer = client.get(f"/api/workflows/{name}/bundle")
    assert (answer.status, answer.headers["Content-Type"]) == (200, "application/zip"), answer.body
    assert f"{name}.graphgen.zip" in answer.headers["Content-Disposition"]
    return zipfile.ZipFile(io.BytesIO(answer.body))


def take_in(client: Client, data: bytes) -> Answer:
    return client.call("POST", "/api/bundles", data, Content_Type="application/octet-stream")


def packed(members: Mapping[str, bytes | str]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as made, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, data in members.items():
            made.writestr(name, data)
    return file.getvalue()


def test_a_workflow_comes_to_another_machine_with_its_pictures_and_runs(
    client: Client, installed: Registry, tmp_path: Path
) -> None:
    inputs = tmp_path / "here" / "inputs"
    (inputs / "pets").mkdir(parents=True)
    (inputs / "pets" / "고양이.png").write_bytes(PNG)
    document = workflow(cat="pets/고양이.png", again="pets/고양이.png")
    document["nodes"]["model"] = {"type": "lora.load", "settings": {"path": "style.safetensors"}}
    document["subgraphs"] = {"inner": {"nodes": {"deep": document["nodes"]["cat"]}}}
    put(client, "cats", document)
    found = bundle_of(client, "cats")
    assert found.namelist() == ["workflow.json", "needs.json", "inputs/pets/고양이.png"]
    assert json.loads(found.read("needs.json")) == {"left_out": [{"kind": "model", "name": "style.safetensors"}]}
    assert found.read("inputs/pets/고양이.png") == PNG
    data = client.get("/api/workflows/cats/bundle").body
    assert data == client.get("/api/workflows/cats/bundle").body
    with serving(tmp_path / "there", installed=installed) as other:
        answer = take_in(other, data)
        assert answer.status == 200, answer.body
        taken, missing = answer.json["workflow"], answer.json["missing"]
        assert missing == [{"kind": "model", "name": "style.safetensors"}]
        path = taken["nodes"]["cat"]["settings"]["path"]
        assert path.startswith("uploads/")
        assert taken["subgraphs"]["inner"]["nodes"]["deep"]["settings"]["path"] == path
        assert (tmp_path / "there" / "inputs" / path).read_bytes() == PNG
        del taken["nodes"]["model"], taken["subgraphs"]
        assert other.wait(other.submit(taken)["id"])["status"] == "done"
        assert "cats" not in {view["name"] for view in other.get("/api/workflows").json["workflows"]}


def test_folders_and_what_is_not_there_are_named_and_left_out(client: Client, tmp_path: Path) -> None:
    (tmp_path / "here" / "inputs" / "many").mkdir(parents=True)
    document = workflow(lost="lost.png", shipped="apple.png")
    document["nodes"]["all"] = {"type": "images.load_folder", "settings": {"path": "many"}}
    put(client, "cats", document)
    found = bundle_of(client, "cats")
    assert [name for name in found.namelist() if name.startswith("inputs/")] == []
    left_out = {entry["name"] for entry in json.loads(found.read("needs.json"))["left_out"]}
    assert left_out >= {"lost.png", "many"}


def test_too_large_a_bundle_is_refused_both_ways(client: Client, tmp_path: Path) -> None:
    (tmp_path / "here" / "inputs").mkdir(exist_ok=True)
    (tmp_path / "here" / "inputs" / "large.png").write_bytes(PNG + bytes(300_000))
    put(client, "cats", workflow(cat="large.png"))
    assert client.get("/api/workflows/cats/bundle").kind == "too-large"
    bomb = packed({"workflow.json": json.dumps(workflow(cat="a.png")), "inputs/a.png": bytes(50_000_000)})
    assert len(bomb) < 200_000
    assert take_in(client, bomb).kind == "too-large"
    assert uploads(tmp_path) == []


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no zip",
        packed({}),
        packed({"workflow.json": "[]"}),
        packed({"workflow.json": '{"graphgen": 1'}),
        packed({"workflow.json": b"\xff\xfe"}),
        packed({"inner/workflow.json": json.dumps(workflow())}),
    ],
)
def test_what_is_no_bundle_is_refused(client: Client, tmp_path: Path, data: bytes) -> None:
    answer = take_in(client, data)
    assert (answer.status, answer.kind) == (422, "bad-bundle")
    assert uploads(tmp_path) == []


def test_a_damaged_picture_is_refused(client: Client, tmp_path: Path) -> None:
    stored = io.BytesIO()
    with zipfile.ZipFile(stored, "w") as made:
        made.writestr("workflow.json", json.dumps(workflow(cat="a.png")))
        made.writestr("inputs/a.png", PNG)
    data = stored.getvalue()
    answer = take_in(client, data.replace(PNG, PNG[:-1] + b"\0"))
    assert (answer.status, answer.kind) == (422, "bad-bundle")
    assert uploads(tmp_path) == []


@pytest.mark.parametrize("name", ["../../evil.png", "/evil.png", "a\\..\\evil.png", "C:/evil.png", "evil.png/../x"])
def test_nothing_is_written_where_a_zip_says(client: Client, tmp_path: Path, name: str) -> None:
    document = json.dumps(workflow(cat=name))
    answer = take_in(client, packed({"workflow.json": document, f"inputs/{name}": PNG, "inputs/other.png": PNG}))
    assert answer.status == 200
    assert len(uploads(tmp_path)) == 1
    assert list(tmp_path.rglob("*evil*")) == []
    assert answer.json["workflow"]["nodes"]["cat"]["settings"]["path"].startswith("uploads/")


def test_there_is_no_bundle_of_nothing(client: Client) -> None:
    assert client.get("/api/workflows/nothing/bundle").status == 404
    assert client.get("/api/workflows/..%2Fx/bundle").status == 404


def uploads(tmp_path: Path) -> list[Path]:
    folder = tmp_path / "here" / "inputs" / "uploads"
    return [path for path in folder.iterdir() if path.is_file()] if folder.is_dir() else []
