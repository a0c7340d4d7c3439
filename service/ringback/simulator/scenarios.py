"""What can happen to a callback, how common it is, and in which queues."""

from collections.abc import Callable
from dataclasses import dataclass

from ringback.simulator import fates, stuck
from ringback.simulator.acts import Script, World
from ringback.simulator.callbacks import Callback
from ringback.simulator.kinds import Kind, Profile

__all__ = ["SCENARIOS", "Scenario"]


@dataclass(frozen=True, slots=True)
class Scenario:
    """A script, how common it is, and which queues it needs."""

    play: Callable[[World, Callback], Script]
    weight: float
    profile: Profile = Profile.PLAIN


SCENARIOS = {
    Kind.SCHEDULED: Scenario(fates.scheduled, 16),
    Kind.IMMEDIATE: Scenario(fates.immediate, 16),
    Kind.AGENT_OWNED: Scenario(fates.scheduled, 4),
    Kind.PREVIEW_AUTO_DIAL: Scenario(fates.preview_auto_dial, 5),
    Kind.PREVIEW_MANUAL: Scenario(fates.immediate, 3),
    Kind.PREVIEW_SKIPPED: Scenario(fates.preview_skipped, 2),
    Kind.QUEUE_AUTO_DIAL: Scenario(fates.queue_auto_dial, 6, Profile.AUTO_DIAL),
    Kind.DIALLED_EARLY: Scenario(fates.dialled_early, 2, Profile.AUTO_DIAL),
    Kind.DUE_WHILE_HELD: Scenario(fates.due_while_held, 2, Profile.AUTO_DIAL),
    Kind.CUSTOMER_FIRST: Scenario(fates.customer_first, 5, Profile.CUSTOMER_FIRST),
    Kind.VOICEMAIL: Scenario(fates.voicemail, 4),
    Kind.REPEATED_OFFERS: Scenario(fates.repeated_offers, 5),
    Kind.NOT_REACHED: Scenario(fates.not_reached, 4),
    Kind.REDIALLED: Scenario(fates.redialled, 4),
    Kind.HELD_CALLBACK: Scenario(fates.held_callback, 2),
    Kind.HELD_CALL: Scenario(fates.held_call, 4),
    Kind.TRANSFERRED: Scenario(fates.transferred, 3),
    Kind.TRANSFERRED_WHILE_HELD: Scenario(fates.transferred_while_held, 2),
    Kind.AGENT_REPLACED: Scenario(fates.agent_replaced, 2),
    Kind.RESCHEDULED: Scenario(fates.rescheduled, 2),
    Kind.RESCHEDULED_AFTER_DIAL: Scenario(fates.rescheduled_after_dial, 2),
    Kind.SEVERAL: Scenario(fates.several, 2),
    Kind.INSIDE_INBOUND: Scenario(fates.inside_inbound, 2),
    Kind.FAILED: Scenario(fates.failed, 1),
    Kind.TORN_DOWN: Scenario(fates.torn_down, 1),
    Kind.OWNERSHIP_EXPIRED: Scenario(fates.ownership_expired, 1),
    Kind.NEVER_RELEASED: Scenario(stuck.never_released, 0.8),
    Kind.NEVER_OFFERED: Scenario(stuck.never_offered, 0.8),
    Kind.NEVER_ANSWERED: Scenario(stuck.never_answered, 0.6),
    Kind.NEVER_DIALLED: Scenario(stuck.never_dialled, 0.8),
    Kind.AUTO_DIAL_MISSED: Scenario(stuck.never_dialled, 0.8, Profile.AUTO_DIAL),
    Kind.NEVER_REACHED: Scenario(stuck.never_reached, 0.4),
    Kind.LEFT_ON_HOLD: Scenario(stuck.left_on_hold, 0.6),
    Kind.NEVER_WRAPPED_UP: Scenario(stuck.never_wrapped_up, 0.6),
}
"""What can happen, with the mix that a centre shows when it is not told otherwise."""
