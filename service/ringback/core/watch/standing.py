"""What can be wrong with a callback wherever it is: its age, its moves, what it rests on."""

from collections.abc import Mapping
from datetime import timedelta

from ringback.core.clocks import Clock
from ringback.core.derivation import schedule_of
from ringback.core.lifecycle import State
from ringback.core.watch.sight import NOT_AT_ALL, OPEN, Begun, Kind, Limits, Sight, state_began

__all__ = ["STANDING"]

_BROKEN = ("failed", "timeout")


def _too_old(sight: Sight, _limits: Limits) -> Begun | None:
    callback = sight.callback
    if callback.state is State.SCHEDULED:
        schedule = schedule_of(sight.cast)
        if schedule is not None:
            return Begun(schedule, Clock.PROVIDER)
    return state_began(callback)


def _rescheduled(sight: Sight, limits: Limits) -> Begun | None:
    moves = sight.callback.moves
    if moves is None or moves.times < limits.times:
        return None
    return Begun(moves.at, Clock.OBSERVER)


def _voicemail(sight: Sight, limits: Limits) -> Begun | None:
    """A broken one is alarming at once, one that is still to come after a while."""
    voicemail = sight.callback.voicemail
    if voicemail is None:
        return None
    if voicemail.status in _BROKEN:
        return Begun(voicemail.since - limits.after, Clock.OBSERVER)
    return Begun(voicemail.since, Clock.OBSERVER) if voicemail.status == "pending" else None


def _unverified(sight: Sight, _limits: Limits) -> Begun | None:
    since = sight.callback.unverified_at
    return None if since is None else Begun(since, Clock.OBSERVER)


STANDING: Mapping[str, Kind] = {
    "too_old": Kind("in the same state for hours", OPEN, timedelta(hours=8), _too_old),
    "rescheduled_often": Kind(
        "moved to another time again and again", OPEN, NOT_AT_ALL, _rescheduled, times=5
    ),
    "voicemail_unplayable": Kind(
        "asked for by a voicemail that cannot be played",
        OPEN,
        timedelta(minutes=10),
        _voicemail,
        over="playable",
    ),
    "unverified_too_long": Kind(
        "touched by a gap, and nothing has confirmed it since",
        OPEN - {State.SCHEDULED},
        timedelta(minutes=30),
        _unverified,
        over="verified",
    ),
}
"""By name."""
