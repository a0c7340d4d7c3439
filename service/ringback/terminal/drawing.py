"""What every part of a callback's timeline is drawn with."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta, tzinfo

import msgspec
from rich.text import Text

from ringback.terminal.answers import Row, Source
from ringback.terminal.lives import Life
from ringback.terminal.scale import Signs
from ringback.terminal.words import at_second, duration, line, short, spoken

__all__ = ["LEAST_WIDTH", "MOST_SPELLS", "Around", "Drawing"]

LEAST_WIDTH = 60
MOST_SPELLS = 24


class Around(msgspec.Struct, frozen=True, kw_only=True):
    """What is known beside the callback itself, and how to draw."""

    queues: Mapping[str, str] = {}
    """Names by id."""
    sources: Sequence[Source] = ()
    others: Sequence[Row] = ()
    """Other open callbacks of its conversation."""
    zone: tzinfo | None = None
    """None: this machine's."""
    signs: Signs = Signs()
    most_spells: int = MOST_SPELLS


class Drawing:
    """A life, the present, and so many columns."""

    def __init__(self, life: Life, now: datetime, width: int, around: Around) -> None:
        self.life = life
        self.now = now
        self.width = width
        self.around = around
        self.signs = around.signs
        # What is long ago needs its date; the column is as wide as the widest time in it.
        times = [each.began for each in life.states] + [each.began for each in life.gaps]
        self.time_width = max(len(self.at(each)) for each in [now, *times])

    def heading(self, name: str) -> Text:
        """Begin a part."""
        rest = self.signs.rule * (self.width - len(name) - 1)
        return line((name, "bold"), " ", (rest, "dim"))

    def flowing(self, parts: Sequence[str], between: str) -> Iterator[Text]:
        """Lay parts one after the other, on as many lines as it takes."""
        text = ""
        for part in parts:
            if text and len(text) + len(between) + len(part) > self.width:
                yield line(text)
                text = part
            else:
                text = f"{text}{between}{part}" if text else part
        if text:
            yield line(text)

    def at(self, instant: datetime) -> str:
        """Write a time of day."""
        return at_second(instant, self.now, self.around.zone)

    def since(self, instant: datetime) -> str:
        """Write how long ago it is."""
        return duration((self.now - instant) / timedelta(seconds=1))

    def spoken(self, instant: datetime) -> str:
        """Say how long ago it is."""
        return spoken((self.now - instant) / timedelta(seconds=1))

    def queue(self, queue_id: str) -> str:
        """Give a queue's name, or the beginning of its id."""
        return self.around.queues.get(queue_id) or short(queue_id)
