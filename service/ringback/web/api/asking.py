"""Reading queries and bodies strictly: what is not known or not allowed is an error with words."""

from typing import Any, TypeVar, get_args, get_origin

import msgspec
from litestar import Request
from litestar.connection import ASGIConnection
from litestar.exceptions import ClientException

__all__ = ["Nothing", "read_body", "read_query"]

T = TypeVar("T", bound=msgspec.Struct)


class Nothing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A query without parameters."""


def read_query(request: ASGIConnection[Any, Any, Any, Any], shape: type[T]) -> T:
    """Read the query into a struct. Fields that are tuples may be repeated, or hold commas."""
    lists = {
        field.encode_name
        for field in msgspec.structs.fields(shape)
        if get_origin(_bare(field.type)) is tuple
    }
    given: dict[str, Any] = {}
    for name, value in request.query_params.multi_items():
        if name in lists:
            given.setdefault(name, []).extend(value.split(","))
        elif name in given:
            raise ClientException(f"{name}: it is given more than once")
        else:
            given[name] = value
    try:
        read = msgspec.convert(given, shape, strict=False)
    except msgspec.ValidationError as error:
        raise ClientException(_worded(error)) from None
    for field in msgspec.structs.fields(shape):
        # The library takes the text "null" for a value that is not given.
        if field.encode_name in given and getattr(read, field.name) is None:
            raise ClientException(f"{field.encode_name}: leave it out instead of null")
    return read


async def read_body(request: Request[Any, Any, Any], shape: type[T]) -> T:
    """Read a JSON body."""
    kind, _ = request.content_type
    if kind != "application/json":
        raise ClientException("the body must be application/json", status_code=415)
    try:
        return msgspec.json.decode(await request.body(), type=shape)
    except msgspec.DecodeError as error:
        raise ClientException(_worded(error)) from None
    except UnicodeDecodeError:
        raise ClientException("the body is not UTF-8") from None


def _bare(annotation: Any) -> Any:  # noqa: ANN401  # any annotation at all
    """Take the description off an annotation."""
    return get_args(annotation)[0] if hasattr(annotation, "__metadata__") else annotation


def _worded(error: Exception) -> str:
    """Put the place first, as it stands in the query."""
    said, _, place = str(error).partition(" - at `$")
    return f"{place.strip('`.')}: {said}" if place else said
