"""What there is to build with, as it is sent: once for each language that plugins have words in."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Iterator
from threading import Lock

from graphgen.catalogue import catalogue_json
from graphgen.errors import DefinitionError
from graphgen.jsontypes import digest
from graphgen.registry import Registry
from graphgen.translation import SOURCE, Words, read_words, translate

_log = logging.getLogger("graphgen.server")


class Catalogues:
    """The catalogue in each language. It is made when it is first asked for, and stays the same from then on."""

    def __init__(self, registry: Registry) -> None:
        self.languages = (SOURCE, *sorted(set(registry.translations) - {SOURCE}))
        self._registry = registry
        self._made: dict[str, tuple[bytes, str]] = {}
        self._lock = Lock()

    def find(self, language: str) -> tuple[bytes, str]:
        """Return the catalogue in one of the languages as JSON, and the digest of that."""
        with self._lock:
            if language not in self._made:
                words = list(self._words(language))
                catalogue = catalogue_json(self._registry)
                body = json.dumps(translate(catalogue, words) if words else catalogue, ensure_ascii=False).encode()
                self._made[language] = body, digest(body)
            return self._made[language]

    def _words(self, language: str) -> Iterator[Words]:
        """Yield a language's words, those that cannot be read left out and told in the log."""
        for path in self._registry.translations.get(language, ()):
            try:
                yield read_words(path)
            except DefinitionError as error:
                _log.warning("nodes are shown in English: %s", error)


def choose_language(asked: str, known: Iterable[str]) -> str:
    """Return the language that somebody wants most of those there are, given as in Accept-Language; else English."""
    by_tag = {language.lower(): language for language in known}
    for tag in _by_weight(asked):
        parts = tag.split("-")
        for length in range(len(parts), 0, -1):  # pt-BR is told in pt where there is nothing nearer
            if found := by_tag.get("-".join(parts[:length])):
                return found
    return SOURCE


def _by_weight(asked: str) -> list[str]:
    """List the languages of an Accept-Language header, the most wanted first; those of weight 0 are left out."""
    weighed: list[tuple[float, str]] = []
    for item in asked.split(","):
        tag, _, parameter = item.partition(";")
        weight = parameter.strip().removeprefix("q=")
        try:
            weighed.append((float(weight) if weight else 1.0, tag.strip().lower()))
        except ValueError:
            continue  # no weight that HTTP knows: as if it had not been asked for
    return [tag for weight, tag in sorted(weighed, key=lambda one: -one[0]) if weight > 0]
