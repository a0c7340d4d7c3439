from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from ringback.core.snapshots import Medium, Role, Sighting, Snapshot, Span
from ringback.wire.decode import Decoder
from ringback.wire.privacy import Privacy

See = Callable[[Any], Snapshot]

T = "2022-07-04T20:03:12.235Z"
LATER = "2022-07-04T20:04:00Z"
NOON = datetime(2022, 7, 4, 12, 0, tzinfo=UTC)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def generic(*participants: dict[str, Any]) -> dict[str, Any]:
    return {
        "topicName": "v2.routing.queues.q.conversations",
        "eventBody": {"id": "c", "participants": participants},
    }


def flat(*participants: dict[str, Any]) -> dict[str, Any]:
    return {
        "topicName": "v2.routing.queues.q.conversations.callbacks",
        "eventBody": {"id": "c", "participants": participants},
    }


def test_both_shapes_say_the_same_under_their_own_names(see: See) -> None:
    common = {
        "state": "connected",
        "direction": "inbound",
        "held": True,
        "startHoldTime": T,
        "connectedTime": T,
        "callbackScheduledTime": T,
        "startAlertingTime": T,
        "timeoutSeconds": 30,
        "disconnectType": "peer",
        "automatedCallbackConfigId": "config",
        "wrapup": {"code": "w"},
        "voicemail": {"id": "v", "uploadStatus": "failed"},
    }
    leg = common | {
        "id": "m",
        "peerId": "peer",
        "disconnectedTime": LATER,
        "dialerPreview": {"campaignId": "x"},
        "scriptId": "s",
    }
    participant = {
        "id": "p",
        "purpose": "agent",
        "startAcwTime": LATER,
        "alertingTimeoutMs": 30_000,
        "conversationRoutingData": {"scoredAgents": [{"agent": {"id": "o"}, "score": 100}]},
    }
    below = see(
        generic(participant | {"userId": "u", "queueId": "q", "callbacks": [leg]})
    ).sightings[0]
    within = see(
        flat(
            participant
            | common
            | {
                "user": {"id": "u", "name": "Agent"},
                "queue": {"id": "q"},
                "script": {"id": "s"},
                "peer": "peer",
                "endTime": LATER,
                "outboundPreview": {"campaignId": "x"},
            }
        )
    ).sightings[0]
    expected = Sighting(
        participant_id="p",
        communication_id="m",
        role=Role.AGENT,
        state="connected",
        inbound=True,
        held=True,
        hold_started_at=at(T),
        connected_at=at(T),
        ended_at=at(LATER),
        scheduled_at=at(T),
        alerted_at=at(T),
        work_started_at=at(LATER),
        timeout_seconds=30,
        disconnect_type="peer",
        peer_id="peer",
        user_id="u",
        queue_id="q",
        wrapup_code="w",
        automated=True,
        preview=True,
        owner_id="o",
        voicemail="failed",
        campaign_id="x",
        alerting_timeout_ms=30_000,
    )
    assert below == expected
    assert within == msgspec.structs.replace(expected, communication_id=None)


@pytest.mark.parametrize(
    "scored",
    [
        [],
        [{"agent": {"id": "o"}, "score": 99}],
        [{"score": 100}],
        [{"agent": {}, "score": 100}],
        [{"agent": {"id": "o"}, "score": 100}, {"agent": {"id": "p"}, "score": 100}],
    ],
)
def test_only_one_agent_with_full_score_owns_a_callback(
    see: See, scored: list[dict[str, object]]
) -> None:
    routed = {"id": "p", "conversationRoutingData": {"scoredAgents": scored}}
    (leg,) = see(generic(routed | {"callbacks": [{"id": "m"}]})).sightings
    assert leg.owner_id is None


@pytest.mark.parametrize("milliseconds", [0, -1, 86_400_001, 10**30])
def test_how_long_an_agent_is_alerted_is_believed_if_it_makes_sense(
    see: See, milliseconds: int
) -> None:
    offered = {"id": "p", "alertingTimeoutMs": milliseconds}
    (leg,) = see(generic(offered | {"callbacks": [{"id": "m"}]})).sightings
    assert leg.alerting_timeout_ms is None


def test_callbacks_come_before_calls_participant_by_participant(see: See) -> None:
    legs = see(
        generic(
            {"id": "p1", "calls": [{"id": "v1"}], "callbacks": [{"id": "m1"}, {"id": "m2"}]},
            {"id": "p2", "calls": [{"id": "v2"}, {"id": "v3"}]},
        )
    ).sightings
    assert [(leg.participant_id, leg.communication_id) for leg in legs] == [
        ("p1", "m1"),
        ("p1", "m2"),
        ("p1", "v1"),
        ("p2", "v2"),
        ("p2", "v3"),
    ]
    assert [leg.medium for leg in legs] == [Medium.CALLBACK] * 2 + [Medium.VOICE] * 3


def test_a_voice_leg(see: See) -> None:
    call = {
        "id": "v",
        "state": "dialing",
        "direction": "outbound",
        "held": True,
        "startHoldTime": T,
        "connectedTime": T,
        "disconnectedTime": LATER,
        "disconnectType": "endpoint",
        "peerId": "peer",
        "wrapup": {"code": "w"},
        "afterCallWork": {"state": "pending", "startTime": LATER},
        "self": {"addressNormalized": "+15555550100"},
        "disconnectReasons": [{"type": "sip", "code": 486}],
    }
    participant = {"id": "p", "purpose": "external", "queueId": "q", "startAcwTime": T}
    legs = see(generic(participant | {"callbacks": [{"id": "m"}], "calls": [call]})).sightings
    assert legs[1] == Sighting(
        participant_id="p",
        communication_id="v",
        role=Role.EXTERNAL,
        medium=Medium.VOICE,
        state="dialing",
        held=True,
        hold_started_at=at(T),
        connected_at=at(T),
        ended_at=at(LATER),
        work_started_at=at(LATER),
        disconnect_type="endpoint",
        peer_id="peer",
        queue_id="q",
        wrapup_code="w",
    )


def test_what_the_participant_knows_fills_in(see: See) -> None:
    participant = {
        "id": "p",
        "userId": "u",
        "conversationRoutingData": {"queue": {"id": "q"}},
        "startAcwTime": T,
        "wrapup": {"code": "joint"},
    }
    own = {"id": "m2", "wrapup": {"code": "own"}, "afterCallWork": {"startTime": LATER}}
    bare = {"id": "m1", "wrapup": {}, "afterCallWork": {"state": "pending"}}
    first, second = see(generic(participant | {"callbacks": [bare, own]})).sightings
    assert (first.user_id, first.queue_id) == ("u", "q")
    assert (first.work_started_at, first.wrapup_code) == (at(T), "joint")
    assert (second.work_started_at, second.wrapup_code) == (at(LATER), "own")
    assert first.connected_at is None


@pytest.mark.parametrize(
    ("callback", "calls", "ends"),
    [
        ({"state": "connected"}, [], True),
        ({}, [], True),
        ({"state": "disconnected"}, [{"state": "connected"}], True),
        ({"state": "terminated"}, [{"state": "connected"}], True),
        ({"state": "connected"}, [{"state": "connected"}], False),
        ({"state": "connected"}, [{"state": "connected", "disconnectedTime": T}], True),
        ({"state": "connected"}, [{"state": "disconnected"}], True),
    ],
)
def test_a_participants_end_ends_its_leg_unless_another_lives(
    callback: dict[str, Any], calls: list[dict[str, Any]], ends: bool, see: See
) -> None:
    participant = {"id": "p", "endTime": LATER, "callbacks": [{"id": "m"} | callback]}
    leg = see(generic(participant | {"calls": calls})).sightings[0]
    assert leg.ended_at == (at(LATER) if ends else None)


def test_a_communications_own_end_counts_first(see: See) -> None:
    callback = {"id": "m", "state": "connected", "disconnectedTime": T}
    (leg,) = see(generic({"id": "p", "endTime": LATER, "callbacks": [callback]})).sightings
    assert leg.ended_at == at(T)


@pytest.mark.parametrize(
    ("participant", "callback", "role"),
    [
        ({"purpose": "customer"}, {}, Role.CUSTOMER),
        ({"purpose": "external"}, {}, Role.EXTERNAL),
        ({"purpose": "acd"}, {}, Role.ACD),
        ({"purpose": "agent"}, {}, Role.AGENT),
        ({"purpose": "user"}, {}, Role.AGENT),
        ({"purpose": "AGENT"}, {}, Role.AGENT),
        ({"purpose": "dialer"}, {}, Role.OTHER),
        ({"purpose": "something new", "userId": "u"}, {}, Role.OTHER),
        ({"userId": "u"}, {}, Role.AGENT),
        ({}, {}, Role.CUSTOMER),
        ({}, {"peerId": "x"}, Role.OTHER),
        ({}, {"peerId": "x", "initialState": "scheduled"}, Role.ACD),
    ],
)
def test_roles(participant: dict[str, Any], callback: dict[str, Any], role: Role, see: See) -> None:
    leg = {"id": "m"} | callback
    assert see(generic({"id": "p", "callbacks": [leg]} | participant)).sightings[0].role is role


def test_roles_of_flat_participants(see: See) -> None:
    legs = see(
        flat({"id": "1"}, {"id": "2", "user": {"id": "u"}, "peer": "x"}, {"id": "3", "peer": "x"})
    ).sightings
    assert [leg.role for leg in legs] == [Role.CUSTOMER, Role.AGENT, Role.OTHER]


@pytest.mark.parametrize(
    ("time", "instant"),
    [
        ("2022-07-04T12:00:00Z", NOON),
        ("2022-07-04T12:00:00.000Z", NOON),
        ("2022-07-04T12:00:00", NOON),
        ("2022-07-04T14:00:00+02:00", NOON),
        ("2022-07-04T07:00:00.000-0500", NOON),
        (1656936000000, NOON),
        (0, datetime(1970, 1, 1, tzinfo=UTC)),
        ("8999-12-31T23:59:59Z", datetime(8999, 12, 31, 23, 59, 59, tzinfo=UTC)),
    ],
)
def test_instants_are_utc(time: Any, instant: datetime, see: See) -> None:
    seen = see({"id": "x", "connectedTime": time}).sightings[0].connected_at
    assert seen == instant
    assert seen is not None
    assert seen.tzinfo is UTC


def test_a_hold_counts_only_while_held(see: See) -> None:
    (leg,) = see({"id": "x", "held": False, "startHoldTime": T}).sightings
    assert (leg.held, leg.hold_started_at) == (False, None)
    (leg,) = see(flat({"id": "x", "startHoldTime": T})).sightings
    assert (leg.held, leg.hold_started_at) == (False, None)


def test_hold_segments(see: See) -> None:
    segments = [
        {"type": "Interact", "startTime": T},
        {"type": "HOLD", "startTime": T, "endTime": LATER},
        {"type": "hold", "startTime": LATER, "howEnded": "Disconnect"},
        {"type": "hold"},
        {"startTime": T},
    ]
    spans = (Span(at(T), at(LATER)), Span(at(LATER)))
    participant = {"id": "p", "callbacks": [{"id": "m", "segments": segments}]}
    callback, call = see(
        generic(participant | {"calls": [{"id": "v", "segments": segments}]})
    ).sightings
    assert callback.holds == call.holds == spans


def test_segments_lag_so_an_empty_list_says_nothing(see: See) -> None:
    assert see({"id": "x", "state": "alerting", "segments": []}).sightings[0].holds is None


def test_an_empty_preview_is_none(see: See) -> None:
    assert not see({"id": "x", "state": "none", "dialerPreview": {}}).sightings[0].preview
    assert not see(flat({"id": "x", "outboundPreview": {"id": None}})).sightings[0].preview


@pytest.mark.parametrize("shape", ["generic", "flat", "bare"])
@pytest.mark.parametrize(
    ("privacy", "contact"),
    [
        (Privacy(), ()),
        (Privacy(numbers=True), ("+15555550100",)),
        (Privacy(numbers=True, names=True), ("+15555550100", "Customer A")),
        (Privacy(names=True), ("Customer A",)),
        (Privacy(hash_key=b"key"), ("hmac:59b16e46194ccc18",)),
    ],
)
def test_contact_in_every_shape(privacy: Privacy, contact: tuple[str, ...], shape: str) -> None:
    person = {"callbackNumbers": ["+15555550100", ""], "callbackUserName": "Customer A"}
    frame = {
        "generic": generic({"id": "p", "callbacks": [{"id": "m"} | person]}),
        "flat": flat({"id": "p"} | person),
        "bare": {"id": "x"} | person,
    }[shape]
    snapshot = Decoder(privacy).decode(msgspec.json.encode(frame))
    assert isinstance(snapshot, Snapshot)
    assert snapshot.sightings[0].contact == contact
