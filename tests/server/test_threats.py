"""Attacks that a server must withstand, on hosts, origins, tokens, sockets, files and workflows.

The numbers are those of the list they were collected in; test_threat_table.py says which test tries which.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import aiohttp
import pytest
from engine_kit import N, workflow
from server.server_kit import TOKEN, Answer, Client, serving
from server.test_runs import SUM

from graphgen.errors import ConfigError
from graphgen.server.app import ROUTES
from graphgen.server.security import OPEN
from graphgen.server.settings import Limits, Settings

LIMITS = Limits(body_bytes=200_000, nodes=2_000)
LOOKALIKES = ("http://localhost.evil.com", "http://127.0.0.1.evil.com", "http://evil.com", "null", "https://127.0.0.1")


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    with serving(tmp_path_factory.mktemp("server"), limits=LIMITS) as made:
        yield made


def path_of(route: Any) -> str:
    """A route's path with something in its holes."""
    return str(route.path).replace("{", "").replace("}", "")


def raw(client: Client, data: bytes) -> bytes:
    """Send bytes as they are, and return what comes back until the server closes or is silent."""
    where = urlsplit(client.address)
    with socket.create_connection((where.hostname or "", where.port or 0), timeout=30) as connection:
        connection.sendall(data)
        received = b""
        while b"\r\n\r\n" not in received and (piece := connection.recv(65536)):
            received += piece
        return received


def shake_hands(client: Client, path: str = "/api/socket", **headers: str) -> int:
    """Ask for a WebSocket; return the status of the answer."""

    async def ask() -> int:
        named = client.headers({name.replace("_", "-"): text for name, text in headers.items()})
        async with aiohttp.ClientSession() as session:
            try:
                async with session.ws_connect(client.address + path, headers=named):
                    return 101
            except aiohttp.WSServerHandshakeError as error:
                return error.status

    return client.run(ask())


# --- 1: hosts -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host", ["evil.com", "localhost.evil.com", "127.0.0.1.evil.com", "evil.com:80", "[", "a@b", ""]
)
def test_1_other_names_are_refused(client: Client, host: str) -> None:
    assert client.get("/api/nodes", Host=host).status == 403
    assert client.get("/health", Host=host).status == 403


def test_1_names_of_this_machine_are_not(client: Client) -> None:
    port = urlsplit(client.address).port
    for host in (f"localhost:{port}", f"127.0.0.1:{port}", f"[::1]:{port}", "LOCALHOST", "localhost."):
        assert client.get("/health", Host=host).status == 200


def test_1_a_name_can_be_allowed(tmp_path: Path) -> None:
    with serving(tmp_path, hosts=frozenset(("studio.example",))) as client:
        assert client.get("/api/runs", Host="studio.example").status == 200
        assert client.get("/api/runs", Host="evil.studio.example").status == 403


# --- 2, 3, 4: other sites' pages ------------------------------------------------------------------------------------


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_2_pages_of_other_sites_are_refused_everywhere(client: Client, route: Any) -> None:
    for origin in LOOKALIKES:
        assert client.call(route.method, path_of(route), Origin=origin).status == 403
    for site in ("cross-site", "same-site", "whatever"):
        assert client.call(route.method, path_of(route), Sec_Fetch_Site=site).status == 403


def test_2_own_pages_are_let_in(client: Client) -> None:
    assert client.get("/api/runs", Origin=client.address, Sec_Fetch_Site="same-origin").status == 200
    other_port = client.address.rpartition(":")[0] + ":1"
    assert client.get("/api/runs", Origin=other_port).status == 403
    assert "Access-Control-Allow-Origin" not in client.get("/api/runs", Origin=client.address).headers


def test_2_a_site_can_be_allowed(tmp_path: Path) -> None:
    with serving(tmp_path, origins=frozenset(("https://studio.example",))) as client:
        answer = client.get("/api/runs", Origin="https://studio.example", Sec_Fetch_Site="cross-site")
        assert (answer.status, answer.headers["Access-Control-Allow-Origin"]) == (200, "https://studio.example")
        client.token = None
        assert client.call("OPTIONS", "/api/runs", Origin="https://studio.example").status == 204
        assert client.call("OPTIONS", "/api/runs", Origin="https://evil.example").status == 403
        assert client.get("/api/runs", Origin="https://studio.example").status == 401


def test_3_a_form_of_another_site_cannot_post(client: Client) -> None:
    body = b'{"workflow": {"graphgen": 1, "nodes": {}}}'
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
        answer = client.call("POST", "/api/runs", body, Content_Type=kind)
        assert (answer.status, answer.kind) == (415, "not-json")


def test_4_sockets_are_judged_like_everything_else(client: Client) -> None:
    assert shake_hands(client) == 101
    assert shake_hands(client, Origin=client.address) == 101
    for origin in LOOKALIKES:
        assert shake_hands(client, Origin=origin) == 403
    assert shake_hands(client, Sec_Fetch_Site="cross-site") == 403
    assert shake_hands(client, Host="evil.com") == 403
    client.token = None
    try:
        assert shake_hands(client) == 401
        assert shake_hands(client, Cookie=cookie_of(client)) == 403  # a browser would say where it comes from
        assert shake_hands(client, Cookie=cookie_of(client), Origin=client.address) == 101
    finally:
        client.token = TOKEN


# --- 5, 6: tokens ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_5_every_route_needs_the_token(client: Client, route: Any) -> None:
    client.token = None
    try:
        answers = [
            client.call(route.method, path_of(route), **headers)
            for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": TOKEN}, {"Cookie": "graphgen=x"})
        ]
    finally:
        client.token = TOKEN
    assert {answer.status for answer in answers} == ({200} if route.path in OPEN else {401})


def test_5_a_token_in_the_query_opens_nothing_but_the_page(client: Client) -> None:
    client.token = None
    try:
        assert client.get(f"/api/runs?token={TOKEN}").status == 401
        assert shake_hands(client, f"/api/socket?token={TOKEN}") == 401
        assert client.get("/?token=wrong").status == 401
    finally:
        client.token = TOKEN


def test_5_a_browser_without_the_token_is_asked_for_it_and_programs_are_told(client: Client) -> None:
    client.token = None
    try:
        for path in ("/", "/?token=wrong", "/api"):
            page = client.get(path, Accept="text/html,*/*;q=0.8")
            assert page.status == 401
            assert page.headers["Content-Type"].startswith("text/html")
            assert b'<form action="/" method="get">' in page.body
            assert "form-action 'self'" in page.headers["Content-Security-Policy"]
            assert client.get(path).kind == "no-token"
        assert client.get("/style.css").status == 200
        foreign = client.get("/", Accept="text/html", Origin="http://evil.com")
        assert foreign.status == 403
        assert b"<form" not in foreign.body
    finally:
        client.token = TOKEN


def test_5_other_machines_are_not_let_in_without_a_token() -> None:
    for host in ("0.0.0.0", "::", "192.168.1.4", "studio.example"):  # noqa: S104 - refused
        with pytest.raises(ConfigError, match="no token"):
            Settings(None, host=host)
    for host in ("127.0.0.1", "::1", "localhost"):
        Settings(None, host=host)


def test_5_without_a_token_other_sites_are_refused_all_the_same(tmp_path: Path) -> None:
    with serving(tmp_path, token=None) as client:
        assert client.get("/api/runs").status == 200
        assert client.call("POST", "/api/runs", {"workflow": SUM}, Origin="http://evil.com").status == 403


def cookie_of(client: Client) -> str:
    """What a browser keeps after it has followed the printed link."""
    return client.get(f"/?token={TOKEN}").headers["Set-Cookie"].partition(";")[0]


def test_6_the_link_leaves_a_cookie_and_no_trace_of_the_token(client: Client) -> None:
    answer = client.get(f"/?token={TOKEN}")
    assert (answer.status, answer.headers["Location"]) == (303, "/")
    cookie = answer.headers["Set-Cookie"]
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(cookie.split("; "))
    assert TOKEN not in cookie
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    client.token = None
    try:
        assert client.get("/", Cookie=cookie_of(client)).status == 200
        assert client.get("/api/runs", Cookie=cookie_of(client)).status == 200
        assert client.call("POST", "/api/runs", {"workflow": SUM}, Cookie=cookie_of(client)).status == 403
        posted = client.call(
            "POST", "/api/runs", {"workflow": SUM}, Cookie=cookie_of(client), Sec_Fetch_Site="same-origin"
        )
        assert posted.status == 201
    finally:
        client.token = TOKEN


def test_6_the_token_is_in_no_log(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    client.get(f"/?token={TOKEN}")
    client.get("/api/runs")
    raw(client, f"GET /?token={TOKEN} HTTP/9.9\r\n\r\n".encode())
    assert TOKEN not in caplog.text


# --- 7: slow, idle and huge -----------------------------------------------------------------------------------------


def test_7_idle_connections_hold_nobody_up(client: Client) -> None:
    where = urlsplit(client.address)
    idle = [socket.create_connection((where.hostname or "", where.port or 0)) for _ in range(200)]
    try:
        for connection in idle[::2]:
            connection.sendall(b"GET /api/runs HTTP/1.1\r\nHost: loc")
        assert client.get("/api/runs").status == 200
    finally:
        for connection in idle:
            connection.close()


def test_7_a_body_that_never_comes_is_given_up(tmp_path: Path) -> None:
    head = f"POST /api/runs HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\n"
    with serving(tmp_path, limits=Limits(patience=0.2)) as client:
        answer = raw(client, f"{head}Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{{".encode())
    assert answer.startswith(b"HTTP/1.1 408")


def test_7_large_bodies_and_headers_are_refused(client: Client) -> None:
    large = client.call("POST", "/api/runs", b" " * 300_000, Content_Type="application/json")
    assert (large.status, large.kind) == (413, "too-large")

    async def in_pieces() -> Answer:
        async def pieces() -> Any:
            for _ in range(40):
                yield b" " * 10_000

        async with (
            aiohttp.ClientSession() as session,
            session.post(
                client.address + "/api/runs",
                data=pieces(),
                headers=client.headers({"Content-Type": "application/json"}),
            ) as response,
        ):
            return Answer(response.status, response.headers.copy(), await response.read())

    assert client.run(in_pieces()).kind == "too-large"
    assert raw(client, b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"y" * 1_000_000).split(b" ")[1] == b"400"


def test_7_a_small_body_may_be_too_large_as_well(tmp_path: Path) -> None:
    with serving(tmp_path, limits=Limits(body_bytes=100)) as own:
        answer = own.call("POST", "/api/runs", {"workflow": SUM})
        assert (answer.status, answer.kind) == (413, "too-large")


def test_7_huge_frames_close_the_socket(client: Client) -> None:
    async def shout() -> aiohttp.WSMsgType:
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(f"{client.address}/api/socket", headers=client.headers()) as connection,
        ):
            await connection.send_str("x" * 1_000_000)
            return (await connection.receive()).type

    assert client.run(shout()) in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR)


# --- 8: redirects ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["//evil.com", "//evil.com/..", "/\\evil.com", "/%2f%2fevil.com", "/api/../../x"])
def test_8_nothing_leads_to_another_site(client: Client, path: str) -> None:
    request = f"GET {path}?token={TOKEN} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    answer = raw(client, request.encode())
    assert answer.split(b" ")[1] in (b"400", b"401", b"404")
    assert b"Location" not in answer


# --- 10, 11, 12: files ----------------------------------------------------------------------------------------------

TRICKS = (
    "../secret.txt", "..\\secret.txt", "/etc/passwd", "C:\\secret.txt", "\\\\host\\share", "%2e%2e/secret.txt",
    "%252e%252e/secret.txt", "a\0.txt", "link/secret.txt", "x" * 5000, "inputs-secret/secret.txt",
)  # fmt: skip


def test_10_no_setting_reads_outside_its_root(tmp_path: Path) -> None:
    with serving(tmp_path) as client:
        (tmp_path / "secret.txt").write_text("the secret")
        (tmp_path / "inputs-secret").mkdir()
        (tmp_path / "inputs-secret" / "secret.txt").write_text("the secret")
        (tmp_path / "inputs" / "link").symlink_to(tmp_path)
        for trick in (*TRICKS, str(tmp_path / "secret.txt")):
            document = workflow({"file": N("toy.read", {"path": trick})}, "file.str")
            answer = client.call("POST", "/api/runs", {"workflow": document})
            assert answer.status in (400, 422), trick
            assert b"the secret" not in answer.body


def test_10_no_output_is_written_outside_its_root(tmp_path: Path) -> None:
    with serving(tmp_path) as client:
        for trick in ("../out", "/tmp/out", "a/../../out", "..\\out"):  # noqa: S108 - not written
            document = workflow({"save": N("toy.write", {"name": trick})})
            done = client.wait(client.submit(document)["id"])
            assert done["status"] == "failed", trick
        assert [path for path in tmp_path.rglob("out*") if path.name != "outputs"] == []


@pytest.mark.parametrize("trick", TRICKS)
def test_10_and_12_no_path_of_an_address_leads_anywhere(client: Client, trick: str) -> None:
    for where in ("/api/outputs/", "/api/runs/"):
        answer = client.get(where + quote(trick, safe="%"))
        assert answer.status in (400, 404)
        if answer.status == 404:
            assert answer.kind == "not-found"


def test_11_a_page_among_the_outputs_is_no_page_of_ours(client: Client) -> None:
    page = workflow(
        {"word": N("toy.speak", {"message": "<script>alert(1)</script>"}),
         "save": N("probe.save", {"suffix": ".svg"}, text="word.str")},
    )  # fmt: skip
    (file,) = client.wait(client.submit(page)["id"])["files"]
    answer = client.get(file["url"])
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert answer.headers["Content-Disposition"].startswith("attachment")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in answer.headers["Content-Security-Policy"]


# --- 14: workflows --------------------------------------------------------------------------------------------------


def test_14_hostile_workflows_are_told_what_is_wrong(client: Client) -> None:
    hostile = {
        "cycle": workflow({"a": N("maths.add", a="b.int"), "b": N("maths.add", a="a.int")}, "a.int"),
        "itself": workflow({"a": N("maths.add", a="a.int")}, "a.int"),
        "many": workflow({f"n{number}": N("maths.number") for number in range(2_001)}),
        "class": workflow({"a": N("__class__.__init__")}),
        "names": workflow({"__proto__": N("maths.number")}),
        "socket": workflow({"a": N("maths.number"), "b": N("maths.add", a="a.__class__")}, "b.int"),
        "nothing": {},
        "format": {"graphgen": 2, "nodes": {}},
    }
    for name, document in hostile.items():
        answer = client.call("POST", "/api/runs", {"workflow": document})
        assert (answer.status, answer.kind) == (422, "invalid-workflow"), name
        assert answer.json["problems"]


def test_14_a_chain_of_thousands_runs(client: Client) -> None:
    nodes = {f"n{number}": N("maths.add", a=f"n{number - 1}.int") for number in range(1, 1_500)}
    chain = workflow({"n0": N("maths.number", {"value": 7}), **nodes}, "n1499.int")
    assert client.wait(client.submit(chain)["id"])["outputs"]["n1499"]["summary"] == "7"


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"null", b'{"workflow": NaN}', b'{"workflow": 1e999}', b'{"a": 1, "a": 2}', b"[" * 100_000,
     b'{"workflow": "\\ud800"}', b"\xff\xfe", b'{"priority": ' + b"9" * 5_000 + b"}"],
)  # fmt: skip
def test_14_bodies_that_are_no_json_are_refused(client: Client, body: bytes) -> None:
    answer = client.call("POST", "/api/runs", body, Content_Type="application/json")
    assert answer.status in (400, 422)
    assert answer.kind in ("not-json", "invalid-body")


def test_what_the_server_is_made_of_is_not_told(client: Client) -> None:
    assert client.get("/health").headers["Server"] == "graphgen"


def test_many_at_once_are_all_answered(client: Client) -> None:
    async def calls() -> list[Answer]:
        return await asyncio.gather(*(client.call_async("GET", "/api/runs?limit=1") for _ in range(100)))

    assert {answer.status for answer in client.run(calls())} == {200}
