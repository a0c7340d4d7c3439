"""For each kind, the states its callbacks go through, as a pattern over their initials.

S scheduled, W waiting, A alerting, C connected, U auto_dialing, D dialing, T talking, H held,
K after_call_work, X disconnected.
"""

import re
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from ringback.simulator.centre import ContactCentre
from ringback.simulator.kinds import STUCK, Kind
from ringback.simulator.truths import State

LETTERS = {
    State.SCHEDULED: "S",
    State.WAITING: "W",
    State.ALERTING: "A",
    State.CONNECTED: "C",
    State.AUTO_DIALING: "U",
    State.DIALING: "D",
    State.TALKING: "T",
    State.HELD: "H",
    State.AFTER_CALL_WORK: "K",
    State.DISCONNECTED: "X",
}

OFFERS = "(AW)*A"  # refused offers go back to waiting
REACH = f"{OFFERS}CU?DTC?KX"  # from waiting to the end; a call may be ended before the callback
TABLE = {
    Kind.SCHEDULED: (f"SW{REACH}", {"completed"}),
    Kind.IMMEDIATE: (f"W{REACH}", {"completed"}),
    Kind.AGENT_OWNED: (f"SW{REACH}", {"completed"}),
    Kind.PREVIEW_AUTO_DIAL: (f"W{OFFERS}CUDTC?KX", {"completed"}),
    Kind.PREVIEW_MANUAL: (f"W{OFFERS}CDTC?KX", {"completed"}),
    Kind.PREVIEW_SKIPPED: (f"W{OFFERS}CKX", {"skipped"}),
    Kind.QUEUE_AUTO_DIAL: (f"S?W{OFFERS}CUDTC?KX", {"completed"}),
    Kind.DIALLED_EARLY: (f"W{OFFERS}CDCDTC?KX", {"completed"}),
    Kind.DUE_WHILE_HELD: (f"W{OFFERS}CHUDTC?KX", {"completed"}),
    Kind.CUSTOMER_FIRST: ("S?WX", {"handed_off"}),
    Kind.VOICEMAIL: (f"W{REACH}", {"completed"}),
    Kind.REPEATED_OFFERS: ("S?W(AW){2,}ACDTC?KX", {"completed"}),
    Kind.NOT_REACHED: (f"S?W{OFFERS}CDCKX", {"not_reached"}),
    Kind.REDIALLED: (f"S?W{OFFERS}(CD){{2,3}}TC?KX", {"completed"}),
    Kind.HELD_CALLBACK: (f"S?W{OFFERS}(CH){{1,2}}CDTC?KX", {"completed"}),
    Kind.HELD_CALL: (f"S?W{OFFERS}CD(TH){{1,3}}TC?KX", {"completed"}),
    Kind.TRANSFERRED: (f"S?W{OFFERS}CDTW{REACH}", {"completed"}),
    Kind.TRANSFERRED_WHILE_HELD: (f"S?W{OFFERS}C(DT)?HW{REACH}", {"completed"}),
    Kind.AGENT_REPLACED: (f"S?W{OFFERS}C(AC)?D?T?(AT)?(DT)?C?KX", {"completed"}),
    Kind.RESCHEDULED: (f"SW{REACH}", {"completed"}),
    Kind.RESCHEDULED_AFTER_DIAL: (f"SW{OFFERS}CDCSW{REACH}", {"completed"}),
    Kind.SEVERAL: (f"S?W{REACH}", {"completed"}),
    Kind.INSIDE_INBOUND: (f"SW{REACH}", {"completed"}),
    Kind.FAILED: (f"S?W{OFFERS}CX", {"failed"}),
    Kind.NEVER_RELEASED: ("SX", {"cancelled"}),
    Kind.NEVER_OFFERED: ("S?WX", {"lost"}),
    Kind.NEVER_ANSWERED: ("S?(WA){2,}WX", {"lost"}),
    Kind.NEVER_DIALLED: (f"S?W{OFFERS}CX", {"unknown"}),
    Kind.AUTO_DIAL_MISSED: (f"S?W{OFFERS}CUX", {"unknown"}),
    Kind.NEVER_REACHED: (f"S?W{OFFERS}CDX", {"not_reached"}),
    Kind.LEFT_ON_HOLD: (f"S?W{OFFERS}CDTHX", {"completed"}),
    Kind.NEVER_WRAPPED_UP: (f"S?W{OFFERS}CDTKX", {"completed"}),
    Kind.OWNERSHIP_EXPIRED: ("SWX", {"lost"}),
    Kind.TORN_DOWN: ("SX", {"cancelled"}),
}

Open = Callable[..., ContactCentre]


def test_the_table_names_every_kind() -> None:
    assert set(TABLE) == set(Kind)


@pytest.mark.parametrize("kind", Kind)
def test_states_of(kind: Kind, open_centre: Open, start: datetime) -> None:
    pattern, outcomes = TABLE[kind]
    centre = open_centre(kind, stuck_seconds=200.0, generic=False, flat=False)
    centre.advance(start + timedelta(minutes=20))
    ended = [truth for truth in centre.truth().values() if truth.outcome is not None]
    assert len(ended) >= 5
    for truth in ended:
        path = "".join(LETTERS[state] for state in truth.path)
        assert re.fullmatch(pattern, path), f"{truth.callback_id}: {path}"
        assert str(truth.outcome) in outcomes
        # An agent may consult another while still having it: that offer is no alerting.
        consulted = truth.kind == Kind.AGENT_REPLACED and truth.offers - path.count("A") in {0, 1}
        assert truth.offers == path.count("A") or consulted
        assert (truth.hold_seconds > 0) == ("H" in path)
        assert truth.longest_hold_seconds <= truth.hold_seconds
        assert truth.user_id is None


def test_several_callbacks_are_numbered_one_after_another(
    open_centre: Open, start: datetime
) -> None:
    centre = open_centre(Kind.SEVERAL)
    centre.advance(start + timedelta(minutes=20))
    truths = centre.truth()
    counts = Counter(truth.conversation_id for truth in truths.values())
    assert max(counts.values()) == 3
    for conversation_id, count in counts.items():
        ids = [conversation_id, *(f"{conversation_id}.{n}" for n in range(2, count + 1))]
        assert all(one in truths for one in ids)
        assert all(truths[one].outcome is not None for one in ids[:-1])


def test_auto_dial_is_due_by_the_clock_alone(open_centre: Open, start: datetime) -> None:
    centre = open_centre(Kind.AUTO_DIAL_MISSED)
    armed = None
    while armed is None:
        centre.advance(centre.now + timedelta(seconds=0.5))
        armed = next((one for one in centre.truth().values() if one.auto_dial_at), None)
    assert armed.auto_dial_at is not None
    assert armed.state is State.CONNECTED
    centre.advance(armed.auto_dial_at - timedelta(milliseconds=1))
    assert centre.truth()[armed.callback_id].state is State.CONNECTED
    centre.advance(armed.auto_dial_at)
    missed = centre.truth()[armed.callback_id]
    assert missed.state is State.AUTO_DIALING
    assert missed.auto_dial_due
    assert not missed.dialled


def test_without_voice_a_call_shows_as_what_is_behind_it(
    open_centre: Open, start: datetime
) -> None:
    expected = {
        Kind.PREVIEW_AUTO_DIAL: State.AUTO_DIALING,
        Kind.IMMEDIATE: State.CONNECTED,
    }
    for kind, without_voice in expected.items():
        centre = open_centre(kind)
        seen = set()
        for _ in range(600):
            centre.advance(centre.now + timedelta(seconds=0.5))
            seen |= {
                truth.state_without_voice
                for truth in centre.truth().values()
                if truth.state is State.TALKING
            }
        assert seen == {without_voice}


@pytest.mark.parametrize("kind", sorted(STUCK))
def test_speed_does_not_shorten_what_is_stuck(kind: Kind, open_centre: Open) -> None:
    centre = open_centre(kind, speed=20.0, stuck_seconds=1000.0)
    centre.advance(centre.now + timedelta(seconds=590))
    truths = list(centre.truth().values())
    assert truths
    assert all(truth.outcome is None for truth in truths)
