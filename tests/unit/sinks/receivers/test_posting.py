import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from ringback.errors import DeliveryError, DeliveryFault
from ringback.sinks.receivers.posting import MOST_BYTES, Target
from support.callbacks import START
from support.endpoint import Endpoint


class Standing:
    """A clock that stands still."""

    def now(self) -> Any:
        return START


@asynccontextmanager
async def target(url: str, **more: Any) -> AsyncIterator[Target]:
    given: dict[str, Any] = {"allow_private": True, "timeout": 5.0, "clock": Standing()}
    made = Target(url, **given | more)
    try:
        yield made
    finally:
        await made.close()


async def failure(url: str, **more: Any) -> DeliveryError:
    async with target(url, **more) as made:
        with pytest.raises(DeliveryError) as caught:
            await made.post("", b"{}", {})
    return caught.value


async def test_what_is_posted_is_json_and_what_is_answered_comes_back() -> None:
    async with (
        Endpoint(status=202, body=b'{"status":"success"}') as there,
        target(f"{there.url}/a%2Fb/?sig=x%2By%3Dz%20&sp=%2Ftriggers") as made,
    ):
        reply = await made.post("", b'{"a":1}', {"webhook-id": "m-1"})
    assert (reply.status, reply.body) == (202, b'{"status":"success"}')
    (posted,) = there.posted
    # To the letter: the address may be signed.
    path = "/a%2Fb/?sig=x%2By%3Dz%20&sp=%2Ftriggers"
    assert (posted.raw, posted.json) == (path, {"a": 1})
    assert posted.headers["content-type"] == "application/json"
    assert posted.headers["webhook-id"] == "m-1"
    assert posted.headers["user-agent"].startswith("ringback/")


@pytest.mark.parametrize(
    ("answer", "fault", "after"),
    [
        ((429, {"Retry-After": "17"}, b""), DeliveryFault.THROTTLED, 17),
        (
            (503, {"Retry-After": format_datetime(START + timedelta(seconds=90))}, b""),
            DeliveryFault.SERVER,
            90,
        ),
        ((503, {"Retry-After": "soon"}, b""), DeliveryFault.SERVER, 0),
        ((429, {"Retry-After": "-5"}, b""), DeliveryFault.THROTTLED, 0),
        (500, DeliveryFault.SERVER, 0),
        (408, DeliveryFault.SERVER, 0),
        (404, DeliveryFault.DENIED, 0),
        (401, DeliveryFault.DENIED, 0),
        (410, DeliveryFault.DENIED, 0),
        (400, DeliveryFault.REFUSED, 0),
        (413, DeliveryFault.REFUSED, 0),
        ((302, {"Location": "http://127.0.0.1:1/"}, b""), DeliveryFault.DENIED, 0),
        ("hang up", DeliveryFault.BROKEN_OFF, 0),
    ],
)
async def test_what_goes_wrong_has_a_name_and_says_nothing_of_the_answer(
    answer: Any, fault: DeliveryFault, after: float
) -> None:
    if isinstance(answer, tuple):
        answer = (answer[0], answer[1], b"canary")
    async with Endpoint(answer) as there:
        error = await failure(f"{there.url}/canary")
        assert (error.fault, error.after) == (fault, after)
        assert "canary" not in str(error)
        assert len(there.posted) == 1


async def test_nobody_there_and_nobody_who_answers() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        assert (await failure(url)).fault is DeliveryFault.UNREACHABLE
        taken.listen()
        assert (await failure(url, timeout=0.05)).fault is DeliveryFault.TIMED_OUT
        error = await failure(url.replace("http", "https"), timeout=0.05)
        assert error.fault in {DeliveryFault.TIMED_OUT, DeliveryFault.TLS}


async def test_an_answer_in_clear_to_tls_is_a_fault_of_tls() -> None:
    async with Endpoint() as there:
        error = await failure(there.url.replace("http", "https"))
    assert error.fault is DeliveryFault.TLS


async def test_a_long_answer_is_cut() -> None:
    async with Endpoint(body=b"x" * (10 * MOST_BYTES)) as there, target(there.url) as made:
        reply = await made.post("", b"{}", {})
        assert len(reply.body) == MOST_BYTES
        await made.post("", b"{}", {})


async def test_a_name_that_leads_into_this_machine_is_refused_before_anything_is_sent() -> None:
    async with Endpoint() as there:
        url = there.url.replace("127.0.0.1", "localhost").replace("http", "https")
        error = await failure(url, allow_private=False)
        assert error.fault is DeliveryFault.FORBIDDEN_TARGET
        assert "within a private network" in error.problem
        assert (
            await failure(there.url, allow_private=False)
        ).fault is DeliveryFault.FORBIDDEN_TARGET
        assert there.posted == []


async def test_it_goes_where_it_was_looked_up_although_the_name_has_moved(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A name server may give another answer a moment later: DNS rebinding."""
    loop = asyncio.get_running_loop()
    looked_up: list[str] = []

    async def getaddrinfo(host: str, *_: Any, **__: Any) -> Any:
        looked_up.append(host)
        assert len(looked_up) == 1
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 443))]

    monkeypatch.setattr(loop, "getaddrinfo", getaddrinfo)
    async with Endpoint() as there:
        async with target(there.url.replace("127.0.0.1", "hooks.example.org")) as made:
            await made.post("", b"{}", {})
        assert there.posted[0].headers["host"].startswith("hooks.example.org")
    assert looked_up == ["hooks.example.org"]
