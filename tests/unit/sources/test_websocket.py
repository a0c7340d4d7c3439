import random

import pytest

from ringback.errors import SourceError
from ringback.sources.websocket import WebsocketSource


def source(url: str) -> WebsocketSource:
    return WebsocketSource(
        "main",
        url,
        max_frame_bytes=1024,
        watchdog=1,
        first_wait=1,
        most_wait=1,
        chance=random.Random(0),
    )


@pytest.mark.parametrize(
    "url",
    [
        "",
        "localhost:8080",
        "http://localhost/",
        "ws://",
        "ws://host:port/",
        "ws://host:70000/",
        "ws://host/#part",
        "wss://user@host/",
        "ws://[::1/",
    ],
)
def test_an_address_that_is_none_is_refused_at_once(url: str) -> None:
    with pytest.raises(SourceError, match=r"source main: .*ws://"):
        source(url)


def test_an_error_does_not_repeat_what_may_be_secret() -> None:
    with pytest.raises(SourceError) as caught:
        source("ws://someone:canary@host/?token=canary#canary")
    assert "canary" not in str(caught.value)
