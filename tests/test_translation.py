"""Nodes in other languages: which words hold where, what stays English, and that the built-in nodes lack none."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import Field

from graphgen import hookimpl, node
from graphgen.catalogue import catalogue_json
from graphgen.errors import DefinitionError
from graphgen.plugins import find_plugins, module_plugins
from graphgen.registry import build_registry
from graphgen.translation import Words, folded, read_words, translate, untranslated


@node(category="print")
def halftone(
    *,
    dots: Annotated[int, Field(description="How many dots there are.")] = 8,
    shape: Literal["round", "square"] = "round",
) -> Annotated[str, Field(description="The print.")]:
    """Print with dots.

    A longer paragraph that is
    broken into lines.
    """
    return f"{dots} {shape}"


@node(category="print", title="Fine print")
def fine(*, dots: int = 100) -> str:
    """Print finely."""
    return str(dots)


class Pack:
    """A plugin with two nodes, and words for them in the files it is given."""

    def __init__(self, *files: Path) -> None:
        self.files = list(files)

    @hookimpl
    def register_nodes(self) -> list[Callable[..., object]]:
        return [halftone, fine]

    @hookimpl
    def register_translations(self) -> list[Path]:
        return self.files


WORDS = {
    "nodes": {"acme.halftone": "망점 인쇄", "acme.fine": "고운 인쇄"},
    "categories": {"print": "인쇄"},
    "names": {"dots": "점", "acme.fine.dots": "고운 점", "shape": "모양", "str": "글"},
    "choices": {"round": "둥글게", "shape.square": "네모나게"},
    "texts": {
        "How many dots there are.": "점의 수.",
        "Print with dots.\n\nA longer paragraph that is broken into lines.": "점으로 인쇄합니다.",
        "The print.": "인쇄물.",
        "Print finely.": "곱게 인쇄합니다.",
    },
}


def catalogue() -> dict[str, Any]:
    return catalogue_json(build_registry(module_plugins({"acme": Pack()})))


def korean(**changes: dict[str, str]) -> dict[str, Any]:
    return translate(catalogue(), [Words.model_validate({**WORDS, **changes})])


def test_titles_descriptions_names_and_choices_are_told_in_the_words_of_a_file() -> None:
    told = korean()
    halftone = told["nodes"]["acme.halftone"]
    assert (halftone["title"], halftone["english"]) == ("망점 인쇄", "Halftone")
    assert halftone["description"] == "점으로 인쇄합니다."
    dots, shape = (halftone["settings"]["properties"][name] for name in ("dots", "shape"))
    assert (dots["title"], dots["description"], dots["type"]) == ("점", "점의 수.", "integer")
    assert (shape["enum"], shape["choices"]) == (["round", "square"], {"round": "둥글게", "square": "네모나게"})
    assert [(item["name"], item["title"], item["description"]) for item in halftone["outputs"]] == [
        ("str", "글", "인쇄물.")
    ]
    assert (halftone["category"], told["categories"]) == ("print", {"print": "인쇄"})
    assert told["types"] == catalogue()["types"]


def test_words_with_a_node_before_them_hold_for_that_node_alone() -> None:
    told = korean()["nodes"]
    assert told["acme.fine"]["settings"]["properties"]["dots"]["title"] == "고운 점"
    assert told["acme.halftone"]["settings"]["properties"]["dots"]["title"] == "점"


def test_what_has_no_words_stays_english_and_is_listed() -> None:
    words = {
        **WORDS,
        "nodes": {"acme.halftone": "망점 인쇄"},
        "names": {},
        "choices": {},
        "texts": {},
        "categories": {},
    }
    told: Any = translate(catalogue(), [Words.model_validate(words)])
    assert told["nodes"]["acme.fine"] == catalogue()["nodes"]["acme.fine"]
    halftone = told["nodes"]["acme.halftone"]
    assert halftone["description"] == catalogue()["nodes"]["acme.halftone"]["description"]
    assert halftone["settings"]["properties"]["dots"]["title"] == "Dots"
    assert halftone["settings"]["properties"]["shape"]["choices"] == {"round": "round", "square": "square"}
    assert told["categories"] == {"print": "Print"}
    assert untranslated(catalogue(), [Words.model_validate(words)]) == [
        "nodes: acme.fine",
        "names: dots",
        "texts: How many dots there are.",
        "names: shape",
        "choices: round",
        "choices: square",
        "texts: Print with dots.\n\nA longer paragraph that is broken into lines.",
        "names: str",
        "texts: The print.",
        "categories: print",
    ]
    assert untranslated(catalogue(), [Words.model_validate(WORDS)]) == []


def test_a_text_that_was_changed_is_told_in_english() -> None:
    changed = {"How many dots there were.": "점의 수."}
    settings = korean(texts=changed)["nodes"]["acme.halftone"]["settings"]
    assert settings["properties"]["dots"]["description"] == "How many dots there are."


def test_the_first_file_that_speaks_of_a_node_tells_of_it_alone() -> None:
    other = Words(nodes={"acme.fine": "섬세한 인쇄"}, names={"dots": "망점"})
    told: Any = translate(catalogue(), [other, Words.model_validate(WORDS)])["nodes"]
    assert told["acme.fine"]["title"] == "섬세한 인쇄"
    assert told["acme.fine"]["description"] == "Print finely."
    assert told["acme.halftone"]["settings"]["properties"]["dots"]["title"] == "점"


def test_files_are_known_by_their_language(tmp_path: Path) -> None:
    files = [tmp_path / "ko.json", tmp_path / "pt-BR.json"]
    for path in files:
        path.write_text(json.dumps(WORDS), encoding="utf-8")
    made = build_registry(module_plugins({"acme": Pack(*files), "more": Pack(files[0])}))
    assert made.translations == {"ko": (files[0], files[0]), "pt-BR": (files[1],)}
    assert read_words(files[0]) == Words.model_validate(WORDS)


@pytest.mark.parametrize(
    ("name", "told"),
    [("korean words.json", "is named as its language is"), ("ko.txt", "such as ko.json"), ("ja.json", "no such file")],
)
def test_a_file_that_is_none_breaks_its_plugin(tmp_path: Path, name: str, told: str) -> None:
    (tmp_path / "ko.txt").touch()
    (broken,) = build_registry(module_plugins({"acme": Pack(tmp_path / name)})).broken
    assert str(tmp_path / name) in broken.error
    assert told in broken.error


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "this is not JSON"),
        ('{"nods": {}}', "nods"),
        ('{"nodes": {"acme.fine": 3}}', "nodes.acme.fine: must be a text (got 3)"),
        (None, "No such file"),
        (b"\xff", "can't decode"),
    ],
)
def test_a_file_that_cannot_be_read_says_where(tmp_path: Path, text: str | bytes | None, told: str) -> None:
    path = tmp_path / "ko.json"
    if text is not None:
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(DefinitionError) as caught:
        read_words(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert told in str(caught.value)


def test_each_paragraph_is_a_line_of_a_key() -> None:
    assert folded("One\n  two.\n\nThree\nfour.") == "One two.\n\nThree four."


@pytest.fixture(scope="module")
def built_in() -> tuple[dict[str, Any], Words]:
    """The built-in nodes, and the Korean words for them."""
    installed = build_registry(find_plugins())
    own = {plugin.name for plugin in installed.plugins if plugin.distribution == "graphgen"}
    told: dict[str, Any] = catalogue_json(installed)
    told["nodes"] = {id_: spec for id_, spec in told["nodes"].items() if id_.partition(".")[0] in own}
    told["categories"] = {spec["category"]: "" for spec in told["nodes"].values()}
    (path,) = (path for path in installed.translations["ko"] if "graphgen_nodes" in path.parts)
    return told, read_words(path)


def test_the_built_in_nodes_lack_no_korean_words(built_in: tuple[dict[str, Any], Words]) -> None:
    told, words = built_in
    assert untranslated(told, [words]) == []


def test_no_korean_word_is_left_of_what_is_not_there_any_more(built_in: tuple[dict[str, Any], Words]) -> None:
    told, words = built_in
    said = _said(told)
    left = {part: sorted(set(getattr(words, part)) - said[part]) for part in said}
    assert not any(left.values()), left


def _said(told: dict[str, Any]) -> dict[str, set[str]]:
    """Return all keys that words for a catalogue may have."""
    said: dict[str, set[str]] = {part: set() for part in Words.model_fields}
    said["categories"] = set(told["categories"])
    for id_, spec in told["nodes"].items():
        settings = spec["settings"].get("properties", {})
        sockets = {item["name"]: item for item in (*spec["inputs"], *spec["outputs"])} | settings
        said["nodes"].add(id_)
        said["names"] |= {*sockets, *(f"{id_}.{name}" for name in sockets)}
        said["texts"] |= {folded(text) for text in (spec["description"], *_descriptions(spec, settings))}
        for name, schema in settings.items():
            for value in schema.get("enum", ()):
                said["choices"] |= {value, f"{name}.{value}", f"{id_}.{name}.{value}"}
    return said


def _descriptions(spec: dict[str, Any], settings: dict[str, Any]) -> list[str]:
    return [item.get("description", "") for item in (*spec["inputs"], *spec["outputs"], *settings.values())]
