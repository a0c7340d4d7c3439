"""Names for what is put into the input log, so that the same snapshot enters once.

All listeners of an organisation hear the same, and each names a snapshot by its content and that of
the one before it of the same conversation. The one before is part of the name because a hold and
its retrieve return to the same content, which is news then. Where listeners have not heard the same
before, as after a loss, a snapshot has two names, and enters twice: the tracker finds nothing new.
One that is late puts what it alone has heard behind what another has told since: `putting` sees to
it that what it heard after that is behind it all the same.
"""

from collections.abc import Callable
from hashlib import blake2b
from typing import NamedTuple

__all__ = ["WINDOW", "Naming"]

WINDOW = 120.0
"""Seconds for which the engine remembers a name."""
REPEATED = 60.0
"""Seconds within which the same again, as over another topic, is not even put."""
MOST = 100_000
"""Conversations remembered. Of one that was forgotten the next snapshot may enter twice, no more:
its first name is out of the engine's memory by then."""
SIZE = 16


class _Last(NamedTuple):
    content: bytes
    before: bytes
    """The content before that, as a digest like this one."""
    at: float
    """When it was first put, on the loop's clock."""


class Naming:
    """Remembers what one listener has heard last of each conversation."""

    def __init__(self, time: Callable[[], float], life: str, most: int = MOST) -> None:
        """`time` is the loop's clock; `life` is of this process alone."""
        self._time = time
        self._began = time()
        self._life = blake2b(life.encode(), digest_size=SIZE).digest()
        self._most = most
        self._last: dict[str, _Last] = {}
        """The one that was heard of longest ago comes first."""
        self._count = 0

    def __len__(self) -> int:
        """How many conversations are remembered."""
        return len(self._last)

    def again(self, about: str, body: bytes) -> str | None:
        """Name something that others may have heard as well; None: it was put a moment ago."""
        now = self._time()
        content = blake2b(body, digest_size=SIZE).digest()
        last = self._last.pop(about, None)
        if last is not None and last.content == content:
            recent = now - last.at < REPEATED
            self._last[about] = last if recent else last._replace(at=now)
            return None if recent else _name(content, last.before)
        self._last[about] = _Last(content, self._first(now) if last is None else last.content, now)
        if len(self._last) > self._most:
            del self._last[next(iter(self._last))]
        return _name(content, self._last[about].before)

    def once(self) -> str:
        """Name something that is this listener's own."""
        self._count += 1
        return f"{self._life.hex()}.{self._count}"

    def _first(self, now: float) -> bytes:
        """Stand for what is not known to have been before.

        A process that is young cannot know what another, or its own former life, put within the
        window: it must not name anything as that did, or something that returned might be lost.
        """
        return self._life if now - self._began < WINDOW else b""


def _name(content: bytes, before: bytes) -> str:
    return blake2b(content + before, digest_size=SIZE).hexdigest()
