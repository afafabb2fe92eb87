"""Frames between two processes, and the values that cross in them: whole, in any pieces, and what is no frame."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

import pytest
from cache_kit import CODEC, Picture, array, key, make_cache
from lane_kit import open_files

from graphgen.cache.crossing import Image, receive_value, send_value
from graphgen.cache.stored import MAPPED, Backing
from graphgen.errors import LaneError
from graphgen.frames import Connection, Frame, read_report, report_frame
from graphgen.jsontypes import JSON
from graphgen.tasks import Adapted

Ends: TypeAlias = tuple[Connection, Connection]


@pytest.fixture
def ends() -> Iterator[Ends]:
    ours, theirs = map(Connection, socket.socketpair())
    yield ours, theirs
    ours.close()
    theirs.close()


def test_frames_come_as_they_were_sent(ends: Ends) -> None:
    ours, theirs = ends
    file = Backing.create([b"in a file"])
    assert file is not None
    ours.send(Frame({"a": 1}))
    ours.send(Frame({"b": "ä"}, [b"first", file, b"", file, b"last"]))
    ours.send(Frame({"c": None}))
    assert theirs.receive() == Frame({"a": 1})
    frame = theirs.receive()
    assert frame is not None
    assert frame.fields == {"b": "ä"}
    read = [bytes(image.view(private=True)) if isinstance(image, Backing) else image for image in frame.images]
    assert read == [b"first", b"in a file", b"", b"in a file", b"last"]
    assert theirs.receive(0) == Frame({"c": None})
    assert theirs.receive(0) is None


def test_a_frame_in_pieces_is_waited_for(ends: Ends) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        writer, reader = Connection(ours), Connection(theirs)
        spare, end = socket.socketpair()
        Connection(spare).send(Frame({"a": [1, 2]}, [b"beside"]))
        spare.close()
        data = end.recv(10_000)
        end.close()
        for byte in data[:-1]:
            ours.send(bytes([byte]))
            assert reader.receive(0) is None
        ours.send(data[-1:])
        assert reader.receive(0) == Frame({"a": [1, 2]}, [b"beside"])
        writer.send(Frame({}))
        assert reader.receive(0) == Frame({})


def test_the_end_is_told(ends: Ends) -> None:
    ours, theirs = ends
    ours.close()
    with pytest.raises(EOFError):
        theirs.receive()
    with pytest.raises(OSError, match=r"Broken pipe|closed|Errno"):
        theirs.send(Frame({"a": "x" * 10_000_000}))


def test_nobody_waits_for_room_to_send_a_short_frame(ends: Ends) -> None:
    ours, theirs = ends
    sent = 0
    while ours.try_send(Frame({"cancel": sent})):
        sent += 1
        assert sent < 1_000_000
    assert theirs.receive() == Frame({"cancel": 0})


@pytest.mark.parametrize(
    "text", [b"{}", b"[]", b"no JSON", b'{"images": 5}', b'{"images": [null]}', b'{"images": "x"}']
)
def test_what_is_no_frame_is_refused(text: bytes) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.sendall(len(text).to_bytes(4, "big") + bytes(12) + text)
        with pytest.raises(LaneError, match="a process sent something that is no frame"):
            Connection(theirs).receive()


@pytest.mark.parametrize("report", [Adapted("in tiles"), Adapted("block by block", exact=True)])
def test_whether_what_was_done_otherwise_is_exact_is_told(report: Adapted) -> None:
    assert read_report(report_frame(1, report), CODEC) == report


@pytest.mark.parametrize("said", [{}, {"report": "odd"}, {"report": "progress"}, {"report": "shown"}])
def test_what_is_no_report_is_refused(said: dict[str, JSON]) -> None:
    with pytest.raises(LaneError, match=r"a worker sent an? (unknown report|report that cannot be read)"):
        read_report(Frame(said), CODEC)


def test_files_that_nobody_takes_are_closed() -> None:
    before = open_files()
    ours, theirs = map(Connection, socket.socketpair())
    file = Backing.create([b"x" * MAPPED])
    assert file is not None
    ours.send(Frame({}, [file]))
    del file
    ours.close()
    theirs.close()
    assert open_files() == before


def test_more_files_than_may_be_open_come_as_bytes(ends: Ends, monkeypatch: pytest.MonkeyPatch) -> None:
    file = Backing.create([b"in a file"])
    assert file is not None
    monkeypatch.setattr(Backing, "adopt", lambda _: None)
    ours, theirs = ends
    ours.send(Frame({}, [file]))
    assert theirs.receive() == Frame({}, [b"in a file"])


@pytest.mark.parametrize("value", [7, "text", [1, 2], array(100), array(2 * MAPPED), Picture(array(5), 1)])
@pytest.mark.parametrize("on_disk", [False, True])
def test_a_value_crosses_to_another_process(tmp_path: Path, ends: Ends, value: object, on_disk: bool) -> None:
    cache = make_cache(tmp_path / "cache" if on_disk else None)
    cache.keep([key("a")], {"out": cache.wrap(value)}, 1.0, durable=True)
    cache.flush()
    result = cache.fetch(key("a"))
    assert result is not None
    stored = result.values["out"]
    images: list[Image] = []
    said = send_value(stored, images)
    ours, theirs = ends
    ours.send(Frame({"value": said}, images))
    cache.clear()
    frame = theirs.receive()
    assert frame is not None
    received = receive_value(frame.fields["value"], frame.images, CODEC)
    assert received.load() == value
    assert (received.digest, received.size) == (stored.digest, stored.size)


@pytest.mark.parametrize("said", [{}, {"image": 0}, {"image": 1}, {"document": "1"}])
def test_what_is_no_value_is_refused(said: dict[str, JSON]) -> None:
    with pytest.raises(LaneError, match="a value that came from another process cannot be read"):
        receive_value(said, [b"nonsense"], CODEC)


def test_a_value_of_a_strange_type_is_refused() -> None:
    with pytest.raises(LaneError, match="install the same plugins for both"):
        receive_value({"document": '{"$stranger":{}}', "digest": "0" * 40}, [], CODEC)
