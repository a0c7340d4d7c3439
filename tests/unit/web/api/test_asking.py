from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
import pytest
from litestar import Request
from litestar.exceptions import ClientException
from msgspec import Meta

from ringback.web.api.asking import Nothing, read_query


class Query(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    names: Annotated[tuple[str, ...], Meta(max_length=3)] = ()
    plain: tuple[int, ...] = ()
    older_than: float | None = None
    text: str | None = None


def asked(query: str) -> Request[Any, Any, Any]:
    scope: Mapping[str, Any] = {"type": "http", "query_string": query.encode(), "headers": []}
    return Request(scope)  # type: ignore[arg-type]  # as much of a scope as is looked at


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", Query()),
        ("names=a", Query(("a",))),
        ("names=a,b&names=c", Query(("a", "b", "c"))),
        ("plain=1,2", Query(plain=(1, 2))),
        ("olderThan=2.5", Query(older_than=2.5)),
        ("text=null", Query(text="null")),
        ("names=%C3%A4%20%2B", Query(("ä +",))),
    ],
)
def test_lists_may_be_repeated_or_separated_by_commas(query: str, found: Query) -> None:
    assert read_query(asked(query), Query) == found


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("older_than=1", "Object contains unknown field `older_than`"),
        ("olderThan=1&olderThan=1", "olderThan: it is given more than once"),
        ("olderThan=soon", "olderThan: Expected `float | null`, got `str`"),
        ("olderThan=null", "olderThan: leave it out instead of null"),
        ("plain=1,x", "plain[1]: Expected `int`, got `str`"),
        ("names=a,b,c,d", "names: Expected `array` of length <= 3"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(query: str, words: str) -> None:
    with pytest.raises(ClientException) as refused:
        read_query(asked(query), Query)
    assert (refused.value.status_code, refused.value.detail) == (400, words)


def test_where_nothing_can_be_asked_anything_is_wrong() -> None:
    assert read_query(asked(""), Nothing) == Nothing()
    with pytest.raises(ClientException):
        read_query(asked("a=1"), Nothing)
