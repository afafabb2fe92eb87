"""`graphgen doctor`: look at this installation, and say what is wrong and how to mend it."""

from __future__ import annotations

import json
import platform
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, requires, version

from packaging.requirements import Requirement

from graphgen.cli.call import DONE, FAILED, Parser
from graphgen.cli.folders import look_at_cache, look_at_folders
from graphgen.cli.screen import Screen, style
from graphgen.cli.words import count
from graphgen.config import Config
from graphgen.engine import Engine
from graphgen.errors import Problem
from graphgen.registry import Registry


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at: what was found, and the cure where it is wrong."""

    section: str
    subject: str
    found: str
    cure: str | None = None


def parser() -> Parser:
    """Return the options of the command."""
    made = Parser("doctor", "Look at this installation, and say what is wrong and how to mend it.", "[--json]")
    made.add_json("the findings")
    return made


def execute(arguments: Sequence[str]) -> int:
    """Do what the call says; return the exit code."""
    call = parser().parse_args(arguments)
    screen = Screen()
    config, problems = Config.examine()
    with Engine(config) as engine:
        findings = [*examine(engine, problems)]
    wrong = [finding for finding in findings if finding.cure]
    if call.json:
        screen.line(json.dumps({"ok": not wrong, "findings": [asdict(finding) for finding in findings]}))
    else:
        _show(screen, findings, wrong)
    return FAILED if wrong else DONE


def examine(engine: Engine, problems: Sequence[Problem]) -> Iterable[Finding]:
    """Look at everything, in the order in which it is told; `problems` are those of the settings."""
    yield from _versions()
    yield from _settings(engine.config, problems)
    yield from _libraries()
    yield from _devices(engine)
    yield from (Finding("folders", *found) for found in look_at_folders(engine.config.roots))
    yield from (Finding("cache", *found) for found in look_at_cache(engine.cache))
    yield from _plugins(engine.registry)


def _versions() -> Iterable[Finding]:
    yield Finding("graphgen", "graphgen", version("graphgen"))
    yield Finding("graphgen", "python", f"{platform.python_version()} on {platform.system()} {platform.machine()}")


def _settings(config: Config, problems: Sequence[Problem]) -> Iterable[Finding]:
    """Say where settings come from; of wrong ones that the rest was looked at with their defaults."""
    yield Finding("graphgen", "settings", str(config.file) if config.file else "no graphgen.toml, defaults are used")
    for problem in problems:
        found = f"{problem.place}: {problem.message}; the default is used here, other commands refuse it"
        allowed = f"allowed: {problem.allowed}; " if problem.allowed else ""
        yield Finding("graphgen", "settings", found, f"{problem.place}: {allowed}{problem.cure}")


def _libraries() -> Iterable[Finding]:
    """Compare what graphgen requires with what is installed, importing nothing."""
    for text in requires("graphgen") or ():
        requirement = Requirement(text)
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        name, cure = requirement.name, f"pip install '{requirement.name}{requirement.specifier}'"
        try:
            found = version(name)
        except PackageNotFoundError:
            yield Finding("libraries", name, "is not installed", cure)
            continue
        if requirement.specifier.contains(found, prereleases=True):
            yield Finding("libraries", name, found)
        else:
            yield Finding("libraries", name, f"{found} is installed, {requirement.specifier} is needed", cure)


def _devices(engine: Engine) -> Iterable[Finding]:
    try:
        told = engine.registry.diagnose()
    except Exception as error:  # a plugin may fail in any way, and telling so is what this command is for
        cure = "update or remove the plugin it comes from"
        yield Finding("devices", "diagnosis", f"a plugin failed: {type(error).__name__}: {error}", cure)
        told = []
    yield from (Finding("devices", item.subject, item.finding, item.cure) for item in told)
    yield Finding("devices", "networks run on", f"{engine.device.name} in {engine.device.dtype}")


def _plugins(registry: Registry) -> Iterable[Finding]:
    loaded = ", ".join(plugin.name for plugin in registry.plugins)
    yield Finding("plugins", "loaded", f"{count(len(registry.plugins), 'plugin')}: {loaded}")
    for plugin in registry.broken:
        cure = f"`graphgen plugins --verbose` shows where; update {plugin.distribution or plugin.name}, or remove it"
        yield Finding("plugins", plugin.name, f"is broken: {plugin.error}", cure)


def _show(screen: Screen, findings: Sequence[Finding], wrong: Sequence[Finding]) -> None:
    width = max(len(finding.subject) for finding in findings)
    for number, section in enumerate(dict.fromkeys(finding.section for finding in findings)):
        screen.line(("\n" if number else "") + style(section, "bold"))
        rows = [
            (_sign(screen, finding), finding.subject.ljust(width), finding.found)
            for finding in findings
            if finding.section == section
        ]
        screen.rows(rows)
    screen.line()
    if not wrong:
        screen.line(f"{style(screen.symbols.done, 'green')} nothing is wrong")
        return
    screen.line(style(f"{count(len(wrong), 'thing')} to mend", "bold"))
    screen.rows([(style(f"{item.subject}:", "red"), str(item.cure)) for item in wrong])


def _sign(screen: Screen, finding: Finding) -> str:
    return style(screen.symbols.failed, "red") if finding.cure else style(screen.symbols.done, "green")
