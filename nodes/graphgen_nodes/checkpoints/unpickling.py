"""The process in which a pickled file is opened, for its tensors alone: see `converting`, which starts it.

In: a file, where to write, and a limit of memory. Out: a safetensors file, and on standard output what was left out.
"""

from __future__ import annotations

import hashlib
import os
import pickle
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

WRAPPERS = ("state_dict", "model_state_dict", "params_ema", "params", "model", "module")
"""Names under which trainers keep the weights beside the state of the training; the first that is there counts."""

EMBEDDING = "string_to_param"
"""Where a textual inversion of the AUTOMATIC1111 kind has its one tensor; `emb_params` in safetensors files."""

AVERAGES = ("ema", "shadow_params")
"""Where score_sde keeps the running averages of the weights: in the weights' order, without names."""

FORBIDDEN = ("socket.", "subprocess.", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "ctypes.dlopen")
"""Beginnings of the audit events that end the process."""

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


class Bookkeeping:
    """Stands for what PyTorch Lightning notes of a training beside the weights; takes in anything, and does nothing."""

    def __init__(self, *given: object) -> None:
        """Take in anything."""

    def __setstate__(self, state: object) -> None:
        """Take in anything."""


HARMLESS = (
    "pytorch_lightning.callbacks.model_checkpoint.ModelCheckpoint",
    "lightning.pytorch.callbacks.model_checkpoint.ModelCheckpoint",
)
"""Classes whose names stand in released checkpoints; a `Bookkeeping` is made in their place, never one of them."""


class Refused(Exception):
    """A file that cannot be converted, in words for the person who wants it."""


def main(source: Path, made: Path, memory: int) -> None:
    """Convert a file."""
    digest = hashlib.sha256()
    with source.open("rb") as file:
        while piece := file.read(1 << 22):
            digest.update(piece)
    _limit(memory)
    _lock_up(made)
    tensors, left = tensors_of(_load(source))
    metadata = {"format": "pt", "converted_from": source.name, "converted_from_sha256": digest.hexdigest()}
    save_file(tensors, made, metadata)
    print(", ".join(left[:8]) + (f" and {len(left) - 8} more" if len(left) > 8 else ""))


def tensors_of(loaded: object) -> tuple[dict[str, Tensor], list[str]]:
    """Return the weights of what was loaded, each in memory of its own, and the names of what is none.

    Dictionaries inside are told by dots, as in `image_proj.weight`. Where the training kept averages of the weights,
    they are taken in their place.

    Raises:
        Refused: there are no tensors, or two of one name.
    """
    if isinstance(loaded, Mapping) and isinstance(found := loaded.get(EMBEDDING), Mapping):
        loaded = {"emb_params": next(iter(found.values()), None)}
    averages = _averages(loaded)
    if isinstance(loaded, Mapping):
        loaded = next((loaded[name] for name in WRAPPERS if isinstance(loaded.get(name), Mapping)), loaded)
    tensors: dict[str, Tensor] = {}
    left: list[str] = []
    for name, value in _named(loaded, ""):
        if not isinstance(value, Tensor):
            left.append(name)
        elif name in tensors:
            raise Refused(f"two tensors go by the name {name!r}")
        else:
            tensors[name] = value.detach().to_dense().clone(memory_format=torch.contiguous_format)
    if not tensors:
        raise Refused("there are no tensors in it")
    if averages:
        places = _places([value.shape for value in tensors.values()], [value.shape for value in averages])
        names = list(tensors)
        tensors |= {names[place]: value.detach().clone() for place, value in zip(places, averages, strict=True)}
        left.append(f"the weights that {'.'.join(AVERAGES)} averages, which is taken")
    return tensors, left


def _averages(loaded: object) -> list[Tensor]:
    """Return the running averages that lie beside the weights, in their order."""
    for name in AVERAGES:
        loaded = loaded.get(name) if isinstance(loaded, Mapping) else None
    return [value for value in loaded if isinstance(value, Tensor)] if isinstance(loaded, list | tuple) else []


def _places(shapes: Sequence[torch.Size], averages: Sequence[torch.Size]) -> list[int]:
    """Return which weight each average is of: they come in one order, and buffers have none.

    Raises:
        Refused: the shapes allow no way to lay them beside each other, or several.
    """
    found = _first_places(shapes, averages)
    mirrored = _first_places(shapes[::-1], averages[::-1])
    if found is None or mirrored is None or found != [len(shapes) - 1 - place for place in reversed(mirrored)]:
        raise Refused(
            f"the averages in {'.'.join(AVERAGES)} fit its weights in {'no way' if found is None else 'several ways'}; "
            "save its averaged weights by the code that trained it"
        )
    return found


def _first_places(shapes: Sequence[torch.Size], averages: Sequence[torch.Size]) -> list[int] | None:
    found: list[int] = []
    place = 0
    for shape in averages:
        while place < len(shapes) and shapes[place] != shape:
            place += 1
        if place == len(shapes):
            return None
        found.append(place)
        place += 1
    return found


def _named(value: object, name: str) -> Iterator[tuple[str, object]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _named(inner, f"{name}.{key}".removeprefix("."))
    else:
        yield name or "all of it", value


def _load(source: Path) -> object:
    try:
        with torch.serialization.safe_globals([(Bookkeeping, name) for name in HARMLESS]):
            return torch.load(source, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        wanted = re.search(r"GLOBAL (\S+)|WeightsUnpickler error: (.+)", str(error))
        told = f": {wanted[1] or wanted[2]}" if wanted else ""
        raise Refused(f"it holds more than tensors, which only the code of its maker could open{told}") from error
    except (RuntimeError, ValueError, LookupError, EOFError, TypeError, AttributeError) as error:
        raise Refused(
            f"it is damaged ({str(error).splitlines()[0] if str(error) else type(error).__name__})"
        ) from error


def _limit(memory: int) -> None:
    """Bound the memory the process may take for itself, where the system can."""
    if sys.platform == "linux":
        import resource

        resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))


def _lock_up(made: Path) -> None:
    """End the process when it reaches for the network, for another program, or for a file to write but the one."""

    def watch(event: str, given: tuple[object, ...]) -> None:
        wrong = event.startswith(FORBIDDEN)
        if event == "open":
            path, _, flags = given
            wrong = isinstance(flags, int) and bool(flags & WRITING) and str(path) != str(made)
        if wrong:
            os.write(2, f"it tried to reach outside ({event}), and was stopped\n".encode())
            os._exit(3)

    sys.addaudithook(watch)


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
    except Refused as error:
        sys.exit(str(error))
    except MemoryError:
        sys.exit("it takes more memory than a file of its size should")
