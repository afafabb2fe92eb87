"""The heap while it grows: the search for cycles stops and goes on, whatever happens inside."""

from __future__ import annotations

import gc
from threading import Thread

import pytest

from graphgen.heap import growing


def test_the_search_goes_on_after_the_last_of_overlapping_blocks() -> None:
    assert gc.isenabled()
    with growing():
        with growing():
            assert not gc.isenabled()
        assert not gc.isenabled()
    assert gc.isenabled()


def test_the_search_goes_on_after_an_error() -> None:
    with pytest.raises(ValueError, match="inside"), growing():
        raise ValueError("inside")
    assert gc.isenabled()


def test_who_had_turned_the_search_off_finds_it_off() -> None:
    gc.disable()
    try:
        with growing():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_threads_may_be_inside_at_once() -> None:
    def work() -> None:
        for _ in range(200):
            with growing():
                assert not gc.isenabled()

    threads = [Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert gc.isenabled()
