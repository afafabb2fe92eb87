"""Attacks on newer routes, and requests that would cost much: numbered as in test_threats.py."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from engine_kit import N, workflow
from pydantic import BaseModel
from server.server_kit import TOKEN, Answer, Client, serving
from server.test_threats import TRICKS, raw

from graphgen.jsontypes import JSON
from graphgen.plugins import find_plugins
from graphgen.registry import build_registry
from graphgen.server.app import ROUTES
from graphgen.server.settings import Limits

INSIDE = (
    "/api/outputs/{}", "/api/outputs/{}/thumbnail", "/api/outputs/{}/workflow", "/api/uploads/{}",
    "/api/uploads/{}/thumbnail", "/api/uploads/{}/workflow", "/api/values/{}", "/api/values/{}/picture",
    "/api/runs/{}", "/api/runs/{}/workflow", "/api/runs/{}/values", "/api/runs/{}/events", "/api/workflows/{}",
    "/api/workflows/{}/thumbnail", "/v1/images/files/{}", "/v1/models/{}", "/assets/{}",
)  # fmt: skip
"""Addresses with a hole that a name or digest belongs in."""
FROM_AFAR = {"install", "plugins", "packages", "pip", "fetch", "download", "proxy", "update", "url"}
"""Words that a way to bring code or addresses in would have."""


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    folder = tmp_path_factory.mktemp("server")
    (folder / "secret.txt").write_text("the secret")
    with serving(folder, installed=build_registry(find_plugins())) as made:
        yield made


def refused(client: Client, document: object, **more: object) -> str:
    """Ask for a run that must be refused; return what is told."""
    answer = client.call("POST", "/api/runs", {"workflow": document, **more})
    assert (answer.status, answer.kind) == (422, "invalid-workflow"), answer.body[:500]
    return str(answer.json["detail"])


def test_7_a_body_of_many_tiny_chunks_is_taken_in(client: Client) -> None:
    body = json.dumps({"workflow": workflow({"n": N("values.number")}, "n.float")}).encode()
    chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in body) + b"0\r\n\r\n"
    head = f"POST /api/runs HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\nConnection: close\r\n"
    head += "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert raw(client, head.encode() + chunks).startswith(b"HTTP/1.1 201")


def test_7_lengths_that_contradict_each_other_are_refused(client: Client) -> None:
    head = f"POST /api/runs HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\n"
    both = "Content-Type: application/json\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    assert raw(client, (head + both).encode()).split(b" ")[1] == b"400"
    twice = "Content-Type: application/json\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}"
    assert raw(client, (head + twice).encode()).split(b" ")[1] == b"400"


@pytest.mark.parametrize("address", ["http://169.254.169.254/latest/meta-data", "https://evil.example/x.png", "//evil"])
def test_9_addresses_are_names_of_files_and_nothing_is_fetched(client: Client, address: str) -> None:
    told = refused(client, workflow({"p": N("images.load", {"path": address})}, "p.image"))
    assert told.startswith("p.path: ")
    told = refused(client, workflow({"m": N("models.load", {"path": address})}, "m.denoiser"))
    assert told.startswith("m.path: ")
    answer = edit(client, 'name="image"', address.encode())
    assert (answer.status, answer.json["error"]["code"]) == (400, "missing")


def edit(client: Client, about: str, data: bytes) -> Answer:
    """Ask for an edit by a form with one more part, of which nothing is made safe on the way."""
    texts = "".join(
        f'--x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{text}\r\n'
        for name, text in (("prompt", "x"), ("model", "none"))
    )
    body = f"{texts}--x\r\nContent-Disposition: form-data; {about}\r\n\r\n".encode() + data + b"\r\n--x--\r\n"
    return client.call("POST", "/v1/images/edits", body, Content_Type="multipart/form-data; boundary=x")


@pytest.mark.parametrize("trick", TRICKS)
def test_10_and_12_no_newer_address_leads_anywhere_nor_tells_what_is_there(client: Client, trick: str) -> None:
    for where in INSIDE:
        there = client.get(where.format(quote(trick, safe="%")))
        missing = client.get(where.format(quote(trick.replace("secret", "nothing"), safe="%")))
        assert there.status in (400, 404), where
        assert (there.status, there.body) == (missing.status, missing.body), where


@pytest.mark.parametrize(
    "name", ["a.png%0d%0aSet-Cookie: x=1", "../../a.png", "a\0.png", "a.png\u202egnp", "C:\\a.png"]
)
def test_10_and_13_a_file_of_a_form_is_named_by_its_content(client: Client, name: str) -> None:
    answer = edit(client, f'name="image"; filename="{name}"', b"what it holds")
    assert answer.status in (400, 404)
    assert "Set-Cookie" not in answer.headers
    names = [file["name"] for file in client.get("/api/inputs").json["files"] if not file["shipped"]]
    assert all(re.fullmatch(r"uploads/[0-9a-f]{40}(\.[a-z0-9]{1,12})?", found) for found in names), names


def test_7_a_form_that_never_comes_is_given_up(tmp_path: Path) -> None:
    head = f"POST /v1/images/edits HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\n"
    head += "Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 9999\r\n\r\n"
    with serving(tmp_path, limits=Limits(patience=0.2)) as own:
        for begun in (b"", FORM[:30], FORM[:90]):
            assert raw(own, head.encode() + begun).startswith(b"HTTP/1.1 408"), begun


FORM = b'--x\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n\r\nwhat it holds\r\n--x--\r\n'


@pytest.mark.filterwarnings("ignore::aiohttp.BadContentDispositionHeader")
@pytest.mark.parametrize(
    "body",
    [b"", b"--x", b"--y--\r\n", FORM[:40], FORM[:80], FORM[:-3], b"\r\n" * 5_000,
     FORM.replace(b"form-data", b"\xff\x00"),
     FORM.replace(b"\r\n\r\n", b"\r\nContent-Transfer-Encoding: base64\r\n\r\n"),
     FORM.replace(b"\r\n\r\n", b"\r\nContent-Encoding: gzip\r\n\r\n"),
     FORM.replace(b"\r\n\r\n", b"\r\nContent-Length: 99999\r\n\r\n"),
     FORM.replace(b"\r\n\r\n", b"\r\nContent-Type: multipart/mixed; boundary=y\r\n\r\n"),
     FORM.replace(b"\r\n\r\n", b"\r\nX: " + b"y" * 100_000 + b"\r\n\r\n")],
)  # fmt: skip
def test_7_forms_that_are_broken_are_the_clients_mistake(client: Client, body: bytes) -> None:
    answer = client.call("POST", "/v1/images/edits", body, Content_Type="multipart/form-data; boundary=x")
    assert 400 <= answer.status < 500, answer.body
    assert set(answer.json["error"]) == {"message", "type", "param", "code"}


def test_13_what_is_put_into_headers_cannot_end_them(client: Client) -> None:
    run = client.submit(workflow({"n": N("values.number")}, "n.float"))["id"]
    for path in (f"/api/runs/{run}%0d%0aSet-Cookie:x=1", "/api/workflows/a%0d%0aSet-Cookie:x=1"):
        answer = client.get(path)
        assert answer.status == 404
        assert "Set-Cookie" not in answer.headers
    head = f"POST /api/runs HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\n"
    assert raw(client, f"{head}Idempotency-Key: a\rb\r\nContent-Length: 0\r\n\r\n".encode()).split(b" ")[1] == b"400"


def test_14_values_that_multiply_are_counted_before_they_are_made(client: Client) -> None:
    names = [f"n{number}" for number in range(6)]
    document = workflow(
        {name: N("values.number") for name in names},
        "n0.float",
        parameters={name: {"sets": [f"{name}.value"]} for name in names},
    )
    told = refused(client, document, sweep={"axes": {name: list(range(100)) for name in names}})
    assert told.startswith("there are 1,000,000,000,000 combinations")


def test_14_a_map_over_a_hundred_million_pairs_holds_nobody_up_and_can_be_cancelled(tmp_path: Path) -> None:
    numbers = N("flow.numbers", {"count": 10_000})
    pairs = N("flow.switch", {"condition": True}, if_true="ones.numbers", if_false="others.numbers")
    over: JSON = {"over": ["if_true", "if_false"], "how": "product"}
    document = workflow({"ones": numbers, "others": numbers, "pairs": {**pairs, "map": over}}, "pairs.value")
    with serving(tmp_path, installed=build_registry(find_plugins())) as own:
        run = own.submit(document)["id"]
        own.wait(run, lambda view: view["status"] == "running")
        assert own.get("/api/runs").status == 200
        assert own.call("DELETE", f"/api/runs/{run}").status == 202
        assert own.wait(run)["status"] == "cancelled"


@pytest.mark.parametrize(
    ("nodes", "place"),
    [
        ({"x": N("images.solid", {"width": 8192, "height": 8192, "batch": 4096})}, "x.width"),
        ({"m": N("models.load", {"path": "emoji"}),
          "x": N("latents.empty", {"width": 8192, "height": 8192, "batch": 4096}, denoiser="m.denoiser")}, "x.batch"),
        ({"s": N("images.solid", {"width": 9, "height": 9, "batch": 4096}),
          "x": N("images.resize", {"width": 8192, "height": 8192}, image="s.image")}, "x.width"),
    ],
)  # fmt: skip
def test_15_what_no_memory_holds_is_refused_before_anything_runs(
    client: Client, nodes: dict[str, JSON], place: str
) -> None:
    output = "x.latent" if "m" in nodes else "x.image"
    assert refused(client, workflow(nodes, output)).startswith(f"{place}: ")


def test_22_pictures_that_lie_are_told_without_paths(client: Client) -> None:
    giant = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\x7f\xff\xff\xff\x7f\xff\xff\xff\x08\x02\0\0\0" + b"\0" * 40
    for data, name in (
        (giant, "giant.png"),
        (b"GIF89a" + b"\xff" * 90, "x.gif"),
        (b"RIFF\xff\xff\xff\xffWEBP", "x.webp"),
    ):
        view = client.call("POST", f"/api/uploads?name={name}", data, Content_Type="application/octet-stream").json
        for address in (f"{view['url']}/thumbnail", f"{view['url']}/workflow"):
            answer = client.get(address)
            assert answer.status in (404, 422), address
            assert b"/tmp" not in answer.body
            assert b"0x" not in answer.body


def test_25_nothing_installs_and_nothing_is_named_by_an_address() -> None:
    for route in ROUTES:
        fields = (
            set(route.body.model_fields)
            if isinstance(route.body, type) and issubclass(route.body, BaseModel)
            else set()
        )
        words = {*re.findall(r"\w+", route.path), *route.query, *fields}
        assert words.isdisjoint(FROM_AFAR), route.path
