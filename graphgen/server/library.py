"""Saved workflows by name: the user's own, which lie as files in the data root, and the examples that come along.

In: names. Out: documents. A name is a file's name without `.json`; the user's own hides an example of its name.
"""

from __future__ import annotations

import re
from pathlib import Path

import graphgen
from graphgen.errors import WorkflowError
from graphgen.server.problems import missing, wrong_workflow
from graphgen.server.route import Service
from graphgen.strictjson import read_json

_is_name = re.compile(r"[^\W_][\w .,()+-]{0,99}").fullmatch
"""Letters and digits of any script; no dot in front, no separator, nothing that a file system reads otherwise."""
_RESERVED = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?")


def is_name(name: str) -> bool:
    """Tell whether a workflow may be saved under a name, on any system."""
    return bool(_is_name(name)) and not _RESERVED.fullmatch(name) and name == name.strip(" .")


def examples() -> Path:
    """Return the folder of the workflows that come along."""
    package = Path(graphgen.__file__).parent
    shipped = package / "workflows"
    return shipped if shipped.is_dir() else package.parent / "workflows"


def own(service: Service) -> Path:
    """Return the folder of the user's own workflows."""
    return service.engine.config.roots.data / "workflows"


def find(service: Service, name: str) -> Path:
    """Return the file of a workflow.

    Raises:
        Trouble: there is none of that name.
    """
    if is_name(name):
        for folder in (own(service), examples()):
            path = folder / f"{name}.json"
            if path.is_file() and path.resolve().parent == folder.resolve():
                return path
    raise missing("workflow")


async def workflow_named(service: Service, workflow: dict[str, object] | str) -> dict[str, object]:
    """Return a workflow's document: the one given, or the saved one of that name.

    Raises:
        Trouble: there is none of that name, or its file is no JSON.
    """
    if not isinstance(workflow, str):
        return workflow
    path = find(service, workflow)
    try:
        document = await service.aside(lambda: read_json(path.read_text(encoding="utf-8-sig")))
    except WorkflowError as error:
        raise wrong_workflow(error.problems) from error
    except (OSError, ValueError):
        raise missing("workflow") from None
    return dict(document) if isinstance(document, dict) else {"graphgen": None}
