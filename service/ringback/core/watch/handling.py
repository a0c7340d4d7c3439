"""What can be wrong while an agent has it: the dial, the call, the hold, what comes after."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from ringback.core.clocks import Clock
from ringback.core.derivation import hold_of, holds_of, on_the_phone, seen_dialled, voice_visible
from ringback.core.lifecycle import State
from ringback.core.records import Callback
from ringback.core.watch.sight import NOT_AT_ALL, Begun, Kind, Limits, Sight, state_began

__all__ = ["HANDLING"]

_WITH_AGENT = frozenset({State.CONNECTED, State.HELD})


def _connected_not_dialled(sight: Sight, _limits: Limits) -> Begun | None:
    callback, agent = sight.callback, sight.cast.agent
    if callback.auto_dial is not None or not voice_visible(sight.cast):
        return None
    if agent is None or seen_dialled(sight.cast, agent):
        return None
    return Begun(agent.connected_at or callback.since, Clock.CLOUD)


def _auto_dial_missed(sight: Sight, _limits: Limits) -> Begun | None:
    dial, agent = sight.callback.auto_dial, sight.cast.agent
    if dial is None or dial.missed_at is None or not voice_visible(sight.cast):
        return None
    if agent is None or seen_dialled(sight.cast, agent):
        return None
    return Begun(dial.missed_at, Clock.CLOUD)


def _dialing(sight: Sight, _limits: Limits) -> Begun | None:
    began = state_began(sight.callback)
    # A call that came with the end of another: the state has not changed since that one began.
    ends = (call.ended_at for call in sight.cast.calls if call.ended_at is not None)
    ended_at = max(ends, default=began.at)
    return began if ended_at <= began.at else Begun(ended_at, Clock.PROVIDER)


def _held(sight: Sight, _limits: Limits) -> Begun | None:
    hold = hold_of(sight.callback)
    return state_began(sight.callback) if hold is None else Begun(hold, Clock.CLOUD)


def _held_in_total(sight: Sight, limits: Limits) -> Begun | None:
    """Count from so long before this hold as all before it have lasted.

    Off hold the clock stands still: then it is over the limit for as long as the call lasts, or
    not yet.
    """
    callback = sight.callback
    spans = [span for leg in callback.legs for span in leg.holds]
    if not spans:
        return None
    hold = hold_of(callback)
    if hold is not None:
        return Begun(hold - _seconds_held(callback, hold), Clock.CLOUD)
    ends = [span.end for span in spans if span.end is not None]
    if not ends:
        return None
    held = _seconds_held(callback, max(ends))
    return Begun(max(ends) - held, Clock.CLOUD) if held >= limits.after else None


def _seconds_held(callback: Callback, until: datetime) -> timedelta:
    return timedelta(seconds=holds_of(callback, until).total)


def _talking(sight: Sight, _limits: Limits) -> Begun | None:
    """Holds are part of a talk, so that it does not begin anew after each."""
    began = on_the_phone(sight.cast)
    if began is not None:
        return Begun(began, Clock.CLOUD)
    callback = sight.callback
    return state_began(callback) if callback.state is State.TALKING else None


def _after_call_work(sight: Sight, _limits: Limits) -> Begun | None:
    return state_began(sight.callback)


HANDLING: Mapping[str, Kind] = {
    "connected_not_dialled": Kind(
        "an agent has accepted, nothing is dialled and nothing will dial by itself",
        _WITH_AGENT,
        timedelta(minutes=5),
        _connected_not_dialled,
    ),
    "auto_dial_missed": Kind(
        "the automatic call was due and is not seen",
        _WITH_AGENT | {State.AUTO_DIALING},
        NOT_AT_ALL,
        _auto_dial_missed,
    ),
    "dialing_too_long": Kind(
        "dialling for too long, and neither answered nor given up",
        frozenset({State.DIALING}),
        timedelta(minutes=3),
        _dialing,
    ),
    "held_too_long": Kind(
        "on hold for too long", frozenset({State.HELD}), timedelta(minutes=10), _held
    ),
    "held_in_total": Kind(
        "on hold for too long, all holds taken together",
        frozenset({State.CONNECTED, State.DIALING, State.TALKING, State.HELD}),
        timedelta(minutes=20),
        _held_in_total,
    ),
    "talking_too_long": Kind(
        "the call has lasted for too long",
        frozenset({State.TALKING, State.HELD}),
        timedelta(hours=2),
        _talking,
    ),
    "after_call_work_too_long": Kind(
        "after-call work has lasted for too long",
        frozenset({State.AFTER_CALL_WORK}),
        timedelta(minutes=30),
        _after_call_work,
    ),
}
"""By name."""
