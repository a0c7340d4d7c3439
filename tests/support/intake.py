"""An intake that only keeps what it is given."""

from collections.abc import Collection, Sequence
from datetime import datetime

from ringback.core.snapshots import QueueSettings
from ringback.ports import Reading

__all__ = ["Ears"]


class Ears:
    """Keeps what a source hears, in order, and what else it says."""

    def __init__(self) -> None:
        self.heard: list[object] = []
        """Frames, `"connected"`, `("blind", cause)`; with topics, those come last."""
        self.readings: list[Reading] = []
        self.failed: list[str] = []
        self.learned: list[QueueSettings] = []
        self.followed: Collection[str] = ()
        self.wishes: list[str] = []
        """What is wanted to be read."""

    async def room(self) -> None:
        """There always is."""

    def frame(self, frame: bytes | str) -> None:
        """Keep it."""
        self.heard.append(frame)

    def connected(self, topics: Collection[str] = ()) -> None:
        """Keep that."""
        self.heard.append(("connected", sorted(topics)) if topics else "connected")

    def disconnected(
        self, cause: str, since: datetime | None = None, topics: Collection[str] = ()
    ) -> None:
        """Keep that."""
        self.heard.append(("blind", cause, since, sorted(topics)) if topics else ("blind", cause))

    def blind_since(self) -> datetime | None:
        """It never was."""
        return None

    def read(self, reading: Reading) -> frozenset[str]:
        """Keep it; it corrects nothing."""
        self.readings.append(reading)
        return frozenset()

    def read_failed(self, conversation_id: str) -> None:
        """Keep that."""
        self.failed.append(conversation_id)

    def settings(self, settings: QueueSettings) -> None:
        """Keep them."""
        self.learned.append(settings)

    def follows(self, queue_ids: Collection[str]) -> None:
        """Keep that."""
        self.followed = queue_ids

    def wanted(self, limit: int) -> Sequence[str]:
        """Give what the test wishes, once."""
        wanted, self.wishes = self.wishes[:limit], self.wishes[limit:]
        return wanted
