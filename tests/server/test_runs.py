"""Runs over HTTP: asked for, looked at, cancelled, moved, repeated, and what is told of them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from engine_kit import N, workflow
from server.server_kit import Client, serving

SUM = workflow(
    {"two": N("maths.number", {"value": 2}), "sum": N("maths.add", {"extra": 1}, a="two.int")},
    "sum.int",
    name="A sum",
    parameters={"extra": {"sets": ["sum.extra"], "description": "What is added"}},
)
NOTE = workflow(
    {"text": N("probe.shout", text="word.str"), "word": N("toy.speak", {"message": "hush"}),
     "save": N("probe.save", {"suffix": ".note"}, text="text.str")},
)  # fmt: skip


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    with serving(tmp_path_factory.mktemp("server")) as made:
        yield made


def gated(gate: Path, number: int = 0) -> dict[str, Any]:
    """A workflow that waits until a file is there."""
    waiting = N("toy.gated", {"gate": str(gate)}, value="number.float")
    return workflow({"number": N("toy.number", {"value": number}), "gate": waiting}, "gate.float")


def test_a_run_is_carried_out_and_tells_what_it_gave(client: Client) -> None:
    run = client.submit(SUM, parameters={"extra": 4})
    assert (run["status"], run["name"], run["parameters"]) == ("queued", "A sum", {"extra": 4})
    done = client.wait(run["id"])
    assert (done["status"], done["attempts"], done["failures"]) == ("done", 1, [])
    assert done["outputs"]["sum"]["summary"] == "6"
    assert client.get(f"/api/runs/{run['id']}/workflow").json == SUM
    names = [event["event"] for event in client.events(run["id"])]
    assert names[:2] == ["run_queued", "run_started"]
    assert names[-1] == "run_finished"
    assert names.count("node_finished") == 2


def test_runs_are_found_by_what_they_go_by_and_what_they_say(client: Client) -> None:
    one = client.submit(SUM, parameters={"extra": 41}, identity="sums")
    shout = workflow({"word": N("toy.speak", {"message": "풀밭의 Fox"})}, "word.str", name="Shouting")
    other = client.submit(shout, identity="shouts")
    assert (one["identity"], other["identity"]) == ("sums", "shouts")

    def found(query: str) -> list[str]:
        return [run["id"] for run in client.get(f"/api/runs?{query}").json["runs"]]

    assert found("identity=sums") == [one["id"]]
    assert found("identity=nobody") == []
    assert found("find=shoutING") == found("find=%ED%92%80%EB%B0%AD") == [other["id"]]
    assert found("find=fox&identity=sums") == []


def test_an_unchanged_run_computes_nothing(client: Client) -> None:
    document = workflow({"one": N("maths.add", {"extra": 71}, a="zero.int"), "zero": N("maths.number")}, "one.int")
    first = client.wait(client.submit(document)["id"])
    again = client.call("POST", f"/api/runs/{first['id']}/again")
    second = client.wait(again.json["id"])
    assert (first["ran"], second["ran"]) == (2, 0)
    assert again.headers["Location"] == f"/api/runs/{second['id']}"
    assert second["outputs"] == first["outputs"]


def test_what_is_wrong_is_told_as_check_tells_it(client: Client) -> None:
    wrong = workflow({"sum": N("maths.ad", {"extra": 1.5})}, parameters={"extra": {"sets": ["sum.extra"]}})
    answer = client.call("POST", "/api/runs", {"workflow": wrong, "parameters": {"extr": 1}})
    assert (answer.status, answer.kind) == (422, "invalid-workflow")
    codes = {problem["code"]: problem for problem in answer.json["problems"]}
    assert "did you mean 'maths.add'?" in codes["unknown_node"]["cure"]
    assert "did you mean 'extra'?" in codes["unknown_parameter"]["cure"]
    checked = client.call("POST", "/api/check", {"workflow": wrong, "parameters": {"extr": 1}})
    assert checked.status == 200
    assert checked.json["problems"] == answer.json["problems"]


def test_a_check_describes_parameters_and_facts(client: Client) -> None:
    checked = client.call("POST", "/api/check", {"workflow": SUM, "facts": True}).json
    assert checked["ok"]
    assert checked["nodes"] == 2
    (parameter,) = checked["parameters"]
    assert (parameter["name"], parameter["value"], parameter["schema"]["type"]) == ("extra", 1, "integer")
    assert checked["facts"]["two.int"]["facts"] == {"value": 2}


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({"workflow": SUM, "priority": "high"}, "priority"),
        ({"workflow": SUM, "priorty": 1}, "priorty"),
        ({"parameters": {}}, "workflow"),
        ({"workflow": SUM, "sweep": {"axes": {}}}, "sweep.axes"),
    ],
)
def test_a_body_of_wrong_form_is_refused_with_its_place(client: Client, body: object, place: str) -> None:
    answer = client.call("POST", "/api/runs", body)
    assert (answer.status, answer.kind) == (422, "invalid-body")
    assert place in [problem["place"] for problem in answer.json["problems"]]


def test_wrong_targets_and_missing_files_are_told_before_anything_runs(client: Client) -> None:
    answer = client.call("POST", "/api/runs", {"workflow": SUM, "targets": ["som"]})
    assert "did you mean 'sum'?" in answer.json["problems"][0]["cure"]
    reading = workflow({"file": N("toy.read", {"path": "nowhere.txt"})}, "file.str")
    assert client.call("POST", "/api/runs", {"workflow": reading}).status == 422


def test_the_same_key_gives_the_same_run(client: Client) -> None:
    first = client.submit(SUM, key="once")
    assert client.submit(SUM, key="once")["id"] == first["id"]
    answer = client.call("POST", "/api/runs", {"workflow": SUM, "priority": 1}, Idempotency_Key="once")
    assert (answer.status, answer.kind) == (422, "key-reused")
    assert client.call("POST", "/api/runs", {"workflow": SUM}, Idempotency_Key="x" * 256).status == 400


def test_the_same_key_at_the_same_moment_gives_one_run(client: Client) -> None:
    async def all_at_once() -> list[Any]:
        calls = (client.call_async("POST", "/api/runs", {"workflow": SUM}, Idempotency_Key="rush") for _ in range(8))
        return await asyncio.gather(*calls)

    answers = client.run(all_at_once())
    assert len({answer.json["id"] for answer in answers}) == 1
    assert sorted(answer.status for answer in answers) == [200] * 7 + [201]


def test_files_are_found_by_their_content(client: Client) -> None:
    done = client.wait(client.submit(NOTE)["id"])
    (file,) = done["files"]
    assert file["node"] == "save"
    answer = client.get(file["url"])
    assert answer.status == 200
    assert answer.body.startswith(b"HUSH\n#graphgen=")
    assert len(answer.body) == file["size"]
    assert answer.headers["Content-Disposition"].startswith("attachment")
    assert "immutable" in answer.headers["Cache-Control"]
    part = client.get(file["url"], Range="bytes=1-3")
    assert (part.status, part.body) == (206, b"USH")
    assert client.get(file["url"], If_None_Match=answer.headers["ETag"]).status == 304
    assert file["thumbnail"] is None
    assert client.get(f"{file['url']}/thumbnail").status == 404


def test_a_file_that_was_changed_is_gone(client: Client, tmp_path: Path) -> None:
    with serving(tmp_path) as own:
        (file,) = own.wait(own.submit(NOTE)["id"])["files"]
        (path,) = (tmp_path / "outputs").glob("*.note")
        path.write_text("another text")
        assert own.get(file["url"]).status == 404
        path.unlink()
        assert own.get(file["url"]).status == 404


def test_a_failure_is_told_with_its_node(client: Client) -> None:
    failing = workflow({"bad": N("toy.fail", {"message": "no luck today"})}, "bad.float")
    done = client.wait(client.submit(failing)["id"])
    assert done["status"] == "failed"
    (failure,) = done["failures"]
    assert failure["node"] == "bad"
    assert "no luck today" in failure["message"]
    assert client.events(done["id"])[-1]["status"] == "failed"


def test_a_run_at_work_and_one_that_waits_are_cancelled(tmp_path: Path) -> None:
    with serving(tmp_path, at_once=1) as client:
        waiting = workflow({"wait": N("probe.wait", {"started": str(tmp_path / "begun")})}, "wait.int")
        first, second = client.submit(waiting), client.submit(SUM)
        client.wait(first["id"], lambda _: (tmp_path / "begun").exists())
        assert client.get("/api/queue").json == {"running": [first["id"]], "waiting": [second["id"]]}
        assert client.call("DELETE", f"/api/runs/{second['id']}").json["status"] == "cancelled"
        assert client.call("DELETE", f"/api/runs/{first['id']}").status == 202
        assert client.wait(first["id"])["status"] == "cancelled"
        assert client.call("DELETE", f"/api/runs/{first['id']}").status == 200
        assert client.get(f"/api/runs/{second['id']}").json["attempts"] == 0
        assert client.wait(client.submit(SUM)["id"])["status"] == "done"


def test_order_goes_by_priority_then_by_turns_and_can_be_changed(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    with serving(tmp_path, at_once=1) as client:
        first = client.submit(gated(gate))["id"]
        client.wait(first, lambda view: view["status"] == "running")
        many = [client.submit(SUM, client="anna")["id"] for _ in range(3)]
        one = client.submit(SUM, client="bert")["id"]
        urgent = client.submit(SUM, priority=5)["id"]
        assert client.get("/api/queue").json["waiting"] == [urgent, many[0], one, many[1], many[2]]
        assert client.call("PATCH", f"/api/runs/{many[2]}", {"before": many[0]}).status == 200
        assert client.get("/api/queue").json["waiting"] == [urgent, many[2], one, many[0], many[1]]
        assert client.call("PATCH", f"/api/runs/{one}", {"priority": 9}).json["priority"] == 9
        assert client.get("/api/queue").json["waiting"] == [one, urgent, many[2], many[0], many[1]]
        assert client.call("PATCH", f"/api/runs/{first}", {"priority": 9}).kind == "not-queued"
        assert client.call("PATCH", f"/api/runs/{one}", {}).status == 422
        gate.touch()
        started = sorted((client.wait(run)["started"], run) for run in [first, one, urgent, *many])
        assert [run for _, run in started] == [first, one, urgent, many[2], many[0], many[1]]


def test_runs_are_listed_in_pages(tmp_path: Path) -> None:
    with serving(tmp_path) as client:
        ids = [client.wait(client.submit(SUM)["id"])["id"] for _ in range(5)]
        page = client.get("/api/runs?limit=2").json
        assert [run["id"] for run in page["runs"]] == [ids[4], ids[3]]
        rest = client.get(f"/api/runs?limit=500&before={page['next']}").json
        assert [run["id"] for run in rest["runs"]] == ids[2::-1]
        assert rest["next"] is None
        assert client.get("/api/runs?status=failed").json["runs"] == []
        assert len(client.get("/api/runs?status=failed,done").json["runs"]) == 5
        assert client.get("/api/runs?limit=0").kind == "bad-query"
        assert client.get("/api/runs/nothing").kind == "not-found"


def test_a_sweep_runs_as_one(client: Client) -> None:
    run = client.submit(SUM, sweep={"axes": {"extra": [10, 20]}})
    done = client.wait(run["id"])
    assert done["status"] == "done"
    assert [item["outputs"]["sum"]["summary"] for item in done["variations"]] == ["12", "22"]
    assert [item["parameters"] for item in done["variations"]] == [{"extra": 10}, {"extra": 20}]
    (told,) = [event for event in client.events(run["id"]) if event["event"] == "sweep_started"]
    assert told["variations"][1]["nodes"]["two"] == "two"
    answer = client.call(
        "POST", "/api/runs", {"workflow": SUM, "parameters": {"extra": 1}, "sweep": {"axes": {"extra": [1]}}}
    )
    assert answer.json["problems"][0]["code"] == "set_and_swept"


def test_forced_nodes_run_again(client: Client) -> None:
    first = client.wait(client.submit(SUM, parameters={"extra": 33})["id"])
    forced = client.wait(client.submit(SUM, parameters={"extra": 33}, force=["sum"])["id"])
    assert (first["ran"] > 0, forced["ran"]) == (True, 1)


def test_a_file_that_goes_missing_while_a_run_waits_fails_it_with_the_problem(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    with serving(tmp_path, at_once=1) as client:
        (tmp_path / "inputs" / "note.txt").write_text("here")
        first = client.submit(gated(gate))
        second = client.submit(workflow({"file": N("toy.read", {"path": "note.txt"})}, "file.str"))
        client.wait(first["id"], lambda view: view["status"] == "running")
        (tmp_path / "inputs" / "note.txt").unlink()
        gate.touch()
        done = client.wait(second["id"])
        assert done["status"] == "failed"
        assert done["problems"][0]["place"] == "file.path"
        assert [event["event"] for event in client.events(second["id"])][-2:] == ["run_refused", "run_finished"]
