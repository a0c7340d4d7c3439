"""What `ringback cleanup` prints and sends, of a daemon that answers as it is told to."""

import io
from collections.abc import Mapping, Sequence
from datetime import UTC
from typing import Any

import msgspec
import pytest
from rich.console import Console

from ringback.errors import DaemonError, DaemonFault
from ringback.terminal.answers import Session
from ringback.terminal.cleaning import choose, end, look
from ringback.terminal.client import Client

NOW = "2026-11-25T14:06:30.000Z"
READ = {"confirmed": True, "by": "read", "time": "2026-11-25T14:00:00.000Z"}


def zombie(key: str, **facts: Any) -> dict[str, Any]:
    alert = {
        "rule": "too_old",
        "since": "2026-11-25T10:00:00.000Z",
        "summary": "in the same state for hours",
        "proof": facts.pop("proof", READ),
    }
    told = {
        "conversationId": key,
        "callbackId": key,
        "seen": f"mark of {key}",
        "state": "after_call_work",
        "ageSeconds": 36_000,
        "queueId": "queue-1",
        "liveCalls": 0,
        "alerts": [alert],
    }
    return told | facts


class Told(Client):
    """Answers with these, and remembers what it was sent."""

    def __init__(self, *zombies: dict[str, Any], results: Sequence[str] = ()) -> None:
        super().__init__("http://ringback.example.org")
        self.zombies = zombies
        self.results = iter(results)
        self.sent: list[Any] = []
        self.fault: DaemonFault | None = None

    async def session(self) -> Session:
        return msgspec.convert(
            {"position": 1, "now": NOW, "queues": {"queue-1": "Sales"}}, Session, strict=False
        )

    async def get(self, path: str, query: Mapping[str, str] | None = None) -> bytes:
        assert (path, query) == ("/cleanup", {"limit": "1000"})
        if self.fault is not None:
            raise DaemonError(self.fault, "it says no", "do something")
        total = len(self.zombies)
        told = {"position": 1, "now": NOW, "perMinute": 6, "left": 4, "total": total, "new": 1}
        return msgspec.json.encode(told | {"zombies": self.zombies})

    async def post(self, path: str, body: bytes, patience: float | None = None) -> bytes:
        assert path == "/cleanup"
        assert patience is not None
        (chosen,) = msgspec.json.decode(body)["conversations"]
        self.sent.append(chosen)
        result, _, why = next(self.results).partition(": ")
        outcome = {"conversationId": chosen["conversationId"], "result": result, "why": why}
        return msgspec.json.encode({"results": [outcome]})


def paper() -> tuple[Console, io.StringIO]:
    written = io.StringIO()
    return Console(file=written, width=60), written


async def test_each_is_listed_with_its_proof_and_why_it_may_not_go() -> None:
    unproved = zombie("c-2", proof={"confirmed": False, "why": "not read in time"})
    unproved |= {"whyNot": "no read has confirmed it: not read in time", "liveCalls": 1}
    console, written = paper()
    await look(Told(zombie("c-1"), unproved), console, raw=False, zone=UTC)
    assert written.getvalue().splitlines() == [
        "c-1",
        "  After call for 10 h in Sales",
        "  in the same state for hours: confirmed by a read at 14:00:00",
        "c-2",
        "  After call for 10 h in Sales, with 1 call that has not ended",
        "  in the same state for hours: not confirmed, not read in time",
        "  Left alone: no read has confirmed it: not read in time",
        "2 conversations are stuck. 4 of 6 may be disconnected in this minute.",
        "Nothing was done: name with --do what is to be disconnected.",
    ]


async def test_what_may_not_go_is_shown_and_not_chosen() -> None:
    console, written = paper()
    barred = zombie("c-2", whyNot="its conversation has 2 open callbacks")
    chosen = await choose(Told(zombie("c-1"), barred, zombie("c-3")), ["c-2", "c-1"], console)
    assert [one.conversation_id for one in chosen] == ["c-1"]
    assert written.getvalue().splitlines()[0] == "c-2"
    assert "c-3" not in written.getvalue()


async def test_one_that_is_not_stuck_ends_it_before_anything_is_done() -> None:
    client = Told(zombie("c-1"))
    with pytest.raises(DaemonError, match="conversation c-9 is not stuck for sure"):
        await choose(client, ["c-1", "c-9"], paper()[0])
    assert client.sent == []


async def test_what_became_of_each_is_told_and_some_is_not_all() -> None:
    said: list[str] = []
    client = Told(zombie("c-1"), zombie("c-2"), results=["disconnected", "refused: 403", "x"])
    chosen = await choose(client, ["c-1", "c-2"], paper()[0])
    assert not await end(client, chosen, said.append)
    assert client.sent == [
        {"conversationId": key, "seen": f"mark of {key}"} for key in ("c-1", "c-2")
    ]
    assert said == ["c-1  Disconnected", "c-2  Refused: 403"]
    again = Told(zombie("c-1"), results=["disconnected"])
    assert await end(again, await choose(again, ["c-1"], paper()[0]), said.append)


async def test_a_daemon_that_has_none_says_how_to_enable_it() -> None:
    client = Told()
    client.fault = DaemonFault.NOT_FOUND
    with pytest.raises(DaemonError, match=r"has no clean-up; enable it .*\[cleanup\] enabled"):
        await look(client, paper()[0], raw=False)
    client.fault = DaemonFault.FORBIDDEN
    with pytest.raises(DaemonError, match="it says no; do something"):
        await look(client, paper()[0], raw=False)
