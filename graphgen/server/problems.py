"""What goes wrong, told as RFC 9457 problem documents.

Each has `type`, `title`, `status` and `detail`; where it is about a workflow, `problems` has what `graphgen check` says
of it: `code`, `place`, `message`, `value`, `allowed`, `cure`; where a workflow goes by another name now, that is its
`moved_to`. What is a fault of the server itself is told without its
inside, which goes to the log.
"""

from __future__ import annotations

import json
import logging
import sqlite3
from collections.abc import Mapping, Sequence
from http import HTTPStatus

from aiohttp import web
from aiohttp.typedefs import Handler

from graphgen.errors import PathError, Problem, WorkflowError
from graphgen.jsontypes import JSON

MEDIA_TYPE = "application/problem+json"
_PREFIX = "urn:graphgen:problem:"
_log = logging.getLogger("graphgen.server")


class Trouble(Exception):
    """An answer that is no success: its status, its kind in a word or two, and what to tell."""

    def __init__(
        self,
        status: int,
        kind: str,
        detail: str,
        problems: Sequence[Problem] = (),
        headers: Mapping[str, str] | None = None,
        more: Mapping[str, JSON] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.kind = kind
        self.detail = detail
        self.problems = tuple(problems)
        self.headers = dict(headers or {})
        self.more = dict(more or {})


def missing(what: str) -> Trouble:
    """Say that there is no such thing, in the same words whether it is not there or not for this client."""
    return Trouble(404, "not-found", f"there is no such {what}")


def response_of(trouble: Trouble) -> web.Response:
    """Write a problem document."""
    document: dict[str, JSON] = {
        "type": _PREFIX + trouble.kind,
        "title": HTTPStatus(trouble.status).phrase,
        "status": trouble.status,
        "detail": trouble.detail,
        **trouble.more,
    }
    if trouble.problems:
        document["problems"] = [problem.to_json() for problem in trouble.problems]
    return web.Response(
        text=json.dumps(document), status=trouble.status, content_type=MEDIA_TYPE, headers=trouble.headers
    )


@web.middleware
async def tell_problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer whatever a handler raises with a problem document."""
    try:
        return await handler(request)
    except Trouble as trouble:
        return response_of(trouble)
    except WorkflowError as error:
        return response_of(wrong_workflow(error.problems))
    except PathError as error:
        return response_of(Trouble(422, "invalid-path", str(error)))
    except web.HTTPException as error:
        return _of_http(request, error)
    except sqlite3.Error as error:
        _log.error("the server's database: %s", error)
        detail = "the server cannot write its database now; make room on the disk of its data folder, and try again"
        return response_of(Trouble(503, "storage", detail, headers={"Retry-After": "5"}))
    except ConnectionError:
        raise  # nobody is there to be answered
    except OSError as error:
        _log.error("while answering %s %s: %s", request.method, request.path, error)
        detail = "the server cannot read or write a file now; look at its disks and folders, and try again"
        return response_of(Trouble(503, "storage", detail, headers={"Retry-After": "5"}))
    except Exception:
        _log.exception("a fault while answering %s %s", request.method, request.path)
        return response_of(Trouble(500, "fault", "a fault in graphgen; the server's log has the lines to report"))


def wrong_workflow(problems: Sequence[Problem]) -> Trouble:
    """Say all that is wrong with a workflow."""
    many = f" and {len(problems) - 1} more" if len(problems) > 1 else ""
    return Trouble(422, "invalid-workflow", f"{problems[0]}{many}", problems)


def _of_http(request: web.Request, error: web.HTTPException) -> web.Response:
    """Tell what aiohttp found in our words; a redirection is no problem and goes through."""
    if error.status < 400:
        raise error
    known = {
        404: ("not-found", "there is nothing here; /api lists what there is"),
        405: ("method-not-allowed", f"{request.method} is not known here"),
        413: ("too-large", "the body is larger than this server takes"),
    }
    kind, detail = known.get(error.status, ("bad-request", error.reason))
    allowed = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else {}
    return response_of(Trouble(error.status, kind, detail, headers=allowed))
