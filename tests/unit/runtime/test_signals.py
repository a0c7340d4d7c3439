import asyncio
import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from ringback.runtime.signals import SIGNALS, reload_requested, stop_requested


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in SIGNALS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", SIGNALS)
async def test_a_signal_is_a_wish_and_its_copies_the_same(number: signal.Signals) -> None:
    with stop_requested() as wished:
        assert not wished.is_set()
        os.kill(os.getpid(), number)
        async with asyncio.timeout(10):
            await wished.wait()
        os.kill(os.getpid(), number)
        await asyncio.sleep(0)
    # Closed already, and yet no kill.
    os.kill(os.getpid(), number)


async def test_without_a_signal_the_old_handlers_come_back() -> None:
    with stop_requested():
        pass
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


async def test_a_hangup_asks_to_read_anew_as_often_as_it_comes() -> None:
    with reload_requested() as wished:
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGHUP)
            async with asyncio.timeout(10):
                await wished.wait()
            wished.clear()
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_DFL


@pytest.mark.looptime
async def test_a_later_signal_takes_the_default_action(monkeypatch: pytest.MonkeyPatch) -> None:
    raised: list[tuple[int, object]] = []
    monkeypatch.setattr(
        signal, "raise_signal", lambda number: raised.append((number, signal.getsignal(number)))
    )
    with stop_requested():
        # What the loop calls when a signal has come; virtual time waits for no real one.
        handle, number = handler_of(signal.SIGTERM)
        handle(number)
        await asyncio.sleep(0.9)
        handle(number)
        assert raised == []
        await asyncio.sleep(0.1)
        handle(number)
    assert raised == [(signal.SIGTERM, signal.SIG_DFL)]


def handler_of(number: signal.Signals) -> tuple[Any, signal.Signals]:
    loop = asyncio.get_running_loop()
    handle = loop._signal_handlers[number]  # type: ignore[attr-defined]  # asyncio's own dict
    return handle._callback, number
