"""Comparing what bulk reads show: what agrees is confirmed, what differs is wanted singly."""

from datetime import datetime

from ringback.core.changes import Change
from ringback.core.conversations import Conversations
from ringback.core.derivation import Cast
from ringback.core.entries import NEVER
from ringback.core.records import Conversation, unpack
from ringback.core.repair import Repair
from ringback.core.settling import Settling
from ringback.core.snapshots import Snapshot
from ringback.core.surveys import (
    Place,
    Survey,
    agrees,
    begins_more,
    contradicts,
    knows_holds,
    outline,
)

__all__ = ["Comparing"]


class Comparing:
    """Compares the surveys of one tracker; keeps nothing of its own."""

    def __init__(self, conversations: Conversations, repair: Repair, settling: Settling) -> None:
        self._conversations = conversations
        self._repair = repair
        self._settling = settling

    def compare(self, survey: Survey, now: datetime) -> list[Change]:
        """Compare a page of a bulk read; give what is to be told where that ends a doubt."""
        for place in survey.places:
            self._place(place, None, survey.as_of or NEVER, now)
        as_of = self._repair.known_until(survey)
        for picture in survey.pictures:
            self._holds(picture, as_of)
        found = (
            self._place(outline(picture, now), picture, as_of, now) for picture in survey.pictures
        )
        return [change for change in found if change is not None]

    def _holds(self, picture: Snapshot, as_of: datetime) -> None:
        """Let a picture without a hold that is new spare the read that would ask for them."""
        key = picture.conversation_id
        entry, wants = self._conversations.entries.get(key), self._repair.wants
        if (
            entry is not None
            and wants.may_know_holds(key, as_of)
            and knows_holds(unpack(entry.state), picture)
        ):
            wants.heard(key)

    def _place(
        self, place: Place, picture: Snapshot | None, as_of: datetime, now: datetime
    ) -> Change | None:
        """Compare where one conversation is, by a picture of it if there is one."""
        key, wants = place.conversation_id, self._repair.wants
        entry = self._conversations.entries.get(key)
        if entry is None:
            if self._repair.listened_to(place.queue_id):
                wants.unknown(key, over=place.over)
            return None
        if entry.confirmed_at > as_of:
            return None  # what is known is newer
        conversation, events = self._conversations.open(entry)
        if not self._agrees(conversation, place, picture):
            return None
        if not self._repair.confirm(conversation, entry, as_of, "survey", now):
            # What an alert waits for, as for a source to hear, is not stored.
            return None if entry.ruling else self._conversations.keep_anew(key, now)
        for one in conversation.callbacks:
            if one.open:
                events += self._settling.settle(
                    conversation, Cast(one), now, "reconcile", confirmed=True
                )
        return self._conversations.keep(conversation, entry, now, events)

    def _agrees(self, conversation: Conversation, place: Place, picture: Snapshot | None) -> bool:
        """Whether a picture shows what is known; if it or a place shows another, that is wanted."""
        wants = self._repair.wants
        more = picture is not None and begins_more(conversation, picture)
        callback = next((one for one in reversed(conversation.callbacks) if one.open), None)
        if callback is None or more:
            if more or not place.over:
                wants.contradicted(conversation.id)
            return False
        if picture is not None and agrees(conversation, callback, picture, place):
            return True
        if picture is not None or contradicts(callback, place):
            wants.contradicted(conversation.id)
        return False
