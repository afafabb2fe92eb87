"""The API described: an OpenAPI 3.1 document, and a page to read, both made of the routes themselves.

In: `Route`s. Out: a JSON object, from which clients and an editor's types are generated, and HTML that loads nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from http import HTTPStatus
from importlib.metadata import version
from inspect import cleandoc
from typing import Any, cast

from pydantic import TypeAdapter

from graphgen.jsontypes import JSON
from graphgen.server.problems import MEDIA_TYPE
from graphgen.server.route import Route
from graphgen.server.security import OPEN
from graphgen.server.shapes import ProblemDocument

_REFERENCE = "#/components/schemas/{model}"
_holes = re.compile(r"\{(\w+)\}").findall


def describe(routes: Iterable[Route]) -> dict[str, JSON]:
    """Return the OpenAPI document."""
    schemas: dict[str, JSON] = {}
    paths: dict[str, dict[str, JSON]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, schemas)
    return {
        "openapi": "3.1.0",
        "info": {"title": "graphgen", "version": version("graphgen"), "license": {"name": "Apache-2.0"}},
        "paths": paths,
        "components": {
            "schemas": dict(sorted(schemas.items())),
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _operation(route: Route, schemas: dict[str, JSON]) -> dict[str, JSON]:
    summary, text = _told(route)
    module = route.handler.__module__.rpartition(".")[2]
    answers: dict[str, JSON] = {
        str(status): _answer(status, form, schemas) for status, form in sorted(route.answers.items())
    }
    answers["default"] = _answer(400, ProblemDocument, schemas, MEDIA_TYPE) | {"description": "What went wrong"}
    found: dict[str, JSON] = {
        "operationId": f"{module}_{route.handler.__name__}",
        "tags": [module],
        "summary": summary,
        "description": text,
        "parameters": _parameters(route),
        "responses": answers,
        "security": [] if route.path in OPEN else [{"token": []}],
    }
    if route.body is not None:
        found["requestBody"] = {"required": True, "content": _content(route.body, schemas)}
    return found


def _parameters(route: Route) -> list[JSON]:
    text: JSON = {"type": "string"}
    found: list[JSON] = [{"name": name, "in": "path", "required": True, "schema": text} for name in _holes(route.path)]
    for where, named in (("query", route.query), ("header", route.headers)):
        found += [{"name": name, "in": where, "description": about, "schema": text} for name, about in named.items()]
    return found


def _answer(
    status: int, form: object, schemas: dict[str, JSON], media_type: str = "application/json"
) -> dict[str, JSON]:
    found: dict[str, JSON] = {"description": HTTPStatus(status).phrase}
    return found if form is None else {**found, "content": _content(form, schemas, media_type)}


def _content(form: object, schemas: dict[str, JSON], media_type: str = "application/json") -> dict[str, JSON]:
    """Describe a body: a media type, or a type whose schema and all that it needs join the document's."""
    if isinstance(form, str):
        return {form: {"schema": {}}}
    adapter: TypeAdapter[Any] = TypeAdapter(cast(Any, form))
    schema = adapter.json_schema(ref_template=_REFERENCE)
    schemas.update(schema.pop("$defs", {}))
    name = schema.get("title")
    if name is None or schema.get("type") != "object" or "properties" not in schema:
        return {media_type: {"schema": schema}}
    schemas[name] = schema
    return {media_type: {"schema": {"$ref": _REFERENCE.format(model=name)}}}


def _told(route: Route) -> tuple[str, str]:
    text = " ".join(cleandoc(route.handler.__doc__ or "").split())
    return text.partition(". ")[0].rstrip("."), text


# --- the page -------------------------------------------------------------------------------------------------------


def page(routes: Sequence[Route]) -> str:
    """Return the description as a page."""
    parts = [_HEAD, *(_shown(route) for route in routes), "</main></body></html>\n"]
    return "\n".join(parts)


def _shown(route: Route) -> str:
    rows: dict[str, str] = {}
    if route.body is not None:
        rows["body"] = _name_of(route.body)
    rows |= {f"?{name}=": about for name, about in route.query.items()}
    rows |= {f"{name}:": about for name, about in route.headers.items()}
    rows |= {str(status): _name_of(form) for status, form in sorted(route.answers.items())}
    return f"<h2>{route.method} {escape(route.path)}</h2>\n<p>{escape(_told(route)[1])}</p>\n{_list(rows)}"


def _list(rows: Mapping[str, str]) -> str:
    lines = (f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in rows.items())
    return f"<dl>{''.join(lines)}</dl>"


def _name_of(form: object) -> str:
    if form is None:
        return "no body"
    if isinstance(form, str):
        return form
    return form.__name__ if isinstance(form, type) and form.__module__.endswith("shapes") else "a JSON object"


_HEAD = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>graphgen: the API</title>
<link rel="stylesheet" href="/style.css">
</head>
<body><main>
<h1>The API, call by call</h1>
<p>Send the token as <code>Authorization: Bearer TOKEN</code>. The forms of what goes in and out are in
<a href="/api/openapi.json">openapi.json</a> (OpenAPI 3.1).
What goes wrong is told as a problem document (RFC 9457).</p>"""
