"""What a workflow says it needs: plugins, by name, in versions."""

from __future__ import annotations

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion

from graphgen.errors import Problem, did_you_mean
from graphgen.plugins import BrokenPlugin, Plugin
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
                message, cure = f"needs {wanted}, but {installed[key]} is installed", f"install '{name}{wanted}'"
                problems.append(Problem("wrong_plugin_version", place, message, wanted, cure=cure))
        elif key in broken:
            cure = "`graphgen plugins` shows the whole error"
            message = f"the plugin could not be loaded: {broken[key]}"
            problems.append(Problem("broken_plugin", place, message, wanted, cure=cure))
        else:
            near = did_you_mean(name, sorted({known for item in registry.plugins for known in _names(item)}))
            cure = near or f"install the plugin '{name}'"
            problems.append(Problem("missing_plugin", place, "this plugin is not installed", wanted, cure=cure))
    return problems


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
