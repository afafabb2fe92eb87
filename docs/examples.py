"""Make docs/examples.md: every workflow in workflows/ with its graph, its parameters and how to run it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from graphs import draw

from graphgen.cli.words import value_text
from graphgen.parameters import ParameterInfo, describe_parameters
from graphgen.registry import Registry
from graphgen.strictjson import read_json
from graphgen.workflow import Workflow

DOCS = Path(__file__).parent
WORKFLOWS = DOCS.parent / "workflows"
PAGE = DOCS / "examples.md"
GRAPHS = DOCS / "pictures" / "graphs"
DRAWN = DOCS / "pictures" / "examples"
OPENING = """# Examples

Made by `make docs` from the files in [workflows/](../workflows). Where `model` is `emoji`, which comes along, they run
as they are; the others want a model in the models folder, named by `--set model=`. `graphgen run FILE --help` lists the
same parameters. What families differ in is in [families.md](families.md).
"""


def pages(registry: Registry) -> dict[Path, str]:
    """Return the page and its pictures, by file."""
    files: dict[Path, str] = {}
    sections = [OPENING]
    for path in sorted(WORKFLOWS.glob("*.json")):
        workflow = read_json(path.read_text(encoding="utf-8"))
        assert isinstance(workflow, dict)  # noqa: S101 - its test has run it
        files[GRAPHS / f"{path.stem}.svg"] = draw(workflow["nodes"], workflow.get("outputs", {}))
        for name, subgraph in workflow.get("subgraphs", {}).items():
            files[GRAPHS / f"{path.stem}.{name}.svg"] = draw(subgraph["nodes"], subgraph["outputs"])
        sections.append("\n".join(_section(path, workflow, registry)))
    return {PAGE: "\n".join(sections), **files}


def embedded() -> list[Path]:
    """Return the workflows that run as they are, because their model comes along."""
    return [
        path for path in sorted(WORKFLOWS.glob("*.json")) if '{"path": "emoji"}' in path.read_text(encoding="utf-8")
    ]


def picture_of(path: Path) -> Path:
    """Return where the picture lies that a workflow draws as it stands."""
    return DRAWN / f"{path.stem}.png"


def _section(path: Path, workflow: Mapping[str, Any], registry: Registry) -> Iterator[str]:
    yield f"## {workflow['name']}\n"
    yield f"{workflow['description']} [{path.name}](../workflows/{path.name})\n"
    yield f"```\ngraphgen run workflows/{path.name}\n```\n"
    if path in embedded():
        yield f"![What {path.name} draws](pictures/examples/{picture_of(path).name})\n"
    yield f"![The graph of {path.name}](pictures/graphs/{path.stem}.svg)\n"
    for name in workflow.get("subgraphs", {}):
        yield f"Its subgraph `{name}`:\n\n![The graph of {name}](pictures/graphs/{path.stem}.{name}.svg)\n"
    if workflow.get("parameters"):
        yield "| parameter | by itself | |\n| --- | --- | --- |"
        for parameter in describe_parameters(Workflow.model_validate(workflow), registry):
            yield f"| `{parameter.name}` | {_now(parameter)} | {parameter.description} |"
        yield ""


def _now(parameter: ParameterInfo) -> str:
    """Return what a parameter is in the file, or by itself where the file leaves that open; nothing for no words."""
    return "" if parameter.value in ("", None) else f"`{value_text(parameter.value)}`"
