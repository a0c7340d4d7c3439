"""The OpenAPI document, made of what the handlers say of themselves and of the structs they use.

A handler is in it when its `opt` holds what `describe` gives. Checks, answers and document have one
source: the same structs.
"""

from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, NamedTuple

import msgspec
from litestar import Litestar
from litestar.routes import HTTPRoute

from ringback.web.visitors import Role, roles

__all__ = ["Operation", "Problem", "describe", "document"]

JSON = "application/json"
PROBLEM = "application/problem+json"
REFERENCE = "#/components/schemas/{name}"

REFUSED = (401, 403, 421, 429)
"""What anybody may be answered who is not known, may not, or comes from elsewhere."""
WAYS_IN = {
    "token": {"type": "http", "scheme": "bearer"},
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": "ringback",
        "description": "Set by the login page; over TLS its name is `__Host-ringback`.",
    },
}

Schema = dict[str, Any]


class Problem(msgspec.Struct, frozen=True):
    """What went wrong (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str = ""


class Operation(NamedTuple):
    """What a handler does, asks for and answers."""

    summary: str
    answer: Any
    """The struct, or None where only the media type is known."""
    query: type[msgspec.Struct] | None
    body: type[msgspec.Struct] | None
    problems: Sequence[int]
    media_type: str
    cached: bool
    """Whether it may be answered with 304."""
    headers: Mapping[str, str]
    """Headers that are listened to, with what they mean."""
    may: frozenset[Role]


def describe(
    summary: str,
    answer: Any = None,  # noqa: ANN401  # any type
    *,
    may: frozenset[Role],
    query: type[msgspec.Struct] | None = None,
    body: type[msgspec.Struct] | None = None,
    problems: Sequence[int] = (),
    media_type: str = JSON,
    cached: bool = False,
    headers: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Give what makes a handler part of the document, for those who may: pass it as its `opt`."""
    operation = Operation(
        summary, answer, query, body, problems, media_type, cached, headers or {}, may
    )
    return roles(may) | {"operation": operation}


def document(app: Litestar, version: str, *, asking: bool) -> dict[str, Any]:
    """Describe every handler of an application that says what it does.

    `asking` says whether it asks who is there.
    """
    found = sorted(_operations(app), key=lambda each: each[:2])
    operations = [operation for *_, operation in found]
    types = [
        each
        for operation in operations
        for each in (operation.answer, operation.query, operation.body)
        if each is not None
    ]
    schemas, components = msgspec.json.schema_components([Problem, *types], ref_template=REFERENCE)
    known = dict(zip(map(id, [Problem, *types]), schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for path, method, name, operation in found:
        paths.setdefault(path, {})[method] = _described(path, name, operation, known, components)
    for query in {operation.query for operation in operations if operation.query is not None}:
        components.pop(query.__name__, None)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Ringback",
            "version": version,
            "summary": "Every callback of a contact centre, live.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {"schemas": components} | ({"securitySchemes": WAYS_IN} if asking else {}),
    } | ({"security": [{way: []} for way in WAYS_IN]} if asking else {})


def _operations(app: Litestar) -> Iterable[tuple[str, str, str, Operation]]:
    for route in app.routes:
        if not isinstance(route, HTTPRoute):
            continue
        for handler in route.route_handlers:
            operation = handler.opt.get("operation")
            if isinstance(operation, Operation):
                for method in handler.http_methods:
                    if method != "OPTIONS":
                        yield route.path_format, method.lower(), handler.handler_name, operation


def _described(
    path: str, name: str, operation: Operation, known: dict[int, Schema], components: Schema
) -> dict[str, Any]:
    parameters = [
        {"name": part[1:-1], "in": "path", "required": True, "schema": {"type": "string"}}
        for part in path.split("/")
        if part.startswith("{")
    ]
    parameters += [
        {
            "name": header,
            "in": "header",
            "required": False,
            "description": meaning,
            "schema": {"type": "string"},
        }
        for header, meaning in operation.headers.items()
    ]
    if operation.query is not None:
        parameters += _query(components[operation.query.__name__])
    answer: Schema = {} if operation.answer is None else known[id(operation.answer)]
    answers: dict[str, Any] = {
        "200": {"description": "OK", "content": {operation.media_type: {"schema": answer}}}
    }
    if operation.cached:
        answers["304"] = {"description": "It is what `If-None-Match` says."}
    for status in sorted({*operation.problems, *REFUSED, 500}):
        answers[str(status)] = {
            "description": HTTPStatus(status).phrase,
            "content": {PROBLEM: {"schema": known[id(Problem)]}},
        }
    found: dict[str, Any] = {
        "operationId": name,
        "summary": operation.summary,
        "description": f"For the role {' or '.join(sorted(operation.may))}.",
    }
    if parameters:
        found["parameters"] = parameters
    if operation.body is not None:
        schema = known[id(operation.body)]
        found["requestBody"] = {"required": True, "content": {JSON: {"schema": schema}}}
    return found | {"responses": answers}


def _query(shape: Schema) -> list[dict[str, Any]]:
    """Make parameters of the fields of a struct; what may be null may be left out."""
    return [
        {"name": name, "in": "query", "required": False, "schema": _without_null(schema)}
        for name, schema in shape["properties"].items()
    ]


def _without_null(schema: Schema) -> Schema:
    options = [one for one in schema.get("anyOf", ()) if one != {"type": "null"}]
    rest = {key: value for key, value in schema.items() if key not in ("anyOf", "default")}
    return rest if not options else rest | (options[0] if len(options) == 1 else {"anyOf": options})
