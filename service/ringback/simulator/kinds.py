"""Every kind of fate that a callback can have."""

from enum import StrEnum

__all__ = ["HEALTHY", "STUCK", "Kind", "Profile"]


class Kind(StrEnum):
    """Every kind of fate."""

    SCHEDULED = "scheduled"
    IMMEDIATE = "immediate"
    AGENT_OWNED = "agent_owned"
    PREVIEW_AUTO_DIAL = "preview_auto_dial"
    PREVIEW_MANUAL = "preview_manual"
    PREVIEW_SKIPPED = "preview_skipped"
    QUEUE_AUTO_DIAL = "queue_auto_dial"
    DIALLED_EARLY = "dialled_early"
    DUE_WHILE_HELD = "due_while_held"
    CUSTOMER_FIRST = "customer_first"
    VOICEMAIL = "voicemail"
    REPEATED_OFFERS = "repeated_offers"
    NOT_REACHED = "not_reached"
    REDIALLED = "redialled"
    HELD_CALLBACK = "held_callback"
    HELD_CALL = "held_call"
    TRANSFERRED = "transferred"
    TRANSFERRED_WHILE_HELD = "transferred_while_held"
    AGENT_REPLACED = "agent_replaced"
    RESCHEDULED = "rescheduled"
    RESCHEDULED_AFTER_DIAL = "rescheduled_after_dial"
    SEVERAL = "several"
    INSIDE_INBOUND = "inside_inbound"
    FAILED = "failed"
    NEVER_RELEASED = "never_released"
    NEVER_OFFERED = "never_offered"
    NEVER_ANSWERED = "never_answered"
    NEVER_DIALLED = "never_dialled"
    AUTO_DIAL_MISSED = "auto_dial_missed"
    NEVER_REACHED = "never_reached"
    LEFT_ON_HOLD = "left_on_hold"
    NEVER_WRAPPED_UP = "never_wrapped_up"
    OWNERSHIP_EXPIRED = "ownership_expired"
    TORN_DOWN = "torn_down"


STUCK = frozenset(
    {
        Kind.NEVER_RELEASED,
        Kind.NEVER_OFFERED,
        Kind.NEVER_ANSWERED,
        Kind.NEVER_DIALLED,
        Kind.AUTO_DIAL_MISSED,
        Kind.NEVER_REACHED,
        Kind.LEFT_ON_HOLD,
        Kind.NEVER_WRAPPED_UP,
    }
)
"""The kinds that an operator should be told about; an administrator ends them at last."""


HEALTHY = (
    frozenset(Kind)
    - STUCK
    - {Kind.REPEATED_OFFERS, Kind.NOT_REACHED, Kind.FAILED, Kind.OWNERSHIP_EXPIRED, Kind.VOICEMAIL}
)
"""The kinds of a centre in which nobody is forgotten: all ends well, or as the customer wants.

Several agents in a row who do not answer, a customer who is given up, a failure of the platform, an
owner who never comes and a voicemail that may be lost are no such kinds.
"""


class Profile(StrEnum):
    """Which queues a scenario makes sense in."""

    PLAIN = "plain"
    AUTO_DIAL = "auto_dial"
    CUSTOMER_FIRST = "customer_first"
