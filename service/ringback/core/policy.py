"""What people may set of the core's decisions."""

from datetime import timedelta

import msgspec

__all__ = ["Policy"]


class Policy(msgspec.Struct, frozen=True):
    """Grace periods and retention."""

    due_grace: timedelta = timedelta(minutes=2)
    """After its scheduled time a callback is due, after this it is late.

    Releases 1 to 60 s after the scheduled time were seen on the platform.
    """
    not_dialled: timedelta = timedelta(minutes=5)
    """An agent has accepted, nothing is dialled and nothing will dial by itself."""
    dial_grace: timedelta = timedelta(seconds=15)
    """Auto-dial is due and no voice leg appeared: after this it is missed."""
    keep_ended: timedelta = timedelta(hours=24)
    """How long the records of an ended conversation are kept."""
    keep_tombstone: timedelta = timedelta(days=35)
    """How much longer its tombstone is: a callback can be scheduled 30 days ahead."""
    unverified_patience: timedelta = timedelta(seconds=60)
    """How long a callback may be unverified before that is told: a blip makes no storm."""
    numbers_kept: bool = False
    """Whether callbacks carry numbers or their hashes, so that it is seen who waits twice."""
    unconfirmed: timedelta = timedelta(minutes=15)
    """A live callback that nothing has confirmed for so long is read, if that can be done."""
