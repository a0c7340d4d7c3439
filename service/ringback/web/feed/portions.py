"""What is written to readers: made once for all who are at the same place and ask for the same."""

from collections.abc import Callable, Sequence

import msgspec
from msgspec import UNSET, UnsetType
from websockets.frames import Frame, Opcode

from ringback.core.events import Time
from ringback.web.journal import Told

__all__ = ["Beat", "Portion", "SourceBeat", "as_events", "as_frames"]

Form = Callable[[Sequence[Told], bool], bytes]


class SourceBeat(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True, kw_only=True):
    """How fresh a source is."""

    name: str
    hears: bool
    blind_since: Time | UnsetType = UNSET
    last_frame: Time | UnsetType = UNSET


class Beat(msgspec.Struct, frozen=True, kw_only=True):
    """What a heartbeat says."""

    position: int
    """Of the journal's last entry, whether or not the reader is there already."""
    now: Time
    sources: Sequence[SourceBeat]


class Portion:
    """Entries that are told at once, and all forms of them that anybody has asked for."""

    def __init__(self, told: Sequence[Told], upto: int) -> None:
        self.told = told
        self.upto = upto
        """The position that a reader is at who has it; what lies between was not asked for."""
        self._forms: dict[tuple[Form, bool], bytes] = {}

    def formed(self, form: Form, *, masked: bool) -> bytes:
        """Give it as bytes of some form."""
        key = (form, masked)
        found = self._forms.get(key)
        if found is None:
            found = self._forms[key] = form(self.told, masked)
        return found


def as_events(told: Sequence[Told], masked: bool) -> bytes:  # noqa: FBT001  # a `Form`
    """Form Server-Sent Events."""
    return b"".join(
        [b"id: %d\ndata: %b\n\n" % (each.position, each.shown(masked=masked)) for each in told]
    )


def as_frames(told: Sequence[Told], masked: bool) -> bytes:  # noqa: FBT001  # a `Form`
    """Form text frames of a websocket. A server's frames are the same for every reader."""
    return b"".join(
        [
            Frame(
                Opcode.TEXT,
                b'%b,"journalposition":"%d"}' % (each.shown(masked=masked)[:-1], each.position),
            ).serialize(mask=False)
            for each in told
        ]
    )
