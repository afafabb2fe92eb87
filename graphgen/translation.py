"""The catalogue in other languages: what plugins' words make of it, and what they have no words for.

In: a catalogue as JSON, and files of words. Out: the catalogue with titles and descriptions in their language. Ids,
names, types and values stay as they are: they are what workflows are written in. What has no words stays English.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from graphgen.errors import DefinitionError, WorkflowError
from graphgen.jsontypes import JSON
from graphgen.strictjson import read_json
from graphgen.validation import problems_of

SOURCE = "en"
"""The language that nodes are written in."""


class Words(BaseModel):
    """A file of words in one language. It speaks of the nodes that it gives a title, and of no others.

    `names` and `choices` hold for all of these; one with a node's id before it, `images.solid.width`, for that node
    alone, and a choice may have its setting's name before it, `precision.auto`. `texts` are descriptions, known by what
    they say in English, so that one that was changed is shown in English rather than as it was.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    nodes: Mapping[str, str] = {}
    """Titles by id."""
    categories: Mapping[str, str] = {}
    names: Mapping[str, str] = {}
    """What inputs, outputs and settings are called."""
    choices: Mapping[str, str] = {}
    texts: Mapping[str, str] = {}


def read_words(path: Path) -> Words:
    """Read a file of words.

    Raises:
        DefinitionError: it cannot be read, or is none; says what is wrong and where.
    """
    try:
        return Words.model_validate(read_json(path.read_text(encoding="utf-8")))
    except ValidationError as error:
        raise DefinitionError(f"{path}: " + "; ".join(map(str, problems_of(error)))) from error
    except (OSError, ValueError, WorkflowError) as error:
        raise DefinitionError(f"{path}: {error}") from error


def translate(catalogue: Mapping[str, JSON], words: Sequence[Words]) -> dict[str, JSON]:
    """Return a catalogue in the language of these words; a node's `english` is then what its title was.

    A node is told in the words of the first file that speaks of it.
    """
    return _Translation(words).of(catalogue)


def untranslated(catalogue: Mapping[str, JSON], words: Sequence[Words]) -> list[str]:
    """List what a catalogue says that there are no words for: the part of a file that lacks it, and its key there."""
    translation = _Translation(words)
    translation.of(catalogue)
    return list(dict.fromkeys(translation.missing))


def folded(text: str) -> str:
    """Return a text as the keys of `texts` have it: each paragraph on one line, however it is broken into lines."""
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in text.split("\n\n"))


class _Translation:
    """A walk through a catalogue, that notes what it finds no words for."""

    def __init__(self, words: Sequence[Words]) -> None:
        self.words = words
        self.missing: list[str] = []

    def of(self, catalogue: Mapping[str, Any]) -> dict[str, JSON]:
        nodes = {id_: self._node(node) for id_, node in catalogue["nodes"].items()}
        categories = {name: self._category(name, title) for name, title in catalogue["categories"].items()}
        return {**catalogue, "nodes": nodes, "categories": categories}

    def _category(self, name: str, english: str) -> str:
        found = next((one.categories[name] for one in self.words if name in one.categories), None)
        return self._noted("categories", name, english, found)

    def _node(self, node: Mapping[str, Any]) -> JSON:
        id_: str = node["id"]
        words = next((one for one in self.words if id_ in one.nodes), None)
        if words is None:
            self.missing.append(f"nodes: {id_}")
            return dict(node)
        schema = node["settings"]
        properties = {
            name: {**self._socket(words, id_, name, setting), **self._choices(words, id_, name, setting)}
            for name, setting in schema.get("properties", {}).items()
        }
        return {
            **node,
            "title": words.nodes[id_],
            "english": node["title"],
            "description": self._text(words, node["description"]),
            "inputs": [self._socket(words, id_, item["name"], item) for item in node["inputs"]],
            "settings": {**schema, **({"properties": properties} if properties else {})},
            "outputs": [self._socket(words, id_, item["name"], item) for item in node["outputs"]],
        }

    def _socket(self, words: Words, id_: str, name: str, said: Mapping[str, Any]) -> dict[str, JSON]:
        """Translate what an input, output or setting is called, and what is told of it."""
        title = words.names.get(f"{id_}.{name}", words.names.get(name))
        about = said.get("description")
        return {
            **said,
            "title": self._noted("names", name, said["title"], title),
            **({"description": self._text(words, about)} if about else {}),
        }

    def _choices(self, words: Words, id_: str, name: str, schema: Mapping[str, Any]) -> dict[str, JSON]:
        """Return `choices`: what a setting's values are called, where there are some to choose from."""
        values = [value for one in _variants(schema) for value in one.get("enum", ()) if isinstance(value, str)]
        found: dict[str, JSON] = {}
        for value in values:
            keys = (f"{id_}.{name}.{value}", f"{name}.{value}", value)
            title = next((words.choices[key] for key in keys if key in words.choices), None)
            found[value] = self._noted("choices", value, value, title)
        return {"choices": found} if found else {}

    def _text(self, words: Words, english: str) -> str:
        key = folded(english)
        return self._noted("texts", key, english, words.texts.get(key)) if key else ""

    def _noted(self, part: str, key: str, english: str, found: str | None) -> str:
        if found is not None:
            return found
        self.missing.append(f"{part}: {key}")
        return english


def _variants(schema: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
    """Yield a setting's schema and those that it may be instead of, or holds."""
    return (schema, *schema.get("anyOf", ()), schema.get("items", {}))
