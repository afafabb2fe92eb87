"""How graphgen is set up on this machine: its five folders, its budgets, its device.

In: defaults, `graphgen.toml` (the nearest one upward from the current folder), `GRAPHGEN_*` variables and flags, each
over the one before. Out: `Config`. The names are the same everywhere: `models` is a line in the file, a flag's name,
and the variable GRAPHGEN_MODELS_DIR; `device` is GRAPHGEN_DEVICE. `Roots.resolve` is the one way from a name in a
workflow to a file.
"""

from __future__ import annotations

import os
import re
import sys
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any, Literal

from platformdirs import user_cache_path, user_data_path
from pydantic import BaseModel, ByteSize, ConfigDict, Field, ValidationError, field_validator

from graphgen.errors import ConfigError, PathError, Problem, did_you_mean, one_of
from graphgen.widgets import RootName

FILE = "graphgen.toml"
_NO_SHIPPED: Mapping[tuple[RootName, str], Path] = {}
_LONGEST = 255  # bytes in one part of a path, on every file system in use

_is_drive = re.compile(r"[A-Za-z]:").match
"""`C:x` is relative to nothing of ours on Windows, and no sensible name elsewhere."""


@dataclass(frozen=True, slots=True)
class Roots:
    """The five folders. Names in workflows are resolved inside them; none need exist before it is used."""

    models: Path
    inputs: Path
    outputs: Path
    cache: Path
    data: Path

    def resolve(
        self,
        root: RootName,
        name: str,
        shipped: Mapping[tuple[RootName, str], Path] = _NO_SHIPPED,
        *,
        allow_absolute: bool = False,
    ) -> Path:
        """Return where a name lies inside a root, or else inside what a plugin ships under the name's beginning.

        The name is relative, with `/` between its parts. Links are followed, and may not lead out. Something must be
        there, except in `outputs`. `allow_absolute` is for names that a person typed on the command line: an absolute
        one is returned as it is.

        Raises:
            PathError: the name leaves the root, or nothing is there. What lies outside is never looked at in a way
                that the error would tell.
        """
        if allow_absolute and "\0" not in name and Path(name).is_absolute():
            return _existing(Path(name), root, name)
        _check_name(root, name)
        base: Path = getattr(self, root)
        target = _inside(base, root, name)
        if root == "outputs" or os.path.exists(target):
            return target
        parts = [part for part in name.split("/") if part not in ("", ".")]
        for length in range(len(parts), 0, -1):
            found = shipped.get((root, "/".join(parts[:length])))
            if found is not None:
                target = _inside(found, root, "/".join(parts[length:]))
                if os.path.exists(target):
                    return target
        raise _missing(base, root, name, [shipped_name for where, shipped_name in shipped if where == root])


@dataclass(frozen=True, slots=True)
class Config:
    """Everything that can be set, as it is in force."""

    roots: Roots
    memory_bytes: int = 1 << 30
    """The budget of the cache's memory tier."""
    disk_bytes: int = 20 << 30
    """The budget of the cache's disk tier; 0 turns it off."""
    device_bytes: int | None = None
    """What weights may take on the device, where what needs more is streamed; None lets them fill it."""
    device: str = "auto"
    """Where `device="gpu"` nodes run: `auto`, `cpu`, `cuda`, `cuda:1`, or another that a plugin knows."""
    precision: Literal["auto", "float32", "float16", "bfloat16"] = "auto"
    """The number format networks run in."""
    devices: tuple[str, ...] = ()
    """Several devices of one kind, in place of `device`: each has weights and a worker of its own."""
    threads: int = 4
    """How many nodes may run at once beside the device, in threads."""
    workers: Literal["auto", "thread", "process"] = "auto"
    """Whether nodes run in threads or in processes of their own; `auto` decides by `in_processes`."""
    cpu_workers: int = 2
    """How many nodes may run at once beside the device, in processes."""
    time_limit: float | None = None
    """Seconds that one node may take."""
    worker_bytes: int | None = None
    """The memory that one worker process may take for itself."""
    disabled_plugins: tuple[str, ...] = ()
    """Entry-point names of plugins that are not loaded."""
    file: Path | None = None
    """The graphgen.toml that was read."""

    def in_processes(self, *, lasting: bool) -> bool:
        """Tell whether nodes run in processes of their own: `lasting` is for engines that carry out many runs.

        By itself a single run uses threads, which need not import torch anew, unless only a process can keep a limit.
        """
        limited = self.time_limit is not None or self.worker_bytes is not None
        return self.workers == "process" or (self.workers == "auto" and os.name == "posix" and (lasting or limited))

    @classmethod
    def load(
        cls,
        overrides: Mapping[str, object] | None = None,
        *,
        folder: Path | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> Config:
        """Read the configuration: flags over environment over file over defaults.

        `overrides` are flags by name (`device`, `models`, ...), None where a flag was not given. `folder` is where the
        search for graphgen.toml begins and relative paths start (the current folder if None); `environment` replaces
        os.environ.

        Raises:
            ConfigError: a name or value is wrong; names all of them, with place, what is allowed and the cure.
        """
        config, wrong = cls.examine(overrides, folder=folder, environment=environment)
        if wrong:
            raise ConfigError(wrong)
        return config

    @classmethod
    def examine(
        cls,
        overrides: Mapping[str, object] | None = None,
        *,
        folder: Path | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> tuple[Config, list[Problem]]:
        """Read the configuration as `load` does, leaving out what is wrong, and say what that is.

        Raises:
            ConfigError: there is no current folder to begin in.
        """
        start, wrong = _start(folder), list[Problem]()
        file = next((place / FILE for place in (start, *start.parents) if (place / FILE).is_file()), None)
        variables = os.environ if environment is None else environment
        given = {name: value for name, value in (overrides or {}).items() if value is not None}
        chosen: dict[str, Any] = {**_default_roots(start)}
        if file is not None:
            chosen |= _check(_read(file, wrong), lambda name: f"{file}: {name}", file.parent, wrong)
        chosen |= _check(_from_environment(variables), _variable, start, wrong)
        chosen |= _check(given, lambda name: f"--{name.replace('_', '-')}", start, wrong)
        wrong += _contradictions(chosen)
        roots = Roots(**{field.name: _as_path(chosen.pop(field.name)) for field in fields(Roots)})
        return cls(roots=roots, file=file, **chosen), wrong


def _start(folder: Path | None) -> Path:
    try:
        return (folder or Path.cwd()).absolute()
    except FileNotFoundError as error:
        gone = Problem("no_folder", "", "the current folder is gone", cure="go to one that exists")
        raise ConfigError([gone]) from error


class _Layer(BaseModel):
    """What one source may say; it says what is not None."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    models: Path | None = None
    inputs: Path | None = None
    outputs: Path | None = None
    cache: Path | None = None
    data: Path | None = None
    memory_bytes: Annotated[ByteSize, Field(ge=0)] | None = None
    disk_bytes: Annotated[ByteSize, Field(ge=0)] | None = None
    device_bytes: Annotated[ByteSize, Field(ge=0)] | None = None
    device: Annotated[str, Field(pattern=r"^[a-z]+(:\d+)?$")] | None = None
    precision: Literal["auto", "float32", "float16", "bfloat16"] | None = None
    devices: tuple[Annotated[str, Field(pattern=r"^[a-z]+:\d+$")], ...] | None = None
    threads: Annotated[int, Field(ge=1, le=256)] | None = None
    workers: Literal["auto", "thread", "process"] | None = None
    cpu_workers: Annotated[int, Field(ge=1, le=256)] | None = None
    time_limit: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    worker_bytes: Annotated[ByteSize, Field(gt=0)] | None = None
    disabled_plugins: tuple[str, ...] | None = None

    @field_validator("devices")
    @classmethod
    def _of_one_kind(cls, names: tuple[str, ...] | None) -> tuple[str, ...] | None:
        """Refuse a mixture: results of other kinds of devices differ, and are kept under other keys."""
        if names and (len({name.partition(":")[0] for name in names}) > 1 or len(set(names)) < len(names)):
            raise ValueError("not of one kind, or one of them twice")
        return names


_ALLOWED = {
    **dict.fromkeys((field.name for field in fields(Roots)), "a folder"),
    **dict.fromkeys(("memory_bytes", "disk_bytes", "device_bytes"), "a number of bytes, or a text such as '4 GiB'"),
    "device": "auto, cpu, cuda, cuda:1 or the like",
    "precision": "auto, float32, float16 or bfloat16",
    "devices": "different devices of one kind, such as cuda:0 and cuda:1",
    "threads": "a whole number from 1 to 256",
    "workers": "auto, thread or process",
    "cpu_workers": "a whole number from 1 to 256",
    "time_limit": "a number of seconds above 0",
    "worker_bytes": "a number of bytes, or a text such as '8 GiB'",
    "disabled_plugins": "a list of plugin names",
}


def _check(
    values: Mapping[str, object], place: Callable[[str], str], folder: Path, wrong: list[Problem]
) -> dict[str, object]:
    """Check one source's values, leaving out wrong ones; relative paths start at the folder and become absolute."""
    try:
        layer = _Layer.model_validate(values)
    except ValidationError as error:
        names = dict.fromkeys(str(problem["loc"][0]) for problem in error.errors())
        wrong += [_explain(name, values[name], place(name)) for name in names]
        layer = _Layer.model_validate({name: value for name, value in values.items() if name not in names})
    said = {name: getattr(layer, name) for name in layer.model_fields_set}
    if said.get("device") is not None:
        said.setdefault("devices", ())  # one device over several that a weaker source has named
    return {
        name: folder / os.path.expanduser(value) if isinstance(value, Path) else _plain(value)
        for name, value in said.items()
        if value is not None
    }


def _plain(value: object) -> object:
    return int(value) if isinstance(value, ByteSize) else value


def _explain(name: str, value: object, place: str) -> Problem:
    if name in _ALLOWED:
        return Problem("bad_setting", place, f"{value!r} is not allowed", str(value), cure=f"give {_ALLOWED[name]}")
    known = list(_ALLOWED)
    if isinstance(value, Mapping):
        names = ", ".join(key for key in value if key in _ALLOWED) or "the settings"
        message, cure = "there are no tables here", f"write {names} at the top of the file, without a [{name}] above"
        return Problem("unknown_setting", place, message, None, one_of(known), cure)
    cure = did_you_mean(name, known) or "remove it"
    return Problem("unknown_setting", place, "there is no such setting", None, one_of(known), cure)


def _contradictions(chosen: dict[str, object]) -> Iterable[Problem]:
    """Find settings that cannot be kept together, or on this system, and take them back."""
    limits = [name for name in ("time_limit", "worker_bytes") if chosen.get(name) is not None]
    if chosen.get("workers") == "process" and os.name != "posix":
        del chosen["workers"]
        cure = "remove it: nodes run in threads here"
        yield Problem("bad_setting", "workers", "this system cannot hand files to processes", "process", cure=cure)
    if "worker_bytes" in limits and sys.platform != "linux":
        limits.remove("worker_bytes")
        value = str(chosen.pop("worker_bytes"))
        message = "this system does not tell how much memory a process takes"
        yield Problem("bad_setting", "worker_bytes", message, value, cure="remove it")
    if limits and chosen.get("workers") == "thread":
        for name in limits:
            value = str(chosen.pop(name))
            cure = "remove it, or set workers to process or auto"
            yield Problem("bad_setting", name, "cannot be kept with workers = thread", value, cure=cure)


def _read(file: Path, wrong: list[Problem]) -> dict[str, object]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        wrong.append(Problem("unreadable", str(file), f"cannot be read: {error}", cure="mend it, or move it away"))
        return {}


def _variable(name: str) -> str:
    return f"GRAPHGEN_{name.upper()}" + ("_DIR" if name in Roots.__slots__ else "")


def _from_environment(variables: Mapping[str, str]) -> dict[str, object]:
    found: dict[str, object] = {name: text for name in _ALLOWED if (text := variables.get(_variable(name)))}
    for setting in ("devices", "disabled_plugins"):
        if isinstance(names := found.get(setting), str):
            found[setting] = tuple(name.strip() for name in names.split(",") if name.strip())
    return found


def _default_roots(start: Path) -> dict[str, Path]:
    """Outputs go where the person works; what is kept for all work goes where the platform keeps such things."""
    kept = user_data_path("graphgen", appauthor=False)
    return {
        "models": kept / "models",
        "inputs": kept / "inputs",
        "outputs": start / "outputs",
        "cache": user_cache_path("graphgen", appauthor=False),
        "data": kept / "data",
    }


def _as_path(value: object) -> Path:
    assert isinstance(value, Path)  # noqa: S101  # a default, or checked by _Layer
    return value


def _check_name(root: str, name: str) -> None:
    """Refuse what is no relative name on any system, before any file is looked at."""
    if root not in Roots.__slots__:
        raise PathError(f"{root!r} is no root", allowed=one_of(Roots.__slots__))
    wrong = None
    if not name:
        wrong = "is empty"
    elif "\0" in name:
        wrong = "holds a zero byte"
    elif "\\" in name:
        wrong = "holds a backslash"
    elif name.startswith("/") or _is_drive(name):
        wrong = "is absolute"
    elif ".." in name.split("/"):
        wrong = "goes up with '..'"
    elif any(len(part.encode(errors="replace")) > _LONGEST for part in name.split("/")):
        wrong = f"has a part of more than {_LONGEST} bytes"
    if wrong:
        raise _forbidden(root, name, wrong)


def _inside(base: Path, root: RootName, name: str) -> Path:
    """Return base/name with links followed, refusing it when that is not inside base."""
    try:
        home = base.resolve()
        target = (home / name).resolve()
    except (OSError, RuntimeError, ValueError):  # a loop of links, a name too long or not encodable
        raise _forbidden(root, name, "cannot be a file's name") from None
    if not target.is_relative_to(home):
        raise _forbidden(root, name, "leads out of its folder")
    return target


def _forbidden(root: str, name: str, wrong: str) -> PathError:
    typed = ", or give it with --set, where an absolute path is taken as typed" if wrong == "is absolute" else ""
    return PathError(
        f"{name[:200]!r} {wrong}",
        allowed=f"names inside the {root} folder, such as 'portraits/anna.png'",
        cure=f"move the file there, or set {_variable(root)} to the folder it is in{typed}",
    )


def _existing(path: Path, root: str, name: str) -> Path:
    if root != "outputs" and not os.path.exists(path):
        raise PathError(f"there is no {name!r}", cure="check how it is written")
    return path


def _missing(base: Path, root: str, name: str, shipped: list[str]) -> PathError:
    try:
        there = sorted(entry.name for entry in base.iterdir() if not entry.name.startswith("."))
    except OSError:
        there = []
    known = sorted({*there, *shipped})
    cure = did_you_mean(name, known) or f"put it into {base}, or set {_variable(root)} to the folder it is in"
    if not known:
        return PathError(f"there is no {name!r} in {root}; the folder is empty", cure=cure)
    return PathError(f"there is no {name!r} in {root}", allowed=one_of(known), cure=cure)
