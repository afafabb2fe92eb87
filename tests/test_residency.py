"""Weights on a device: loaded once, shared, lent, let go in the right order, and never half there."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Hashable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field

import pytest

from graphgen.errors import Cancelled, DefinitionError, ResourceError
from graphgen.residency import Lease, Loaded, Loader, Place, Report, Residency, Resident

CPU = Place("cpu", "float32")


@dataclass(frozen=True)
class Handle:
    """Stands for weights of a size, with patches."""

    name: str
    size: int = 100
    patches: tuple[str, ...] = ()


@dataclass(frozen=True)
class SpecialHandle(Handle):
    """A kind of handle."""


@dataclass(frozen=True)
class Stranger:
    """A handle that nobody loads."""


class Network:
    """Weights, in a reference cycle as networks often are."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.itself = self


@dataclass
class Store(Loader):
    """Loads networks from nowhere; notes what it did."""

    handles: tuple[type, ...] = (Handle,)
    loads: list[str] = field(default_factory=list)
    failing: list[BaseException] = field(default_factory=list)
    waiting: threading.Event | None = None
    entered: threading.Event = field(default_factory=threading.Event)
    during: list[list[str]] = field(default_factory=list)

    def identity(self, handle: object) -> str:
        assert isinstance(handle, Handle)
        return handle.name

    def load(self, handle: object, place: Place, report: Report) -> Loaded:
        assert isinstance(handle, Handle)
        self.loads.append(handle.name)
        report(0, handle.size)
        self.entered.set()
        while self.waiting is not None and not self.waiting.wait(0.01):
            report(1, handle.size)
        if self.failing:
            raise self.failing.pop(0)
        report(handle.size, handle.size)
        return Loaded(Network(f"{handle.name} on {place.device}"), handle.size)


class PatchingStore(Store):
    """Yields a patched view for the time of a lease."""

    def attach(self, loaded: Loaded, handle: object, lease: Lease) -> AbstractContextManager[object]:  # noqa: ARG002
        assert isinstance(handle, Handle)
        assert isinstance(loaded.module, Network)
        return _patched(loaded.module, handle.patches)


class DerivingStore(Store):
    """Makes further networks of those it loaded, a tenth of their size."""

    def variant(self, handle: object) -> Hashable:
        assert isinstance(handle, Handle)
        return handle.patches or None

    def derive(self, loaded: Loaded, handle: object, place: Place, report: Report) -> Loaded:  # noqa: ARG002
        assert isinstance(handle, Handle)
        assert isinstance(loaded.module, Network)
        self.loads.append(" ".join((handle.name, *handle.patches)))
        report(0, handle.size // 10)
        if self.failing:
            raise self.failing.pop(0)
        return Loaded(Network(f"{loaded.module.name} {handle.patches}"), handle.size // 10)


@contextmanager
def _patched(network: Network, patches: tuple[str, ...]) -> Iterator[object]:
    yield (network.name, *patches)


def quiet(done: int, total: int) -> None:
    del done, total


def names(residency: Residency) -> set[str]:
    return {resident.identity for resident in residency.report()}


def use(residency: Residency, *handles: Handle) -> None:
    for handle in handles:
        with residency.lease(handle, quiet):
            pass


def test_weights_are_loaded_on_first_use_and_shared() -> None:
    store = Store()
    residency = Residency([store], Place("cuda:0", "float16"))
    assert residency.report() == []
    with (
        residency.lease(Handle("a"), quiet) as first,
        residency.lease(SpecialHandle("a", patches=("p",)), quiet) as also,
    ):
        assert first is also
        assert isinstance(first, Network)
        assert first.name == "a on cuda:0"
        (resident,) = residency.report()
        assert resident == Resident("a", "cuda:0", 100, resident.seconds, 2, 2, False)
    with residency.lease(Handle("a"), quiet) as again:
        assert again is first
    assert store.loads == ["a"]
    assert residency.report()[0].leases == 0


def test_patches_are_applied_for_the_time_of_a_lease() -> None:
    residency = Residency([PatchingStore()], CPU)
    with (
        residency.lease(Handle("a", patches=("red",)), quiet) as red,
        residency.lease(Handle("a", patches=("blue",)), quiet) as blue,
        residency.lease(Handle("a"), quiet) as bare,
    ):
        assert (red, blue, bare) == (("a on cpu", "red"), ("a on cpu", "blue"), ("a on cpu",))


def test_a_failing_node_ends_its_lease() -> None:
    residency = Residency([Store()], CPU)
    with pytest.raises(ZeroDivisionError), residency.lease(Handle("a"), quiet):
        raise ZeroDivisionError
    assert residency.report()[0].leases == 0
    assert residency.clear() == 100


def test_a_handle_without_a_loader_is_named_with_those_that_have_one() -> None:
    residency = Residency([Store()], CPU)
    with pytest.raises(ResourceError, match=r"Stranger.*Handle.*install"), residency.lease(Stranger(), quiet):
        pass
    with pytest.raises(ResourceError, match="allowed: none"), Residency([], CPU).lease(Handle("a"), quiet):
        pass


def test_two_loaders_for_one_class_are_refused() -> None:
    with pytest.raises(DefinitionError, match=r"Handle.*Store and PatchingStore"):
        Residency([Store(), PatchingStore()], CPU)


# --- budget ---------------------------------------------------------------------------------------------------------


def test_what_exceeds_the_budget_alone_is_not_kept() -> None:
    residency = Residency([Store()], CPU, budget_bytes=250)
    use(residency, Handle("a"), Handle("b"))
    assert names(residency) == {"a", "b"}
    use(residency, Handle("large", 10_000))
    assert names(residency) == set()


def test_what_is_leased_stays() -> None:
    store = Store()
    residency = Residency([store], CPU, budget_bytes=150)
    with residency.lease(Handle("a"), quiet):
        use(residency, Handle("b"), Handle("c"))
        assert names(residency) == {"a"}
        assert residency.clear() == 0
        with residency.lease(Handle("d"), quiet):
            assert names(residency) == {"a", "d"}, "leases may exceed the budget together"
    assert names(residency) == {"a"}
    use(residency, Handle("a"))
    assert store.loads.count("a") == 1


def test_room_is_made_before_weights_are_loaded() -> None:
    seen: list[set[str]] = []

    class Watched(Store):
        def load(self, handle: object, place: Place, report: Report) -> Loaded:
            report(0, 200)
            seen.append(names(residency))
            return super().load(handle, place, report)

    residency = Residency([Watched()], CPU, budget_bytes=250)
    use(residency, Handle("a", 200), Handle("b", 200))
    assert seen == [{"a"}, {"b"}]


def test_large_and_quickly_loaded_weights_go_before_small_and_slow_ones() -> None:
    slow = threading.Event()

    class Slow(Store):
        def load(self, handle: object, place: Place, report: Report) -> Loaded:
            assert isinstance(handle, Handle)
            if handle.name == "slow":
                slow.wait(0.2)
            return super().load(handle, place, report)

    residency = Residency([Slow()], CPU)
    use(residency, Handle("slow", 1000), Handle("quick", 1_000_000))
    assert [resident.identity for resident in residency.report()] == ["quick", "slow"]
    assert residency.free(10) == 1_000_000
    assert names(residency) == {"slow"}
    assert residency.free(1 << 40) == 1000


def test_weights_let_go_are_really_gone() -> None:
    residency = Residency([Store()], CPU)
    with residency.lease(Handle("a", 1 << 30), quiet) as module:
        assert isinstance(module, Network)
        gone = weakref.ref(module)
    del module
    gc.disable()
    try:
        residency.clear()
        assert gone() is None
    finally:
        gc.enable()


# --- failures -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [ResourceError("models/a.safetensors: not there"), Cancelled(), KeyboardInterrupt()])
def test_a_failed_load_leaves_nothing_behind(error: BaseException) -> None:
    store = Store(failing=[error])
    residency = Residency([store], CPU, budget_bytes=1000)
    with pytest.raises(type(error)), residency.lease(Handle("a"), quiet):
        pass
    assert residency.report() == []
    use(residency, Handle("a"))
    assert names(residency) == {"a"}


def test_a_full_device_is_emptied_of_idle_weights_and_tried_once_more() -> None:
    store = Store()
    residency = Residency([store], CPU)
    use(residency, Handle("idle"))
    store.failing = [MemoryError("out of memory")]
    use(residency, Handle("a"))
    assert names(residency) == {"a"}
    store.failing = [MemoryError("out of memory"), MemoryError("out of memory"), MemoryError("9 wanted, 7 free")]
    with pytest.raises(ResourceError, match=r"cpu: the weights b do not fit.*\(9 wanted, 7 free\).*lower precision"):
        use(residency, Handle("b"))
    assert names(residency) == set()


@dataclass
class StreamingStore(DerivingStore):
    """Takes at most the room it is given, but never less than ten bytes, and notes the rooms."""

    rooms: list[int | None] = field(default_factory=list)

    def load(self, handle: object, place: Place, report: Report) -> Loaded:
        self.rooms.append(place.room)
        loaded = super().load(handle, place, quiet)
        size = loaded.size if place.room is None else max(10, min(loaded.size, place.room))
        report(0, size)
        return Loaded(loaded.module, size)

    def derive(self, loaded: Loaded, handle: object, place: Place, report: Report) -> Loaded:
        self.rooms.append(place.room)
        return super().derive(loaded, handle, place, report)


def test_loaders_are_told_what_room_is_left() -> None:
    """Idle weights leave; what is lent counts, and so does what is made of it."""
    store = StreamingStore()
    residency = Residency([store], CPU, budget_bytes=150)
    use(residency, Handle("a"))
    with residency.lease(Handle("b", patches=("p",)), quiet), residency.lease(Handle("large", 1000), quiet):
        assert sum(resident.size for resident in residency.report()) == 150
    assert store.rooms == [150, 150, 50, 40]
    store.rooms.clear()
    use(Residency([store], CPU), Handle("a"))
    assert store.rooms == [None]


def test_what_does_not_fit_as_a_whole_is_loaded_with_no_room() -> None:
    store = StreamingStore(failing=[MemoryError("full"), MemoryError("full")])
    residency = Residency([store], CPU)
    with residency.lease(Handle("a"), quiet):
        assert [resident.size for resident in residency.report()] == [10]
    assert store.rooms == [None, None, 0]


def test_a_lease_may_ask_for_less_room() -> None:
    """Idle weights that take more are loaded anew, once; what is lent stays as it is."""
    store = StreamingStore()
    residency = Residency([store], CPU)
    handle = Handle("a", patches=("p",))
    use(residency, handle)
    with residency.lease(handle, quiet), residency.lease(handle, quiet, room=0):
        assert store.rooms == [None, None]
    for _ in range(2):
        with residency.lease(handle, quiet, room=0):
            pass
    use(residency, handle)
    assert store.rooms == [None, None, 0, 0]


def test_a_cancelled_load_stops_between_tensors() -> None:
    def cancel(done: int, total: int) -> None:
        if done == total:
            raise Cancelled

    residency = Residency([Store()], CPU)
    with pytest.raises(Cancelled), residency.lease(Handle("a"), cancel):
        pass
    assert residency.report() == []


# --- threads --------------------------------------------------------------------------------------------------------


def in_thread(residency: Residency, handle: Handle, report: Report, found: list[object]) -> threading.Thread:
    def work() -> None:
        try:
            with residency.lease(handle, report) as module:
                found.append(module)
        except Cancelled as error:
            found.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    return thread


def test_threads_that_ask_at_once_load_once() -> None:
    store = Store(waiting=threading.Event())
    residency = Residency([store], CPU)
    found: list[object] = []
    threads = [in_thread(residency, Handle("a"), quiet, found) for _ in range(4)]
    assert store.entered.wait(240)
    assert residency.report()[0].loading
    assert store.waiting is not None
    store.waiting.set()
    for thread in threads:
        thread.join()
    assert store.loads == ["a"]
    assert len(found) == 4
    assert len(set(map(id, found))) == 1
    assert residency.report()[0].leases == 0


def test_a_waiting_thread_can_be_cancelled_and_sees_progress() -> None:
    store = Store(waiting=threading.Event())
    residency = Residency([store], CPU)
    found: list[object] = []
    loading = in_thread(residency, Handle("a"), quiet, found)
    assert store.entered.wait(240)
    reports: list[tuple[int, int]] = []

    def cancel_later(done: int, total: int) -> None:
        reports.append((done, total))
        if len(reports) > 2:
            raise Cancelled

    with pytest.raises(Cancelled), residency.lease(Handle("a"), cancel_later):
        pass
    assert reports[-1] == (1, 100)
    assert store.waiting is not None
    store.waiting.set()
    loading.join()
    assert isinstance(found[0], Network)


def test_when_the_loading_thread_is_cancelled_a_waiting_one_loads() -> None:
    store = Store(waiting=threading.Event())
    residency = Residency([store], CPU)
    cancelled = threading.Event()

    def until_cancelled(done: int, total: int) -> None:
        if cancelled.is_set():
            raise Cancelled

    first: list[object] = []
    second: list[object] = []
    loading = in_thread(residency, Handle("a"), until_cancelled, first)
    assert store.entered.wait(240)
    waiting = in_thread(residency, Handle("a"), quiet, second)
    cancelled.set()
    loading.join()
    assert store.waiting is not None
    store.waiting.set()
    waiting.join()
    assert isinstance(first[0], Cancelled)
    assert isinstance(second[0], Network)
    assert store.loads == ["a", "a"]


def test_many_threads_leave_the_books_balanced() -> None:
    residency = Residency([Store()], CPU, budget_bytes=350)

    def work(seed: int) -> None:
        for step in range(60):
            with residency.lease(Handle(f"{(seed * 7 + step * 3) % 8}"), quiet) as module:
                assert isinstance(module, Network)
                assert module.name == f"{(seed * 7 + step * 3) % 8} on cpu"

    threads = [threading.Thread(target=work, args=[seed]) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    residents = residency.report()
    assert all(resident.leases == 0 for resident in residents)
    assert sum(resident.size for resident in residents) <= 350


# --- what is made of weights ------------------------------------------------------------------------------------------


def test_what_is_made_of_weights_is_kept_beside_them() -> None:
    store = DerivingStore()
    residency = Residency([store], CPU)
    with (
        residency.lease(Handle("a", patches=("p",)), quiet) as patched,
        residency.lease(Handle("a"), quiet) as bare,
        residency.lease(Handle("a", patches=("p",)), quiet) as again,
    ):
        assert patched is again
        assert patched is not bare
        assert {resident.identity: resident.leases for resident in residency.report()} == {"a": 3, "a, patched": 2}
    use(residency, Handle("a"), Handle("a", patches=("p",)))
    assert store.loads == ["a", "a p"]
    assert residency.warm().keys() == {"a"}
    assert residency.clear() == 110
    assert residency.report() == []


def test_what_is_made_of_weights_goes_with_them() -> None:
    residency = Residency([DerivingStore()], CPU, budget_bytes=130)
    use(residency, Handle("a", patches=("p",)))
    assert sum(resident.size for resident in residency.report()) == 110
    with residency.lease(Handle("b"), quiet):
        assert names(residency) == {"b"}
    with residency.lease(Handle("a", patches=("p",)), quiet), residency.lease(Handle("a", patches=("q",)), quiet):
        assert sum(resident.size for resident in residency.report()) == 120  # nothing that is leased goes
    assert residency.free(1000) == 120
    assert residency.report() == []


def test_few_idle_variants_are_kept() -> None:
    store = DerivingStore()
    residency = Residency([store], CPU)
    variants = [Handle("a", patches=(word,)) for word in "pqrst"]
    use(residency, *variants)
    assert len(residency.report()) == 3
    use(residency, variants[-1])
    assert store.loads == ["a", "a p", "a q", "a r", "a s", "a t"]
    with residency.lease(variants[0], quiet), residency.lease(variants[1], quiet), residency.lease(variants[2], quiet):
        assert len(residency.report()) > 3  # leased ones stay, however many
    assert len(residency.report()) == 3


def test_memory_that_runs_out_while_patching() -> None:
    store = DerivingStore()
    residency = Residency([store], CPU)
    use(residency, Handle("b"))
    store.failing.append(MemoryError("full"))
    # once for the weights, which then load, and a second time for what is made of them
    use(residency, Handle("a"))
    store.failing.append(MemoryError("full"))
    use(residency, Handle("a", patches=("p",)))
    assert names(residency) == {"a", "a, patched"}
    store.failing += [MemoryError("full")] * 3
    with pytest.raises(ResourceError, match="do not fit"), residency.lease(Handle("a", patches=("q",)), quiet):
        pass
    assert names(residency) == {"a"}
    assert residency.report()[0].leases == 0
