"""The connection is fed bytes through its transport callbacks: no socket, every split."""

import asyncio
from itertools import pairwise
from typing import Any, TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.asyncio.client import ClientConnection
from websockets.client import ClientProtocol
from websockets.frames import Close, Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import State
from websockets.server import ServerProtocol
from websockets.uri import parse_uri

from ringback.sources.framing import HOLD, FrameConnection

LIMIT = 70_000
URI = parse_uri("ws://localhost/")
Kind = TypeVar("Kind", bound=ClientConnection)


class Wire(asyncio.Transport):
    def __init__(self) -> None:
        super().__init__()
        self.paused = False
        self.written = b""

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def write(self, data: Any) -> None:
        self.written += bytes(data)

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        pass

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False

    def abort(self) -> None:
        pass


def handshake(protocol: ClientProtocol) -> bytes:
    """Send the request of `protocol` to a server; give the response."""
    protocol.send_request(protocol.connect())
    server = ServerProtocol()
    server.receive_data(b"".join(protocol.data_to_send()))
    (request,) = server.events_received()
    assert isinstance(request, Request)
    server.send_response(server.accept(request))
    return b"".join(server.data_to_send())


def opened(kind: type[Kind]) -> tuple[Kind, Wire, bytes]:
    connection = kind(ClientProtocol(URI, max_size=LIMIT), ping_interval=None)
    wire = Wire()
    connection.connection_made(wire)
    return connection, wire, handshake(connection.protocol)


def frame(opcode: Opcode, data: bytes, *, fin: bool = True) -> bytes:
    return Frame(opcode, data, fin).serialize(mask=False)


def text(data: bytes) -> bytes:
    return frame(Opcode.TEXT, data)


def chunks(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[start:stop] for start, stop in pairwise(edges) if start < stop]


def heard_by_the_library(connection: ClientConnection) -> list[bytes]:
    """Drain its queue of frames as `recv(decode=False)` would."""
    messages, parts = [], b""
    for each in connection.recv_messages.frames.queue:
        parts += each.data
        if each.fin:
            messages.append(parts)
            parts = b""
    return messages


def sent(wire: Wire) -> list[Frame]:
    """Read what was answered as a server does: masks are random, and tell nothing."""
    server = ServerProtocol(state=State.OPEN)
    server.receive_data(wire.written)
    return [event for event in server.events_received() if isinstance(event, Frame)]


async def heard(stream: bytes, cuts: list[int]) -> tuple[list[bytes], State, list[Frame]]:
    connection, wire, response = opened(FrameConnection)
    for chunk in chunks(response + stream, cuts):
        connection.data_received(chunk)
    return list(connection.messages), connection.protocol.state, sent(wire)


async def expected(stream: bytes) -> tuple[list[bytes], State, list[Frame]]:
    connection, wire, response = opened(ClientConnection)
    connection.data_received(response)
    connection.data_received(stream)
    return heard_by_the_library(connection), connection.protocol.state, sent(wire)


payloads = st.one_of(
    st.binary(max_size=20),
    st.sampled_from([0, 125, 126, 127, 4000, 65_535, 65_536, LIMIT]).map(lambda size: b"x" * size),
)
frames = st.one_of(
    st.builds(text, payloads),
    st.builds(text, payloads),
    st.builds(frame, st.just(Opcode.BINARY), payloads),
    st.builds(frame, st.sampled_from([Opcode.PING, Opcode.PONG]), st.binary(max_size=125)),
    st.lists(st.binary(max_size=5), min_size=2, max_size=4).map(
        lambda parts: b"".join(
            frame(Opcode.CONT if at else Opcode.TEXT, part, fin=at == len(parts) - 1)
            for at, part in enumerate(parts)
        )
    ),
)
breakages = st.one_of(
    st.just(b""),
    st.just(frame(Opcode.CLOSE, Close(1001, "going").serialize())),
    st.just(text(b"x" * (LIMIT + 1))),
    st.just(Frame(Opcode.TEXT, b"masked").serialize(mask=True)),
    st.just(frame(Opcode.TEXT, b"part", fin=False) + text(b"not its end")),
    st.just(frame(Opcode.CONT, b"of nothing")),
    st.just(b"\x83\x01x"),  # a reserved opcode
    st.just(b"\xc1\x01x"),  # compressed, which was not agreed
    st.just(b"\x89\x7e\x00\x80" + b"x" * 128),  # a ping of more than 125 bytes
)


@settings(max_examples=300)
@given(st.lists(frames, max_size=6), breakages, st.lists(frames, max_size=2), st.data())
async def test_hears_what_the_library_hears_however_it_arrives(
    before: list[bytes], breakage: bytes, after: list[bytes], data: st.DataObject
) -> None:
    stream = b"".join([*before, breakage, *after])
    cuts = data.draw(st.lists(st.integers(0, len(stream) + 200), max_size=8))
    assert await heard(stream, cuts) == await expected(stream)


async def test_one_byte_at_a_time() -> None:
    stream = text(b"one") + text(b"") + frame(Opcode.BINARY, b"\xff") + text(b"y" * 300)
    messages, state, _ = await heard(stream, list(range(600)))
    assert messages == [b"one", b"", b"\xff", b"y" * 300]
    assert state is State.OPEN


async def test_a_refused_handshake_is_the_librarys_business() -> None:
    connection, _, _ = opened(FrameConnection)
    connection.data_received(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 4\r\n\r\nabcd")
    assert connection.response is not None
    assert connection.response.status_code == 403
    assert connection.protocol.state is State.CONNECTING


async def test_reading_pauses_while_nobody_takes_and_goes_on_when_all_is_taken() -> None:
    connection, wire, response = opened(FrameConnection)
    connection.data_received(response + text(b"m") * (HOLD + 1))
    assert (wire.paused, connection.held) == (True, True)
    assert await connection.arrived()
    assert (wire.paused, connection.held) == (True, True)
    connection.messages.clear()
    waiting = asyncio.ensure_future(connection.arrived())
    await asyncio.sleep(0)
    assert (wire.paused, connection.held) == (False, False)
    connection.data_received(text(b"next"))
    assert await waiting


async def test_what_had_arrived_before_the_end_is_still_heard() -> None:
    connection, _, response = opened(FrameConnection)
    connection.data_received(response + text(b"last"))
    connection.eof_received()
    connection.connection_lost(None)
    assert await connection.arrived()
    assert connection.messages.popleft() == b"last"
    assert not await connection.arrived()


async def test_the_end_wakes_who_waits() -> None:
    connection, _, response = opened(FrameConnection)
    connection.data_received(response)
    waiting = asyncio.ensure_future(connection.arrived())
    await asyncio.sleep(0)
    connection.connection_lost(ConnectionResetError())
    assert not await waiting


async def test_any_traffic_counts_as_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    connection, _, response = opened(FrameConnection)
    connection.data_received(response)
    monkeypatch.setattr(connection.loop, "time", lambda: 1e9)
    connection.data_received(frame(Opcode.PONG, b""))
    assert connection.heard_at == 1e9
