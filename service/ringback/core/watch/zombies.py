"""Zombies: callbacks that are open on the platform, and that a read has confirmed to be stuck.

Disconnecting one cannot be undone, and ends all of its conversation. So a person says which, and
how each was when they saw it; it is read once more, and whatever is not the very same is let be.
"""

from collections.abc import Collection
from datetime import datetime
from hashlib import blake2b

import msgspec

from ringback.core.events import rfc3339
from ringback.core.legs import Leg, Phase, phase_shown
from ringback.core.records import Alarm, Callback, Conversation
from ringback.core.snapshots import Medium, Snapshot
from ringback.core.surveys import agrees, begins_more, outline

__all__ = ["Zombie", "let_be", "mark_of", "zombies"]

DIGEST_BYTES = 12


class Zombie(msgspec.Struct, frozen=True):
    """One callback that is stuck."""

    callback: Callback
    alarms: list[Alarm]
    """Those that say so, and fire; at least one."""
    why_not: str | None
    """Why its conversation must not be disconnected; None: it may."""


def zombies(conversation: Conversation, kinds: Collection[str]) -> list[Zombie]:
    """Give the callbacks of a conversation that alerts of some kinds are about."""
    opened = [callback for callback in conversation.callbacks if callback.open]
    found = []
    for callback in opened:
        alarms = [alarm for alarm in callback.alarms if _counts(alarm, kinds)]
        if alarms:
            found.append(Zombie(callback, alarms, _why_not(callback, alarms, len(opened))))
    return found


def mark_of(conversation: Conversation) -> str:
    """Give a mark of how a conversation is.

    It changes with states, schedules, people, calls and holds.
    """
    seen = [
        (callback.ordinal, callback.state, callback.since, [_look_of(leg) for leg in callback.legs])
        for callback in conversation.callbacks
        if callback.open
    ]
    return blake2b(msgspec.json.encode(seen), digest_size=DIGEST_BYTES).hexdigest()


def let_be(
    conversation: Conversation | None,
    kinds: Collection[str],
    mark: str,
    picture: Snapshot | None,
    now: datetime,
) -> str | None:
    """Say why a conversation must be let be; None: it is a zombie, and just as it was marked.

    `picture` is what a read has just shown, which the conversation already knows of; None before
    there was one.
    """
    found = [] if conversation is None else zombies(conversation, kinds)
    if conversation is None or not found:
        return "it is not stuck any more"
    callback, why_not = found[0].callback, found[0].why_not
    if why_not is not None:
        return why_not
    if mark_of(conversation) != mark:
        return f"it has changed: {callback.state} since {rfc3339(callback.since)}"
    return None if picture is None else _otherwise(conversation, callback, picture, now)


def _look_of(leg: Leg) -> tuple[object, ...]:
    holds = len(leg.holds)
    who = leg.participant_id, leg.medium, leg.user_id
    return *who, leg.phase, leg.scheduled_at, leg.held, holds


def _counts(alarm: Alarm, kinds: Collection[str]) -> bool:
    """Whether an alert fires, and not only because it is damped."""
    return alarm.since is not None and alarm.over_at is None and alarm.kind in kinds


def _why_not(callback: Callback, alarms: list[Alarm], opened: int) -> str | None:
    if opened > 1:
        return f"its conversation has {opened} open callbacks, and would be ended with all of them"
    if all(alarm.read_at is None for alarm in alarms):
        return f"no read has confirmed it: {alarms[0].unproved or 'told by an earlier version'}"
    if callback.unverified:
        return "a gap has touched it, and nothing has confirmed it since"
    return None


def _otherwise(
    conversation: Conversation, callback: Callback, picture: Snapshot, now: datetime
) -> str | None:
    """Say what a picture shows that is not known, or that nobody may be cut off from."""
    if picture.conversation_id != conversation.id:
        return "the platform has shown another conversation"
    for one in picture.sightings:
        live = phase_shown(one, Phase.NONE) is not Phase.ENDED
        if one.medium is Medium.VOICE and one.inbound and live:
            return "the conversation has a call that came in, and would end it too"
    if begins_more(conversation, picture):
        return "the platform shows another callback of its conversation"
    if not agrees(conversation, callback, picture, outline(picture, now)):
        return "the platform shows it otherwise than it is known"
    return None
