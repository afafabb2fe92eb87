"""The cache in one process: round trips, restarts, privacy of copies, budgets, and files that are not as written."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import make_dataclass
from pathlib import Path

import pytest
from cache_kit import (
    CODEC,
    SUMMARISING,
    Array,
    Picture,
    Plain,
    array,
    in_database,
    key,
    make_cache,
    small,
    start,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open

from graphgen.cache import Cache, CacheInfo, Result, StoredValue
from graphgen.cache.stored import MAPPED
from graphgen.codec import ValueCodec
from graphgen.errors import CacheError, DefinitionError
from graphgen.novalue import NoValue
from graphgen.types import build_table

BIG = MAPPED * 2


def keep(cache: Cache, name: object, value: object, seconds: float = 1.0, *, durable: bool = True) -> None:
    cache.keep([key(name)], {"out": cache.wrap(value)}, seconds, durable=durable)


def fetched(cache: Cache, name: object) -> object:
    result = cache.fetch(key(name))
    return None if result is None else result.values["out"].load()


def files(directory: Path, suffix: str) -> list[Path]:
    return sorted(directory.rglob(f"*{suffix}"))


def test_a_result_is_found_in_memory_and_after_a_restart(tmp_path: Path) -> None:
    cache = make_cache(tmp_path)
    value = Picture(array(100, 7), seed=3, title="한글 “quoted”")
    cache.keep([key("recipe"), key("value")], {"image": cache.wrap(value), "count": cache.wrap(2)}, 1.5, durable=True)
    here = cache.fetch(key("recipe"))
    assert here is not None
    assert (here.source, here.seconds) == ("memory", 1.5)
    cache.close()
    for name in ("recipe", "value"):
        again = make_cache(tmp_path)
        assert again.peek(key(name))
        result = again.fetch(key(name))
        assert result is not None
        assert (result.source, result.seconds) == ("disk", 1.5)
        assert {output: stored.load() for output, stored in result.values.items()} == {"image": value, "count": 2}
        second = again.fetch(key(name))
        assert second is not None
        assert second.source == "memory"


def test_nothing_is_found_that_was_not_kept(tmp_path: Path) -> None:
    cache = make_cache(tmp_path)
    assert cache.fetch(key("absent")) is None
    assert not cache.peek(key("absent"))
    assert not list(tmp_path.iterdir()), "looking makes no files"


def test_many_keys_are_looked_up_at_once(tmp_path: Path) -> None:
    cache = make_cache(tmp_path)
    assert cache.among([key("absent")]) == set()
    assert not list(tmp_path.iterdir()), "looking makes no files"
    for i in range(3000):
        keep(cache, i, i)
    cache.close()
    again = make_cache(tmp_path)
    keep(again, "here", 1, durable=False)
    names = [*range(0, 3000, 2), "absent", "here"]
    assert again.among([key(name) for name in names]) == {key(name) for name in names if name != "absent"}
    again.close()


def test_what_is_not_durable_stays_in_memory(tmp_path: Path) -> None:
    cache = make_cache(tmp_path)
    keep(cache, "here", 1, durable=False)
    cache.close()
    assert fetched(cache, "here") == 1
    assert fetched(make_cache(tmp_path), "here") is None


def test_a_result_can_be_kept_again_under_another_key(tmp_path: Path) -> None:
    first = make_cache(tmp_path)
    keep(first, "value", array(BIG))
    first.close()
    second = make_cache(tmp_path)
    found = second.fetch(key("value"))
    assert found is not None
    second.keep([key("recipe"), key("recipe")], found.values, found.seconds, durable=True)
    second.close()
    assert fetched(make_cache(tmp_path), "recipe") == array(BIG)
    assert len(files(tmp_path, ".safetensors")) == 1, "equal values are stored once"
    assert not any((tmp_path / "v2" / "tmp").iterdir())


def test_a_hit_that_is_kept_under_one_more_key_is_not_written_again(tmp_path: Path) -> None:
    first = make_cache(tmp_path)
    keep(first, "value", 5)
    first.close()
    before = in_database(tmp_path, "SELECT rowid, * FROM results")
    cache = make_cache(tmp_path)
    for _ in range(2):
        found = cache.fetch(key("value"))
        assert found is not None
        cache.keep([key("value"), key("recipe")], found.values, found.seconds, durable=True)
        cache.flush()
        assert len(in_database(tmp_path, "SELECT * FROM results")) == 2
        assert in_database(tmp_path, "SELECT rowid, * FROM results WHERE key = ?", key("value")) == before
    keep(cache, "value", 6)
    cache.close()
    assert fetched(make_cache(tmp_path), "value") == 6
    assert fetched(make_cache(tmp_path), "recipe") == 5


def test_what_was_kept_in_memory_can_be_made_durable(tmp_path: Path) -> None:
    cache = make_cache(tmp_path)
    keep(cache, "a", 5, durable=False)
    keep(cache, "a", 5)
    cache.close()
    assert fetched(make_cache(tmp_path), "a") == 5


@pytest.mark.parametrize("size", [0, 1, 100, MAPPED - 1, BIG])
@pytest.mark.parametrize("on_disk", [False, True])
def test_a_node_that_changes_its_input_spoils_nobodys(tmp_path: Path, size: int, on_disk: bool) -> None:
    original = array(size)
    cache = make_cache(tmp_path if on_disk else None)
    cache.keep([key("a")], {"out": cache.wrap(original), "list": cache.wrap([1, [2]])}, 1.0, durable=True)
    original.data[:] = bytes(size)
    result = cache.fetch(key("a"))
    for _ in range(2):
        assert result is not None
        loaded, items = result.values["out"].load(), result.values["list"].load()
        assert loaded == array(size)
        assert items == [1, [2]]
        assert isinstance(loaded, Array)
        assert isinstance(items, list)
        loaded.data[:] = b"\xff" * size
        items[1].append(3)
        cache.flush()
        result = make_cache(tmp_path).fetch(key("a")) if on_disk else cache.fetch(key("a"))


def test_what_cannot_change_is_handed_out_by_reference(tmp_path: Path) -> None:
    cache = make_cache(tmp_path)
    value = Plain(3, ("a", "b"))
    stored = cache.wrap(value)
    assert stored.load() is value
    cache.keep([key("a")], {"out": stored}, 1.0, durable=True)
    cache.close()
    again = make_cache(tmp_path).fetch(key("a"))
    assert again is not None
    assert again.values["out"].load() == value
    assert again.values["out"].load() is again.values["out"].load()


def test_a_value_that_cannot_travel_is_refused() -> None:
    with pytest.raises(DefinitionError, match="cannot travel"):
        make_cache(None).wrap(object())


def test_big_values_lie_in_one_file_that_two_results_share(tmp_path: Path) -> None:
    cache = make_cache(tmp_path)
    keep(cache, "a", array(BIG))
    keep(cache, "b", array(BIG))
    cache.close()
    assert len(files(tmp_path, ".safetensors")) == 1
    again = make_cache(tmp_path)
    first, second = again.fetch(key("a")), again.fetch(key("b"))
    assert first is not None
    assert second is not None
    assert first.values["out"] is second.values["out"]


def test_more_big_values_can_be_held_than_files_can_be_open(tmp_path: Path) -> None:
    cache = make_cache(tmp_path)
    kept = [cache.wrap(array(MAPPED, i % 256)) for i in range(400)]
    assert all(stored.load() == array(MAPPED, i % 256) for i, stored in enumerate(kept))


numbers = st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | st.booleans() | st.none() | st.text()
arrays = st.builds(
    lambda dtype, width, data: Array(data[: len(data) // width * width], (len(data) // width,), dtype),
    *(st.sampled_from(["U8"]), st.just(1)),
    st.binary(max_size=50),
) | st.builds(
    lambda n, wide: Array(bytes(n * 4) if wide else bytes(n * 2), (n,), "F32" if wide else "BF16"),
    *(st.integers(0, 9), st.booleans()),
)
leaves = numbers | arrays | st.binary(max_size=20)
values = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(st.text(max_size=5), inner, max_size=4).map(lambda made: dict(sorted(made.items())))
        | st.builds(Picture, arrays, st.integers(0, 9), st.text(max_size=5))
    ),
    max_leaves=12,
)


@settings(max_examples=60)
@given(values)
def test_any_value_survives_the_disk_with_its_identity(tmp_path_factory: pytest.TempPathFactory, value: object) -> None:
    directory = tmp_path_factory.mktemp("cache")
    cache = make_cache(directory)
    stored = cache.wrap(value)
    assert stored.digest == CODEC.encode(value).digest
    cache.keep([key("a")], {"out": stored}, 1.0, durable=True)
    cache.close()
    result = make_cache(directory).fetch(key("a"))
    assert result is not None
    again = result.values["out"]
    assert again.digest == stored.digest
    assert again.size == stored.size
    assert again.load() == value
    assert cache.wrap(again.load()).digest == stored.digest
    for path in files(directory, ".safetensors"):
        with safe_open(path, "numpy") as opened:
            assert opened.metadata()["document"] == stored.document


def test_the_safetensors_library_reads_what_is_stored(tmp_path: Path) -> None:
    cache = make_cache(tmp_path)
    floats = Array(bytes.fromhex("0000803f00000040"), (2, 1), "F32")
    keep(cache, "a", (array(BIG, 3), floats, Array(b"", (0, 4), "F32")))
    cache.close()
    (path,) = files(tmp_path, ".safetensors")
    with safe_open(path, "numpy") as opened:
        assert opened.get_tensor("0").tobytes() == bytes([3]) * BIG
        assert opened.get_tensor("1").tolist() == [[1.0], [2.0]]
        assert opened.get_tensor("2").shape == (0, 4)
        assert opened.metadata()["digest"] == path.stem


# --- damage ---------------------------------------------------------------------------------------------------------


def damage_flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0x10
    path.write_bytes(data)


def damage_last(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-2] ^= 0x01
    path.write_bytes(data)


def damage_cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def damage_empty(path: Path) -> None:
    os.truncate(path, 0)


def damage_longer(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\0" * 8)


def damage_huge_header(path: Path) -> None:
    path.write_bytes((2**63).to_bytes(8, "little") + path.read_bytes()[8:])


DAMAGES = [damage_flip, damage_last, damage_cut, damage_empty, damage_longer, damage_huge_header]


@pytest.mark.parametrize("harm", DAMAGES)
def test_a_damaged_file_is_dropped_with_a_word_and_can_be_kept_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, harm: Callable[[Path], None]
) -> None:
    cache = make_cache(tmp_path)
    keep(cache, "a", array(BIG))
    cache.close()
    (path,) = files(tmp_path, ".safetensors")
    harm(path)
    again = make_cache(tmp_path)
    with caplog.at_level(logging.WARNING):
        assert fetched(again, "a") is None
    assert "will be computed again" in caplog.text
    assert not again.peek(key("a"))
    assert not path.exists()
    keep(again, "a", array(BIG))
    again.close()
    assert fetched(make_cache(tmp_path), "a") == array(BIG)


@pytest.mark.parametrize("column", ["record FROM results", "image FROM images"])
@pytest.mark.parametrize("harm", DAMAGES)
def test_a_damaged_row_is_dropped_alone_with_a_word_and_can_be_kept_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, harm: Callable[[Path], None], column: str
) -> None:
    cache = make_cache(tmp_path)
    keep(cache, "a", array(1000))
    keep(cache, "b", array(2000))
    cache.close()
    name, _, table = column.split()
    ((row, content),) = in_database(tmp_path, f"SELECT max(rowid), {column} WHERE rowid = 1")
    assert isinstance(content, bytes)
    spare = tmp_path / "row"
    spare.write_bytes(content)
    harm(spare)
    in_database(tmp_path, f"UPDATE {table} SET {name} = ? WHERE rowid = ?", spare.read_bytes(), row)  # noqa: S608
    again = make_cache(tmp_path)
    with caplog.at_level(logging.WARNING):
        assert fetched(again, "a") is None
    assert "will be computed again" in caplog.text
    assert not again.peek(key("a"))
    assert fetched(again, "b") == array(2000)
    keep(again, "a", array(1000))
    again.close()
    assert fetched(make_cache(tmp_path), "a") == array(1000)


@pytest.mark.parametrize("harm", DAMAGES)
def test_a_damaged_database_costs_time_and_never_a_wrong_result(tmp_path: Path, harm: Callable[[Path], None]) -> None:
    cache = make_cache(tmp_path)
    for i in range(200):
        keep(cache, i, array(1000, i))
    keep(cache, "big", array(BIG))
    cache.close()
    harm(small(tmp_path))
    again = make_cache(tmp_path)
    for i in range(200):
        assert fetched(again, i) in (None, array(1000, i))
        keep(again, i, array(1000, i))
    again.trim()
    again.close()
    last = make_cache(tmp_path)
    assert last.info().problem is None
    assert all(fetched(last, i) == array(1000, i) for i in range(200))
    last.clear()
    assert last.info().disk_bytes == 0


def test_a_deleted_value_is_a_miss(tmp_path: Path) -> None:
    cache = make_cache(tmp_path)
    keep(cache, "a", array(BIG))
    cache.close()
    files(tmp_path, ".safetensors")[0].unlink()
    again = make_cache(tmp_path)
    assert again.peek(key("a"))
    assert fetched(again, "a") is None
    assert not again.peek(key("a"))


def test_another_versions_entry_is_never_served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = make_cache(tmp_path)
    keep(cache, "result", 7)
    cache.close()
    keep(other := make_cache(tmp_path), "value", array(10))
    other.flush()
    monkeypatch.setattr("graphgen.cache.disk.VERSION", "2")
    assert fetched(make_cache(tmp_path), "result") is None
    monkeypatch.undo()
    monkeypatch.setattr("graphgen.cache.image.VERSION", "2")
    assert fetched(make_cache(tmp_path), "value") is None


def test_a_type_that_has_changed_since_is_never_served(tmp_path: Path) -> None:
    cache = make_cache(tmp_path)
    keep(cache, "plain", Plain(1))
    keep(cache, "picture", Picture(array(10), 1))
    cache.close()
    changed = make_dataclass("Plain", [("steps", int)], frozen=True)
    codec = ValueCodec(build_table([changed]), CODEC.buffers)
    other = Cache(codec, tmp_path, 1 << 20, 1 << 20)
    assert other.fetch(key("plain")) is None
    assert other.fetch(key("picture")) is None


def test_a_row_moved_to_another_key_is_not_served(tmp_path: Path) -> None:
    cache = make_cache(tmp_path)
    keep(cache, "a", 1)
    cache.close()
    in_database(tmp_path, "UPDATE results SET key = ?", key("b"))
    assert fetched(make_cache(tmp_path), "b") is None


@pytest.mark.parametrize("bad", ["", "abc", "../" * 14, key("x").upper(), key("x") + "\n", key("x")[:-1] + "/"])
def test_keys_that_are_no_digests_never_become_file_names(tmp_path: Path, bad: str) -> None:
    cache = make_cache(tmp_path)
    for use in (cache.fetch, cache.peek, cache.claim):
        with pytest.raises(CacheError, match="40 hexadecimal digits"):
            use(bad)
    with pytest.raises(CacheError, match="40 hexadecimal digits"):
        cache.keep([key("a"), bad], {}, 1.0, durable=True)


# --- a directory that cannot be written -----------------------------------------------------------------------------


def test_a_directory_that_is_a_file_costs_one_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    place = tmp_path / "cache"
    place.write_text("I was here first")
    cache = make_cache(place)
    with caplog.at_level(logging.WARNING):
        for i in range(3):
            keep(cache, i, i)
        with cache.claim(key("claimed")) or pytest.fail("a claim needs no disk"):
            assert cache.claim(key("claimed")) is None
        cache.flush()
    assert len(caplog.records) == 1
    assert "GRAPHGEN_CACHE_DIR" in caplog.text
    assert fetched(cache, 2) == 2
    assert fetched(make_cache(place), 2) is None
    assert cache.info().problem
    with pytest.raises(CacheError, match="cannot be used as cache"):
        cache.require()
    assert cache.trim() == 0
    cache.close()


def test_a_usable_directory_is_said_to_be(tmp_path: Path) -> None:
    make_cache(tmp_path / "new").require()
    make_cache(None).require()


FULL = """
import logging, resource, sys
from pathlib import Path
from cache_kit import array, key, make_cache
logging.basicConfig(level=logging.WARNING)
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))  # like a disk that is full, for root as well
cache = make_cache(Path(sys.argv[1]))
for i, size in enumerate([1000, 2000, 250_000, 900_000, 1000]):
    cache.keep([key(i)], {"out": cache.wrap(array(size) if size < 300_000 else "x" * size)}, 1.0, durable=True)
cache.close()
assert all(cache.fetch(key(i)) for i in range(5))
print(cache.info().problem)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX limits")
def test_a_full_disk_costs_one_warning(tmp_path: Path) -> None:
    process = start(FULL, tmp_path)
    output = process.communicate(timeout=240)[0]
    assert process.returncode == 0, output
    assert output.count("cannot be written") == 1
    again = make_cache(tmp_path)
    assert [fetched(again, i) is not None for i in range(5)] == [True, True, True, False, False]
    assert not any((tmp_path / "v2" / "tmp").iterdir())


def test_an_entry_that_cannot_be_deleted_is_only_a_miss(tmp_path: Path) -> None:
    """As on a read-only disk: SQLite refuses to change the row, not for root either."""
    cache = make_cache(tmp_path)
    keep(cache, "a", 5)
    cache.close()
    in_database(tmp_path, "UPDATE results SET record = X'00'")
    in_database(tmp_path, "CREATE TRIGGER stays BEFORE DELETE ON results BEGIN SELECT raise(ABORT, 'read-only'); END")
    assert cache.fetch(key("a")) is not None, "it is in memory"
    cache = make_cache(tmp_path)
    assert fetched(cache, "a") is None
    assert not cache.peek(key("a"))
    assert cache.claim(key("a")) is not None


def test_a_folder_in_the_databases_place_is_no_database(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    small(tmp_path).mkdir(parents=True)
    cache = make_cache(tmp_path)
    assert fetched(cache, "a") is None
    assert cache.claim(key("a")) is not None
    with caplog.at_level(logging.WARNING):
        for i in range(3):
            keep(cache, i, i)
            cache.flush()
    assert caplog.text.count("cannot be written") == 1
    assert fetched(cache, 2) == 2
    cache.close()


def test_a_cache_that_is_deleted_by_hand_begins_anew(tmp_path: Path) -> None:
    cache = make_cache(tmp_path, memory_bytes=0)
    keep(cache, "a", 1)
    cache.flush()
    shutil.rmtree(tmp_path / "v2")
    assert fetched(cache, "a") is None
    keep(cache, "b", 2)
    cache.close()
    assert fetched(make_cache(tmp_path), "b") == 2


# --- budgets --------------------------------------------------------------------------------------------------------


def test_memory_lets_go_of_what_is_least_worth_keeping() -> None:
    cache = make_cache(None, memory_bytes=5 * 60_000)
    keep(cache, "cheap", array(60_000, 1), seconds=0.1)
    keep(cache, "dear", array(60_000, 2), seconds=100.0)
    keep(cache, "cheap and small", array(600, 3), seconds=0.1)
    for i in range(3):
        keep(cache, i, array(60_000, 10 + i), seconds=10.0)
    assert fetched(cache, "cheap") is None
    assert fetched(cache, "dear") is not None
    assert fetched(cache, "cheap and small") is not None
    assert cache.info().memory_bytes <= 5 * 60_000


def test_memory_keeps_nothing_that_is_larger_than_its_budget(tmp_path: Path) -> None:
    cache = make_cache(tmp_path, memory_bytes=0)
    keep(cache, "a", array(1000))
    assert fetched(cache, "a") == array(1000), "found while it is being written, and after"
    cache.flush()
    assert cache.info().memory_bytes == 0
    assert fetched(cache, "a") == array(1000)


def test_values_that_results_share_are_counted_once() -> None:
    cache = make_cache(None)
    stored = cache.wrap(array(100_000))
    for name in range(5):
        cache.keep([key(name)], {"out": stored}, 1.0, durable=False)
    assert 100_000 < cache.info().memory_bytes < 120_000
    assert cache.info().memory_results == 5
    cache.clear()
    assert cache.info().memory_bytes == 0


def age(directory: Path, seconds: float) -> None:
    """Let all results and files look as if they had last been used so much longer ago."""
    for path in directory.rglob("*.*"):
        if path.is_file():
            status = path.stat()
            os.utime(path, (status.st_atime - seconds, status.st_mtime - seconds))
    if small(directory).exists():
        in_database(directory, "UPDATE results SET used = used - ?", seconds)


@pytest.mark.parametrize("size", [50_000, 100_000])
def test_the_disk_lets_go_of_what_is_least_worth_keeping(tmp_path: Path, size: int) -> None:
    """In the database as among files."""
    cache = make_cache(tmp_path, memory_bytes=0, disk_bytes=int(size * 4.55))
    names = ["old and dear", "old", "cheap", "new"]
    for i, (name, seconds) in enumerate(zip(names, [1000.0, 1.0, 0.01, 1.0], strict=True)):
        age(tmp_path, 1000)
        keep(cache, name, array(size, i), seconds)
        cache.flush()
    assert all(cache.peek(key(name)) for name in names)
    age(tmp_path, 1000)
    assert cache.fetch(key("old")) is not None, "used again, so it is not old any more"
    keep(cache, "newest", array(size, 100), 1.0)
    cache.flush()
    assert [name for name in [*names, "newest"] if cache.peek(key(name))] == ["old and dear", "old", "new", "newest"]
    assert cache.info().disk_bytes <= size * 4.55
    assert len(in_database(tmp_path, "SELECT * FROM images") or files(tmp_path, ".safetensors")) == 4


def test_a_trim_deletes_values_without_results_and_abandoned_files(tmp_path: Path) -> None:
    cache = make_cache(tmp_path)
    for size in (100, BIG):
        keep(cache, f"a{size}", array(size, 1))
        keep(cache, f"b{size}", array(size, 2))
    cache.flush()
    in_database(tmp_path, "DELETE FROM results WHERE key IN (?, ?)", key("a100"), key(f"a{BIG}"))
    leftover = tmp_path / "v2" / "tmp" / "1234.part"
    leftover.write_bytes(b"half a file")
    cache.trim()
    assert len(in_database(tmp_path, "SELECT * FROM images")) == 1
    assert len(files(tmp_path, ".safetensors")) == 2, "it may be about to be wanted"
    assert leftover.exists()
    age(tmp_path, 7200)
    assert cache.trim() > 0
    assert len(files(tmp_path, ".safetensors")) == 1
    assert not leftover.exists()


def test_many_short_processes_share_one_budget(tmp_path: Path) -> None:
    for i in range(12):
        cache = make_cache(tmp_path, disk_bytes=300_000)
        keep(cache, i, array(50_000, i), seconds=1.0 + i)  # ages under a second count the same: the cost decides
        cache.close()
    assert make_cache(tmp_path, disk_bytes=300_000).info().disk_bytes <= 300_000
    assert fetched(make_cache(tmp_path), 11) is not None


def test_a_result_larger_than_the_disks_budget_is_not_written(tmp_path: Path) -> None:
    cache = make_cache(tmp_path, disk_bytes=1000)
    keep(cache, "a", array(5000))
    cache.close()
    assert not files(tmp_path, ".safetensors")


def test_what_was_fetched_outlives_eviction_and_clearing(tmp_path: Path) -> None:
    first = make_cache(tmp_path)
    for size in (100, BIG):
        keep(first, size, array(size))
    first.close()
    cache = make_cache(tmp_path)
    held = [cache.fetch(key(size)) for size in (100, BIG)]
    make_cache(tmp_path).clear()
    assert not files(tmp_path, ".safetensors")
    for size, result in zip((100, BIG), held, strict=True):
        assert result is not None
        assert result.values["out"].load() == array(size)


def test_clearing_deletes_the_caches_own_files_only(tmp_path: Path) -> None:
    (tmp_path / "v0" / "results").mkdir(parents=True)
    (tmp_path / "videos").mkdir()
    (tmp_path / "mine.txt").write_text("precious")
    cache = make_cache(tmp_path)
    keep(cache, "a", array(BIG))
    cache.clear()
    assert fetched(cache, "a") is None
    assert cache.info() == CacheInfo(tmp_path, 0, 0, 1 << 28, 0, 0, 1 << 30, None)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine.txt", "v2", "videos"]
    for i in range(2000):
        keep(cache, i, i)
    cache.clear()
    assert small(tmp_path).stat().st_size < 100_000, "the disk has its room back"
    keep(cache, "a", 5)
    cache.close()
    assert fetched(make_cache(tmp_path), "a") == 5


# --- values for people ----------------------------------------------------------------------------------------------


def test_a_summary_says_it_in_a_few_words() -> None:
    def summary(value: object) -> str:
        return StoredValue.wrap(value, CODEC).summary()

    assert summary(None) == "none"
    assert summary(True) == "true"
    assert summary(7) == "7"
    assert summary(float("inf")) == "inf"
    assert summary("a red apple") == "'a red apple'"
    assert summary("x" * 100) == repr("x" * 39 + "…")
    assert summary([1, 2, 3]) == "list of 3"
    assert summary((1, 2)) == "tuple of 2"
    assert summary({"a": 1}) == "mapping of 1"
    assert summary(b"12345") == "5 bytes"
    assert summary(Array(b"123456", (2, 3))) == "2x3"
    assert summary(Picture(Array(b"123456", (2, 3)), 1)) == "picture 2x3"
    assert summary(Plain(1)) == "plain"
    assert summary("x" * 1_000_000) == "1,000,002 characters"
    blocked = StoredValue.wrap(NoValue("the gate is shut"), ValueCodec(build_table([NoValue]), {}))
    assert blocked.summary() == "no value: the gate is shut"
    assert StoredValue.wrap(array(BIG, 9), SUMMARISING).summary() == f"{BIG} from 9"


def test_a_cached_run_imports_no_numerics(tmp_path: Path) -> None:
    code = "import sys, graphgen.cache, graphgen.residency, graphgen.config; print([*sys.modules])"
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert not {"'torch'", "'numpy'", "'PIL'", "'aiohttp'", "'safetensors'"} & set(output.strip("[]\n").split(", "))


def test_results_are_plain_data() -> None:
    result = Result({}, 1.0, "memory")
    assert result == Result({}, 1.0, "memory")
