"""Take the tensors out of a pickled file, and out of nothing else in it, into a safetensors file.

In: a .ckpt, .pt, .pth or .bin file. Out: the same tensors in safetensors' layout, and what was left out, in words.

The file is opened in a process of its own, by torch's loader for weights alone, which builds tensors and plain
containers and calls nothing else. That process has no use of the network, of other programs and of files but the two
(an audit hook, which cannot be taken off, ends it), and a limit in time and memory. Torch is imported there alone.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from graphgen_nodes.checkpoints.header import PICKLE_MARKS, PICKLES, CheckpointError, read_header

SECONDS = 1800
"""How long a conversion may take."""

SPARE = 4 << 30
"""Bytes of memory that a conversion may take besides twice the file's: torch itself takes some."""


def convert(source: Path, target: Path) -> str:
    """Write a pickled file's tensors to `target`, which must not be there yet; return what was done, in words.

    Raises:
        CheckpointError: the file is none of these, holds more than tensors, or is damaged; the target is there already.
    """
    _check(source, target)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".graphgen-convert-") as folder:
        made = Path(folder, "made.safetensors")
        said = _run(source, made)
        count = len(read_header(made).tensors)
        try:
            os.link(made, target)  # unlike a move, it never writes over what has come there meanwhile
        except FileExistsError:
            raise _there(target) from None
    return f"{count} tensors{f'; left out: {said}' if said else ''}"


def _check(source: Path, target: Path) -> None:
    if source.suffix.lower() not in PICKLES:
        known = ", ".join(sorted(PICKLES))
        raise CheckpointError(f"{source}: is no pickled file by its name; {known} can be converted")
    try:
        with source.open("rb") as file:
            first = file.read(8)
    except OSError as error:
        raise CheckpointError(f"{source}: cannot be read ({error.strerror}); check that it is there") from error
    if not first.startswith(PICKLE_MARKS):
        raise CheckpointError(f"{source}: holds no pickle, whatever its name says; download it again")
    if target.suffix.lower() != ".safetensors":
        raise CheckpointError(f"{target}: must end in .safetensors, or it will not be found as a model")
    if target.exists():
        raise _there(target)
    if not target.parent.is_dir():
        raise CheckpointError(f"{target.parent}: there is no such folder; make it, or name another by -o")


def _there(target: Path) -> CheckpointError:
    return CheckpointError(f"{target}: is there already, and nothing is written over; name another file by -o")


def _run(source: Path, made: Path) -> str:
    """Convert in a process of its own; return what was left out."""
    command = [sys.executable, "-I", "-m", "graphgen_nodes.checkpoints.unpickling", str(source.resolve()), str(made)]
    limit = str(2 * source.stat().st_size + SPARE)
    environment = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT", "TEMP", "TMPDIR") if name in os.environ}
    try:
        done = subprocess.run(  # noqa: S603 - this Python, and a module of this package
            [*command, limit],
            env={**environment, "OMP_NUM_THREADS": "1"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise CheckpointError(f"{source}: took more than {SECONDS} seconds, and was given up") from error
    if done.returncode:
        said = done.stderr.strip().splitlines()
        problem = said[-1] if said else f"the process ended with {done.returncode}"
        raise CheckpointError(f"{source}: cannot be converted: {problem}")
    return done.stdout.strip()
