"""What every test gets: one thread for torch, no network, and no folders but its own."""

from __future__ import annotations

import os
import signal
import socket
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# Before torch is imported anywhere: two test processes with two threads each on two cores are slower than one with one.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# `GRAPHGEN_TEST_DEVICE=cuda make test` tries on a GPU, in float32, what is otherwise tried on the CPU.
TESTED_ON = {"GRAPHGEN_DEVICE": os.environ.get("GRAPHGEN_TEST_DEVICE", "cpu"), "GRAPHGEN_PRECISION": "float32"}
os.environ.update(TESTED_ON)

# The tests start hundreds of processes; each would compile graphgen's sources anew, which takes half of its time.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# A shell starts what runs in the background deaf to Ctrl-C, and so would be all that the tests start and interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


# Nothing found by chance may depend on how busy the machine is, and all of it can be found again: a failure prints what
# reproduces it, and `--hypothesis-profile=ci` tries the same examples each time, and fewer of them.
settings.register_profile("graphgen", deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", settings.get_profile("graphgen"), derandomize=True, max_examples=15)
settings.load_profile("graphgen")


@pytest.fixture(autouse=True)
def _own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Point the five roots, for this process and those it starts, into the test's own folder, and choose the device."""
    for root in ("models", "inputs", "outputs", "cache", "data"):
        monkeypatch.setenv(f"GRAPHGEN_{root.upper()}_DIR", str(tmp_path / "roots" / root))
    for name, value in TESTED_ON.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail a test that opens a connection to another machine."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: object) -> None:
        if self.family != socket.AF_UNIX and not str(address).startswith(("('127.", "('::1'", "('localhost'")):
            raise AssertionError(f"a test tried to reach {address}")
        connect(self, address)  # type: ignore[arg-type]  # whatever the caller gave

    monkeypatch.setattr(socket.socket, "connect", guarded)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip the tests that need a GPU where there is none."""
    marked = [item for item in items if item.get_closest_marker("gpu")]
    if marked and not _has_cuda():
        for item in marked:
            item.add_marker(pytest.mark.skip(reason="needs a CUDA device"))


def _has_cuda() -> bool:
    if find_spec("torch") is None:
        return False
    import torch

    return torch.cuda.is_available()
