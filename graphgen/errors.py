"""Every error graphgen raises on purpose.

GraphgenError
├── DefinitionError    a node, socket type or plugin is written wrongly (raised while it is defined)
├── PluginError        a plugin could not be found or loaded
├── ConfigError        a setting of graphgen itself is wrong: graphgen.toml, the environment, a flag
├── PathError          a path leaves its root, or is not there
├── WorkflowError      a workflow cannot run as written; carries every Problem at once
├── Refusal            a node's `infer` or `fingerprint` refuses what it is given; becomes a Problem
├── NodeError          a node failed while running
├── RunFailed          a run ended with failed nodes; carries them
├── Cancelled          work stopped because somebody asked for it
├── CacheError         the cache directory cannot be used
├── ResourceError      weights cannot be loaded or do not fit
└── LaneError          a worker died or answered with nonsense
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches

from graphgen.jsontypes import JSON


class GraphgenError(Exception):
    """The root of every error graphgen raises on purpose."""


class DefinitionError(GraphgenError):
    """A node, socket type or plugin is written wrongly."""


class PluginError(GraphgenError):
    """A plugin could not be found or loaded."""


class PathError(GraphgenError):
    """A path leaves its root, or is not there.

    `at` names the setting that the path stands in, once that is known.
    """

    def __init__(self, message: str, *, allowed: str | None = None, cure: str | None = None) -> None:
        super().__init__(_sentence(message, allowed, cure))
        self.message = message
        self.allowed = allowed
        self.cure = cure
        self.at = ""


class Cancelled(GraphgenError):
    """Work stopped because somebody asked for it."""


class CacheError(GraphgenError):
    """The cache directory cannot be used."""


class ResourceError(GraphgenError):
    """Weights cannot be loaded, or do not fit."""


class LaneError(GraphgenError):
    """A worker died or answered with nonsense."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a workflow or with graphgen's settings: where, what is there, what is allowed, and the cure.

    `code` is stable and machine-readable (`unknown_node`, `cycle`, ...); `place` reads like `sampler.steps`; `allowed`
    reads on after the word "allowed:". `parts` are what the message says beside that, by name, for who says it in
    another language: `{"ge": 1, "got": "0"}`.
    """

    code: str
    place: str
    message: str
    value: JSON = None
    allowed: str | None = None
    cure: str | None = None
    parts: Mapping[str, JSON] = field(default_factory=dict, compare=False)

    def __str__(self) -> str:
        """Read as one line: `place: message; allowed: ...; cure`."""
        text = _sentence(self.message, self.allowed, self.cure)
        return f"{self.place}: {text}" if self.place else text

    def to_json(self) -> dict[str, JSON]:
        """Return the problem as a JSON object, absent parts left out."""
        fields: dict[str, JSON] = {"code": self.code, "place": self.place, "message": self.message}
        if self.value is not None:
            fields["value"] = self.value
        if self.allowed is not None:
            fields["allowed"] = self.allowed
        if self.cure is not None:
            fields["cure"] = self.cure
        if self.parts:
            fields["parts"] = dict(self.parts)
        return fields


class ConfigError(GraphgenError):
    """Settings of graphgen itself are wrong; `problems` holds all that are."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class WorkflowError(GraphgenError):
    """A workflow cannot run as written; `problems` holds all that is wrong with it."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class Refusal(GraphgenError):
    """Raised by a node's `infer` or `fingerprint`: this combination of inputs and settings cannot work.

    `at` names the input or setting it is about; the engine adds the node's name and reports a Problem. `allowed` reads
    on after the word "allowed:", as "multiples of 8" does.
    """

    def __init__(self, message: str, *, at: str = "", allowed: str | None = None, cure: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.at = at
        self.allowed = allowed
        self.cure = cure


class NodeError(GraphgenError):
    """A node failed: its name in the workflow, its type, the error it raised and a summary of its inputs."""

    def __init__(self, node: str, type: str, message: str, *, traceback: str = "", inputs: str = "") -> None:  # noqa: A002
        super().__init__(f"{node} ({type}): {message}")
        self.node = node
        self.type = type
        self.message = message
        self.traceback = traceback
        self.inputs = inputs


class RunFailed(GraphgenError):
    """A run ended with failed nodes; `failures` lists them in the order they happened."""

    def __init__(self, failures: Sequence[NodeError]) -> None:
        self.failures = tuple(failures)
        super().__init__("\n".join(str(failure) for failure in self.failures))


def error_line(error: BaseException) -> str:
    """Say what was raised in one phrase, even if its own text cannot be made.

    An error of the node's own code is named, `ValueError: no such thing`; graphgen's own ones say all in their words.
    """
    try:
        text = str(error)
    except Exception:  # an error whose __str__ fails must not hide that there was one
        text = ""
    if text and isinstance(error, GraphgenError):
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def nearest(word: str, known: Sequence[str]) -> str | None:
    """Return the nearest of the known words, or None where none is near."""
    near = get_close_matches(word, known, n=1, cutoff=0.65)
    return near[0] if near else None


def did_you_mean(word: str, known: Sequence[str]) -> str | None:
    """Return `did you mean 'x'?` for the nearest of the known words, or None where none is near."""
    near = nearest(word, known)
    return f"did you mean '{near}'?" if near else None


def one_of(words: Sequence[str], most: int = 12) -> str:
    """List the allowed words, to stand after "allowed:", shortened when there are many."""
    if not words:
        return "none"
    shown = ", ".join(words[:most])
    more = len(words) - most
    return shown + (f" and {more} more" if more > 0 else "")


def _sentence(message: str, allowed: str | None, cure: str | None) -> str:
    return "; ".join(part for part in (message, allowed and f"allowed: {allowed}", cure) if part)
