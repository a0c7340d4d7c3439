"""Asks a source whether it hears, and no more than that."""

import asyncio
from collections.abc import Collection, Sequence
from datetime import datetime

from ringback.core.snapshots import QueueSettings
from ringback.errors import RingbackError
from ringback.ports import Reading, Source

__all__ = ["hears"]


class _Probe:
    """An intake that only wants to know whether there is a connection; frames are let go."""

    def __init__(self) -> None:
        self.outcome: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()

    async def room(self) -> None:
        """Wait for ever: nothing need be received."""
        await asyncio.Event().wait()

    def frame(self, frame: bytes | str) -> None: ...

    def connected(self, topics: Collection[str] = ()) -> None:
        """All is well."""
        self._settle(None)

    def disconnected(
        self, cause: str, since: datetime | None = None, topics: Collection[str] = ()
    ) -> None:
        """It is not."""
        self._settle(cause)

    def read(self, reading: Reading) -> int:
        """Correct nothing."""
        return 0

    def read_failed(self, conversation_id: str) -> None: ...

    def settings(self, settings: QueueSettings) -> None: ...

    def wanted(self, limit: int) -> Sequence[str]:
        """Want nothing."""
        return ()

    def _settle(self, outcome: str | None) -> None:
        if not self.outcome.done():
            self.outcome.set_result(outcome)


async def hears(source: Source, timeout: float) -> str | None:
    """Run a source until it hears or says that it does not; give None, or why not.

    Takes at most `timeout` seconds. Raises `RingbackError` as the source does.
    """
    probe = _Probe()
    running = asyncio.create_task(source.run(probe), name="probe")
    try:
        await asyncio.wait(
            {running, probe.outcome}, timeout=timeout, return_when=asyncio.FIRST_COMPLETED
        )
        if probe.outcome.done():
            return probe.outcome.result()
        if running.done() and isinstance(error := running.exception(), RingbackError):
            raise error
        return "it ended at once" if running.done() else f"no answer within {timeout:g} seconds"
    finally:
        running.cancel()
        await asyncio.wait({running})
        probe.outcome.cancel()
