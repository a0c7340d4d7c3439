"""What bulk reads say, and whether that agrees with what is known.

A survey is a page of many conversations at once: pictures, which show the legs, and places, which
only say roughly where a conversation is. A picture confirms what it agrees with, a place nothing.
It never changes anything: what differs is read singly, since bulk reads lag, shift between pages
and leave out.
"""

from collections.abc import Callable
from datetime import datetime, timedelta

import msgspec

from ringback.core.derivation import Cast, current_queue, current_user, state_of
from ringback.core.entries import NEVER
from ringback.core.joining import Joining
from ringback.core.legs import Leg, merge
from ringback.core.lifecycle import State
from ringback.core.records import Callback, Conversation
from ringback.core.snapshots import Medium, Role, Sighting, Snapshot

__all__ = [
    "WITH_AGENT",
    "Dividing",
    "Place",
    "Survey",
    "agrees",
    "begins_more",
    "contradicts",
    "knows_holds",
    "outline",
]

WITH_AGENT = frozenset(
    {State.CONNECTED, State.AUTO_DIALING, State.DIALING, State.TALKING, State.HELD}
)
_OVER = frozenset({State.DISCONNECTED})
_UNDIALLED = frozenset({State.CONNECTED, State.AUTO_DIALING})
"""Told apart by our own timer alone: the platform shows both alike."""
HOLDS_DIFFER = timedelta(seconds=1)
"""Ends of holds that differ by less are the same: frames tell them by coming."""


class Place(msgspec.Struct, frozen=True, gc=False):
    """Roughly where a conversation is."""

    conversation_id: str
    states: frozenset[State]
    """It is in one of these."""
    queue_id: str | None = None
    user_id: str | None = None

    @property
    def over(self) -> bool:
        """Whether it has ended, as far as a bulk read can be believed."""
        return self.states == _OVER


class Survey(msgspec.Struct, frozen=True, gc=False):
    """One page of a bulk read."""

    read_at: datetime
    """When it was asked for, on the daemon's clock."""
    as_of: datetime | None = None
    """Up to when it surely knows; None when it does not show that. Never later than `read_at`."""
    pictures: list[Snapshot] = []
    places: list[Place] = []


class Dividing:
    """Divides surveys, so that the parts together are taken in as the whole would be."""

    def __init__(self) -> None:
        self._horizon = NEVER
        """Up to when bulk reads are known to know."""

    def divide(self, survey: Survey, part_of: Callable[[str], int]) -> dict[int, Survey]:
        """Give what of a survey is about the conversations of each part.

        What one page proves to be known holds for every page that was asked for later, those of
        parts that have nothing of that page included.
        """
        as_of = survey.as_of
        if survey.pictures and as_of is not None:
            if self._horizon > survey.read_at:
                self._horizon = NEVER  # the clock was set back
            self._horizon = as_of = max(self._horizon, as_of)
        parts: dict[int, Survey] = {}

        def part(conversation_id: str) -> Survey:
            number = part_of(conversation_id)
            if number not in parts:
                parts[number] = Survey(survey.read_at, as_of, [], [])
            return parts[number]

        for picture in survey.pictures:
            part(picture.conversation_id).pictures.append(picture)
        for place in survey.places:
            part(place.conversation_id).places.append(place)
        return parts


def outline(picture: Snapshot, now: datetime) -> Place:
    """Work out where a picture shows its latest open callback, or that there is none any more.

    Through the same rules as a frame's, on a conversation of its own.
    """
    conversation = Conversation("", picture.conversation_id)
    joining = Joining(conversation, picture.sightings, now)
    for index, sighting in enumerate(picture.sightings):
        if sighting.inbound and sighting.medium is Medium.VOICE:
            continue
        found = joining.find(index, sighting) or joining.place(sighting)
        if found is not None:
            merge(found[1], sighting, now, outdated=False, fresh=True)
    for callback in reversed(conversation.callbacks):
        cast = Cast(callback)
        state = state_of(cast)
        if state is not State.DISCONNECTED:
            states = _UNDIALLED if state in _UNDIALLED else frozenset({state})
            callback.state = state
            return Place(picture.conversation_id, states, current_queue(cast), current_user(cast))
    queues = [sighting.queue_id for sighting in picture.sightings if sighting.queue_id is not None]
    return Place(picture.conversation_id, _OVER, queues[-1] if queues else None)


def agrees(conversation: Conversation, callback: Callback, picture: Snapshot, shown: Place) -> bool:
    """Whether a picture shows the very same as is known, with nothing in it that is not.

    The same state is not enough: a callback may have been offered, dialled or held in between. It
    shows all of a conversation, so that much in it may be of callbacks that ended before.
    """
    schedules = {one.scheduled_at for one in picture.sightings if one.scheduled_at is not None}
    known = callback.scheduled_at
    return (
        not contradicts(callback, shown)
        and (known is None or not schedules or known in schedules)
        and not any(_is_news(conversation, sighting) for sighting in picture.sightings)
    )


def begins_more(conversation: Conversation, picture: Snapshot) -> bool:
    """Whether a picture shows more callbacks of a conversation than were ever known."""
    shown = sum(
        one.medium is Medium.CALLBACK and one.role is Role.CUSTOMER for one in picture.sightings
    )
    known = conversation.callbacks[-1].ordinal if conversation.callbacks else 0
    if conversation.tombstone is not None:
        known = max(known, conversation.tombstone.ordinal)
    return shown > known


def knows_holds(conversation: Conversation, picture: Snapshot) -> bool:
    """Whether every hold that a picture shows, and its end, is known, after the end as well."""
    return all(
        any(
            hold.start == span.start
            and hold.end is not None
            and abs(hold.end - span.end) < HOLDS_DIFFER
            for leg in _legs_of(conversation, sighting)
            for hold in leg.holds
        )
        for sighting in picture.sightings
        for span in sighting.holds or ()
        if span.end is not None
    )


def contradicts(callback: Callback, place: Place) -> bool:
    """Whether a place cannot be true if what is known is."""
    if callback.state not in place.states:
        return True
    if place.queue_id is not None and callback.queue_id not in (None, place.queue_id):
        return True
    return place.user_id is not None and callback.user_id not in (None, place.user_id)


def _is_news(conversation: Conversation, sighting: Sighting) -> bool:
    """Whether a leg is not known, or has been held more often than is known."""
    voice = sighting.medium is Medium.VOICE
    if (voice and sighting.inbound) or not (voice or sighting.role is Role.AGENT):
        return False
    legs = _legs_of(conversation, sighting)
    holds = len(sighting.holds or ())
    return not legs or holds > max(len(leg.holds) for leg in legs)


def _legs_of(conversation: Conversation, sighting: Sighting) -> list[Leg]:
    named = sighting.communication_id if sighting.medium is Medium.VOICE else None
    return [
        leg
        for callback in conversation.callbacks
        for leg in callback.legs
        if leg.participant_id == sighting.participant_id
        and leg.medium is sighting.medium
        and named in (None, leg.communication_id)
    ]
