"""What becomes of a conversation that has ended: first its records are kept, then a tombstone."""

from collections.abc import Iterable
from datetime import datetime

from ringback.core.derivation import Cast, state_of
from ringback.core.lifecycle import State
from ringback.core.records import Conversation, Tombstone
from ringback.core.snapshots import Medium, Role

__all__ = ["bury", "ended_before"]


def bury(conversation: Conversation, until: datetime) -> Conversation:
    """Leave of an ended conversation only what keeps a late frame from starting it anew."""
    last = conversation.callbacks[-1]
    known = conversation.tombstone.customers if conversation.tombstone is not None else []
    customers = [
        name
        for callback in conversation.callbacks
        for leg in callback.legs
        if leg.role in (Role.CUSTOMER, Role.SOLE) and leg.medium is Medium.CALLBACK
        for name in (leg.participant_id, leg.communication_id)
        if name is not None
    ]
    tombstone = Tombstone(last.ordinal, last.sequence, [*known, *customers], until)
    return Conversation(conversation.stage, conversation.id, tombstone=tombstone)


def ended_before(casts: Iterable[Cast], limit: datetime) -> bool:
    """Whether all that a conversation is seen to have been had ended before then."""
    return all(_ended_before(cast, limit) for cast in casts)


def _ended_before(cast: Cast, limit: datetime) -> bool:
    if cast.agent is not None:
        return False
    ends = [leg.ended_at for leg in cast.callback.legs if leg.ended_at is not None]
    return bool(ends) and max(ends) < limit and state_of(cast) is State.DISCONNECTED
