"""What a workflow says it needs: plugins, by name, in versions."""

from __future__ import annotations

from importlib.metadata import entry_points

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion

from graphgen.errors import Problem, did_you_mean
from graphgen.plugins import GROUP, BrokenPlugin, Plugin
from graphgen.registry import Registry
from graphgen.workflow import Workflow


def check_requirements(workflow: Workflow, registry: Registry) -> list[Problem]:
    """Report each plugin or distribution that is missing, broken, or installed in another version."""
    installed = {canonicalize_name(name): item.version for item in registry.plugins for name in _names(item)}
    broken = {canonicalize_name(name): item.error for item in registry.broken for name in _names(item)}
    problems: list[Problem] = []
    for name, wanted in workflow.requires.items():
        place, key = f"requires.{name}", canonicalize_name(name)
        specifiers = _specifiers(wanted)
        if specifiers is None:
            cure = 'write it as ">=0.1" or ">=0.1,<2"'
            problems.append(Problem("bad_requirement", place, f"'{wanted}' is no version", wanted, cure=cure))
        elif key in installed:
            if not _contains(specifiers, installed[key]):
                message = f"needs {wanted}, but {installed[key]} is installed"
                cure = f"pip install '{_distribution(name, registry) or name}{wanted}'"
                problems.append(Problem("wrong_plugin_version", place, message, wanted, cure=cure))
        elif key in broken:
            cure = "`graphgen plugins` shows the whole error"
            message = f"the plugin could not be loaded: {broken[key]}"
            problems.append(Problem("broken_plugin", place, message, wanted, cure=cure))
        else:
            problems.append(_missing(name, place, wanted, registry))
    return problems


def _missing(name: str, place: str, wanted: str, registry: Registry) -> Problem:
    """Describe a plugin that was not loaded: it is disabled, or not installed."""
    if _distribution(name, registry):
        cure = "take it out of disabled_plugins, which `graphgen plugins` shows"
        return Problem("missing_plugin", place, "this plugin is installed, but disabled", wanted, cure=cure)
    near = did_you_mean(name, sorted({known for item in registry.plugins for known in _names(item)}))
    cure = near or f"install what provides the plugin '{name}'"
    return Problem("missing_plugin", place, "this plugin is not installed", wanted, cure=cure)


def _distribution(name: str, registry: Registry) -> str:
    """Return what pip knows a plugin by, empty if it is not installed; a plugin is not named as its distribution."""
    plugins: list[Plugin | BrokenPlugin] = [*registry.plugins, *registry.broken]
    for plugin in plugins:
        if canonicalize_name(name) in map(canonicalize_name, _names(plugin)):
            return plugin.distribution
    return next((entry.dist.name for entry in entry_points(group=GROUP, name=name) if entry.dist), "")


def _names(plugin: Plugin | BrokenPlugin) -> list[str]:
    return [name for name in (plugin.name, plugin.distribution) if name]


def _specifiers(text: str) -> SpecifierSet | None:
    try:
        return SpecifierSet(text)
    except InvalidSpecifier:
        return None


def _contains(specifiers: SpecifierSet, version: str) -> bool:
    """Tell whether a version will do; one that nobody can read (a plugin of a notebook has none) does."""
    try:
        return not version or specifiers.contains(version, prereleases=True)
    except InvalidVersion:
        return True
