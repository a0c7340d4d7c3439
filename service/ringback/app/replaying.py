"""`ringback replay`: recordings through the same core, in virtual time."""

from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path
from typing import TextIO

from ringback.app.parts import make_decoder, make_policy, make_rules
from ringback.core.events import Event
from ringback.core.tracker import Tracker
from ringback.errors import RecordingError
from ringback.runtime.replay import Replay
from ringback.settings import Settings
from ringback.sources.recording import read_recordings
from ringback.wire.cloudevents import Encoder

__all__ = ["replay"]


def replay(
    settings: Settings,
    paths: Iterable[Path],
    until: datetime | None,
    out: TextIO,
    complain: Callable[[RecordingError], None],
) -> Replay:
    """Replay recordings to CloudEvents on `out`; `complain` is told of each thing skipped."""
    encode = Encoder(settings.source.org).encode

    def emit(event: Event) -> None:
        out.write(encode(event).decode())
        out.write("\n")

    tracker = Tracker(make_policy(settings), make_rules(settings))
    player = Replay(
        tracker,
        make_decoder(settings),
        emit,
        complain,
        keep_rules=bool(settings.watch.rules),
    )
    player.run(read_recordings(paths), until)
    return player
