"""What a workflow says it needs: plugins, by name, in versions."""

from __future__ import annotations

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from graphgen.errors import Problem
from graphgen.registry import Registry
from graphgen.workflow import Workflow


def check_requirements(workflow: Workflow, registry: Registry) -> list[Problem]:
    """Report each plugin or distribution that is missing, broken, or installed in another version."""
    installed = {item: plugin.version for plugin in registry.plugins for item in (plugin.name, plugin.distribution)}
    broken = {plugin.name: plugin.error for plugin in registry.broken}
    problems: list[Problem] = []
    for name, wanted in workflow.requires.items():
        place = f"requires.{name}"
        try:
            specifiers = SpecifierSet(wanted)
        except InvalidSpecifier:
            cure = 'write it as ">=0.1" or ">=0.1,<2"'
            problems.append(Problem("bad_requirement", place, f"'{wanted}' is no version", wanted, cure=cure))
            continue
        if name in broken:
            problems.append(Problem("broken_plugin", place, f"the plugin could not be loaded: {broken[name]}", wanted))
        elif name not in installed:
            cure = f"install the plugin '{name}'"
            problems.append(Problem("missing_plugin", place, "this plugin is not installed", wanted, cure=cure))
        elif installed[name] and not specifiers.contains(installed[name], prereleases=True):
            message, cure = f"needs {wanted}, but {installed[name]} is installed", f"install '{name}{wanted}'"
            problems.append(Problem("wrong_plugin_version", place, message, wanted, cure=cure))
    return problems
