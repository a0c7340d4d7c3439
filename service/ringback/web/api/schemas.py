"""`/api/v1/schemas`: the JSON Schema of every event; `/openapi.json`: what the API is."""

from typing import Any

import msgspec
from litestar import Request, Response, get
from litestar.exceptions import NotFoundException

from ringback.web.api.answers import Answer, Answers
from ringback.web.api.asking import Nothing, read_query
from ringback.web.api.describing import describe, document
from ringback.web.incoming import part_of
from ringback.web.visitors import LOOKING
from ringback.wire.cloudevents import schemas

__all__ = ["schemas_handlers"]


class Schemas(Answer, kw_only=True):
    """The JSON Schema of every type of event."""

    schemas: dict[str, dict[str, Any]]


def schemas_handlers(answers: Answers, version: str, *, asking: bool) -> list[Any]:
    """Make the handlers; `asking` says whether it is asked who is there."""
    known = schemas()
    described: list[bytes] = []

    @get(
        "/api/v1/schemas",
        opt=describe(
            "The JSON Schema of every type of event", Schemas, may=LOOKING, problems=(400, 503)
        ),
    )
    async def all_schemas(request: Request[Any, Any, Any]) -> Response[bytes]:
        read_query(request, Nothing)
        return answers.answer(request, Schemas(**answers.begin(), schemas=known), ticking=True)

    @get(
        "/api/v1/schemas/{event_type:str}",
        opt=describe(
            "The JSON Schema of one type of event",
            dict[str, Any],
            may=LOOKING,
            problems=(400, 404),
            media_type="application/schema+json",
        ),
    )
    async def one_schema(request: Request[Any, Any, Any]) -> Response[bytes]:
        read_query(request, Nothing)
        schema = known.get(part_of(request, "event_type"))
        if schema is None:
            raise NotFoundException("There is no such type of event.")
        content = msgspec.json.encode(schema)
        return answers.constant(request, content, "application/schema+json")

    @get(
        "/openapi.json",
        opt=describe("This description", dict[str, Any], may=LOOKING, problems=(400,)),
    )
    async def openapi(request: Request[Any, Any, Any]) -> Response[bytes]:
        read_query(request, Nothing)
        if not described:
            described.append(msgspec.json.encode(document(request.app, version, asking=asking)))
        return answers.constant(request, described[0], "application/json")

    return [all_schemas, one_schema, openapi]
