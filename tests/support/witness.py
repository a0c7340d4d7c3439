"""What a simulated platform has surely told: to somebody who went on listening for long enough."""

import asyncio
from collections import defaultdict
from collections.abc import Coroutine, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from aiohttp import web

from ringback.core.snapshots import Snapshot
from ringback.simulator.centre import Emission
from ringback.simulator.genesys.server import GenesysCloud
from ringback.simulator.hosting import Host
from ringback.simulator.sockets import Socket
from ringback.wire.decode import Decoder

__all__ = ["SURE", "Witness"]

SURE = 20.0
"""Seconds for which a socket stays open after a frame that its listener surely has put: longer than
any listener is ever stopped or cut off, and the engine away, together."""


class _Sent(NamedTuple):
    at: float
    conversation_id: str
    frame: bytes
    sockets: Sequence[Socket]


class Witness:
    """A part of a host that shows nothing, and notes what the platform beside it sends to whom."""

    def __init__(self, cloud: GenesysCloud) -> None:
        self._cloud = cloud
        self._sent: list[_Sent] = []
        self._ended: dict[Socket, float | None] = {}

    @property
    def sent(self) -> int:
        """How many frames were sent to anybody."""
        return len(self._sent)

    def heard(self) -> Mapping[str, Sequence[Sequence[Snapshot]]]:
        """Give the snapshots that were surely heard, by conversation.

        What was heard over each socket by itself, as it was sent.
        """
        self._look()
        decoder = Decoder()
        found: defaultdict[str, defaultdict[Socket, list[Snapshot]]] = defaultdict(
            lambda: defaultdict(list)
        )
        for sent in self._sent:
            sure = [socket for socket in sent.sockets if self._surely(socket, sent.at)]
            snapshot = decoder.decode(sent.frame) if sure else None
            if isinstance(snapshot, Snapshot):
                for socket in sure:
                    found[sent.conversation_id][socket].append(snapshot)
        return {name: list(by_socket.values()) for name, by_socket in found.items()}

    # As a part of a host

    def hosted(self, host: Host) -> None:
        """Need to know nothing of who serves it."""

    def routes(self) -> Iterable[web.RouteDef]:
        """Answer nothing."""
        return ()

    def jobs(self) -> Iterator[tuple[str, Coroutine[Any, Any, None]]]:
        """Do nothing by itself."""
        yield from ()

    def wants(self, topic: str) -> bool:
        """Need nothing that nobody else needs."""
        return False

    def deliver(self, emissions: Sequence[Emission]) -> None:
        """Note what is sent, and which sockets are gone by now."""
        now = self._look()
        for emission in emissions:
            sockets = [
                channel.socket
                for channel in self._cloud.channels.audience(emission.topic)
                if channel.socket is not None
            ]
            if sockets and not emission.binary:
                self._ended |= {socket: self._ended.get(socket) for socket in sockets}
                sent = _Sent(now, emission.conversation_id, emission.frame, sockets)
                self._sent.append(sent)

    def close(self) -> None:
        """Have nobody to let go."""

    def _look(self) -> float:
        now = asyncio.get_running_loop().time()
        for socket, ended in self._ended.items():
            if ended is None and socket.ended.is_set():
                self._ended[socket] = now
        return now

    def _surely(self, socket: Socket, at: float) -> bool:
        ended = self._ended[socket]
        return ended is None or ended - at > SURE
