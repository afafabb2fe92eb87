"""What nodes gave, found by digest and shown as pictures: what the cache holds, and nothing else."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy
import PIL.Image
import pytest
from engine_kit import N, workflow
from pydantic import TypeAdapter
from server.server_kit import Client, serving
from server.test_runs import SUM

from graphgen.plugins import find_plugins
from graphgen.registry import build_registry
from graphgen.server import shapes

SIZE = {"width": 96, "height": 48}
PICTURES = workflow(
    {
        "red": N("images.solid", {**SIZE, "color": "#ff0000"}),
        "blue": N("images.solid", {**SIZE, "color": "#0000ff"}),
        "both": N("images.batch", images=["red.image", "blue.image"]),
        "mask": N("masks.from_image", {"channel": "red"}, image="red.image"),
        "save": N("images.save", image="both.image"),
    },
    "mask.mask",
)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    with serving(tmp_path_factory.mktemp("server"), installed=build_registry(find_plugins())) as made:
        yield made


@pytest.fixture(scope="module")
def run(client: Client) -> dict[str, Any]:
    found = client.wait(client.submit(PICTURES)["id"])
    assert found["status"] == "done", found
    return found


def values_of(client: Client, run: str) -> dict[str, dict[str, str]]:
    answer = client.get(f"/api/runs/{run}/values")
    TypeAdapter(shapes.ValuesOfRun).validate_json(answer.body)
    found: dict[str, dict[str, str]] = answer.json["values"]
    return found


def drawn(client: Client, digest: str, query: str = "") -> numpy.ndarray:
    answer = client.get(f"/api/values/{digest}/picture{query}")
    assert (answer.status, answer.headers["Content-Type"]) == (200, "image/webp"), answer.body
    return numpy.asarray(PIL.Image.open(io.BytesIO(answer.body)))


def test_events_name_what_each_node_gave_and_its_pictures_show_it(client: Client, run: dict[str, Any]) -> None:
    told = {event["node"]: event["digests"] for event in client.events(run["id"]) if event["event"] == "node_finished"}
    assert set(told) == {"red", "blue", "both", "mask", "save"}
    assert values_of(client, run["id"]) == told
    assert told["mask"]["mask"] == run["outputs"]["mask"]["digest"]
    view = client.get(f"/api/values/{told['both']['image']}").json
    TypeAdapter(shapes.ValueView).validate_python(view)
    assert (view["type"], view["pictures"], view["digest"]) == ("image", 2, told["both"]["image"])
    first, second = (drawn(client, view["digest"], f"?index={index}") for index in (0, 1))
    assert first.shape == second.shape == (48, 96, 3)
    assert abs(first.astype(int) - (255, 0, 0)).max() <= 4
    assert abs(second.astype(int) - (0, 0, 255)).max() <= 4
    assert client.get(f"/api/values/{view['digest']}/picture?index=2").status == 404


def test_a_picture_is_as_small_as_wanted_and_may_be_kept_forever(client: Client, run: dict[str, Any]) -> None:
    digest = values_of(client, run["id"])["mask"]["mask"]
    mask = drawn(client, digest, "?size=32")
    assert mask.shape[:2] == (16, 32)
    assert mask.min() == 255
    answer = client.get(f"/api/values/{digest}/picture?size=32")
    assert "immutable" in answer.headers["Cache-Control"]
    again = client.get(f"/api/values/{digest}/picture?size=32", If_None_Match=answer.headers["ETag"])
    assert again.status == 304
    assert client.get(f"/api/values/{digest}/picture?size=9999").status == 400


def test_a_cached_run_and_a_plan_name_the_values_of_nodes_that_were_left_alone(
    client: Client, run: dict[str, Any]
) -> None:
    before = values_of(client, run["id"])
    again = client.wait(client.submit(PICTURES)["id"])
    assert again["ran"] == 0
    told = {event["node"] for event in client.events(again["id"]) if event["event"] == "node_cached"}
    assert told == {"save", "mask"}
    assert values_of(client, again["id"]) == before
    plan = client.call("POST", "/api/plan", {"workflow": PICTURES}).json
    assert {node["node"]: node["digests"] for node in plan["nodes"]} == before


def test_values_outlive_a_restart_and_only_what_the_cache_holds_is_there(tmp_path: Path) -> None:
    installed = build_registry(find_plugins())
    document = workflow({"red": N("images.solid", {"width": 512, "height": 512})}, "red.image")
    with serving(tmp_path, installed=installed) as client:
        run = client.wait(client.submit(document)["id"])
        digest = run["outputs"]["red"]["digest"]
        assert drawn(client, digest).shape == (512, 512, 3)
    with serving(tmp_path, installed=installed) as client:
        assert values_of(client, run["id"])["red"] == {"image": digest}
        assert drawn(client, digest).shape == (512, 512, 3)
        changed = f"{int(digest, 16) ^ 1:040x}"
        for other in (changed, digest.upper() + "0", "..%2f..%2fserver", "x"):
            assert client.get(f"/api/values/{other}").status == 404
            assert client.get(f"/api/values/{other}/picture").status == 404


def test_numbers_have_no_pictures(tmp_path: Path) -> None:
    with serving(tmp_path) as client:
        run = client.wait(client.submit(SUM)["id"])
        digest = values_of(client, run["id"])["sum"]["int"]
        view = client.get(f"/api/values/{digest}").json
        assert (view["type"], view["summary"], view["pictures"]) == ("int", "3", 0)
        assert client.get(f"/api/values/{digest}/picture").status == 404
