"""The shapes are those of the samples: no key that the platform does not send, none too few."""

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ringback.simulator.centre import ContactCentre
from ringback.simulator.kinds import Kind
from ringback.simulator.options import Options

DATA = Path(__file__).parents[2] / "data"
SCHEMAS: dict[str, Any] = json.loads((DATA / "schemas.json").read_text())["classes"]
WIRE = DATA / "frames" / "ws_user_conversations_callback_agent_disconnected_acw_pending.json"
REST = DATA / "frames" / "rest_conversation_callback_repeated_no_answer.json"
# The platform sends these although its own schema does not name them.
STRAY = {"additionalProperties", "queueName", "userUri"}
# What a read adds to an event's conversation and participants.
READ = {"startTime", "endTime", "selfUri"}


@pytest.fixture(scope="module")
def centre() -> ContactCentre:
    start = datetime.fromisoformat("2026-11-22T08:00:00Z")
    centre = ContactCentre(11, start, Options(agents=60, max_live=200, speed=3))
    centre.advance(start + timedelta(minutes=8))
    return centre


def shown(centre: ContactCentre, *, flat: bool) -> list[dict[str, Any]]:
    return [
        json.loads(one.frame)
        for one in centre.latest_frames()
        if one.topic.endswith(".callbacks") is flat
    ]


def reads(centre: ContactCentre) -> list[dict[str, Any]]:
    ids = {one.conversation_id for one in centre.latest_frames()}
    return [json.loads(centre.rest_conversation(one) or b"null") for one in sorted(ids)]


def fields(name: str) -> set[str]:
    return set(SCHEMAS[name]) | STRAY


def legs(frames: list[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    return [
        leg
        for one in frames
        for participant in one.get("eventBody", one)["participants"]
        for leg in participant.get(name, [])
    ]


def test_generic_frames_keep_to_the_schema(centre: ContactCentre) -> None:
    frames = shown(centre, flat=False)
    assert len(frames) > 100
    for frame in frames:
        assert set(frame) == {"topicName", "version", "eventBody", "metadata"}
        assert set(frame["eventBody"]) <= fields("ConversationEventTopicConversation")
        for one in frame["eventBody"]["participants"]:
            assert set(one) <= fields("ConversationEventTopicParticipant")
    for leg in legs(frames, "callbacks"):
        assert set(leg) <= fields("ConversationEventTopicCallback")
    calls = legs(frames, "calls")
    assert len(calls) > 50
    assert all(set(leg) <= fields("ConversationEventTopicCall") for leg in calls)


def test_flat_frames_keep_to_the_schema_and_show_no_voice(centre: ContactCentre) -> None:
    participant = "QueueConversationCallbackEventTopicCallbackMediaParticipant"
    frames = shown(centre, flat=True)
    assert len(frames) > 100
    for frame in frames:
        for one in frame["eventBody"]["participants"]:
            assert set(one) <= fields(participant)
            assert one["purpose"] != "external"


def test_reads_keep_to_the_schema(centre: ContactCentre) -> None:
    conversations = reads(centre)
    assert len(conversations) > 100
    for read in conversations:
        assert set(read) <= fields("ConversationEventTopicConversation") | READ
        participants = fields("ConversationEventTopicParticipant") | READ
        assert all(set(one) <= participants for one in read["participants"])
    for leg in legs(conversations, "callbacks"):
        assert set(leg) <= fields("Callback")
    segments = [part for leg in legs(conversations, "callbacks") for part in leg["segments"]]
    assert {part["type"] for part in segments} >= {"Scheduled", "Alert", "Interact", "Hold"}
    assert all(part["howEnded"] == "Disconnect" for part in segments if "endTime" not in part)


def test_states_and_disconnect_types_are_those_of_the_schema(centre: ContactCentre) -> None:
    enums = {
        name: SCHEMAS[name]
        for name in ("ConversationEventTopicCallback", "ConversationEventTopicCall")
    }
    frames = shown(centre, flat=False)
    for key, name in (
        ("callbacks", "ConversationEventTopicCallback"),
        ("calls", "ConversationEventTopicCall"),
    ):
        for leg in legs(frames, key):
            for field in ("state", "initialState", "disconnectType"):
                if field in leg:
                    assert leg[field] in enums[name][field]["enum"], (key, field, leg[field])


def test_an_agent_who_finished_looks_like_the_sample(centre: ContactCentre) -> None:
    sample = json.loads(WIRE.read_text())["eventBody"]["participants"]
    by_purpose = {one["purpose"]: one for one in sample}  # of the agents, the one who answered
    everyone = [
        one for frame in shown(centre, flat=False) for one in frame["eventBody"]["participants"]
    ]
    for purpose, wanted in by_purpose.items():
        alike = [
            one
            for one in everyone
            if one["purpose"] == purpose and set(one) - {"calls"} == set(wanted)
        ]
        assert alike, purpose
        [leg] = wanted["callbacks"]
        assert any(set(one["callbacks"][0]) == set(leg) for one in alike), purpose


def test_a_read_has_the_keys_of_the_sample(centre: ContactCentre) -> None:
    sample = json.loads(REST.read_text())
    conversations = reads(centre)
    assert all(set(sample) - {"endTime"} <= set(one) for one in conversations)
    customer = sample["participants"][0]
    everyone = [one for read in conversations for one in read["participants"]]
    assert any(set(one) == set(customer) for one in everyone)
    wanted = set(customer["callbacks"][0])
    assert any(set(leg) == wanted for leg in legs(conversations, "callbacks"))


def test_every_trait_of_a_callback_occurs(centre: ContactCentre) -> None:
    found = legs(shown(centre, flat=False), "callbacks")
    for trait in ("dialerPreview", "voicemail", "automatedCallbackConfigId", "wrapup"):
        assert any(trait in leg for leg in found), trait
    assert any(leg["timeoutSeconds"] > 0 for leg in found)
    assert any(leg["state"] == "terminated" for leg in found)
    codes = {leg["wrapup"]["code"] for leg in found if "wrapup" in leg}
    assert "ININ-OUTBOUND-PREVIEW-SKIPPED" in codes


def test_peers_lead_to_the_customer(centre: ContactCentre) -> None:
    for frame in shown(centre, flat=False):
        participants = frame["eventBody"]["participants"]
        customers = {
            leg["id"]
            for one in participants
            if one["purpose"] == "customer"
            for leg in one.get("callbacks", [])
        }
        for leg in legs([frame], "callbacks"):
            assert leg["id"] in customers or leg["peerId"] in customers
        voice = {leg["id"] for leg in legs([frame], "calls")}
        assert all(leg["peerId"] in voice for leg in legs([frame], "calls") if "peerId" in leg)


def test_every_redial_is_a_new_communication() -> None:
    start = datetime.fromisoformat("2026-11-22T08:00:00Z")
    options = Options(mix={Kind.REDIALLED: 1}, warm_up=timedelta(0), flat=False)
    centre = ContactCentre(1, start, options)
    centre.advance(start + timedelta(minutes=6))
    ended = {one.conversation_id for one in centre.truth().values() if one.outcome}
    assert ended
    for frame in shown(centre, flat=False):
        if frame["eventBody"]["id"] in ended:
            calls = legs([frame], "calls")
            assert len({leg["id"] for leg in calls}) == len(calls) >= 4


def test_a_bare_callback_keeps_to_the_schema(centre: ContactCentre) -> None:
    bare = [json.loads(one) for one in centre.bare_callbacks()]
    assert len(bare) > 100
    assert all(set(one) <= fields("Callback") for one in bare)
