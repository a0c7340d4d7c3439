"""How every answer is made: as of which position, whether the asker has it already, how it travels.

A client that takes a snapshot at position P and follows the feed from P on misses nothing.
"""

import gzip
import hashlib
import re
from datetime import datetime
from typing import Any

import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException

from ringback.core.events import Time, rfc3339
from ringback.ports import Clock
from ringback.web.board.board import Board
from ringback.web.heads import names_tag

__all__ = ["Answer", "Answers"]

SOON_SECONDS = 1
COMPRESSED_FROM_BYTES = 1500
"""What is smaller goes into one packet anyway."""
GZIP = re.compile(r"gzip(;q=(1(\.0*)?|0?\.0*[1-9]\d*))?")
"""As it is offered: at a quality of 0 it is not."""
COMPRESSION = 1
"""Six times smaller at a tenth of the cost of the best."""


class Answer(msgspec.Struct, rename="camel", omit_defaults=True, kw_only=True):
    """What every answer holds."""

    position: int
    """Of the last journal entry that is in it: follow the feed from there."""
    now: Time
    """The daemon's present."""


class Answers:
    """Makes answers as of what the board shows."""

    def __init__(self, board: Board, clock: Clock, run: str) -> None:
        """`run` is different each time the daemon runs: positions of a memory begin anew."""
        self.board = board
        self._clock = clock
        self._run = run

    def begin(self) -> dict[str, Any]:
        """Give what every answer begins with. Nothing is shown before the board is loaded."""
        if not self.board.loaded:
            raise HTTPException(
                "The board is being loaded.",
                status_code=503,
                headers={"retry-after": str(SOON_SECONDS)},
            )
        return {"position": self.board.position, "now": rfc3339(self._clock.now())}

    def now(self) -> datetime:
        """Give the daemon's present."""
        return self._clock.now()

    def known(
        self,
        request: Request[Any, Any, Any],
        head: dict[str, Any],
        *,
        ticking: bool = False,
        state: str = "",
    ) -> Response[bytes] | None:
        """Give a 304 if the asker has the answer.

        `ticking` ones change with time alone too; others with a `state` that is not in the journal.
        """
        tag = self._tag(request, head["position"], head["now"] if ticking else state)
        if not _has(request, tag):
            return None
        headers = _headers(head["position"], tag)
        return Response(b"", status_code=304, headers=headers, media_type="application/json")

    def answer(
        self,
        request: Request[Any, Any, Any],
        body: Answer,
        *,
        ticking: bool = False,
        state: str = "",
    ) -> Response[bytes]:
        """Answer with a body; `ticking` and `state` as for `known`."""
        headers = _headers(
            body.position, self._tag(request, body.position, body.now if ticking else state)
        )
        content = msgspec.json.encode(body)
        if len(content) >= COMPRESSED_FROM_BYTES and _takes_gzip(request):
            content = gzip.compress(content, COMPRESSION, mtime=0)
            headers["content-encoding"] = "gzip"
        return Response(content, headers=headers, media_type="application/json")

    def constant(
        self, request: Request[Any, Any, Any], content: bytes, media_type: str
    ) -> Response[bytes]:
        """Answer what is the same for as long as this version runs."""
        tag = f'"{hashlib.blake2b(content, digest_size=8).hexdigest()}"'
        headers = _headers(self.board.position, tag)
        if _has(request, tag):
            return Response(b"", status_code=304, headers=headers, media_type=media_type)
        return Response(content, headers=headers, media_type=media_type)

    def private(self, body: Answer) -> Response[bytes]:
        """Answer something that nobody may keep."""
        headers = {"ringback-position": str(body.position)}
        return Response(msgspec.json.encode(body), headers=headers, media_type="application/json")

    def _tag(self, request: Request[Any, Any, Any], position: int, more: str) -> str:
        query: bytes = request.scope["query_string"]
        asked = f"{request.scope['path']}?{query.decode('latin-1')} {more}"
        digest = hashlib.blake2b(asked.encode(), digest_size=6).hexdigest()
        return f'W/"{self._run}-{position}-{digest}"'


def _headers(position: int, tag: str) -> dict[str, str]:
    return {
        "ringback-position": str(position),
        "etag": tag,
        "cache-control": "no-cache",
        "vary": "Accept-Encoding",
    }


def _has(request: Request[Any, Any, Any], tag: str) -> bool:
    return names_tag(request.headers.get("if-none-match", ""), tag)


def _takes_gzip(request: Request[Any, Any, Any]) -> bool:
    offered = request.headers.get("accept-encoding", "").replace(" ", "").lower()
    return any(GZIP.fullmatch(one) for one in offered.split(","))
