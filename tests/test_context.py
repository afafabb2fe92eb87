"""What a running node may ask, and how often it may talk."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Literal

import pytest

from graphgen import Context, Preview
from graphgen import context as module
from graphgen.errors import Cancelled, PathError, ResourceError
from graphgen.widgets import RootName


class Recorder:
    """A channel that writes down what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[int, int, str]] = []
        self.shown: list[bytes] = []
        self.stopped = False
        self.watching = True
        self.kept: dict[tuple[str, str], object] = {}

    def cancelled(self) -> bool:
        return self.stopped

    def watched(self) -> bool:
        return self.watching

    def progress(self, done: int, total: int, stage: str) -> None:
        self.told.append((done, total, stage))

    def preview(self, preview: Preview) -> None:
        self.shown.append(preview.data)

    def log(self, level: Literal["info", "warning"], message: str) -> None:
        self.told.append((0, 0, f"{level}: {message}"))

    def path(self, root: RootName, name: str) -> Path:
        return Path(root) / name

    def adapted(self, words: str, *, exact: bool) -> None:
        raise AssertionError(words, exact)

    def free(self) -> int:
        return 0

    def lease(
        self,
        handle: object,
        report: Callable[[int, int], None],
        room: int | None,  # noqa: ARG002
    ) -> AbstractContextManager[object]:
        report(1, 2)
        return nullcontext(f"the weights of {handle}")

    def remembers(self) -> bool:
        return True

    def digest(self, value: object) -> str:
        return f"the digest of {value}"

    def recall(self, key: str, of: str) -> object | None:
        return self.kept.get((key, of))

    def remember(self, key: str, value: object, of: str, words: str) -> None:
        self.kept[key, of] = value
        self.told.append((0, 0, words))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr(module, "monotonic", lambda: now[0])
    return now


def test_progress_is_told_ten_times_a_second_and_at_the_end(clock: list[float]) -> None:
    channel = Recorder()
    context = Context(channel)
    for done in range(100):
        clock[0] += 0.01
        context.progress(done + 1, 100)
    assert 9 <= len(channel.told) <= 12
    assert channel.told[0] == (1, 100, "")
    assert channel.told[-1] == (100, 100, "")


@pytest.mark.parametrize("total", [0, 1, 5])
def test_no_node_can_storm(clock: list[float], total: int) -> None:
    channel = Recorder()
    context = Context(channel)
    for done in range(1000):
        context.progress(done % (total + 1), total, stage="ab"[done % 2])
    assert len(channel.told) <= 4


def test_each_stage_tells_its_end(clock: list[float]) -> None:
    channel = Recorder()
    context = Context(channel)
    context.progress(5, 5, stage="loading")
    context.progress(2, 2)
    assert channel.told == [(5, 5, "loading"), (2, 2, "")]


def test_previews_are_made_five_times_a_second_while_somebody_watches(clock: list[float]) -> None:
    channel, made = Recorder(), []

    def make() -> Preview:
        made.append(1)
        return Preview(b"x")

    context = Context(channel)
    for _ in range(100):
        clock[0] += 0.01
        context.progress(1, 2, preview=make)
    assert 4 <= len(channel.shown) == len(made) <= 6
    channel.watching = False
    clock[0] += 1
    context.progress(1, 2, preview=make)
    assert len(channel.shown) == len(made)


def test_tracking_yields_everything_and_stops_when_cancelled(clock: list[float]) -> None:
    channel = Recorder()
    assert list(Context(channel).track("abc")) == ["a", "b", "c"]
    assert (channel.told[0], channel.told[-1]) == ((0, 3, ""), (3, 3, ""))
    assert list(Context(channel).track(iter("abc"), total=3)) == ["a", "b", "c"]
    items = Context(channel).track(iter("abc"))
    assert next(items) == "a"
    channel.stopped = True
    with pytest.raises(Cancelled):
        next(items)


def test_messages_paths_and_weights_go_through_the_channel() -> None:
    channel = Recorder()
    context = Context(channel, device="cuda:0", dtype="float16")
    context.log("hello")
    context.log("careful", warning=True)
    assert channel.told == [(0, 0, "info: hello"), (0, 0, "warning: careful")]
    assert context.path("models", "x") == Path("models/x")
    with context.resource("a handle") as module_:
        assert module_ == "the weights of a handle"
    assert (context.device, context.dtype, context.cancelled()) == ("cuda:0", "float16", False)


def test_partial_work_goes_through_the_channel() -> None:
    channel = Recorder()
    context = Context(channel)
    assert context.remembers
    assert context.digest(3) == "the digest of 3"
    context.remember("half", [1, 2], words="2 of 4")
    context.remember("half", [3], of="acme.halve")
    assert channel.told[0] == (0, 0, "2 of 4")
    assert (context.recall("half"), context.recall("half", of="acme.halve")) == ([1, 2], [3])
    assert context.recall("whole") is None


def test_a_context_of_nobodys_says_what_it_cannot_do() -> None:
    context = Context()
    context.progress(1, 2, preview=lambda: Preview(b""))
    context.log("nobody hears this")
    assert not context.cancelled()
    with pytest.raises(PathError, match=r"'x' cannot be found by a context outside a run; use graphgen\.run"):
        context.path("models", "x")
    with pytest.raises(ResourceError, match=r"cannot be loaded by a context outside a run; use graphgen\.run"):
        context.resource(object())
