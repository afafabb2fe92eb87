"""The cache between processes: claims, dead owners, killed writers, and everything at once."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
from pathlib import Path
from time import sleep, time

import pytest
from cache_kit import Array, array, key, make_cache, start

from graphgen.cache import Cache, Claim, Result
from graphgen.cache.stored import MAPPED
from graphgen.errors import Cancelled

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="kills processes")


class Clock:
    """A clock that can be moved."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time() + self.ahead


def never() -> bool:
    return False


def finish(process: subprocess.Popen[str]) -> str:
    output = process.communicate(timeout=240)[0]
    assert process.returncode == 0, output
    return output


def claimed(cache: Cache, name: object) -> Claim:
    claim = cache.claim(key(name))
    assert claim is not None
    return claim


# --- claims ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("on_disk", [False, True])
def test_a_key_is_claimed_once_until_it_is_released(tmp_path: Path, on_disk: bool) -> None:
    cache = make_cache(tmp_path if on_disk else None)
    claim = claimed(cache, "a")
    assert cache.claim(key("a")) is None
    assert cache.claim(key("b")) is not None
    claim.release()
    claim.release()
    cache.flush()
    with claimed(cache, "a"):
        assert cache.claim(key("a")) is None
    cache.flush()
    assert cache.claim(key("a")) is not None
    cache.close()


def test_what_was_kept_meanwhile_needs_no_claim(tmp_path: Path) -> None:
    first, second = make_cache(tmp_path), make_cache(tmp_path)
    claim = claimed(first, "a")
    assert second.claim(key("a")) is None
    first.keep([key("a")], {"out": first.wrap(1)}, 1.0, durable=True)
    claim.release()
    first.flush()
    assert second.claim(key("a")) is None
    found = second.wait_for(key("a"), never)
    assert isinstance(found, Result)
    assert found.values["out"].load() == 1


def test_a_claim_passes_on_when_its_owner_fails(tmp_path: Path) -> None:
    first, second = make_cache(tmp_path), make_cache(tmp_path)
    claim = claimed(first, "a")
    threading.Timer(0.1, claim.release).start()
    assert isinstance(second.wait_for(key("a"), never), Claim)
    first.close()


def test_waiting_ends_when_the_run_is_cancelled(tmp_path: Path) -> None:
    cache = make_cache(tmp_path)
    claimed(cache, "a")
    answers = iter([False, False, True])
    with pytest.raises(Cancelled):
        cache.wait_for(key("a"), lambda: next(answers))


def test_a_claim_without_heartbeat_expires(tmp_path: Path) -> None:
    clock = Clock()
    first = make_cache(tmp_path, lease=1000.0)
    late = make_cache(tmp_path, lease=1000.0, clock=clock)
    claim = claimed(first, "a")
    clock.ahead = 900
    assert late.claim(key("a")) is None
    clock.ahead = 1100
    taken = claimed(late, "a")
    claim.release()
    first.flush()
    assert make_cache(tmp_path, lease=1000.0, clock=clock).claim(key("a")) is None, "it is the other's now"
    taken.release()
    late.flush()
    assert make_cache(tmp_path).claim(key("a")) is not None


def test_a_heartbeat_keeps_claims_alive(tmp_path: Path) -> None:
    first, second = make_cache(tmp_path, lease=0.4), make_cache(tmp_path, lease=60.0)
    claimed(first, "a")
    (owner,) = (tmp_path / "v2" / "claims").glob("*.owner")
    before = owner.stat().st_mtime_ns
    for _ in range(4800):
        if owner.stat().st_mtime_ns != before:
            break
        sleep(0.05)
    else:
        pytest.fail("there was no heartbeat in four minutes")
    assert second.claim(key("a")) is None
    first.close()
    assert second.claim(key("a")) is not None, "closing gives up what is still held"


def test_a_claim_from_the_future_expires(tmp_path: Path) -> None:
    """As after a clock was set back: a claim must not hold for as long as the clock was ahead."""
    clock = Clock()
    clock.ahead = 10_000
    claimed(make_cache(tmp_path, clock=clock), "a")
    assert make_cache(tmp_path).claim(key("a")) is not None


OWNER = """
import sys
from pathlib import Path
from cache_kit import key, make_cache
cache = make_cache(Path(sys.argv[1]), lease=1e6)
assert cache.claim(key("a"))
print("claimed", flush=True)
sys.stdin.read()
"""


def test_a_dead_owners_claim_is_anybodys_at_once(tmp_path: Path) -> None:
    process = start(OWNER, tmp_path)
    assert process.stdout is not None
    assert process.stdout.readline() == "claimed\n"
    cache = make_cache(tmp_path, lease=1e6)
    assert cache.claim(key("a")) is None
    process.kill()
    process.communicate()
    claim = cache.wait_for(key("a"), never)
    assert isinstance(claim, Claim)
    claim.release()
    cache.trim()
    claims = tmp_path / "v2" / "claims"
    assert not list(claims.glob("*/*"))
    assert len(list(claims.glob("*.owner"))) == 1, "this process's own"


def take(cache: Cache, name: int, barrier: threading.Barrier, won: list[Claim]) -> None:
    barrier.wait()
    if claim := cache.claim(key(name)):
        won.append(claim)


def test_only_one_of_many_takes_over_a_dead_claim(tmp_path: Path) -> None:
    clock = Clock()
    caches = [make_cache(tmp_path, lease=1e6, clock=clock) for _ in range(8)]
    for round_number in range(5):
        claimed(make_cache(tmp_path, lease=1e6, clock=clock), round_number)
        clock.ahead += 2e6  # by the clock too long ago, long before the next heartbeat
        barrier = threading.Barrier(len(caches))
        won: list[Claim] = []

        threads = [threading.Thread(target=take, args=[cache, round_number, barrier, won]) for cache in caches]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(won) <= 1
        assert won or caches[0].claim(key(round_number)) is not None


COMPUTE = """
import sys, time
from pathlib import Path
from cache_kit import array, key, make_cache
from graphgen.cache import Claim
directory, count = Path(sys.argv[1]), int(sys.argv[2])
cache = make_cache(directory, lease=1e6)
print("ready", flush=True)
sys.stdin.readline()
for i in range(count):
    outcome = cache.fetch(key(i)) or cache.claim(key(i)) or cache.wait_for(key(i), lambda: False)
    if isinstance(outcome, Claim):
        with outcome:
            print("computed", i, flush=True)
            time.sleep(0.002)
            cache.keep([key(i)], {"out": cache.wrap(array(200_000 if i % 5 == 0 else 50, i))}, 0.002, durable=True)
    else:
        assert outcome.values["out"].load() == array(200_000 if i % 5 == 0 else 50, i)
cache.close()
"""


def test_processes_at_once_compute_each_key_once(tmp_path: Path) -> None:
    processes = [start(COMPUTE, tmp_path, 40) for _ in range(3)]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    lines = [line for process in processes for line in finish(process).splitlines()]
    assert sorted(lines) == sorted(f"computed {i}" for i in range(40))


# --- faults ---------------------------------------------------------------------------------------------------------

WRITE = """
import sys
from pathlib import Path
from cache_kit import array, key, make_cache
cache = make_cache(Path(sys.argv[1]))
for i in range(100_000):
    size = 300_000 if i % 3 == 0 else 100
    cache.keep([key(i), key(f"alias {i}")], {"out": cache.wrap(array(size, i % 256)), "i": cache.wrap(i)}, 1.0,
               durable=True)
    if i % 10 == 0:
        cache.flush()
        print(i, flush=True)
"""


def test_a_killed_writer_damages_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    rng = random.Random(7)
    for attempt in range(3):
        directory = tmp_path / str(attempt)
        process = start(WRITE, directory)
        assert process.stdout is not None
        for _ in range(3 + attempt):
            flushed = int(process.stdout.readline())
        sleep(rng.random() * 0.05)
        process.kill()
        process.communicate()
        cache = make_cache(directory)
        for i in range(flushed + 30):
            for name in (i, f"alias {i}"):
                result = cache.fetch(key(name))
                assert result is not None or i > flushed
                if result is not None:
                    assert result.values["i"].load() == i
                    assert result.values["out"].load() == array(300_000 if i % 3 == 0 else 100, i % 256)
        assert not caplog.records, "nothing looked damaged"
        for path in (directory / "v2" / "tmp").iterdir():
            os.utime(path, (0, 0))
        cache.trim()
        assert not list((directory / "v2" / "tmp").iterdir())


STORM = """
import random, sys
from pathlib import Path
from cache_kit import array, key, make_cache
seed = int(sys.argv[2])
rng = random.Random(seed)
cache = make_cache(Path(sys.argv[1]), memory_bytes=300_000, disk_bytes=1_500_000)
held = []
for step in range(250):
    i = rng.randrange(30)
    size = 200_000 if i % 7 == 0 else 3000
    result = cache.fetch(key(i))
    if result is None:
        cache.keep([key(i)], {"out": cache.wrap(array(size, i))}, rng.random(), durable=True)
    else:
        held.append((result.values["out"], array(size, i)))
    if rng.random() < 0.05:
        cache.flush()
    if rng.random() < 0.04:
        cache.clear()
    if rng.random() < 0.04:
        cache.trim()
assert all(stored.load() == expected for stored, expected in held)
cache.close()
assert cache.info().problem is None, cache.info().problem
print("fine")
"""


def test_processes_read_write_evict_and_clear_at_once(tmp_path: Path) -> None:
    processes = [start(STORM, tmp_path, seed) for seed in range(3)]
    assert [finish(process) for process in processes] == ["fine\n"] * 3


def test_threads_share_one_cache(tmp_path: Path) -> None:
    cache = make_cache(tmp_path, memory_bytes=500_000)
    failures: list[BaseException] = []

    def work(seed: int) -> None:
        rng = random.Random(seed)
        try:
            for _ in range(150):
                i = rng.randrange(20)
                expected = array(MAPPED if i % 5 == 0 else 2000, i)
                if (result := cache.fetch(key(i))) is None:
                    cache.keep([key(i), key(f"also {i}")], {"out": cache.wrap(expected)}, 1.0, durable=i % 2 == 0)
                else:
                    loaded = result.values["out"].load()
                    assert isinstance(loaded, Array)
                    assert loaded == expected
                    loaded.data[:] = bytes(len(loaded.data))
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=[seed]) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    cache.close()
    assert not failures
