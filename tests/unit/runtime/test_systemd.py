import asyncio
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from ringback.runtime.systemd import feed_forever, notify


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    address = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as bound:
        bound.bind(str(address))
        bound.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", str(address))
        yield bound


def heard(manager: socket.socket) -> list[str]:
    messages = []
    while True:
        try:
            messages.append(manager.recv(4096).decode())
        except BlockingIOError:
            return messages


def test_a_message_is_one_datagram(manager: socket.socket) -> None:
    assert notify("READY=1")
    assert notify("WATCHDOG=1\nSTATUS=following")
    assert heard(manager) == ["READY=1", "WATCHDOG=1\nSTATUS=following"]


def test_an_abstract_address_begins_with_a_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as bound:
        bound.bind("")  # the kernel chooses an abstract one
        name = bound.getsockname().decode()
        monkeypatch.setenv("NOTIFY_SOCKET", name.replace("\0", "@"))
        assert notify("READY=1")
        assert bound.recv(100) == b"READY=1"


@pytest.mark.parametrize("address", [None, ""])
def test_without_systemd_nothing_is_sent(
    monkeypatch: pytest.MonkeyPatch, address: str | None
) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    if address is not None:
        monkeypatch.setenv("NOTIFY_SOCKET", address)
    assert not notify("READY=1")


def test_a_manager_that_has_gone_harms_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "nobody"))
    assert not notify("READY=1")


@pytest.mark.looptime
async def test_the_watchdog_is_fed_three_times_an_interval_while_nothing_is_wrong(
    manager: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "30000000")
    complaint: str | None = None
    task = asyncio.create_task(feed_forever(lambda: complaint))
    await asyncio.sleep(29)
    assert heard(manager) == ["WATCHDOG=1\nSTATUS=following"] * 3
    complaint = "commit makes no progress for 31 s"
    await asyncio.sleep(60)
    assert heard(manager) == [f"STATUS={complaint}"] * 6
    complaint = None
    await asyncio.sleep(10)
    assert heard(manager) == ["WATCHDOG=1\nSTATUS=following"]
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
