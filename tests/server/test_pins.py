"""Pinning over HTTP: what a run gave or the cache holds is put away, and the answer says what to write where."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from engine_kit import N, workflow
from packs import probe
from pydantic import TypeAdapter
from server.server_kit import Answer, Client, serving
from server.test_runs import SUM

from graphgen.pins import FOLDER
from graphgen.server import shapes
from graphgen.server.settings import Limits

NODES: Any = SUM["nodes"]


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    probe.CLOCK[0] = 0
    with serving(tmp_path, limits=Limits(nodes=50)) as made:
        yield made
    probe.CLOCK[0] = 0


def ask(client: Client, document: object, node: str, **more: object) -> Answer:
    return client.call("POST", "/api/pins", {"workflow": document, "node": node, **more})


def pinned(client: Client, document: dict[str, Any], node: str, **more: object) -> dict[str, Any]:
    """Pin a node; return the document with what the answer says written into it."""
    answer = ask(client, document, node, **more)
    assert answer.status == 200, answer.body.decode()
    TypeAdapter(shapes.Pinned).validate_json(answer.body, strict=True, extra="forbid")

    def written(part: Any, place: list[str]) -> Any:
        if not place:
            return {**part, "mode": "pin", "pinned": answer.json["pinned"]}
        return {**part, place[0]: written(part[place[0]], place[1:])}

    found: dict[str, Any] = written(document, answer.json["place"])
    return found


def refused(answer: Answer) -> dict[str, Any]:
    """Return the one thing that is wrong."""
    assert (answer.status, answer.kind) == (422, "invalid-workflow"), answer.body.decode()
    (problem,) = answer.json["problems"]
    found: dict[str, Any] = problem
    return found


def total(client: Client, document: object) -> str:
    run = client.wait(client.submit(document)["id"])
    assert run["status"] == "done", run
    return str(run["outputs"]["sum"]["summary"])


def test_a_node_is_pinned_to_what_the_cache_holds_of_it_as_the_workflow_stands(client: Client) -> None:
    first = refused(ask(client, SUM, "sum"))
    assert (first["code"], first["place"]) == ("not_kept", "sum")
    assert first["cure"] == "run the workflow up to it, then pin it"
    client.wait(client.submit(SUM, parameters={"extra": 40})["id"])
    assert refused(ask(client, SUM, "sum"))["code"] == "not_kept"  # its own setting was never run
    document = pinned(client, SUM, "sum", parameters={"extra": 40})
    assert total(client, document) == "42"
    (node,) = client.call("POST", "/api/plan", {"workflow": document}).json["nodes"]
    assert (node["node"], node["state"], node["digests"]) == ("sum", "pinned", document["nodes"]["sum"]["pinned"])
    assert refused(ask(client, document, "sum"))["code"] == "pinned"


def test_a_node_is_pinned_to_what_it_gave_in_a_run_whatever_was_changed_since(client: Client, tmp_path: Path) -> None:
    nodes = {
        "now": N("probe.clock"),
        "two": N("maths.number", {"value": 2}),
        "sum": N("maths.add", a="now.int", b="two.int"),
    }
    document = workflow(nodes, "sum.int")
    run = client.wait(client.submit(document)["id"])
    probe.CLOCK[0] = 50
    assert refused(ask(client, document, "now"))["code"] == "not_kept"  # it runs every time
    other = workflow({**nodes, "two": N("maths.number", {"value": 8})}, "sum.int")
    assert total(client, other) == "58"
    assert total(client, pinned(client, other, "now", run=run["id"])) == "8"
    assert total(client, pinned(client, other, "sum", run=run["id"])) == "2"
    held = {path.stem for path in (tmp_path / "data" / FOLDER).glob("*/*.safetensors")}
    assert len(held) == 2
    client.call("PUT", "/api/workflows/sum", other)
    assert ask(client, "sum", "sum", run=run["id"]).json["summaries"] == {"int": "2"}


def test_a_node_in_a_subgraph_is_pinned_where_that_is_written(client: Client) -> None:
    inner: Any = {
        "inputs": {"value": {"type": "int"}},
        "outputs": {"int": {"from": "more.int"}},
        "nodes": {"more": N("maths.add", {"extra": 5}, a="inputs.value")},
    }
    nodes = {"one": N("maths.number", {"value": 1}), "sum": N("subgraph.inner", value="one.int")}
    document = workflow(nodes, "sum.int", subgraphs={"inner": inner})
    run = client.wait(client.submit(document)["id"])
    answer = ask(client, document, "sum/more", run=run["id"])
    assert answer.json["place"] == ["subgraphs", "inner", "nodes", "more"]
    held = pinned(client, document, "sum/more")
    assert total(client, {**held, "nodes": {**nodes, "one": N("maths.number", {"value": 90})}}) == "6"
    assert "pin the nodes that give its outputs, such as 'sum/more'" in str(refused(ask(client, document, "sum")))
    twice = {**document, "nodes": {**nodes, "again": N("subgraph.inner", value="one.int")}}
    assert refused(ask(client, twice, "sum/more"))["code"] == "used_often"


def test_what_cannot_be_pinned_is_refused_with_the_cure_and_nothing_is_kept(client: Client, tmp_path: Path) -> None:
    run = client.wait(client.submit(SUM, targets=["two"])["id"])
    sweep = client.wait(client.submit(SUM, sweep={"axes": {"extra": [1, 2]}})["id"])
    assert refused(ask(client, SUM, "sun", run=run["id"]))["cure"] == "did you mean 'sum'?"
    assert refused(ask(client, SUM, "sum", run=run["id"]))["code"] == "not_in_run"
    assert refused(ask(client, SUM, "sum", run=sweep["id"]))["code"] == "not_in_run"
    assert ask(client, SUM, "sum", run="0123456789abcdef").kind == "not-found"
    assert ask(client, "nowhere", "sum").kind == "not-found"
    assert ask(client, SUM, "sum", runs="x").kind == "invalid-body"
    assert client.call("POST", "/api/pins", {"workflow": SUM}).kind == "invalid-body"
    wrong = {**SUM, "nodes": {**NODES, "sum": N("maths.add", {"extra": "no number"}, a="two.int")}}
    assert refused(ask(client, wrong, "sum"))["place"] == "sum.extra"
    large = workflow({f"n{index}": N("maths.number") for index in range(51)}, "n0.int")
    assert refused(ask(client, large, "n0"))["code"] == "too_large"
    assert not (tmp_path / "data" / FOLDER).exists()
    retyped = {**SUM, "nodes": {**NODES, "two": N("toy.speak")}}
    codes = [problem["code"] for problem in ask(client, retyped, "two", run=run["id"]).json["problems"]]
    assert codes == ["unknown_output", "not_pinned"]


def test_what_else_is_wrong_with_a_draft_is_no_reason_not_to_pin(client: Client) -> None:
    client.wait(client.submit(SUM)["id"])
    draft = {**SUM, "nodes": {**NODES, "loose": N("maths.add"), "odd": N("maths.nothing")}}
    assert ask(client, draft, "sum").json["summaries"] == {"int": "3"}


def test_what_outlives_a_restart_can_be_pinned_and_what_the_cache_let_go_is_told(tmp_path: Path) -> None:
    with serving(tmp_path) as client:
        run = client.wait(client.submit(SUM)["id"])
    with serving(tmp_path) as client:  # after a restart, when no value lies in memory any more
        assert ask(client, SUM, "sum", run=run["id"]).json["summaries"] == {"int": "3"}
    shutil.rmtree(tmp_path / "cache")
    with serving(tmp_path) as client:
        (held,) = (path.stem for path in (tmp_path / "data" / FOLDER).glob("*/*"))
        assert client.get(f"/api/values/{held}").json["summary"] == "3"
        assert client.get(f"/api/values/{held[::-1]}").kind == "not-found"
        gone = refused(ask(client, SUM, "sum", run=run["id"]))
        assert (gone["code"], gone["cure"]) == ("not_kept", "run it again, then pin it")
        assert refused(ask(client, SUM, "sum"))["code"] == "not_kept"
