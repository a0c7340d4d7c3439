"""The rows that are about no conversation: each goes to whom it belongs to."""

from collections.abc import Iterable
from datetime import datetime

from ringback.core.gaps import Ledger
from ringback.core.queues import QUEUE, Queues
from ringback.core.watch.adoption import ROW, Adoption
from ringback.core.watch.feeds import FEED, Feeds
from ringback.core.watch.silences import SILENCE, Silences
from ringback.core.watch.waits import WAITS, Waits

__all__ = ["Asides", "is_aside"]


def is_aside(key: str) -> bool:
    """Whether a row is about no conversation: no id of one begins with a tilde."""
    return key.startswith("~")


class Asides:
    """All to whom such rows belong."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        feeds: Feeds,
        queues: Queues,
        waits: Waits,
        silences: Silences,
        adoption: Adoption,
    ) -> None:
        self._ledger = ledger
        self._feeds = feeds
        self._queues = queues
        self._waits = waits
        self._silences = silences
        self._adoption = adoption

    def restore(self, rows: Iterable[tuple[str, bytes]], now: datetime, *, carry_on: bool) -> None:
        """Take over rows, some or all, in whatever order."""
        gaps = []
        for row in rows:
            key, packed = row
            if key == ROW:
                self._adoption.restore(packed)
            elif key.startswith(FEED):
                self._feeds.restore([row], now)
            elif key.startswith(QUEUE):
                self._queues.restore([row])
            elif key.startswith(WAITS):
                self._waits.restore([row])
            elif key.startswith(SILENCE):
                self._silences.restore([row])
            else:
                gaps.append(row)
        if gaps:
            self._ledger.restore(gaps, carry_on=carry_on)

    def mirror(self, key: str, packed: bytes | None) -> None:
        """Take over what another has made of a row, but what only matters to who decides."""
        if key.startswith(FEED):
            self._feeds.mirror(key, packed)
        elif key.startswith(QUEUE):
            self._queues.mirror(key, packed)
        elif key.startswith(SILENCE):
            self._silences.mirror(key, packed)
        elif key != ROW and not key.startswith(WAITS):
            self._ledger.mirror(key, packed)
