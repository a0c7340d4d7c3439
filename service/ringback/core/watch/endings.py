"""What can be wrong with how a callback has ended."""

from collections.abc import Mapping
from datetime import timedelta

from ringback.core.clocks import Clock
from ringback.core.lifecycle import State
from ringback.core.watch.sight import NOT_AT_ALL, Begun, Kind, Limits, Sight, state_began

__all__ = ["ENDINGS"]

_ENDED = frozenset({State.DISCONNECTED})


def _lost(sight: Sight, _limits: Limits) -> Begun | None:
    return _ended(sight) if sight.callback.outcome == "lost" else None


def _not_reached(sight: Sight, _limits: Limits) -> Begun | None:
    callback = sight.callback
    if callback.outcome != "not_reached" or sight.conversation.callbacks[-1] is not callback:
        return None
    return _ended(sight)


def _ended(sight: Sight) -> Begun:
    ended_at = sight.callback.ended_at
    return state_began(sight.callback) if ended_at is None else Begun(ended_at, Clock.PROVIDER)


ENDINGS: Mapping[str, Kind] = {
    "lost": Kind("ended, and no agent ever had it", _ENDED, NOT_AT_ALL, _lost),
    "not_reached": Kind(
        "the customer was not reached, and is not to be called again",
        _ENDED,
        timedelta(minutes=30),
        _not_reached,
        over="called again",
    ),
}
"""By name."""
