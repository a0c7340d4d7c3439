from typing import Any

import pytest
from litestar import Request
from litestar.exceptions import HTTPException

from ringback.runtime.clock import SystemClock
from ringback.web.api.answers import Answer, Answers
from ringback.web.board.board import Board


class Words(Answer, kw_only=True):
    words: str


def answers(position: int | None = 7, run: str = "run") -> Answers:
    """Answer as of a position; None: nothing is loaded."""
    board = Board()
    if position is not None:
        board.position = position
        board.complete(position)
    return Answers(board, SystemClock(), run)


def asked(query: str = "", path: str = "/a", **headers: str) -> Request[Any, Any, Any]:
    named = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scope: Any = {
        "type": "http",
        "path": path,
        "query_string": query.encode(),
        "headers": named,
    }
    return Request(scope)


async def tag(made: Answers, *request: str, ticking: bool = False) -> str:
    answer = made.answer(asked(*request), Words(**made.begin(), words="w"), ticking=ticking)
    assert answer.headers["ringback-position"] == str(made.board.position)
    return str(answer.headers["etag"])


async def test_nothing_is_answered_before_all_is_known() -> None:
    with pytest.raises(HTTPException) as refused:
        answers(None).begin()
    assert refused.value.status_code == 503
    assert (refused.value.headers or {})["retry-after"] == "1"


async def test_a_tag_stands_for_what_was_asked_and_as_of_when() -> None:
    one = answers()
    same = await tag(one, "q=1")
    assert await tag(one, "q=1") == same
    others = [
        await tag(one, "q=2"),
        await tag(one, "q=1", "/b"),
        await tag(answers(8), "q=1"),
        # The positions of a store in memory begin anew with each run.
        await tag(answers(run="next"), "q=1"),
    ]
    assert len({same, *others}) == 5


@pytest.mark.parametrize(
    ("had", "known"),
    [
        ("{tag}", True),
        ('"other", {tag}', True),
        ("{strong}", True),
        ("*", True),
        ('"other"', False),
        ("", False),
    ],
)
async def test_who_has_it_gets_no_body(had: str, known: bool) -> None:
    made = answers()
    current = await tag(made)
    text = had.format(tag=current, strong=current.removeprefix("W/"))
    answer = made.known(asked(if_none_match=text), made.begin())
    assert (answer is not None) is known
    if answer is not None:
        assert (answer.status_code, answer.content) == (304, b"")
        assert answer.headers["etag"] == current


@pytest.mark.parametrize(
    ("offered", "taken"),
    [
        ("gzip", True),
        ("br, GZIP", True),
        ("gzip;q=0.5, *", True),
        ("gzip; q=1.0", True),
        ("gzip;q=0", False),
        ("gzip;q=0.00", False),
        ("identity", False),
        ("", False),
    ],
)
async def test_only_what_is_large_is_compressed_for_who_takes_it(offered: str, taken: bool) -> None:
    made = answers()
    for words, large in (("w" * 2000, True), ("w", False)):
        body = Words(**made.begin(), words=words)
        answer = made.answer(asked(accept_encoding=offered), body)
        assert ("content-encoding" in answer.headers) is (taken and large)
        assert answer.headers["vary"] == "Accept-Encoding"
