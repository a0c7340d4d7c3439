"""What the intake of a source is handed, whether it tracks by itself or puts into a log."""

from datetime import datetime
from typing import Protocol

from ringback.errors import FrameError
from ringback.ports import Reading

__all__ = ["RESTART", "Quarantine", "Recorder"]

RESTART = "restart"
"""The cause of a gap that a start finds, and who puts rules in force with it."""


class Quarantine(Protocol):
    """Where frames go that cannot be understood."""

    def put(self, frame: bytes | str, error: FrameError, now: datetime) -> None:
        """Keep a bad frame, within bounds, with its reason."""


class Recorder(Protocol):
    """Where all that the core consumes is kept, for replays."""

    def __call__(
        self, at: datetime, frame: bytes | str, kind: str, reading: Reading | None = None, /
    ) -> None:
        """Keep one record; never raises."""
