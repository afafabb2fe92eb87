"""Why a node runs: its recipe compared with the one of the last run.

In: a Plan and the `Record` of the last run of the same workflow. Out: for each node its state and, where it must run,
the reasons. A record is a small JSON file that a run leaves in the cache.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Literal, NamedTuple, TypeAlias

from graphgen.cache import Cache
from graphgen.jsontypes import JSON, json_digest
from graphgen.partial import how_far
from graphgen.plan import Plan, State
from graphgen.recipe import PINNED
from graphgen.validation import shown

Record: TypeAlias = Mapping[str, Mapping[str, JSON]]
"""For each node of the last run its recipe and what its sockets were wired to."""


_NOTHING: Mapping[str, Mapping[str, str]] = MappingProxyType({})


Kind: TypeAlias = Literal[
    "forced",  # somebody asks for it
    "first",  # no earlier run of the workflow reached it
    "every_time",  # it is not pure
    "setting",  # `about` is the setting; `before` and `after` its values, null where it is wired
    "wires",
    "upstream",  # `about` is the node that changed; `kept` tells whether its new value is there already
    "values",  # `about` is the node whose values will tell
    "equal",  # `about` is the node that computes the same
    "type",  # `before` is what it was
    "version",
    "source",
    "environment",
    "file",
    "unpinned",
    "clause",  # how a map or loop repeats
    "body",  # what a map or loop repeats
    "too_cheap",
    "not_kept",
    "resumes",  # `from` is how far it came, in the words of the node
]


class Reason(NamedTuple):
    """One reason why a node runs: of what kind, in words, and the setting or node that it is about, if any.

    `parts` are what the words say beside that, by name, for who says it in another language.
    """

    kind: Kind
    words: str
    about: str = ""
    parts: Mapping[str, JSON] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Explanation:
    """What will happen to a node, and why."""

    node: str
    state: State
    because: tuple[Reason, ...] = ()

    @property
    def reasons(self) -> tuple[str, ...]:
        """The reasons in words."""
        return tuple(reason.words for reason in self.because)


_FIRST = Reason("first", "it has not run yet")


def explain(plan: Plan, last: Record, cache: Cache | None = None) -> list[Explanation]:
    """Explain each node that the targets need, in order; the cache tells from where stopped ones go on."""
    now = record_of(plan)
    found: list[Explanation] = []
    changed: set[str] = set()
    for name in plan.recipes:
        reasons = _reasons(name, plan, now[name], last, changed)
        if reasons:
            changed.add(name)
        state = plan.state(name)
        if state in ("cached", "pinned", "not needed"):
            reasons = ()
        elif state == "equal":
            reasons = (Reason("equal", f"the same as '{plan.equal[name]}'", plan.equal[name]),)
        elif name in plan.forced:
            reasons = (Reason("forced", "it is forced"), *reasons)
        elif not reasons:
            reasons = _when_unchanged(plan, name)
        key = plan.keys[name] if state == "run" and name not in plan.forced else None
        if cache and key and (words := how_far(cache, key)):
            reasons = (*reasons, Reason("resumes", f"goes on from {words}", parts={"from": words}))
        found.append(Explanation(name, state, reasons))
    return found


def _when_unchanged(plan: Plan, name: str) -> tuple[Reason, ...]:
    """Say why a node runs although its recipe is that of the last run."""
    if name in plan.unsettled:
        sources = {wire.node: None for wires in plan.graph.nodes[name].keyed_wires.values() for wire in wires}
        return tuple(_told_by(source) for source in sources if _is_open(plan, source))
    node = plan.graph.nodes[name]
    if node.spec.cheap and not node.lazy:
        return (Reason("too_cheap", "it is too cheap to be kept"),)
    return (Reason("not_kept", "its value is not in the cache"),)


def _told_by(source: str) -> Reason:
    return Reason("values", f"it depends on what '{source}' gives", source)


def _is_open(plan: Plan, name: str) -> bool:
    return name in plan.forced or name in plan.unsettled


def record_of(plan: Plan) -> Record:
    """Return what a later run compares itself with."""
    nodes = plan.graph.nodes
    return {
        name: {
            "recipe": recipe.to_json(),
            "wires": {socket: [str(wire) for wire in wires] for socket, wires in nodes[name].keyed_wires.items()},
        }
        for name, recipe in plan.recipes.items()
    }


def _reasons(name: str, plan: Plan, now: Mapping[str, JSON], last: Record, changed: set[str]) -> tuple[Reason, ...]:
    node = plan.graph.nodes[name]
    if not node.spec.pure:
        return (Reason("every_time", "it runs every time"),)
    if name not in last:
        return (_FIRST,)
    before = last[name]
    reasons = _recipe_reasons(before.get("recipe"), now["recipe"], zone=node.zone is not None)
    if before.get("wires") != now["wires"]:
        reasons.append(Reason("wires", "its wires changed"))
    sources = {wire.node: None for wires in node.keyed_wires.values() for wire in wires}
    for source in sources:
        if plan.keys[source] is None:
            reasons.append(_told_by(source))
        elif source in changed:
            kept = plan.state(source) == "cached"
            words = f"'{source}' changed{' since the last run, and is kept' if kept else ''}"
            reasons.append(Reason("upstream", words, source, {"kept": kept}))
    return tuple(reasons)


def _recipe_reasons(before: JSON, now: JSON, *, zone: bool) -> list[Reason]:
    if not isinstance(before, Mapping) or not isinstance(now, Mapping):
        return [_FIRST]
    if (before.get("environment") == PINNED) != (now["environment"] == PINNED):
        return [Reason("unpinned", "it is not pinned any more")]
    if before.get("type") != now["type"]:
        return [Reason("type", f"it was a {before.get('type')}", parts={"before": before.get("type")})]
    known = {
        "version": Reason("version", "the node's version changed"),
        "source": Reason("source", "the plugin's source changed"),
        "environment": Reason("environment", "the device or its precision changed"),
        "fingerprint": Reason("file", "the file it reads changed"),
    }
    reasons = [reason for field, reason in known.items() if before.get(field) != now[field]]
    told = _zone_reasons if zone else _settings_reasons
    return reasons + told(str(before.get("settings")), str(now["settings"]))


def _zone_reasons(before: str, now: str) -> list[Reason]:
    """Tell what is different in a zone; of what it repeats there are digests only."""
    old, new = json.loads(before), json.loads(now)
    words: dict[Kind, str] = {"clause": "its map or loop changed", "body": "what it repeats changed"}
    return [Reason(part, text) for part, text in words.items() if old.get(part) != new[part]]


def _settings_reasons(before: str, now: str) -> list[Reason]:
    if before == now:
        return []
    old, new = json.loads(before), json.loads(now)
    return [
        _set_anew(name, _as_set(old, name), _as_set(new, name))
        for name in dict.fromkeys((*old, *new))
        if name not in old or name not in new or old[name] != new[name]
    ]


def _set_anew(name: str, before: str | None, after: str | None) -> Reason:
    return Reason(
        "setting", f"{name}: {before or 'wired'} -> {after or 'wired'}", name, {"before": before, "after": after}
    )


def _as_set(settings: Mapping[str, JSON], name: str) -> str | None:
    """Return a value as it is typed; None where a wire brings it."""
    return shown(settings[name]) if name in settings else None


def read_record(folder: Path, identity: str) -> Record:
    """Return the record of the last run of a workflow, empty if there is none that can be read."""
    try:
        found = json.loads(_path(folder, identity).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}  # without a record every reason is "it has not run yet", which is all that can be said
    if not isinstance(found, dict):
        return {}
    return {name: entry for name, entry in found.items() if isinstance(entry, dict)}


def recorded_at(folder: Path, identity: str) -> datetime | None:
    """Return when the last run of a workflow left its record; None where there is none."""
    try:
        return datetime.fromtimestamp(_path(folder, identity).stat().st_mtime)
    except OSError:
        return None


def write_record(
    folder: Path,
    identity: str,
    plan: Plan,
    undone: Collection[str] = (),
    gave: Mapping[str, Mapping[str, str]] = _NOTHING,
) -> None:
    """Leave the record of a run for later ones; of nodes that were not reached, what earlier runs left stays.

    `gave` are the digests of the values of nodes to which no key leads. What a node gave can be found by the record
    (pinning.py).

    Raises:
        OSError: the folder cannot be written to.
    """
    before = read_record(folder, identity)
    now: dict[str, Mapping[str, JSON]] = {
        name: {**entry, **({"gave": gave[name]} if name in gave else {"key": plan.keys[name]})}
        for name, entry in record_of(plan).items()
        if name not in undone
    }
    kept = {name: entry for name, entry in before.items() if name in plan.graph.workflow.nodes}
    path = _path(folder, identity)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(f".{secrets.token_hex(4)}.part")
    part.write_text(json.dumps({**kept, **now}), encoding="utf-8")
    part.replace(path)


def rename_record(folder: Path, identity: str, to: str) -> None:
    """Let the record of a workflow's last run be that of another identity; nothing happens where there is none."""
    with suppress(FileNotFoundError):
        _path(folder, identity).replace(_path(folder, to))


def _path(folder: Path, identity: str) -> Path:
    return folder / "records" / f"{json_digest(identity)}.json"
