"""Events on standard output, for programs: one CloudEvent a line."""

from collections.abc import Sequence

from ringback.ports import Entry
from ringback.sinks.output import HasDescriptor, Output

__all__ = ["JsonLines"]


class JsonLines:
    """Writes each event as one line of JSON, whole batches at a time."""

    def __init__(self, stream: HasDescriptor) -> None:
        self._output = Output(stream)

    async def tell(self, entries: Sequence[Entry]) -> None:
        """Return when all are written. Raises `SinkError`."""
        if entries:
            await self._output.write(b"\n".join(entry.body for entry in entries) + b"\n")

    async def close(self) -> None:
        """Release the stream; it stays open."""
        self._output.close()
