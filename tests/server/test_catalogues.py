"""The catalogue in several languages, as it is asked for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from server.server_kit import serving

from graphgen import hookimpl
from graphgen.plugins import find_plugins, module_plugins
from graphgen.registry import build_registry
from graphgen.server.catalogues import Catalogues, choose_language


def test_the_catalogue_is_told_in_the_language_that_is_wanted(tmp_path: Path) -> None:
    with serving(tmp_path, installed=build_registry(find_plugins())) as client:
        english, korean = client.get("/api/nodes"), client.get("/api/nodes?language=ko")
        asked = client.get("/api/nodes", Accept_Language="ko-KR,ko;q=0.9,en;q=0.8")
        other = client.get("/api/nodes?language=fr", Accept_Language="ko")
        tag = korean.headers["ETag"]
        assert client.get("/api/nodes?language=ko", If_None_Match=tag).status == 304
        assert client.get("/api/nodes?language=en", If_None_Match=tag).status == 200
    titles = [answer.json["nodes"]["latents.empty"]["title"] for answer in (english, korean, asked, other)]
    assert titles == ["Empty latent", "빈 잠재 이미지", "빈 잠재 이미지", "Empty latent"]
    assert [answer.headers["Content-Language"] for answer in (english, korean, other)] == ["en", "ko", "en"]
    assert english.headers["ETag"] != tag == asked.headers["ETag"]
    assert asked.headers["Vary"] == "Accept-Language"


@pytest.mark.parametrize(
    ("asked", "language"),
    [
        ("", "en"),
        ("ko", "ko"),
        ("ko-KR", "ko"),
        ("pt-br;q=0.5, ko;q=0.4", "pt-BR"),
        ("en-GB,en;q=0.9,ko;q=0.8", "en"),
        ("fr, ko;q=0.1", "ko"),
        ("ko;q=0, pt-BR;q=0.1", "pt-BR"),
        ("*, ko;q=much", "en"),
    ],
)
def test_the_language_wanted_most_is_chosen(asked: str, language: str) -> None:
    assert choose_language(asked, ("en", "ko", "pt-BR")) == language


class Unreadable:
    """A plugin whose words are no words."""

    def __init__(self, file: Path) -> None:
        self.file = file

    @hookimpl
    def register_translations(self) -> list[Path]:
        return [self.file]


def test_words_that_cannot_be_read_are_told_in_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "ko.json"
    path.write_text('{"nodes": []}')
    catalogues = Catalogues(build_registry([*find_plugins(), *module_plugins({"acme": Unreadable(path)})]))
    told = json.loads(catalogues.find("ko")[0])
    assert told["nodes"]["latents.empty"]["title"] == "빈 잠재 이미지"
    assert f"nodes are shown in English: {path}: nodes: must be an object" in caplog.text
