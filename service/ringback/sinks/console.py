"""Events on a terminal, for people: one line each, in columns as the width allows.

    08:15:02.120  3f2a91c7     q 7b1e22d0  waiting → alerting           alert
    08:19:02.121  3f2a91c7     ALERT connected_not_dialled: an agent has accepted, ...

Nobody reads thousands of lines a second. What exceeds a few dozen is counted by state, and told in
one line when that second has passed; alerts and changes of a source have room of their own. Numbers
and names of people are never shown, whatever an event carries.
"""

import asyncio
import math
import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime, tzinfo

import msgspec
from msgspec import UNSET, UnsetType

from ringback.core.events import AlertData, CallbackData, Event, SourceData
from ringback.ports import Entry
from ringback.sinks.output import HasDescriptor, Output
from ringback.wire.cloudevents import decode

__all__ = ["Console", "Throttle", "render"]

SECOND = 1.0
MOST_LINES = 40
"""Lines a second about callbacks, and as many again about alerts and sources."""

ID_WIDTH = 8
STATE_WIDTH = 15
TRIGGER_WIDTH = 10
QUEUE_FROM, TRIGGER_FROM, PREVIOUS_FROM = 110, 90, 70
"""Columns that a terminal must have for these to be shown."""

RED, BOLD, PLAIN = "\x1b[1;31m", "\x1b[1m", "\x1b[0m"


class Console:
    """Shows events as they are told; ask for `color` only where it is understood."""

    def __init__(
        self,
        stream: HasDescriptor,
        *,
        color: bool,
        zone: tzinfo | None = None,
        width: Callable[[], int] = lambda: shutil.get_terminal_size().columns,
    ) -> None:
        """Show times in `zone`, by default this machine's. `width` is asked before each batch."""
        self._output = Output(stream)
        self._color = color
        self._zone = zone
        self._width = width
        self._throttle = Throttle()
        self._summing_up: asyncio.TimerHandle | None = None

    async def tell(self, entries: Sequence[Entry]) -> None:
        """Return when what there is to see of `entries` is written. Raises `SinkError`."""
        loop = asyncio.get_running_loop()
        width = self._width()
        shown = self._summary(loop.time(), width)
        for entry in entries:
            try:
                event = decode(entry.body)
            except msgspec.MsgspecError:  # of another version: others may understand it
                self._throttle.held["unknown"] += 1
                continue
            if self._throttle.admits(event):
                shown.append(self._painted(event, width))
        if self._throttle.held and self._summing_up is None:
            self._summing_up = loop.call_later(SECOND, self._sum_up)
        if shown:
            await self._output.write(_encoded(shown))

    async def close(self) -> None:
        """Tell what was held back, and release the stream, which stays open."""
        if self._summing_up is not None:
            self._summing_up.cancel()
        try:
            if summary := self._summary(math.inf, self._width()):
                await self._output.write(_encoded(summary))
        finally:
            self._output.close()

    def _painted(self, event: Event, width: int) -> str:
        line = render(event, width, self._zone)
        if not self._color or isinstance(event.data, CallbackData):
            return line
        firing = event.type.endswith(".firing.v1")
        return f"{RED if firing else BOLD}{line}{PLAIN}"

    def _summary(self, now: float, width: int) -> list[str]:
        held = self._throttle.turn(now)
        if not held:
            return []
        kinds = ", ".join(f"{count} {kind}" for kind, count in held.most_common())
        return [_cut(f"{'':12}  {held.total()} more: {kinds}", width)]

    def _sum_up(self) -> None:
        self._summing_up = None
        if summary := self._summary(math.inf, self._width()):
            self._output.post(_encoded(summary))


class Throttle:
    """Decides, second by second, what there is room for; counts the rest by kind."""

    def __init__(self) -> None:
        self.held: Counter[str] = Counter()
        """What was not admitted in this second."""
        self._room: Counter[bool] = Counter()
        self._until = 0.0

    def turn(self, now: float) -> Counter[str]:
        """Give what was held back, if its second is over at `now`; and begin another.

        `math.inf` ends any second, and leaves the next to begin with the next call.
        """
        if now < self._until:
            return Counter()
        self._until = now + SECOND if now < math.inf else 0.0
        self._room = Counter({True: MOST_LINES, False: MOST_LINES})
        held, self.held = self.held, Counter()
        return held

    def admits(self, event: Event) -> bool:
        """Say whether there is room for `event`."""
        routine = isinstance(event.data, CallbackData)
        if self._room[routine] > 0:
            self._room[routine] -= 1
            return True
        self.held[event.type.split(".")[2]] += 1
        return False


def render(event: Event, width: int, zone: tzinfo | None) -> str:
    """Give one event as one line of at most `width` columns, without its end."""
    data = event.data
    at = datetime.fromisoformat(event.time).astimezone(zone)
    columns = [at.isoformat(timespec="milliseconds")[11:23]]
    match data:
        case CallbackData():
            columns += _callback(event, data, width)
        case AlertData():
            columns.append(
                f"source {data.source}"
                if data.callback_id is UNSET or data.conversation_id is UNSET
                else _short(data.callback_id, data.conversation_id)
            )
            columns.append(_alert(event, data))
        case SourceData():
            columns.append(f"source {data.source_name}: {event.type.split('.')[2]}")
            columns += _known(data.cause)
    return _cut("  ".join(columns), width)


def _callback(event: Event, data: CallbackData, width: int) -> list[str]:
    columns = [_short(data.callback_id, data.conversation_id)]
    if width >= QUEUE_FROM:
        queue = "" if data.queue_id is UNSET else f"q {data.queue_id[:ID_WIDTH]}"
        columns.append(f"{queue:{ID_WIDTH + 2}}")
    state = f"{data.state:{STATE_WIDTH}}"
    if width >= PREVIOUS_FROM:
        previous = "" if data.previous_state is UNSET else data.previous_state
        arrow = "→" if previous else " "
        state = f"{previous:>{STATE_WIDTH}} {arrow} {state}"
    columns.append(state)
    if width >= TRIGGER_FROM:
        trigger = "" if data.trigger is UNSET else data.trigger
        columns.append(f"{trigger:{TRIGGER_WIDTH}}")
    kind = event.type.split(".")[2]
    notes = [
        *([kind] if kind != data.state else []),
        *_known(data.outcome),
        *([] if data.reasons is UNSET else data.reasons),
        *([] if data.late_seconds is UNSET else [f"{data.late_seconds:g} s late"]),
        *([f"past {', '.join(data.skipped)}"] if data.skipped else []),
    ]
    return [*columns, "; ".join(notes)] if notes else columns


def _alert(event: Event, data: AlertData) -> str:
    kind = event.type.split(".")[2]
    word = "ALERT" if kind == "firing" else kind
    late = "" if data.late_seconds is UNSET else f" ({data.late_seconds:g} s late)"
    ended = "" if data.reason is UNSET else f"; {data.reason}"
    return f"{word} {data.rule}: {data.summary}{ended}{late}"


def _short(callback_id: str, conversation_id: str) -> str:
    """Give the first characters of an id, and which callback of its conversation it is."""
    ordinal = callback_id.removeprefix(conversation_id)
    return f"{conversation_id[:ID_WIDTH]}{ordinal}".ljust(ID_WIDTH + 3)


def _known(value: str | UnsetType) -> list[str]:
    return [] if value is UNSET else [value]


def _cut(line: str, width: int) -> str:
    """Keep a line to one row, and the terminal safe from what an id may hold."""
    safe = "".join(sign if sign.isprintable() else "�" for sign in line.rstrip())
    return safe if len(safe) <= width else safe[: max(0, width - 1)] + "…"


def _encoded(lines: list[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode("utf-8", "replace")
