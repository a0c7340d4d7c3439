"""What a check found: plain data, for people and for exit codes."""

from enum import StrEnum

import msgspec

__all__ = ["Finding", "Level"]


class Level(StrEnum):
    """How a thing is."""

    OK = "ok"
    WARN = "warn"
    """It works, or may work; look at it."""
    FAIL = "fail"
    """It will not work before it is mended."""


class Finding(msgspec.Struct, frozen=True):
    """One thing that was looked at. Never holds a secret."""

    level: Level
    about: str
    """What was looked at, in a word or two."""
    text: str
    """How it is."""
    remedy: str = ""
    """What to do; empty if nothing."""
