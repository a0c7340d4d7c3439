"""What handlers share: whose request it is, and reading what it holds."""

from typing import TypeVar

import msgspec
from aiohttp import web

from ringback.simulator.genesys.problems import Problem, bad_request
from ringback.simulator.genesys.tokens import Token

__all__ = ["LARGEST_PAGE", "TOKEN", "answer", "page_of", "read_body", "read_number"]

TOKEN = web.RequestKey("token", Token)
LARGEST_PAGE = 500

Body = TypeVar("Body")


def answer(content: object, status: int = 200) -> web.Response:
    """Answer with JSON; bytes are taken as JSON that is written already."""
    body = content if isinstance(content, bytes) else msgspec.json.encode(content)
    return web.Response(status=status, body=body, content_type="application/json")


async def read_body(request: web.Request, kind: type[Body]) -> Body:
    """Read a body of that kind; raises `Problem` when it is none."""
    try:
        return msgspec.json.decode(await request.read(), type=kind)
    except msgspec.ValidationError as error:
        raise bad_request(f"The request body is invalid: {error}") from None
    except msgspec.DecodeError:
        raise Problem(400, "invalid.json", "The request body is no valid JSON.") from None


def read_number(request: web.Request, name: str, otherwise: int, most: int) -> int:
    """Read a number from 1 to `most` out of the query."""
    text = request.query.get(name, str(otherwise))
    if not text.isdecimal() or not 1 <= int(text) <= most:
        raise bad_request("{name} must be from 1 to {most}.", name=name, most=str(most))
    return int(text)


def page_of(request: web.Request, entities: list[dict[str, object]]) -> dict[str, object]:
    """Give the page that a request asks for, in the usual frame."""
    size = read_number(request, "pageSize", 25, LARGEST_PAGE)
    number = read_number(request, "pageNumber", 1, 1_000_000)
    pages = -(-len(entities) // size)
    here = request.path
    shown: dict[str, object] = {
        "entities": entities[(number - 1) * size : number * size],
        "pageSize": size,
        "pageNumber": number,
        "total": len(entities),
        "pageCount": pages,
        "firstUri": f"{here}?pageSize={size}&pageNumber=1",
        "selfUri": f"{here}?pageSize={size}&pageNumber={number}",
        "lastUri": f"{here}?pageSize={size}&pageNumber={max(pages, 1)}",
    }
    if number < pages:
        shown["nextUri"] = f"{here}?pageSize={size}&pageNumber={number + 1}"
    return shown
