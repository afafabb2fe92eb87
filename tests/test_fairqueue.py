"""The fair queue: the highest priority first, callers in turn, each caller's items in order."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphgen.fairqueue import FairQueue

PUTS = st.lists(st.tuples(st.integers(0, 4), st.integers(-1, 1)), max_size=60)
"""Who puts an item in, and with which priority."""


def filled(puts: list[tuple[int, int]]) -> FairQueue[int]:
    queue: FairQueue[int] = FairQueue()
    for item, (caller, priority) in enumerate(puts):
        queue.put(item, caller, priority)
    return queue


def emptied(queue: FairQueue[int]) -> Iterator[int]:
    while queue:
        yield queue.take()


@given(PUTS)
def test_everything_comes_out_once_and_the_highest_priority_first(puts: list[tuple[int, int]]) -> None:
    taken = list(emptied(filled(puts)))
    assert sorted(taken) == list(range(len(puts)))
    priorities = [puts[item][1] for item in taken]
    assert priorities == sorted(priorities, reverse=True)


@given(PUTS)
def test_a_callers_own_items_keep_their_order(puts: list[tuple[int, int]]) -> None:
    taken = list(emptied(filled(puts)))
    for put in set(puts):
        own = [item for item in taken if puts[item] == put]
        assert own == sorted(own)


@given(PUTS)
def test_iterating_tells_the_order_of_taking(puts: list[tuple[int, int]]) -> None:
    queue = filled(puts)
    assert list(queue) == list(emptied(queue))


@given(PUTS, st.data())
def test_what_is_removed_does_not_come_out(puts: list[tuple[int, int]], data: st.DataObject) -> None:
    queue = filled(puts)
    gone = data.draw(st.sets(st.sampled_from(range(len(puts))))) if puts else set()
    assert all(queue.remove(item) for item in gone)
    assert not any(queue.remove(item) or item in queue for item in gone)
    assert sorted(emptied(queue)) == sorted(set(range(len(puts))) - gone)
    assert len(queue) == 0


@given(st.lists(st.one_of(st.none(), st.integers(0, 4)), max_size=80))
def test_nobody_waits_longer_than_a_turn_of_each_other_caller(steps: list[int | None]) -> None:
    """A caller that has something waiting is passed over at most once by each of the others, whatever they put in."""
    queue: FairQueue[tuple[int, int]] = FairQueue()
    passed: dict[int, list[int]] = {}
    waiting: dict[int, int] = {}
    for number, caller in enumerate([*steps, *[None] * len(steps)]):
        if caller is not None:
            queue.put((caller, number), caller)
            waiting[caller] = waiting.get(caller, 0) + 1
            passed.setdefault(caller, [])
        elif queue:
            served = queue.take()[0]
            waiting[served] -= 1
            passed[served] = []
            for other, count in waiting.items():
                if count and other != served:
                    passed[other].append(served)
                    assert len(set(passed[other])) == len(passed[other])


def test_an_empty_queue_gives_nothing() -> None:
    with pytest.raises(IndexError):
        FairQueue[int]().take()
