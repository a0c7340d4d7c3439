"""Compares what a tracker says with what is true, as the simulator knows it."""

from typing import Protocol

from ringback.core.derivation import Cast, holds_of
from ringback.core.records import Callback, Conversation
from ringback.simulator.centre import ContactCentre
from ringback.simulator.truths import State, Truth

__all__ = ["Known", "callback_of", "cannot_be_armed", "differences"]


class Known(Protocol):
    """Whoever knows conversations."""

    def get(self, conversation_id: str) -> Conversation | None:
        """Give what is known of one."""


def callback_of(tracker: Known, truth: Truth) -> Callback | None:
    """Find a callback as the tracker knows it."""
    conversation = tracker.get(truth.conversation_id)
    if conversation is None:
        return None
    return next(
        (
            one
            for one in conversation.callbacks
            if one.id_in(truth.conversation_id) == truth.callback_id
        ),
        None,
    )


def differences(
    tracker: Known, centre: ContactCentre, *, voice: bool = True, holds: bool = False
) -> list[str]:
    """Give every difference from the truth, for a message that says what happened.

    State, offers and outcome; with `holds` also the seconds on hold, to half a second, and what is
    known of the automatic call.
    """
    found = []
    for truth in centre.truth().values():
        callback = callback_of(tracker, truth)
        wanted = _wanted(truth, voice=voice)
        known: dict[str, object] = {} if callback is None else _known(callback, wanted)
        if known != wanted:
            found.append(f"{truth.callback_id} ({truth.kind}): {known}, truly {wanted}")
        elif holds and callback is not None:
            found += _facts(callback, truth, centre)
    return found


def cannot_be_armed(callback: Callback, truth: Truth) -> bool:
    """Whether the simulator was halted in the one frame that lacks the agent's connect time.

    The next one would have told it. Without it nobody can know the deadline of the automatic call,
    which by the clock alone has come since.
    """
    agent = Cast(callback).agent
    return (
        truth.state is State.AUTO_DIALING
        and callback.state.value == State.CONNECTED
        and agent is not None
        and agent.connected_at is None
    )


def _wanted(truth: Truth, *, voice: bool) -> dict[str, object]:
    state = truth.state if voice else truth.state_without_voice
    wanted: dict[str, object] = {"state": state.value, "offers": truth.offers}
    # Without voice legs nobody can tell who was reached.
    if voice and truth.outcome is not None:
        wanted["outcome"] = truth.outcome.value
    return wanted


def _known(callback: Callback, wanted: dict[str, object]) -> dict[str, object]:
    known = {
        "state": callback.state.value,
        "offers": callback.offers,
        "outcome": callback.outcome,
    }
    return {name: known[name] for name in wanted}


def _facts(callback: Callback, truth: Truth, centre: ContactCentre) -> list[str]:
    total, longest, _ = holds_of(callback, centre.now + centre.clocks.cloud)
    facts: list[tuple[str, float, float]] = [
        ("seconds on hold", total, truth.hold_seconds),
        ("seconds of the longest hold", longest, truth.longest_hold_seconds),
    ]
    dial = callback.auto_dial
    if truth.auto_dial_at is not None and truth.user_id is not None and dial is not None:
        armed_for = (dial.deadline - centre.clocks.cloud).timestamp()
        facts.append(("the automatic call's time", armed_for, truth.auto_dial_at.timestamp()))
    return [
        f"{truth.callback_id} ({truth.kind}): {name} {known}, truly {true}"
        for name, known, true in facts
        if abs(known - true) > HALF_A_SECOND
    ]


HALF_A_SECOND = 0.5
"""Ends of holds are read off another clock than their starts."""
