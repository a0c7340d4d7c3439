"""Time drawn to scale: which span is shown, and bars and marks in the columns of a terminal."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta, tzinfo
from typing import Literal

import msgspec

from ringback.terminal.lives import Life

__all__ = ["Scale", "Signs", "span_of"]

LEAST = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
A_MINUTE, HALF_A_DAY = 60, 43_200
STEPS = (
    1,
    5,
    10,
    15,
    30,
    A_MINUTE,
    120,
    300,
    600,
    900,
    1800,
    3600,
    7200,
    14_400,
    HALF_A_DAY,
    86_400,
    604_800,
)
TICK_WIDTH = 10
"""Columns that a tick with its time takes, the room after it included."""


class Signs(msgspec.Struct, frozen=True):
    """What is drawn with; not every terminal has more than ASCII."""

    full: str = "█"
    thin: str = "▏"
    hatch: str = "░"
    line: str = "━"
    cut: str = "«"
    dot: str = "·"
    rule: str = "─"
    tick: str = "╵"
    more: str = "…"
    overflow: Literal["ellipsis", "crop"] = "ellipsis"

    @classmethod
    def ascii(cls) -> "Signs":
        """Give those that every terminal has."""
        return cls("#", "|", ":", "=", "<", "-", "-", "|", "...", "crop")


class Scale(msgspec.Struct, frozen=True):
    """A span of time over so many columns."""

    began: datetime
    until: datetime
    width: int

    def column(self, at: datetime) -> float:
        """Say where an instant is, from 0 to `width`."""
        share = (at - self.began) / (self.until - self.began)
        return min(1.0, max(0.0, share)) * self.width

    def bar(self, began: datetime, until: datetime, full: str, thin: str) -> tuple[int, str]:
        """Draw a time: how many columns come before it, and the bar. What is outside has none."""
        if until < self.began or began > self.until:
            return 0, ""
        left, right = self.column(began), self.column(until)
        first = min(int(left + 0.5), self.width - 1)
        columns = int(right + 0.5) - first
        return first, full * columns if columns > 0 else thin

    def ticks(self, zone: tzinfo | None, sign: str) -> str:
        """Write the times below, each beginning at its place."""
        seconds = (self.until - self.began).total_seconds()
        most = max(1, self.width // TICK_WIDTH)
        step = next((each for each in STEPS if seconds / each <= most), STEPS[-1])
        begin = self.began.astimezone(zone)
        midnight = begin.replace(hour=0, minute=0, second=0, microsecond=0)
        at = midnight + timedelta(seconds=((begin - midnight).total_seconds() // step + 1) * step)
        form = "%H:%M:%S" if step < A_MINUTE else "%b %d" if step >= HALF_A_DAY else "%H:%M"
        text = ""
        while at < self.until:
            column, label = int(self.column(at)), f"{sign}{at:{form}}"
            if column >= len(text) and column + len(label) <= self.width:
                text += " " * (column - len(text)) + label + " "
            at += timedelta(seconds=step)
        return text[: self.width].rstrip()


def span_of(life: Life, now: datetime) -> tuple[datetime, datetime]:
    """Say which time to draw.

    A callback may have been scheduled weeks ago: then what came after its release is what is drawn,
    and its start is cut off. What is about to fall due is in it, if it is near.
    """
    until = life.ended or now
    began = min(_begins(life, now))
    states = life.states
    if len(states) > 1 and states[0].state == "scheduled":
        released = states[1].began
        began = max(began, released - max(MINUTE, (until - released) / 4))
    near = max(MINUTE, (until - began) / 2)
    ahead = [each.at for each in life.deadlines if each.state == "armed"]
    return began, max(until, began + LEAST, *_near(ahead, until, near))


def _begins(life: Life, now: datetime) -> Sequence[datetime]:
    return [each.began for each in life.states] or [life.first_seen or now]


def _near(ahead: Iterable[datetime], until: datetime, near: timedelta) -> list[datetime]:
    if times := [at for at in ahead if at - until < near]:
        return times
    return [until]
