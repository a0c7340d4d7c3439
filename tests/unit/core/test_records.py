from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from ringback.core.legs import Leg, Phase
from ringback.core.lifecycle import State
from ringback.core.records import (
    Alarm,
    AutoDial,
    Callback,
    Conversation,
    Moves,
    Tombstone,
    Voicemail,
    pack,
    stage_of,
    unpack,
)
from ringback.core.snapshots import Medium, Role, Span
from support.callbacks import at

seconds = st.floats(-1e9, 1e9).map(at)
maybe = st.none() | seconds
words = st.text(max_size=8)
legs = st.builds(
    Leg,
    words,
    st.none() | words,
    st.sampled_from(Role),
    st.sampled_from(Medium),
    st.sampled_from(Phase),
    st.booleans(),
    maybe,
    maybe,
    maybe,
    holds=st.lists(st.builds(Span, seconds, maybe), max_size=3),
)
callbacks = st.builds(
    Callback,
    st.integers(1, 9),
    st.sampled_from(State),
    seconds,
    seconds,
    st.integers(0, 999),
    st.lists(legs, max_size=4),
    auto_dial=st.none() | st.builds(AutoDial, words, seconds, st.booleans(), maybe),
    alarms=st.lists(st.builds(Alarm, words, st.integers(0, 9), maybe), max_size=2),
    waited_seconds=st.floats(0, 1e9),
    contact=st.lists(words, max_size=2).map(tuple),
    voicemail=st.none() | st.builds(Voicemail, words, seconds),
    owner_id=st.none() | words,
    moves=st.none() | st.builds(Moves, st.integers(1, 9), seconds),
    unverified_at=maybe,
)
conversations = st.builds(
    Conversation,
    st.sampled_from([*(state.value for state in State), "tombstone"]),
    words,
    st.lists(callbacks, max_size=3),
    maybe,
    st.none()
    | st.builds(Tombstone, st.integers(1, 9), st.integers(0, 99), st.lists(words), seconds),
    maybe,
)


@given(conversations)
def test_what_was_packed_is_unpacked_the_same(conversation: Conversation) -> None:
    assert unpack(pack(conversation)) == conversation


@given(conversations)
def test_the_stage_is_read_alone(conversation: Conversation) -> None:
    assert stage_of(pack(conversation)) == conversation.stage


def test_what_an_older_version_packed_lacks_only_later_fields() -> None:
    whole: list[Any] = msgspec.msgpack.decode(pack(Conversation("waiting", "c-1")))
    older = msgspec.msgpack.encode(whole[:2])
    assert unpack(older) == Conversation("waiting", "c-1")


def test_fields_are_never_moved_or_removed() -> None:
    # At rest these are arrays: a field may only be appended. Append here, too.
    assert _fields(Conversation) == [
        *("stage", "id", "callbacks", "confirmed_at", "tombstone", "forget_at"),
    ]
    assert _fields(Tombstone) == ["ordinal", "sequence", "customers", "until"]
    assert _fields(Callback) == [
        *("ordinal", "state", "since", "first_seen_at", "sequence", "legs", "queue_id", "user_id"),
        *("offers", "scheduled_at", "released", "waited_seconds", "waiting_since"),
        *("waiting_clock", "wait_mixed", "wait_negative", "auto_dial"),
        *("alarms", "automated", "preview", "outcome", "ended_at", "anomalous", "contact"),
        *("visible_with", "unverified", "since_clock", "voicemail", "owner_id", "campaign_id"),
        *("alerting_timeout_ms", "moves", "unverified_at", "usual_wait", "numbers"),
    ]
    assert _fields(Moves) == ["times", "at"]
    assert _fields(Voicemail) == ["status", "since"]
    assert _fields(AutoDial) == ["participant_id", "deadline", "due", "missed_at", "by_queue"]
    assert _fields(Alarm) == [
        *("rule", "episode", "since", "acknowledged_by", "acknowledged_at"),
        *("kind", "severity", "summary", "labels", "fired_at", "read_at", "unproved"),
        *("resolved_at", "damped", "over_at"),
    ]
    assert _fields(Leg) == [
        *("participant_id", "communication_id", "role", "medium", "phase", "accepted"),
        *("connected_at", "ended_at", "scheduled_at", "latest_schedule", "spent_schedule"),
        *("alerted_at", "work_started_at", "timeout_seconds", "disconnect_type", "user_id"),
        *("queue_id", "wrapup_code", "holds"),
    ]
    assert _fields(Span) == ["start", "end", "mixed", "negative"]


def test_the_first_callback_has_the_conversations_id_and_the_next_ones_a_number() -> None:
    first = Callback(1, State.WAITING, at(0), at(0))
    third = Callback(3, State.DISCONNECTED, at(0), at(0))
    assert (first.id_in("c"), third.id_in("c")) == ("c", "c.3")
    assert (first.open, third.open) == (True, False)


def test_a_live_callback_with_three_legs_is_small_at_rest() -> None:
    name = "0f2a5c1e-7f3b-4a66-9d53-3b7d9d4f5a61"
    leg = Leg(
        name,
        name,
        Role.AGENT,
        Medium.CALLBACK,
        Phase.CONNECTED,
        accepted=True,
        connected_at=at(0),
        scheduled_at=at(1),
        latest_schedule=at(1),
        user_id=name,
        queue_id=name,
    )
    callback = Callback(1, State.CONNECTED, at(0), at(0), 4, [leg] * 3, name, name, 1)
    assert len(pack(Conversation("connected", name, [callback]))) < 1000


def _fields(struct: type[msgspec.Struct]) -> list[str]:
    return list(struct.__struct_fields__)
