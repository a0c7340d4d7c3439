"""Messages on standard output, as a webhook would get them: one JSON object a line."""

from collections.abc import Iterable

from ringback.core.watch.messages import Item, Message
from ringback.errors import DeliveryError, DeliveryFault, SinkError
from ringback.sinks.output import Output
from ringback.sinks.receivers.webhook import payload_of
from ringback.sinks.receivers.wording import Wording

__all__ = ["Lines"]


class Lines:
    """Writes each message as one line."""

    refresh_seconds: float | None = None

    def __init__(self, output: Output, wording: Wording) -> None:
        self._output = output
        self._wording = wording

    async def deliver(self, message: Message) -> None:
        """Return when it is written. Raises `DeliveryError`."""
        try:
            await self._output.write(payload_of(message, self._wording) + b"\n")
        except SinkError as error:
            raise DeliveryError(DeliveryFault.UNREACHABLE, str(error)) from None

    async def refresh(self, items: Iterable[Item]) -> None:
        """Nothing: it was told."""

    async def close(self) -> None:
        """Release the stream; it stays open."""
        self._output.close()
