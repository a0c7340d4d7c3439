"""Which leg a sighting is of, and which callback of its conversation a new leg belongs to.

A leg is known by its participant, and by its communication where a participant has several. The
flat shape names no communication: there a participant is its latest callback leg, so that a REST
read after flat frames finds the same legs.
"""

from datetime import datetime

from ringback.core.derivation import Cast
from ringback.core.legs import Leg
from ringback.core.lifecycle import State
from ringback.core.records import Callback, Conversation
from ringback.core.snapshots import Medium, Role, Sighting

__all__ = ["Joining"]


def _is_customer(sighting: Sighting) -> bool:
    """Whether it shows a customer's callback leg, which is what makes a callback."""
    return sighting.medium is Medium.CALLBACK and (
        sighting.role is Role.CUSTOMER or sighting.role is Role.SOLE
    )


class Joining:
    """Finds and places the legs of one snapshot in one conversation."""

    def __init__(
        self, conversation: Conversation, sightings: list[Sighting], now: datetime
    ) -> None:
        self._conversation = conversation
        self._sightings = sightings
        self._now = now
        self._known: dict[str, list[tuple[Callback, Leg]]] = {}
        for callback in conversation.callbacks:
            for leg in callback.legs:
                self._known.setdefault(leg.participant_id, []).append((callback, leg))

    def find(self, index: int, sighting: Sighting) -> tuple[Callback, Leg] | None:
        """Find the known leg that the sighting at `index` is of."""
        nameless = None
        for callback, leg in reversed(self._known.get(sighting.participant_id, ())):
            if leg.medium is not sighting.medium:
                continue
            if (
                sighting.communication_id is None
                or leg.communication_id == sighting.communication_id
            ):
                return callback, leg
            if leg.communication_id is None:
                nameless = callback, leg
        if nameless is None or self._shown_again(index, sighting):
            return None
        return nameless

    def place(self, sighting: Sighting) -> tuple[Callback, Leg] | None:
        """Begin a leg that is not known yet; None when there is no callback it could belong to."""
        callback = None if self._buried(sighting) else self._home(sighting)
        if callback is None:
            return None
        role = sighting.role
        if (
            role is Role.EXTERNAL
            and sighting.medium is Medium.CALLBACK
            and Cast(callback).customer is None
        ):
            role = Role.CUSTOMER
        leg = Leg(sighting.participant_id, sighting.communication_id, role, sighting.medium)
        if callback.open:
            callback.legs.append(leg)
            self._known.setdefault(leg.participant_id, []).append((callback, leg))
        return callback, leg

    def _home(self, sighting: Sighting) -> Callback | None:
        callbacks = self._conversation.callbacks
        if _is_customer(sighting):
            return self._next()
        if sighting.peer_id is not None:
            for callback in callbacks:
                for leg in callback.legs:
                    if leg.communication_id == sighting.peer_id:
                        return callback
            if self._comes(sighting.peer_id):
                return self._next()
        siblings = self._known.get(sighting.participant_id)
        if siblings:
            return siblings[-1][0]
        for callback in reversed(callbacks):
            if callback.open:
                return callback
        if callbacks:
            return callbacks[-1]
        if sighting.medium is Medium.VOICE or self._conversation.tombstone is not None:
            return None
        return self._begin()

    def _next(self) -> Callback:
        """Give the callback of a customer leg that is new."""
        for callback in reversed(self._conversation.callbacks):
            if callback.open and Cast(callback).customer is None:
                return callback
        return self._begin()

    def _comes(self, communication_id: str) -> bool:
        """Whether it is the leg of a new customer who follows later in the snapshot."""
        return any(
            other.communication_id == communication_id
            and _is_customer(other)
            and other.participant_id not in self._known
            for other in self._sightings
        )

    def _begin(self) -> Callback:
        """Start the next callback of the conversation."""
        conversation = self._conversation
        if conversation.callbacks:
            last = conversation.callbacks[-1].ordinal
        else:
            last = 0 if conversation.tombstone is None else conversation.tombstone.ordinal
        callback = Callback(last + 1, State.WAITING, self._now, self._now)
        conversation.callbacks.append(callback)
        return callback

    def _buried(self, sighting: Sighting) -> bool:
        """Whether it is the leg of a callback of which only the tombstone is left."""
        tombstone = self._conversation.tombstone
        return tombstone is not None and any(
            name in tombstone.customers
            for name in (sighting.participant_id, sighting.communication_id, sighting.peer_id)
        )

    def _shown_again(self, index: int, sighting: Sighting) -> bool:
        """Whether a later sighting is of the same participant: then that one is the latest leg."""
        return any(
            later.participant_id == sighting.participant_id and later.medium is sighting.medium
            for later in self._sightings[index + 1 :]
        )
