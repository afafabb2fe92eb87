"""Placement: warm devices first, bounded waiting, nothing left waiting for ever; in whole numbers of seconds."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from graphgen.placement import UNKNOWN, Candidate, patience, place

names = st.sampled_from("abc")
needs = st.frozensets(names, max_size=3)
SECONDS = {"a": 10.0, "b": 20.0, "c": 30.0}
"""What loading takes, on every device."""


def _candidate(free: bool, held: frozenset[str]) -> Candidate:
    return Candidate(free, {name: SECONDS[name] for name in held})


candidates = st.lists(st.builds(_candidate, st.booleans(), needs), min_size=1, max_size=4)


def at(*held: str, free: bool = True, seconds: float = 10) -> Candidate:
    return Candidate(free, dict.fromkeys(held, seconds))


def test_a_task_goes_where_its_weights_are_warm() -> None:
    assert place({"m"}, 0, [at(), at("m")]) == 1
    assert place({"m", "n"}, 0, [at("m"), at("m", "n"), at("n")]) == 1


def test_a_task_without_weights_goes_to_the_emptiest_device() -> None:
    assert place((), 0, [at("m", "n"), at("m"), at(free=False)]) == 1


def test_new_weights_go_where_fewest_are() -> None:
    assert place({"new"}, 0, [at("m"), at(), at()]) == 1


def test_it_waits_for_a_busy_warm_device_as_long_as_loading_takes_and_no_longer() -> None:
    two = [at("m", free=False, seconds=7), at()]
    assert place({"m"}, 0, two) is None
    assert place({"m"}, 6.9, two) is None
    assert patience({"m"}, two) == 7
    assert place({"m"}, 7, two) == 1


def test_it_does_not_wait_for_what_nobody_has() -> None:
    assert place({"m"}, 0, [at(free=False), at()]) == 1


def test_what_is_being_loaded_is_waited_for_a_while() -> None:
    assert place({"m"}, 0, [at("m", free=False, seconds=UNKNOWN), at()]) is None
    assert place({"m"}, UNKNOWN, [at("m", free=False, seconds=UNKNOWN), at()]) == 1


@given(needs, st.floats(0, 100), candidates)
def test_only_free_devices_are_chosen(needs: frozenset[str], waited: float, found: list[Candidate]) -> None:
    index = place(needs, waited, found)
    assert index is None or found[index].free


@given(needs, candidates)
def test_whoever_has_been_patient_runs_if_anything_is_free(needs: frozenset[str], found: list[Candidate]) -> None:
    index = place(needs, patience(needs, found), found)
    assert (index is not None) == any(one.free for one in found)


@given(needs, candidates)
def test_nobody_waits_when_the_best_device_is_free(needs: frozenset[str], found: list[Candidate]) -> None:
    all_free = [Candidate(True, one.warm) for one in found]
    index = place(needs, 0, all_free)
    assert index is not None
    assert patience(needs, all_free) == 0
    if any(needs <= one.warm.keys() for one in found):
        assert needs <= all_free[index].warm.keys(), "nothing is loaded twice while a free device has it"


@given(needs, st.floats(0, 100), st.floats(0, 100), candidates)
def test_waiting_longer_never_makes_it_wait(
    needs: frozenset[str], waited: float, more: float, found: list[Candidate]
) -> None:
    index = place(needs, waited, found)
    if index is not None:
        assert place(needs, waited + more, found) == index


@given(needs, candidates)
def test_waiting_is_never_longer_than_loading(needs: frozenset[str], found: list[Candidate]) -> None:
    assert 0 <= patience(needs, found) <= sum(SECONDS[name] for name in needs)
