import json
from collections import Counter
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest

from ringback.errors import SettingsError
from ringback.simulator.centre import ContactCentre, Emission
from ringback.simulator.kinds import Kind
from ringback.simulator.options import Options
from ringback.simulator.truths import State

MINUTE = timedelta(minutes=1)
silent = partial(Options, generic=False, flat=False)
ENDED = {"disconnected", "terminated"}


def bodies(emissions: list[Emission], *, flat: bool = False) -> list[dict[str, Any]]:
    return [
        json.loads(one.frame)["eventBody"]
        for one in emissions
        if one.topic.endswith(".callbacks") is flat
    ]


def test_same_seed_gives_the_same_run_byte_for_byte(start: datetime) -> None:
    once = ContactCentre(7, start).advance(start + 4 * MINUTE)
    again = ContactCentre(7, start).advance(start + 4 * MINUTE)
    other = ContactCentre(8, start).advance(start + 4 * MINUTE)
    assert once == again
    assert once != other


def test_how_finely_it_is_advanced_changes_nothing(start: datetime) -> None:
    at_once = ContactCentre(7, start)
    expected = at_once.advance(start + 2 * MINUTE)
    stepped, got = ContactCentre(7, start), []
    moment = start
    while moment < start + 2 * MINUTE:
        moment += timedelta(seconds=0.7)
        got += stepped.advance(min(moment, start + 2 * MINUTE))
        stepped.truth()
        stepped.latest_frames()
    assert got == expected
    assert stepped.truth() == at_once.truth()


def test_however_many_are_said_to_come_time_goes_on(start: datetime) -> None:
    warm_up = timedelta(milliseconds=10)
    crowd = Options(arrivals_per_minute=6e8, max_live=10**6, warm_up=warm_up, flat=False)
    assert 5 < len(ContactCentre(7, start, crowd).latest_frames()) < 20


def test_next_at_is_when_something_happens(start: datetime) -> None:
    centre = ContactCentre(3, start, Options(warm_up=timedelta(0)))
    centre.advance(start + MINUTE)
    for _ in range(200):
        moment = centre.next_at
        assert moment is not None
        assert moment > centre.now
        assert centre.advance(moment - timedelta(microseconds=1)) == []
        assert all(one.at == moment for one in centre.advance(moment))


def test_a_viewer_sees_life_at_once(start: datetime) -> None:
    centre = ContactCentre(1, start)
    first = centre.advance(start)
    assert len({one.conversation_id for one in first}) >= 15
    assert {one.at for one in first} == {start}
    assert len({truth.state for truth in centre.truth().values()}) >= 5
    moving = centre.advance(start + timedelta(seconds=10))
    assert len({one.conversation_id for one in moving}) >= 5


def test_the_usual_mix_holds_every_kind(start: datetime) -> None:
    centre = ContactCentre(1, start, silent(speed=4, agents=80, max_live=300, remember=5000))
    centre.advance(start + 30 * MINUTE)
    assert {truth.kind for truth in centre.truth().values()} == set(Kind)


def test_it_does_not_grow_without_bound(start: datetime) -> None:
    options = silent(max_live=10, remember=20, warm_up=timedelta(0))
    centre = ContactCentre(1, start, options)
    for minute in range(10):
        centre.advance(start + minute * MINUTE)
        conversations = {truth.conversation_id for truth in centre.truth().values()}
        assert len(conversations) <= 30


def test_truth_never_leaves_the_end_and_changes_only_along_its_path(start: datetime) -> None:
    centre = ContactCentre(5, start, silent(warm_up=timedelta(0), remember=5000, speed=2))
    known: dict[str, tuple[State, ...]] = {}
    moment = start
    while moment < start + 20 * MINUTE:
        moment += timedelta(seconds=1)
        centre.advance(moment)
        for callback_id, truth in centre.truth().items():
            before = known.get(callback_id, ())
            assert truth.path[: len(before)] == before
            assert truth.path[-1] is truth.state
            assert truth.path.count(State.DISCONNECTED) == (truth.outcome is not None)
            assert truth.since <= moment
            known[callback_id] = truth.path
    assert sum(path[-1] is State.DISCONNECTED for path in known.values()) > 100


def test_legs_never_come_back(start: datetime) -> None:
    centre = ContactCentre(5, start, Options(speed=3, flat=False))
    ended: dict[str, dict[str, Any]] = {}
    seen = 0
    for body in bodies(centre.advance(start + 6 * MINUTE)):
        for participant in body["participants"]:
            for leg in (*participant.get("callbacks", []), *participant.get("calls", [])):
                over = "disconnectedTime" in leg
                assert over == (leg["state"] in ENDED)
                assert over == ("disconnectType" in leg)
                if leg["id"] in ended:
                    assert over
                    assert leg["disconnectedTime"] == ended[leg["id"]]["disconnectedTime"]
                if over:
                    ended[leg["id"]] = leg
                    assert not leg["held"]
                assert leg["held"] == ("startHoldTime" in leg)
                seen += 1
    assert seen > 5000
    assert len(ended) > 300


def test_offers_are_the_agents_of_the_callback(start: datetime) -> None:
    centre = ContactCentre(2, start, Options(warm_up=timedelta(0), mix={Kind.REPEATED_OFFERS: 1}))
    centre.advance(start + 10 * MINUTE)
    truths = centre.truth()
    for body in bodies(centre.latest_frames()):
        agents = [one for one in body["participants"] if one["purpose"] == "agent"]
        assert len(agents) == truths[body["id"]].offers
        assert len({one["id"] for one in agents}) == len(agents)


def test_no_answer_takes_exactly_the_alerting_timeout(start: datetime) -> None:
    centre = ContactCentre(2, start, silent(mix={Kind.REPEATED_OFFERS: 1}, speed=5))
    rung = []
    centre.advance(start + 10 * MINUTE)
    for scene in centre._scenes():
        read = json.loads(centre.rest_conversation(scene.conversation.id) or b"null")
        for one in read["participants"]:
            for leg in one["callbacks"]:
                if leg.get("disconnectType") == "system" and one["purpose"] == "agent":
                    alert = leg["segments"][0]
                    rung.append(
                        datetime.fromisoformat(alert["endTime"])
                        - datetime.fromisoformat(alert["startTime"])
                    )
    assert len(rung) > 10
    # An offer that was prepared first is a little older than its ringing.
    assert Counter(rung).most_common(1)[0][0] == timedelta(seconds=30)
    assert set(rung) <= {timedelta(seconds=30), timedelta(seconds=30.2)}


def test_the_two_clocks_are_skewed_apart(start: datetime) -> None:
    def opened(cloud: float, provider: float) -> list[dict[str, Any]]:
        options = Options(
            cloud_skew=timedelta(seconds=cloud), provider_skew=timedelta(seconds=provider)
        )
        return bodies(ContactCentre(4, start, options).advance(start + 3 * MINUTE))

    def times(items: list[dict[str, Any]], name: str) -> list[datetime]:
        return [
            datetime.fromisoformat(leg[name])
            for body in items
            for one in body["participants"]
            for leg in one.get("callbacks", [])
            if name in leg
        ]

    plain, skewed = opened(0, 0), opened(5, -3)
    for name, seconds in {
        "connectedTime": 5,
        "startHoldTime": 5,
        "disconnectedTime": -3,
        "callbackScheduledTime": -3,
    }.items():
        shift = {a - b for a, b in zip(times(skewed, name), times(plain, name), strict=True)}
        assert shift == {timedelta(seconds=seconds)}, name


def test_connected_time_is_at_times_missing_at_first(start: datetime) -> None:
    centre = ContactCentre(4, start, Options(flat=False))
    shown: dict[str, list[bool]] = {}
    for body in bodies(centre.advance(start + 10 * MINUTE)):
        for one in body["participants"]:
            for leg in one.get("callbacks", []):
                if one["purpose"] == "agent" and leg["state"] == "connected":
                    shown.setdefault(leg["id"], []).append("connectedTime" in leg)
    late = [frames for frames in shown.values() if not frames[0]]
    assert 0 < len(late) < len(shown) / 4
    assert all(frames == sorted(frames) for frames in shown.values())


def test_a_return_to_scheduled_has_a_later_time(start: datetime) -> None:
    centre = ContactCentre(
        4,
        start,
        Options(mix={Kind.RESCHEDULED_AFTER_DIAL: 1}, warm_up=timedelta(0), speed=2, flat=False),
    )
    released: dict[str, list[tuple[str, str]]] = {}
    for body in bodies(centre.advance(start + 10 * MINUTE)):
        leg = body["participants"][0]["callbacks"][0]
        scheduled_at = leg["callbackScheduledTime"]
        spells = released.setdefault(leg["id"], [])
        if leg["state"] == "scheduled":
            assert "connectedTime" not in leg
        elif (scheduled_at, leg["connectedTime"]) not in spells:
            spells.append((scheduled_at, leg["connectedTime"]))
    twice = [spells for spells in released.values() if len(spells) == 2]
    assert len(twice) > 5
    assert all(first < second for (first, _), (second, _) in twice)
    assert all(first < second for (_, first), (_, second) in twice)


def test_latest_frames_repeat_what_was_sent_last(start: datetime) -> None:
    centre = ContactCentre(6, start, Options(warm_up=timedelta(0), remember=5000))
    last = {
        (one.conversation_id, one.topic): one.frame for one in centre.advance(start + 10 * MINUTE)
    }
    for one in centre.latest_frames():
        assert last[one.conversation_id, one.topic] == one.frame


def test_after_a_halt_only_the_clock_goes_on(start: datetime) -> None:
    centre = ContactCentre(
        6, start, Options(mix={Kind.QUEUE_AUTO_DIAL: 1}, warm_up=timedelta(0), speed=3)
    )
    while State.CONNECTED not in {truth.state for truth in centre.truth().values()}:
        centre.advance(centre.now + timedelta(seconds=1))
    centre.halt()
    before = {key: truth.state for key, truth in centre.truth().items()}
    assert centre.advance(centre.now + MINUTE) == []
    after = {key: truth.state for key, truth in centre.truth().items()}
    moved = {(before[key], after[key]) for key in before if before[key] is not after[key]}
    assert moved == {(State.CONNECTED, State.AUTO_DIALING)}
    assert centre.next_at is None


def test_user_topics_and_shapes_are_as_asked(start: datetime) -> None:
    def topics(*, generic: bool = True, flat: bool = True, user_topics: bool = False) -> set[str]:
        options = Options(generic=generic, flat=flat, user_topics=user_topics)
        centre = ContactCentre(6, start, options)
        return {one.topic for one in centre.advance(start + MINUTE)}

    assert all(topic.endswith(".conversations") for topic in topics(flat=False))
    assert all(topic.endswith(".conversations.callbacks") for topic in topics(generic=False))
    assert {topic.split(".")[1] for topic in topics(user_topics=True)} == {"routing", "users"}
    assert topics(generic=False, flat=False) == set()


def test_what_cannot_be_played_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"simulator\.queues: must be at least 3"):
        Options(queues=2)
    with pytest.raises(SettingsError, match=r"simulator\.speed"):
        Options(speed=0)


def test_queue_settings_name_every_queue(start: datetime) -> None:
    centre = ContactCentre(6, start)
    settings = {one.queue_id: one for one in centre.queue_settings()}
    assert set(settings) == {queue.id for queue in centre.queues}
    assert any(one.auto_dial_seconds for one in settings.values())
    assert any(one.customer_first for one in settings.values())
