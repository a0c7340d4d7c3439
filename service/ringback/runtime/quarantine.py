"""Frames that cannot be understood: kept aside within bounds, said once per kind and minute."""

from collections.abc import Callable
from datetime import datetime, timedelta

import structlog

from ringback.errors import FrameError, FrameFault

__all__ = ["Quarantine"]

SAY_AGAIN = timedelta(minutes=1)
KEPT_BYTES = 64 * 1024
"""Of one frame; the beginning shows what is wrong with it."""

log = structlog.get_logger(__name__)


class Quarantine:
    """Keeps bad frames through `keep`, which bounds the whole and never raises."""

    def __init__(self, keep: Callable[[datetime, bytes | str], None]) -> None:
        self._keep = keep
        self._said: dict[FrameFault, datetime] = {}
        self._since_said: dict[FrameFault, int] = {}

    def put(self, frame: bytes | str, error: FrameError, now: datetime) -> None:
        """Keep a bad frame, and say so unless its kind was said within the last minute."""
        self._keep(now, frame[:KEPT_BYTES])
        fault = error.fault
        count = self._since_said[fault] = self._since_said.get(fault, 0) + 1
        said = self._said.get(fault)
        if said is not None and timedelta(0) <= now - said < SAY_AGAIN:
            return
        self._said[fault] = now
        self._since_said[fault] = 0
        log.warning("frame_quarantined", fault=fault.value, detail=error.detail, count=count)
