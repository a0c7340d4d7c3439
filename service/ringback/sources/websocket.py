"""Any `ws://` or `wss://` server that sends one frame a message.

The server need not know Ringback: nothing is subscribed to, and apart from the protocol's own pings
nothing is sent.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Sequence
from functools import partial

from websockets.exceptions import ConnectionClosed, InvalidURI
from websockets.uri import parse_uri

from ringback.errors import SourceError
from ringback.ports import Intake
from ringback.sources.backoff import waits
from ringback.sources.socket import (
    REFUSALS,
    Cause,
    Connection,
    Ending,
    Guard,
    display_url,
    open_socket,
    refusal,
)

__all__ = ["WebsocketSource"]


class WebsocketSource:
    """Listens to one URL for as long as the daemon runs, over any number of connections.

    Times are seconds on the loop's clock. `failures` counts every failed attempt and every lost
    connection by cause, `connections` those that succeeded; the intake is told only the first
    cause of each blind interval.
    """

    def __init__(
        self,
        name: str,
        url: str,
        *,
        max_frame_bytes: int,
        watchdog: float,
        first_wait: float,
        most_wait: float,
        chance: random.Random,
        open_timeout: float = 10.0,
        ping_every: float | None = None,
    ) -> None:
        """Check the URL. Raises `SourceError`.

        `ping_every` sends `{"message":"ping"}` as text so often, for servers that expect it.
        """
        self.name = name
        self.problems: Sequence[str] = ()
        self.connections = 0
        self.failures: Counter[Cause] = Counter()
        self._url = _checked(name, url)
        self._max_frame_bytes = max_frame_bytes
        self._watchdog = watchdog
        self._most_wait = most_wait
        self._waits = partial(waits, first_wait, most_wait, chance)
        self._open_timeout = open_timeout
        self._ping_every = ping_every

    async def run(self, intake: Intake) -> None:
        """Listen until cancelled. Raises `SourceError` when the proxy is configured wrongly."""
        clock = asyncio.get_running_loop().time
        pending = self._waits()
        blind = False
        while True:
            opened_at: float | None = None
            try:
                connection = await self._connect()
            except REFUSALS as error:
                ended = self._refusal(error)
            else:
                opened_at = clock()
                blind = False
                self.connections += 1
                intake.connected()
                ended = await self._listen(connection, intake)
            self.failures[ended.cause] += 1
            if not blind:
                blind = True
                intake.disconnected(ended.phrase)
            # A server that accepts and at once hangs up does not count as one that is back.
            if opened_at is not None and clock() - opened_at >= self._most_wait:
                pending = self._waits()
            await asyncio.sleep(next(pending))

    async def _connect(self) -> Connection:
        return await open_socket(
            self._url,
            max_frame_bytes=self._max_frame_bytes,
            open_timeout=self._open_timeout,
            ping_every=self._watchdog / 3,
        )

    async def _listen(self, connection: Connection, intake: Intake) -> Ending:
        """Hand on what arrives until the connection ends; say why it ended."""
        guard = Guard(connection, self._watchdog, self._ping_every)
        try:
            while True:
                await intake.room()
                intake.frame(await connection.recv(decode=False))
        except ConnectionClosed as ended:
            return guard.explain(ended)
        finally:
            guard.stop()
            await connection.close()

    def _refusal(self, error: Exception) -> Ending:
        refused = refusal(error)
        if refused.cause is Cause.PROXY:
            raise SourceError(
                self.name,
                "the proxy that the environment names cannot be used",
                "correct or unset HTTP_PROXY, HTTPS_PROXY and ALL_PROXY: http:// is understood",
            ) from None
        return refused


def _checked(name: str, url: str) -> str:
    try:
        parse_uri(url)
    except InvalidURI as error:
        problem = error.msg
    except ValueError:
        problem = "host or port is not valid"
    else:
        return url
    raise SourceError(
        name, f"{problem} in {display_url(url)}", "give a ws:// or wss:// address in [source] url"
    )
