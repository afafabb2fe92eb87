"""What a running node may ask of the engine.

A node that wants it has a parameter annotated `Context`, whatever its name. The engine gives each call its own; a
test that calls a node function directly writes `Context()` and gets one that knows the CPU, no cancelling and no
listener.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sized
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Literal, Protocol, TypeVar

from graphgen.errors import Cancelled, PathError, ResourceError
from graphgen.widgets import RootName

T = TypeVar("T")

PROGRESS_INTERVAL = 0.1
"""Seconds between two progress events of one node at least."""
PREVIEW_INTERVAL = 0.2
"""Seconds between two previews of one node at least."""


@dataclass(frozen=True, slots=True)
class Preview:
    """A picture, sound or text that shows a node's work in progress."""

    data: bytes
    media_type: str = "image/png"


class Channel(Protocol):
    """The engine's side of a context: where reports go and where resources come from."""

    def cancelled(self) -> bool:
        """Tell whether the run was cancelled."""

    def watched(self) -> bool:
        """Tell whether somebody looks at previews."""

    def progress(self, done: int, total: int, stage: str) -> None:
        """Report progress."""

    def preview(self, preview: Preview) -> None:
        """Report a preview."""

    def log(self, level: Literal["info", "warning"], message: str) -> None:
        """Report a message for the person running the workflow."""

    def path(self, root: RootName, name: str) -> Path:
        """Resolve a name inside a root."""

    def adapted(self, words: str, *, exact: bool) -> None:
        """Report what was done otherwise than asked, and whether that gives the same nevertheless."""

    def lease(
        self, handle: object, report: Callable[[int, int], None], room: int | None
    ) -> AbstractContextManager[object]:
        """Lease what a handle names, in a room of so many bytes."""

    def free(self) -> int:
        """Let go of weights that nobody uses; return the bytes."""

    def remembers(self) -> bool:
        """Tell whether partial work is kept."""

    def digest(self, value: object) -> str:
        """Identify a value."""

    def recall(self, key: str, of: str) -> object | None:
        """Return the partial work kept under a key of a node (its id; empty for the one that runs)."""

    def remember(self, key: str, value: object, of: str, words: str) -> None:
        """Keep partial work; `words` say how far it goes."""


class Context:
    """What a running node may ask: progress, cancelling, paths, its device, loaded weights, and its partial work."""

    def __init__(self, channel: Channel | None = None, *, device: str = "cpu", dtype: str = "float32") -> None:
        self._channel: Channel = channel or _Detached()
        self._device = device
        self._dtype = dtype
        self._last_progress = -1.0
        self._completed: set[str] = set()
        self._last_preview = -1.0

    @property
    def device(self) -> str:
        """The device this node computes on, as torch names it: `cpu`, `cuda:0`."""
        return self._device

    @property
    def dtype(self) -> str:
        """The number format networks run in on this device: `float32`, `float16` or `bfloat16`."""
        return self._dtype

    def cancelled(self) -> bool:
        """Tell whether the run was cancelled; a node that does not stop at once should look now and then."""
        return self._channel.cancelled()

    def progress(self, done: int, total: int, *, stage: str = "", preview: Callable[[], Preview] | None = None) -> None:
        """Report that `done` of `total` units are done; a `total` of 0 says that nobody knows.

        `stage` says of what, when it is not the node's work itself (`loading`). `preview` is called only while
        somebody watches, at most five times a second.

        Raises:
            Cancelled: the run was cancelled; let it pass through.
        """
        if self._channel.cancelled():
            raise Cancelled("the run was cancelled")
        now = monotonic()
        if now - self._last_progress >= PROGRESS_INTERVAL:
            self._completed.clear()
            self._tell(done, total, stage, now)
        elif 0 < total <= done and stage not in self._completed:
            self._tell(done, total, stage, now)  # the last unit is told at once, but not again and again
        if preview:
            self.show(preview)

    def show(self, preview: Callable[[], Preview]) -> None:
        """Show work in progress; `preview` is called only while somebody watches, at most five times a second."""
        now = monotonic()
        if now - self._last_preview >= PREVIEW_INTERVAL and self._channel.watched():
            self._last_preview = now
            self._channel.preview(preview())

    def _tell(self, done: int, total: int, stage: str, now: float) -> None:
        self._last_progress = now
        if done >= total:
            self._completed.add(stage)
        self._channel.progress(done, total, stage)

    def track(self, items: Iterable[T], total: int | None = None) -> Iterator[T]:
        """Yield the items, reporting progress after each and stopping when the run is cancelled."""
        count = total if total is not None else len(items) if isinstance(items, Sized) else 0
        self.progress(0, count)
        for done, item in enumerate(items, start=1):
            yield item
            self.progress(done, count)

    def log(self, message: str, *, warning: bool = False) -> None:
        """Say something to the person running the workflow."""
        self._channel.log("warning" if warning else "info", message)

    def path(self, root: RootName, name: str) -> Path:
        """Return where `name` lies inside a root, or inside what a plugin ships under that root.

        Raises:
            PathError: the name leaves the root, or nothing is there.
        """
        return self._channel.path(root, name)

    def adapted(self, words: str, *, exact: bool = False) -> None:
        """Note in the run record that the work was done otherwise than asked (`in tiles of 512 pixels`).

        For what may show in the result and neither inputs nor settings tell, such as what a lack of memory led to. The
        result then serves this run and is not kept, so that a later one, which may have the memory, does what is asked.
        With `exact` the result is the same to the last bit, and kept like any other.
        """
        self._channel.adapted(words, exact=exact)

    def free(self) -> int:
        """Let go of all weights on the node's device that nobody uses; return their bytes."""
        return self._channel.free()

    def resource(self, handle: object, *, room: int | None = None) -> AbstractContextManager[object]:
        """Lease the loaded weights that a handle names: `with context.resource(handle) as module`.

        They take at most `room` bytes of the device where their loader can stream them; with 0, as little as can be.

        Raises:
            ResourceError: no plugin can load the handle, its files are missing, or they do not fit.
        """
        return self._channel.lease(handle, lambda done, total: self.progress(done, total, stage="loading"), room)

    @property
    def remembers(self) -> bool:
        """Whether partial work is kept: not with `--no-cache`, and not outside a run.

        What only serves `recall` and `remember`, such as making keys, can be left out when it is not.
        """
        return self._channel.remembers()

    def digest(self, value: object) -> str:
        """Return 40 hexadecimal digits that identify a value which may travel along wires, to make keys of.

        Raises:
            DefinitionError: it holds something that has no codec, or NaN.
            ResourceError: the context is outside a run, where no plugin's codecs are known.
        """
        return self._channel.digest(value)

    def recall(self, key: str, *, of: str = "") -> object | None:
        """Return the partial work that `remember` kept under the same key, in this run or an earlier one, or None.

        The value is a copy of the node's own. `of` is the id of the node that kept it, when it is another one.

        Raises:
            ResourceError: no node has the id `of`.
        """
        return self._channel.recall(key, of)

    def remember(self, key: str, value: object, *, of: str = "", words: str = "") -> None:
        """Keep partial work in the cache, from where a later call may go on, also after the process was killed.

        The engine adds the node's id, version and source and the device to the key. All else that the value depends on
        must be in `key`: settings, the digests of inputs, how far the work is. `words` say that to people (`step 12 of
        20`). It takes about a millisecond for each megabyte; what was kept goes when the cache needs room, so `recall`
        may find nothing.

        Raises:
            DefinitionError: the value cannot travel along a wire.
            ResourceError: no node has the id `of`.
        """
        self._channel.remember(key, value, of, words)


class _Detached:
    """The channel of a context that nobody listens to."""

    def cancelled(self) -> bool:
        return False

    def watched(self) -> bool:
        return False

    def progress(self, done: int, total: int, stage: str) -> None:
        pass

    def preview(self, preview: Preview) -> None:
        pass

    def log(self, level: Literal["info", "warning"], message: str) -> None:
        pass

    def path(self, root: RootName, name: str) -> Path:
        raise PathError(f"{root}: '{name}' cannot be found by a context outside a run; use graphgen.run")

    def adapted(self, words: str, *, exact: bool) -> None:
        pass

    def free(self) -> int:
        return 0

    def lease(
        self,
        handle: object,
        report: Callable[[int, int], None],  # noqa: ARG002
        room: int | None,  # noqa: ARG002
    ) -> AbstractContextManager[object]:
        raise ResourceError(f"a {type(handle).__name__} cannot be loaded by a context outside a run; use graphgen.run")

    def remembers(self) -> bool:
        return False

    def digest(self, value: object) -> str:
        raise ResourceError(f"a {type(value).__name__} has no digest in a context outside a run; use graphgen.run")

    def recall(self, key: str, of: str) -> object | None:  # noqa: ARG002
        return None

    def remember(self, key: str, value: object, of: str, words: str) -> None:
        pass
