from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringback.core.snapshots import Medium, Role, Snapshot
from ringback.errors import FrameError, FrameFault
from ringback.wire.decode import TOPIC_KINDS, Decoder, Ignored
from ringback.wire.system import System, SystemKind

Sample = Callable[[str], bytes]
See = Callable[[Any], Snapshot]

USER_EVENT = "ws_user_conversations_callback_agent_disconnected_acw_pending"
REST_READ = "rest_conversation_callback_repeated_no_answer"
GENERIC = {"id": "c1", "participants": [{"id": "p1", "callbacks": [{"id": "m1", "state": "none"}]}]}
FLAT = {"id": "c1", "participants": [{"id": "p1", "state": "scheduled", "purpose": "customer"}]}


def notice(body: Any, topic: str = "v2.users.u1.conversations") -> dict[str, Any]:
    return {"topicName": topic, "version": "2", "eventBody": body, "metadata": {}}


def encoded(frame: Any) -> bytes:
    return msgspec.json.encode(frame)


def fault_of(frame: bytes | str, decoder: Decoder | None = None) -> FrameError:
    with pytest.raises(FrameError) as caught:
        (decoder or Decoder()).decode(frame)
    return caught.value


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


# ---- shapes


def test_user_notification(sample: Sample) -> None:
    snapshot = Decoder().decode(sample(USER_EVENT))
    assert isinstance(snapshot, Snapshot)
    assert snapshot.conversation_id == "11acae27-0c38-567b-8ed7-9e300fae8fcc"
    assert snapshot.shows_voice
    assert snapshot.read_at is None
    legs = snapshot.sightings
    assert [leg.role for leg in legs] == [Role.CUSTOMER, Role.ACD, *[Role.AGENT] * 3]
    assert [leg.state for leg in legs] == ["connected", *["disconnected"] * 4]
    assert [leg.disconnect_type for leg in legs] == [None, "transfer", "client", "system", "client"]
    customer, acd, *_, agent = legs
    assert customer.connected_at == at("2022-07-04T20:04:12.131")
    assert customer.scheduled_at == at("2022-07-04T20:03:12.235")
    assert customer.queue_id == "16163468-f149-5628-850b-c7f6fe45792e"
    assert (customer.user_id, customer.peer_id, customer.ended_at) == (None, None, None)
    assert acd.peer_id == customer.communication_id
    assert agent.user_id == "fc7f0924-4438-5e62-bbc8-00e8a1e827e7"
    assert agent.ended_at == agent.work_started_at == at("2022-07-04T20:08:25.397")
    assert agent.timeout_seconds == 0
    assert agent.holds is None
    assert agent.contact == ()


def test_rest_conversation(sample: Sample) -> None:
    sent = datetime(2022, 7, 4, 12, 12, tzinfo=UTC)
    snapshot = Decoder().decode(sample(REST_READ), sent)
    assert isinstance(snapshot, Snapshot)
    assert snapshot.read_at == sent
    assert snapshot.shows_voice
    assert len(snapshot.sightings) == 7
    customer, *_, last = snapshot.sightings
    assert customer.holds == ()
    assert customer.scheduled_at == at("2022-07-04T11:00:00")
    assert last.state == "alerting"
    assert last.holds is None
    assert last.alerted_at == at("2022-07-04T12:11:35.412")


def test_envelope_of_another_bus_with_a_detail_event_is_ignored(sample: Sample) -> None:
    decoder = Decoder()
    result = decoder.decode(sample("eventbridge_customer_end_envelope"))
    assert result == Ignored("v2.detail.events.conversation.{id}.customer.end")
    assert decoder.ignored == {"v2.detail.events.conversation.{id}.customer.end": 1}


def test_envelope_of_another_bus_around_a_notification(sample: Sample) -> None:
    decoder = Decoder()
    direct = decoder.decode(sample(USER_EVENT))
    wrapped = b'{"version":"0","id":"x","detail":' + sample(USER_EVENT) + b',"source":"aws"}'
    assert decoder.decode(wrapped) == direct


def test_envelope_of_another_bus_around_a_conversation(see: See) -> None:
    assert see({"detail": GENERIC}) == see(GENERIC)


@pytest.mark.parametrize("base", ["v2.users.u1", "v2.routing.queues.q1", "V2.Routing.Queues.Q1"])
def test_flat_notification(base: str, see: See) -> None:
    snapshot = see(notice(FLAT, f"{base}.conversations.callbacks"))
    assert not snapshot.shows_voice
    (leg,) = snapshot.sightings
    assert (leg.participant_id, leg.communication_id) == ("p1", None)
    assert (leg.role, leg.state) == (Role.CUSTOMER, "scheduled")


def test_rest_callback_conversation(see: See) -> None:
    assert see(FLAT) == see(notice(FLAT, "v2.users.u1.conversations.callbacks"))


def test_bare_callback(see: See) -> None:
    snapshot = see({"id": "cb1", "state": "scheduled", "callbackScheduledTime": 1649237504949})
    assert snapshot.conversation_id == "cb1"
    assert not snapshot.shows_voice
    (leg,) = snapshot.sightings
    assert (leg.participant_id, leg.role, leg.medium) == ("cb1", Role.SOLE, Medium.CALLBACK)
    assert leg.scheduled_at == at("2022-04-06T09:31:44.949")


def test_any_order_of_keys_and_any_white_space(sample: Sample) -> None:
    value = msgspec.json.decode(sample(USER_EVENT))
    turned = dict(reversed(value.items()))
    spaced = msgspec.json.format(encoded(value), indent=7).replace(b"\n", b"\r\n\t")
    expected = Decoder().decode(encoded(value))
    assert Decoder().decode(encoded(turned)) == expected
    assert Decoder().decode(b" \n" + spaced) == expected
    assert Decoder().decode(spaced.decode()) == expected


def test_a_known_topic_with_escapes_in_it() -> None:
    frame = encoded(notice(GENERIC)).replace(b"v2.users", b"v2\\u002eusers")
    assert isinstance(Decoder().decode(frame), Snapshot)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("ws_heartbeat", (SystemKind.HEARTBEAT, None, None)),
        ("ws_pong", (SystemKind.PONG, None, None)),
        ("ws_ping_request", (SystemKind.REQUEST, None, None)),
        ("ws_subscribe_request", (SystemKind.REQUEST, None, None)),
        ("ws_subscribe_response_ok", (SystemKind.RESULT, "200", "subscribed")),
        ("ws_subscribe_response_error", (SystemKind.RESULT, "400", "failure")),
        ("ws_channel_not_found", (SystemKind.RESULT, "404", None)),
    ],
)
def test_system_samples(
    name: str, expected: tuple[SystemKind, str | None, str | None], sample: Sample
) -> None:
    result = Decoder().decode(sample(name))
    assert isinstance(result, System)
    assert (result.kind, result.result, result.status) == expected


@pytest.mark.parametrize(
    ("topic", "body", "kind"),
    [
        ("v2.system.socket_closing", {}, SystemKind.SOCKET_CLOSING),
        ("v2.system.socket_closing", None, SystemKind.SOCKET_CLOSING),
        ("v2.system.token_revoked.x", {"reason": "new_reason"}, SystemKind.TOKEN_REVOKED),
        ("v2.system.no_longer_subscribed.x", {}, SystemKind.NO_LONGER_SUBSCRIBED),
        ("v2.system.a.b", {"systemTopicType": "token_revoked"}, SystemKind.TOKEN_REVOKED),
        ("v2.system.a.b", {"systemTopicType": "brand_new"}, SystemKind.OTHER),
        ("channel.metadata", {"message": "something else"}, SystemKind.HEARTBEAT),
        ("Channel.Metadata", {"message": "Pong"}, SystemKind.PONG),
    ],
)
def test_system_topics(topic: str, body: Any, kind: SystemKind) -> None:
    result = Decoder().decode(encoded(notice(body, topic)))
    assert isinstance(result, System)
    assert result.kind is kind


def test_a_system_message_keeps_its_body() -> None:
    body = {"reason": "another_channel_subscribed", "channelId": "ch", "data": {"a": [1]}}
    result = Decoder().decode(encoded(notice(body, "v2.system.no_longer_subscribed.x")))
    assert isinstance(result, System)
    assert result.message is not None
    assert (result.message.channel_id, result.message.data) == ("ch", {"a": [1]})


@pytest.mark.parametrize(
    "body",
    [
        {"id": "c1", "participants": []},
        {"id": "c1"},
        {"id": "c1", "participants": [{"id": "p", "chats": [{"id": "x", "state": 5}]}]},
        {"id": "c1", "participants": [{"id": "p", "callbacks": []}]},
        {"id": "c1", "participants": [{"id": "p", "callbacks": [{}]}]},
        {"id": "c1", "participants": [None, {}]},
        {"id": "c1", "participants": [{"state": "none"}]},
    ],
)
def test_a_conversation_without_legs_is_ignored(body: Any) -> None:
    decoder = Decoder()
    assert decoder.decode(encoded(notice(body))) == Ignored("no_callback")
    assert decoder.ignored == {"no_callback": 1}


def test_other_topics_are_counted_by_kind_in_a_bounded_way() -> None:
    decoder = Decoder()
    for number in range(50):
        decoder.decode(encoded(notice({}, f"v2.users.{number:x}9.presence")))
    assert decoder.ignored == {"v2.users.{id}.presence": 50}
    letters = "abcdefghijklmnop"
    for first in letters:
        for second in letters:
            decoder.decode(encoded(notice({}, f"topic.{first}{second}")))
    assert len(decoder.ignored) == TOPIC_KINDS + 1
    assert decoder.ignored["other"] == 256 + 1 - TOPIC_KINDS


# ---- faults


@pytest.mark.parametrize(
    ("frame", "fault"),
    [
        (b"", FrameFault.NOT_JSON),
        (b"nonsense", FrameFault.NOT_JSON),
        (encoded(notice(GENERIC))[:-5], FrameFault.NOT_JSON),
        (encoded(notice(GENERIC)) + b"x", FrameFault.NOT_JSON),
        ("\ud800", FrameFault.NOT_JSON),
        (b"\x00\xff\xfe", FrameFault.BINARY),
        (b'{"topicName":"v2.users.u.conversations","x":"\xff"}', FrameFault.BINARY),
        (b"[" * 100_000, FrameFault.TOO_DEEP),
        (b'{"topicName":"v2.users.u.conversations","eventBody":' * 2000, FrameFault.TOO_DEEP),
        (b'{"a":' * 5000 + b"1" + b"}" * 5000, FrameFault.TOO_DEEP),
        (b"[]", FrameFault.WRONG_TYPE),
        (b"null", FrameFault.WRONG_TYPE),
        (b'"text"', FrameFault.WRONG_TYPE),
        (b'{"topicName":5}', FrameFault.WRONG_TYPE),
        (encoded(notice([])), FrameFault.WRONG_TYPE),
        (encoded(notice({"id": 5})), FrameFault.WRONG_TYPE),
        (encoded(notice({"id": "c", "participants": "p"})), FrameFault.WRONG_TYPE),
        (encoded({"id": "x", "timeoutSeconds": "30"}), FrameFault.WRONG_TYPE),
        (encoded({"id": "x", "timeoutSeconds": 2**40}), FrameFault.WRONG_TYPE),
        (b'{"id":"x","timeoutSeconds":123456789012345678901234567890}', FrameFault.WRONG_TYPE),
        (encoded({"id": "x", "connectedTime": 2**62}), FrameFault.WRONG_TYPE),
        (b'{"id":"x","connectedTime":123456789012345678901234}', FrameFault.WRONG_TYPE),
        (encoded({"id": "x", "connectedTime": -1}), FrameFault.WRONG_TYPE),
        (encoded({"id": "x", "connectedTime": "yesterday"}), FrameFault.WRONG_TYPE),
        (encoded({"id": "x", "connectedTime": "9999-12-31T23:59:59-10:00"}), FrameFault.WRONG_TYPE),
        (encoded({"id": "x", "connectedTime": "0001-01-01T00:00:00+10:00"}), FrameFault.WRONG_TYPE),
        (b'{"id":"x","held":null,"timeoutSeconds":1e99}', FrameFault.WRONG_TYPE),
        (encoded(notice({})), FrameFault.NO_ID),
        (encoded(notice(None)), FrameFault.NO_ID),
        (encoded(notice({"participants": GENERIC["participants"]})), FrameFault.NO_ID),
        (encoded(notice({"id": "", "participants": []})), FrameFault.NO_ID),
        (
            encoded(notice({"id": "c", "participants": [{"callbacks": [{"id": "m"}]}]})),
            FrameFault.NO_ID,
        ),
        (
            encoded(notice({"id": "c", "participants": [{"calls": [{"id": "m"}]}]})),
            FrameFault.NO_ID,
        ),
        (
            encoded(
                notice(
                    {"id": "c", "participants": [{"state": "none"}]},
                    "v2.users.u.conversations.callbacks",
                )
            ),
            FrameFault.NO_ID,
        ),
        (encoded({"state": "connected"}), FrameFault.NO_ID),
        (b"{}", FrameFault.UNKNOWN_SHAPE),
        (encoded({"id": "only"}), FrameFault.UNKNOWN_SHAPE),
        (encoded({"detail": {"detail": {}}}), FrameFault.UNKNOWN_SHAPE),
        (encoded({"detail": {"detail": GENERIC}}), FrameFault.UNKNOWN_SHAPE),
        (encoded({"conversation": {"id": "x"}}), FrameFault.UNKNOWN_SHAPE),
        (encoded(notice({}, "not a topic!")), FrameFault.UNKNOWN_SHAPE),
    ],
)
def test_faults(frame: bytes | str, fault: FrameFault) -> None:
    assert fault_of(frame).fault is fault


def test_too_large() -> None:
    frame = encoded(notice(GENERIC))
    assert isinstance(Decoder(max_size=len(frame)).decode(frame), Snapshot)
    small = Decoder(max_size=len(frame) - 1)
    assert fault_of(frame, small).fault is FrameFault.TOO_LARGE
    assert fault_of(frame.decode(), small).fault is FrameFault.TOO_LARGE


def test_size_is_counted_in_bytes() -> None:
    assert fault_of('{"é":1}', Decoder(max_size=7)).fault is FrameFault.TOO_LARGE


def test_an_error_names_the_place_and_not_the_content() -> None:
    leg = {"id": "m", "timeoutSeconds": "+15555550100"}
    error = fault_of(
        encoded(notice({"id": "c", "participants": [{"id": "p", "callbacks": [leg]}]}))
    )
    place = "$.eventBody.participants[0].callbacks[0].timeoutSeconds"
    assert error.detail == f"Expected `int | null`, got `str` at {place}"
    time = fault_of(encoded({"id": "x", "connectedTime": "+15555550100"}))
    assert "5550100" not in str(time)
    assert "connectedTime" in str(time)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)
NAMES = st.sampled_from(
    [
        *("id", "state", "held", "participants", "callbacks", "calls", "topicName", "eventBody"),
        *(
            "detail",
            "result",
            "message",
            "connectedTime",
            "endTime",
            "purpose",
            "wrapup",
            "segments",
        ),
        *("timeoutSeconds", "callbackNumbers", "user", "dialerPreview", "startTime", "type"),
    ]
)
VALUES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from(["x", "", "connected", "Hold", "2022-07-04T20:03:12Z", "2022-07-04T20:03:12"])
    | st.sampled_from(["v2.users.u.conversations", "v2.users.u.conversations.callbacks"])
)
LIKELY = st.recursive(
    VALUES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=6),
    max_leaves=25,
)


def answers(frame: bytes | str) -> None:
    decoder = Decoder()
    try:
        result = decoder.decode(frame)
    except FrameError:
        return
    assert isinstance(result, Snapshot | System | Ignored)


@given(st.binary() | st.text())
def test_any_bytes_or_text_give_a_result_or_a_frame_error(frame: bytes | str) -> None:
    answers(frame)


@given(JSON | LIKELY)
def test_any_json_gives_a_result_or_a_frame_error(value: Any) -> None:
    try:
        frame = encoded(value)
    except (OverflowError, UnicodeEncodeError):
        return
    answers(frame)


@given(
    st.sampled_from(["v2.users.u.conversations", "v2.routing.queues.q.conversations.callbacks"]),
    st.dictionaries(NAMES, LIKELY, max_size=6),
)
def test_any_notification_gives_a_result_or_a_frame_error(topic: str, body: Any) -> None:
    answers(encoded(notice(body, topic)))


@given(st.data())
def test_a_damaged_sample_gives_a_result_or_a_frame_error(data: st.DataObject) -> None:
    frame = bytearray(encoded(notice(GENERIC)))
    for _ in range(data.draw(st.integers(1, 4))):
        frame[data.draw(st.integers(0, len(frame) - 1))] = data.draw(st.integers(0, 255))
    answers(bytes(frame))


# ---- tolerance and counters


def with_nothing(value: Any, nothing: Any) -> Any:
    """Add what says nothing wherever a member may stand."""
    match value:
        case dict():
            members = {name: with_nothing(member, nothing) for name, member in value.items()}
            absent = ("held", "timeoutSeconds", "direction", "connectedTime", "user", "wrapup")
            return dict.fromkeys(absent, nothing) | members
        case list():
            return [nothing, *(with_nothing(item, nothing) for item in value)]
        case _:
            return value


@pytest.mark.parametrize("nothing", [None, {}, {"a": {}}, {"a": None}])
@pytest.mark.parametrize(
    "frame",
    [
        notice(GENERIC),
        notice(FLAT, "v2.users.u.conversations.callbacks"),
        FLAT,
        GENERIC,
        {"id": "x", "state": "connected"},
        {"detail": notice(GENERIC)},
    ],
)
def test_null_absent_and_empty_are_the_same_everywhere(frame: Any, nothing: Any) -> None:
    decoder = Decoder()
    plain = decoder.decode(encoded(frame))
    assert decoder.tolerated == 0
    assert decoder.decode(encoded(with_nothing(frame, nothing))) == plain
    assert decoder.tolerated == 1


def test_null_and_empty_that_structs_take_are_no_second_chance(see: See) -> None:
    decoder = Decoder()
    leg: dict[str, Any] = {
        "id": "m",
        "state": None,
        "wrapup": {},
        "dialerPreview": {},
        "afterCallWork": {},
    }
    participant: dict[str, Any] = {
        "id": "p",
        "conversationRoutingData": {"queue": {}},
        "calls": None,
    }
    body = {"id": "c", "participants": [participant | {"callbacks": [leg]}]}
    assert decoder.decode(encoded(notice(body))) == see(
        notice({"id": "c", "participants": [{"id": "p", "callbacks": [{"id": "m"}]}]})
    )
    assert decoder.tolerated == 0


def test_unknown_values_survive_and_are_counted() -> None:
    decoder = Decoder()
    leg = {"id": "m", "state": "hovering", "disconnectType": "CLIENT", "direction": "sideways"}
    frame = encoded({"id": "c", "participants": [{"id": "p", "callbacks": [leg]}]})
    assert decoder.decode(frame) == decoder.decode(frame)
    result = decoder.decode(frame)
    assert isinstance(result, Snapshot)
    (seen,) = result.sightings
    assert (seen.state, seen.disconnect_type, seen.inbound) == ("hovering", "CLIENT", False)
    assert decoder.unknown_values == {"CommunicationState": 3, "DisconnectType": 3, "Direction": 3}


def test_unknown_values_are_counted_once_in_a_second_chance() -> None:
    decoder = Decoder()
    decoder.decode(encoded({"id": "x", "state": "hovering", "held": None}))
    assert decoder.unknown_values == {"CommunicationState": 1}


def test_unknown_fields_are_sampled_by_name() -> None:
    decoder = Decoder()
    leg = {"id": "m", "brandNew": {"deep": 1}, "additionalProperties": {}, "wrapup": {"odd": 1}}
    participant = {"id": "p", "chats": [{"q": 1}], "callbacks": [leg]}
    body = {"id": "c", "novel": 1, "participants": [participant]}
    decoder.decode(encoded(notice(body)))
    assert decoder.unknown_fields == {"Conversation.novel", "Callback.brandNew", "Wrapup.odd"}
    decoder.decode(encoded({"id": "x", "state": "none", "later": 1}))
    assert "Callback.later" not in decoder.unknown_fields


def test_a_sample_that_cannot_be_read_closely_is_no_error() -> None:
    frame = encoded(notice(GENERIC)).replace(b'"version":"2"', b'"version":1e400')
    decoder = Decoder()
    assert isinstance(decoder.decode(frame), Snapshot)
    assert decoder.unknown_fields == frozenset()


def test_voice_legs_alone_may_go_on_from_a_callback_that_is_known() -> None:
    call = {"id": "x", "state": "dialing", "direction": "outbound"}
    body = {"id": "c1", "participants": [{"id": "p", "purpose": "customer", "calls": [call]}]}
    snapshot = Decoder().decode(encoded(notice(body)))
    assert isinstance(snapshot, Snapshot)
    assert [sighting.medium for sighting in snapshot.sightings] == ["voice"]


@pytest.mark.parametrize("nothing", [None, {}])
def test_a_shape_is_known_by_the_names_of_members_that_say_nothing(nothing: object) -> None:
    bare = Decoder().decode(encoded({"id": "B4", "state": nothing}))
    assert isinstance(bare, Snapshot)
    assert bare.conversation_id == "B4"
    conversation = Decoder().decode(encoded({"id": "C7", "participants": nothing}))
    assert conversation == Ignored("no_callback")
