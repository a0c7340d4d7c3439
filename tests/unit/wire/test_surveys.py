"""Bulk answers of the platform as surveys: what they say, and up to when they know it."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from ringback.core.lifecycle import State
from ringback.core.snapshots import Medium, Role, Snapshot, Span
from ringback.core.surveys import WITH_AGENT, Place, Survey
from ringback.errors import FrameError, FrameFault
from ringback.wire.surveys import decode_survey
from support.callbacks import at

ASKED = at(1000)
WAITING = frozenset({State.WAITING, State.ALERTING})


def stamp(seconds: float) -> str:
    return at(seconds).isoformat().replace("+00:00", "Z")


def decoded(answer: Any, ahead: float = 0) -> Survey:
    found = decode_survey(msgspec.json.encode(answer), ASKED, timedelta(seconds=ahead))
    assert found is not None
    return found


# Observations


def metric(name: str, *seen: dict[str, Any], count: int | None = None) -> dict[str, Any]:
    return {
        "metric": name,
        "stats": {"count": len(seen) if count is None else count},
        "observations": list(seen),
    }


def observed(*data: dict[str, Any], **group: str) -> Survey:
    return decoded({"results": [{"group": {"queueId": "q", **group}, "data": list(data)}]})


def one(number: int = 1, **said: Any) -> dict[str, Any]:
    return {"conversationId": f"c-{number}", **said}


def test_who_waits_and_who_is_with_an_agent() -> None:
    found = observed(
        metric("oWaiting", one(1), one(2, userId="nobody")),
        metric("oInteracting", one(3, userId="u-1"), one(4)),
    )
    assert found.places == [
        Place("c-1", WAITING, "q"),
        Place("c-2", WAITING, "q"),
        Place("c-3", WITH_AGENT, "q", "u-1"),
        Place("c-4", WITH_AGENT, "q"),
    ]
    assert (found.read_at, found.as_of, found.pictures) == (ASKED, at(995), [])


def test_other_media_metrics_and_nameless_ones_are_left_out() -> None:
    assert observed(metric("oWaiting", one()), mediaType="voice").places == []
    assert observed(metric("oOnQueueUsers", one())).places == []
    assert observed(metric("oWaiting", {"userId": "u"}, {"conversationId": None})).places == []


@pytest.mark.parametrize(
    "answer",
    [
        {"results": None},
        {"results": []},
        {"results": [{}]},
        {"results": [{"group": None, "data": None}]},
        {"results": [{"group": {"queueId": "q"}, "data": [{"metric": "oWaiting"}]}]},
        {"results": [{"group": {"queueId": "q"}, "data": [{}], "novel": {"x": 1}}]},
    ],
)
def test_an_answer_that_says_nothing_is_an_empty_survey(answer: Any) -> None:
    found = decoded(answer)
    assert (found.places, found.pictures) == ([], [])


# Details


def segment(kind: str, start: float | None, end: float | None = None, **said: Any) -> Any:
    times = {"segmentStart": start, "segmentEnd": end}
    return {
        "segmentType": kind,
        **{name: stamp(seconds) for name, seconds in times.items() if seconds is not None},
        **said,
    }


def session(*segments: Any, **said: Any) -> dict[str, Any]:
    return {"sessionId": "s-1", "mediaType": "callback", "segments": list(segments), **said}


def detail(*sessions: Any, purpose: str = "agent", **said: Any) -> dict[str, Any]:
    attendee = {"participantId": "p-1", "purpose": purpose, "sessions": list(sessions)}
    return {"conversationId": "c-1", "participants": [attendee], **said}


def detailed(*details: Any, ahead: float = 0) -> Survey:
    return decoded({"conversations": list(details), "totalHits": len(details)}, ahead)


def sighting(*segments: Any, purpose: str = "agent", **said: Any) -> Any:
    (picture,) = detailed(detail(session(*segments, **said), purpose=purpose)).pictures
    assert isinstance(picture, Snapshot)
    (found,) = picture.sightings
    return found


def test_a_session_is_a_leg() -> None:
    found = sighting(
        segment("alert", 10, 20, queueId="q-1"),
        segment("callback", 20, queueId="q-2"),
        direction="inbound",
        peerId="s-0",
        callbackScheduledTime=stamp(5),
        timeoutSeconds=30,
        novel=True,
    )
    assert (found.participant_id, found.communication_id) == ("p-1", "s-1")
    assert (found.role, found.medium, found.state) == (Role.AGENT, Medium.CALLBACK, "connected")
    assert (found.connected_at, found.ended_at, found.scheduled_at) == (at(20), None, at(5))
    assert (found.timeout_seconds, found.peer_id, found.queue_id) == (30, "s-0", "q-2")
    assert (found.inbound, found.preview, found.held) == (True, False, False)


@pytest.mark.parametrize(
    ("kind", "state"),
    [
        ("scheduled", "scheduled"),
        ("alert", "alerting"),
        ("contacting", "contacting"),
        ("dialing", "dialing"),
        ("interact", "connected"),
        ("callback", "connected"),
        ("delay", "connected"),
        ("ivr", "connected"),
        ("hold", "connected"),
        ("wrapup", "disconnected"),
        ("uploading", None),
        (None, None),
    ],
)
def test_an_open_segment_says_in_which_state_its_session_is(
    kind: str | None, state: str | None
) -> None:
    assert sighting({"segmentType": kind, "segmentStart": stamp(10)}).state == state


def test_a_session_without_segments_says_nothing_of_its_state() -> None:
    found = sighting()
    assert (found.state, found.ended_at, found.connected_at, found.holds) == (
        *(None, None),
        *(None, None),
    )


def test_a_session_whose_segments_have_all_ended_has_ended() -> None:
    found = sighting(
        segment("alert", 10, 20), segment("callback", 20, 40, disconnectType="noAnswerTransfer")
    )
    assert (found.state, found.ended_at) == ("disconnected", at(40))
    assert (found.connected_at, found.disconnect_type) == (at(20), "noAnswerTransfer")


def test_after_call_work_is_no_part_of_the_call() -> None:
    work = segment("wrapup", 40)
    found = sighting(segment("callback", 20, 40), work)
    assert (found.state, found.ended_at, found.connected_at) == ("disconnected", at(40), at(20))
    done = segment("wrapup", 40, 70, wrapUpCode="w")
    assert sighting(segment("callback", 20, 40), done).ended_at == at(40)


def test_holds_are_read_from_their_segments() -> None:
    found = sighting(
        segment("callback", 20, 30),
        segment("hold", 30, 40),
        segment("callback", 40, 50),
        segment("hold", 50),
    )
    assert (found.state, found.held, found.hold_started_at) == ("connected", True, at(50))
    assert found.holds == (Span(at(30), at(40)), Span(at(50), None))
    over = sighting(segment("callback", 20, 30), segment("hold", 30, 40))
    assert (over.held, over.hold_started_at, over.state) == (False, None, "disconnected")


def test_a_campaign_makes_a_preview() -> None:
    assert sighting(segment("callback", 20), outboundCampaignId="x").preview


def test_other_media_have_no_leg_and_voice_has() -> None:
    found = detailed(
        detail(
            session(segment("interact", 1), mediaType="email"),
            session(segment("interact", 1), mediaType="voice", direction="outbound"),
            session(segment("interact", 1), mediaType=None),
            purpose="external",
        )
    )
    (leg,) = found.pictures[0].sightings
    assert (leg.medium, leg.role, leg.inbound) == (Medium.VOICE, Role.EXTERNAL, False)


@pytest.mark.parametrize(
    "odd",
    [
        detail(session(segment("callback", 1)), conversationId=None),
        {"conversationId": ""},
        {},
    ],
)
def test_what_has_no_name_is_no_picture(odd: Any) -> None:
    assert detailed(odd).pictures == []


def test_a_participant_without_a_name_has_no_legs() -> None:
    nameless = detail(session(segment("callback", 1)))
    nameless["participants"][0]["participantId"] = None
    assert detailed(nameless, {"conversationId": "c-2"}).pictures == [
        Snapshot("c-1", [], True, ASKED),
        Snapshot("c-2", [], True, ASKED),
    ]


# Up to when they know


@pytest.mark.parametrize(
    ("latest", "ahead", "as_of"),
    [
        (990, 0, 990),
        (990, 4, 986),
        (1002, 0, 1000),
        (1002, 3, 999),
        (100, 0, 955),
        (990, 500, 955),
    ],
)
def test_details_know_up_to_the_latest_that_they_show(
    latest: float, ahead: float, as_of: float
) -> None:
    found = detailed(
        detail(session(segment("alert", 10, 20), segment("callback", 20))),
        detail(session(segment("alert", 10, latest))),
        ahead=ahead,
    )
    assert found.as_of == at(as_of)


def test_details_that_show_no_time_know_what_is_old() -> None:
    assert detailed({"conversationId": "c-1"}).as_of == at(955)


def test_an_empty_page_knows_nothing() -> None:
    assert decoded({"totalHits": 0}) == Survey(ASKED, None)
    assert decoded({"conversations": []}).as_of is None


# What is neither


@pytest.mark.parametrize("body", [b"{}", b"[]", b"1", b'{"id":"c-1","participants":[]}'])
def test_another_answer_is_no_survey(body: bytes) -> None:
    assert decode_survey(body, ASKED) is None


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        (b"<html>", FrameFault.NOT_JSON),
        (b"", FrameFault.NOT_JSON),
        (b"\xff", FrameFault.NOT_JSON),
        (b'{"results":"\xff"}', FrameFault.NOT_JSON),
        (b'{"results":1}', FrameFault.WRONG_TYPE),
        (b'{"conversations":{"a":1}}', FrameFault.WRONG_TYPE),
        (b'{"conversations":[{"conversationStart":"yesterday"}]}', FrameFault.WRONG_TYPE),
        (b'{"results":' + b"[" * 100_000 + b"]" * 100_000 + b"}", FrameFault.TOO_DEEP),
    ],
)
def test_what_cannot_be_understood_is_said(body: bytes, fault: FrameFault) -> None:
    with pytest.raises(FrameError) as caught:
        decode_survey(body, ASKED)
    assert caught.value.fault is fault
