"""What a workflow needs, told with what pip knows it by."""

from __future__ import annotations

import pytest
from engine_kit import N, workflow
from packs import maths

from graphgen.errors import Problem
from graphgen.jsontypes import JSON
from graphgen.plugins import Plugin
from graphgen.registry import build_registry
from graphgen.requirements import check_requirements
from graphgen.workflow import from_json


def check(**requires: JSON) -> list[Problem]:
    installed = build_registry([Plugin("maths", maths, "acme-numbers", "1.5")])
    return check_requirements(from_json(workflow({"n": N("maths.number")}, "n.int", requires=requires)), installed)


@pytest.mark.parametrize("name", ["maths", "acme-numbers", "Acme_Numbers"])
def test_a_plugin_goes_by_its_own_name_and_its_distributions(name: str) -> None:
    assert check(**{name: ">=1.5"}) == []
    (problem,) = check(**{name: ">=2"})
    assert problem.cure == "pip install 'acme-numbers>=2'"


def test_what_is_installed_but_not_loaded_is_disabled() -> None:
    (problem,) = check(graphgen_nodes=">=0.1")  # the tests' own registry leaves graphgen's nodes out
    assert problem.message == "this plugin is installed, but disabled"
    assert "disabled_plugins" in str(problem.cure)


def test_what_nobody_knows_is_not_called_a_distribution() -> None:
    (problem,) = check(halftone=">=1")
    assert problem.cure == "install what provides the plugin 'halftone'"
