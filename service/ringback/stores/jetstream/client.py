"""nats-py's client, made to hold on: whatever ends its connection, it connects again.

By itself it closes for good when a server says anything but "stale" or "permissions", leaves a dead
connection's last bytes to be waited for, and sends credentials in clear to a `tls://` address whose
server does not speak TLS.
"""

import asyncio
from collections.abc import Callable
from typing import Any

from nats.aio.client import DEFAULT_BUFFER_SIZE, Client, Srv
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.aio.transport import TcpTransport
from nats.errors import Error as NatsError

__all__ = ["HeldClient", "InClearError"]

AGAIN = 0.25
"""Seconds between attempts to connect again."""


class InClearError(NatsError):
    """A server does not encrypt although that was asked for."""

    def __str__(self) -> str:
        return "the server does not encrypt"


class _Transport(TcpTransport):
    """A connection that is let go at once: what counts was flushed, or is sent again anyway.

    Waiting for its end may last as long as the peer likes, and for ever after a TLS handshake that
    failed.
    """

    def close(self) -> None:
        """Let go."""
        if self._io_writer is not None:
            self._io_writer.transport.abort()

    async def wait_closed(self) -> None:
        """Let the loop close the socket."""
        await asyncio.sleep(0)

    @property
    def encrypted(self) -> bool:
        """Whether TLS is spoken."""
        return self._io_writer is not None and bool(self._io_writer.get_extra_info("ssl_object"))


class HeldClient(Client):
    """Ends only when it is closed. Nothing is buffered while it is not connected."""

    encrypted = False
    """Whether nothing may be said in clear."""
    public_key: str | None = None
    """By which a server knows who signs, where that is not said by a JWT."""

    def __init__(self) -> None:
        super().__init__()
        self._takers: dict[int, Callable[[Msg], None]] = {}

    async def listen(self, subject: str, take: Callable[[Msg], None]) -> Subscription:
        """Subscribe to what nobody can know yet; each message is handed over as it is read.

        nats-py's own way is a queue and a task for each subscription: that costs as much as the
        reading, and what is too much for the queue is dropped. (What comes before this returns
        waits in such a queue, for nobody.)
        """
        subscription = await self.subscribe(subject)
        self._takers[subscription._id] = take  # noqa: SLF001
        return subscription

    async def _process_msg(
        self, sid: int, subject: bytes, reply: bytes, data: bytes, headers: bytes
    ) -> None:
        take = self._takers.get(sid)
        if take is None:
            await super()._process_msg(sid, subject, reply, data, headers)
            return
        try:
            found = await self._process_headers(headers) if headers else None
            take(self._build_message(sid, subject, reply, data, found))
        except Exception as error:  # noqa: BLE001  # it would end the reading, and so the connection
            await self._error_cb(error)

    def _remove_sub(self, sid: int, max_msgs: int = 0) -> None:
        self._takers.pop(sid, None)
        super()._remove_sub(sid, max_msgs)

    async def _process_err(self, err_msg: str) -> None:
        if "permissions violation" in err_msg:
            await super()._process_err(err_msg)
            return
        error = NatsError(f"nats: {err_msg}")
        await self._error_cb(error)
        await self._process_op_err(error)

    async def _attempt_reconnect(self) -> None:
        while True:
            self._abandon()
            try:
                await super()._attempt_reconnect()
            except Exception as error:  # noqa: BLE001  # anything but this would end it for good
                await self._error_cb(error)
                await asyncio.sleep(AGAIN)
            else:
                return

    async def _connect_to_server(self, s: Srv) -> None:
        self._abandon()
        s.last_attempt = asyncio.get_running_loop().time()
        transport = _Transport()  # type: ignore[no-untyped-call]
        await transport.connect(s.uri, DEFAULT_BUFFER_SIZE, self.options["connect_timeout"])
        self._transport = transport

    @staticmethod
    def _parse_header_lines(raw: bytes) -> dict[str, str]:
        """Read headers in a third of the time: a takeover reads those of every row."""
        parts = (line.partition(b":") for line in raw.split(b"\r\n"))
        return {
            name.decode("ascii", "replace"): value.strip().decode("utf-8", "replace")
            for name, colon, value in parts
            if colon
        }

    def _connect_command(self) -> bytes:
        if self.encrypted and not (
            isinstance(self._transport, _Transport) and self._transport.encrypted
        ):
            raise InClearError
        self._public_nkey = self.public_key
        return super()._connect_command()

    def _abandon(self) -> None:
        """Let go of a connection, of which nothing may come any more."""
        current = asyncio.current_task()
        for task in (self._reading_task, self._ping_interval_task, self._flusher_task):
            if task is not None and task is not current:
                task.cancel()
        if self._transport is not None:
            self._transport.close()  # type: ignore[no-untyped-call]

    async def close(self) -> None:
        """Close, and return when none of its tasks runs any more."""
        tasks: list[asyncio.Task[Any] | None] = [
            self._reading_task,
            self._ping_interval_task,
            self._flusher_task,
            self._reconnection_task,
        ]
        if not self.is_connected:
            self._abandon()
        await super().close()
        self._takers.clear()
        running = [one for one in tasks if one is not None and one is not asyncio.current_task()]
        for one in running:
            one.cancel()
        if running:
            await asyncio.wait(running)
