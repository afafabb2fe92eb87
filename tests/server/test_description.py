"""The API's description says what is so: the answers have the forms that it promises, and the pages are safe."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter
from server.server_kit import Client, serving
from server.test_runs import NOTE, SUM

from graphgen.plugins import find_plugins
from graphgen.registry import build_registry
from graphgen.server import shapes
from graphgen.server.app import ROUTES


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    with serving(tmp_path_factory.mktemp("server")) as made:
        yield made


def references(value: Any) -> set[str]:
    """All that a document refers to."""
    if isinstance(value, dict):
        own = {value["$ref"]} if "$ref" in value else set()
        return own.union(*map(references, value.values()))
    return set().union(*map(references, value)) if isinstance(value, list) else set()


def test_every_route_is_described(client: Client) -> None:
    document = client.get("/api/openapi.json").json
    assert document["openapi"].startswith("3.1")
    described = {(method.upper(), path) for path, item in document["paths"].items() for method in item}
    assert described == {(route.method, route.path) for route in ROUTES}
    known = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}
    assert references(document) <= known
    operations = [operation for item in document["paths"].values() for operation in item.values()]
    assert len({operation["operationId"] for operation in operations}) == len(operations)
    assert all(operation["summary"] for operation in operations)


@pytest.mark.parametrize(
    ("path", "form"),
    [
        ("/health", shapes.Health),
        ("/api/runs", shapes.RunsPage),
        ("/api/queue", shapes.QueueView),
        ("/api/workflows", shapes.WorkflowsList),
        ("/api/models", shapes.ModelsList),
        ("/api/system", shapes.System),
    ],
)
def test_answers_have_the_form_that_is_promised(client: Client, path: str, form: Any) -> None:
    client.wait(client.submit(NOTE)["id"])
    client.wait(client.submit(SUM, sweep={"axes": {"extra": [1, 2]}})["id"])
    answer = client.get(path)
    assert answer.status == 200
    TypeAdapter(form).validate_json(answer.body)
    assert set(answer.json) <= set(TypeAdapter(form).json_schema()["properties"])


def test_pages_load_nothing_from_elsewhere(client: Client) -> None:
    for path in ("/", "/api"):
        page = client.get(path)
        assert page.headers["Content-Type"].startswith("text/html")
        policy = page.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert re.findall(r"https?:|\*|unsafe", policy) == []
        assert re.findall(r"(?:src|href)=\"(?!/)", page.body.decode()) == []
        assert re.findall(r"<script(?![^>]* src=)", page.body.decode()) == []
    assert client.get("/style.css").headers["Content-Type"].startswith("text/css")


def test_the_catalogue_is_compressed_and_tagged(client: Client) -> None:
    answer = client.get("/api/nodes")
    assert answer.headers["Content-Encoding"] in ("deflate", "gzip")
    assert answer.json["nodes"]["maths.add"]["settings"]["properties"]["extra"]["type"] == "integer"
    assert client.get("/api/nodes", If_None_Match=answer.headers["ETag"]).status == 304


def test_metrics_are_as_prometheus_reads_them(client: Client) -> None:
    client.wait(client.submit(SUM)["id"])
    text = client.get("/metrics").body.decode()
    for line in text.splitlines():
        assert re.fullmatch(r"# (HELP|TYPE) \w+ .+|\w+(\{\w+=\"\w+\"\})? [0-9.e+-]+", line), line
    assert 'graphgen_runs{status="done"}' in text


def test_models_are_listed_with_what_plugins_tell(tmp_path: Path) -> None:
    folder = tmp_path / "models" / "some" / "thing"
    folder.mkdir(parents=True)
    (folder / "model_index.json").write_text("{}")
    (tmp_path / "models" / "broken.safetensors").write_bytes(b"nothing of the kind")
    (tmp_path / "models" / "evil.ckpt").write_bytes(b"pickled")
    (tmp_path / "models" / "out.safetensors").symlink_to("/etc/hostname")
    with serving(tmp_path, installed=build_registry(find_plugins())) as client:
        answer = client.get("/api/models")
    TypeAdapter(shapes.ModelsList).validate_json(answer.body)
    models = {view["name"]: view for view in answer.json["models"]}
    own = {name for name, view in models.items() if not view["shipped"]}
    assert own == {"some/thing", "broken.safetensors"}
    assert models["broken.safetensors"]["size"] == 19
    assert (models["emoji"]["about"]["family"], models["emoji"]["problem"]) == ("sd1", None)
    for name in own:
        assert models[name]["about"] == {}
        assert models[name]["problem"].startswith(name)
    assert str(tmp_path) not in answer.body.decode()
