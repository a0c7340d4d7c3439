import asyncio
from datetime import datetime, timedelta
from typing import Literal

import msgspec
import pytest
import structlog.testing

from ringback.core.snapshots import QueueSettings
from ringback.core.watch.feed_kinds import Pulse
from ringback.ports import Intake, Reading
from ringback.runtime.cluster.listening import STOPPED, last_heard
from ringback.runtime.intake import RESTART
from ringback.stores.jetstream.subjects import partition_of
from ringback.wire.log import (
    Alive,
    Beaten,
    Follows,
    Hearing,
    ReadFailed,
    Seen,
    Settled,
    Surveyed,
)
from support.callbacks import at
from support.gateway import NAME, NUMBER, frame
from support.listened import PARTITIONS, Listened
from support.runtime import Ear, settled

pytestmark = pytest.mark.looptime

TOPIC = "v2.routing.queues.queue-1.conversations"


def hearing(
    state: Literal["connected", "disconnected"],
    cause: str = "unknown",
    since: datetime | None = None,
    *,
    reads: bool = False,
) -> Hearing:
    """A report of all topics, as it is read back."""
    return Hearing("a", state, cause, since, [], reads)


async def test_a_frame_enters_the_partition_of_its_conversation() -> None:
    async with Listened().within() as all_:
        ear: Intake = await all_.listen("a")
        ear.frame(frame("c-1"))
        ear.frame(frame("c-2"))
        await asyncio.sleep(1)
        for conversation in ("c-1", "c-2"):
            seen = [
                (key, message.snapshot.conversation_id)
                for _, key, message in all_.inputs.all
                if isinstance(message, Seen) and key == conversation
            ]
            assert seen == [(conversation, conversation)]
            partition = partition_of(conversation, PARTITIONS)
            assert conversation in str(all_.messages(partition))
        assert NAME not in str(all_.inputs.all)
        assert NUMBER not in str(all_.inputs.all)


async def test_what_cannot_be_understood_is_put_aside_and_counted() -> None:
    async with Listened().within() as all_:
        ear = await all_.listen("a")
        await asyncio.sleep(1)
        for bad in (b"{", b"\xff", frame()):
            ear.frame(bad)
        ear.frame(b'{"topicName":"channel.metadata","eventBody":{"message":"WebSocket Heartbeat"}}')
        await asyncio.sleep(5)
        assert [fault for _, fault in all_.lost.put_aside] == ["not_json", "binary"]
        told = [one for one in all_.messages(0) if isinstance(one, Alive)]
        assert told == [Alive("a", 1, 2)]
        assert ear.frames == {"not_json": 1, "binary": 1, "snapshot": 1, "system": 1}


async def test_the_same_of_two_topics_and_of_two_listeners_enters_once() -> None:
    async with Listened().within() as all_:
        ears = [await all_.listen(member) for member in ("a", "b")]
        await asyncio.sleep(120)
        for state in ("scheduled", "connected", "scheduled"):
            for ear in ears:
                ear.frame(frame(state=state))
                ear.frame(frame(state=state))
            await asyncio.sleep(1)
        seen = [one for one in all_.messages() if isinstance(one, Seen)]
        assert [one.snapshot.sightings[0].state for one in seen] == [
            "scheduled",
            "connected",
            "scheduled",
        ]


async def test_what_is_heard_last_is_the_latest_though_another_has_put_it_already() -> None:
    async with Listened().within() as all_:
        quick, late = [await all_.listen(member) for member in ("a", "b")]
        for state in ("connected", "scheduled"):
            quick.frame(frame(state=state))
        await asyncio.sleep(1)
        # It has heard what the other has not, so that the third has another name, and the last
        # none of its own.
        for state in ("scheduled", "alerting", "connected", "scheduled"):
            late.frame(frame(state=state))
        await asyncio.sleep(1)
        states = [
            one.snapshot.sightings[0].state for one in all_.messages() if isinstance(one, Seen)
        ]
        assert states == [
            *("connected", "scheduled"),
            *("scheduled", "alerting", "connected", "scheduled"),
        ]
        assert late.putting.put_again == 1
        # The same after the same, as before: it is news, and is so once.
        for ear in (late, quick):
            ear.frame(frame(state="alerting"))
            ear.frame(frame(state="connected"))
        await asyncio.sleep(1)
        states = [
            one.snapshot.sightings[0].state for one in all_.messages() if isinstance(one, Seen)
        ]
        assert states[6:] == ["alerting", "connected"]


async def test_a_conversation_keeps_its_order_over_a_slow_engine() -> None:
    async with Listened().within() as all_:
        all_.inputs.slowest = 1.0
        ear = await all_.listen("a")
        for number in range(20):
            for conversation in ("c-1", "c-2"):
                ear.frame(frame(conversation, id=f"k-{number}"))
        await asyncio.sleep(60)
        for conversation in ("c-1", "c-2"):
            seen = [
                message.snapshot.sightings[0].communication_id
                for _, key, message in all_.inputs.all
                if key == conversation and isinstance(message, Seen)
            ]
            assert seen == [f"k-{number}" for number in range(20)]


async def test_what_is_for_everybody_enters_every_partition() -> None:
    async with Listened().within() as all_:
        ear = await all_.listen("a", reads=True)
        settings = QueueSettings("queue-1", auto_dial_seconds=30)
        pulse = Pulse(skew=timedelta(seconds=1))
        ear.follows(["queue-2", "queue-1"])
        ear.settings(settings)
        ear.settings(settings)
        ear.beats(pulse)
        ear.beats(pulse)
        ear.connected()
        await asyncio.sleep(1)
        for partition in range(PARTITIONS):
            messages = [one for one in all_.messages(partition) if not isinstance(one, Alive)]
            assert messages.count(Settled(settings)) == 1
            messages.remove(Settled(settings))
            assert messages == [
                hearing("disconnected", RESTART, reads=True),
                Follows("a", ["queue-1", "queue-2"]),
                Beaten("a", pulse),
                hearing("connected", reads=True),
            ]


async def test_a_gap_is_told_since_it_surely_heard_and_what_follows_comes_after_its_end() -> None:
    async with Listened().within() as all_:
        ear = await all_.listen("a")
        assert ear.blind_since() is None
        ear.disconnected("unreachable")
        assert ear.blind_since() == at(0)
        await asyncio.sleep(3)
        ear.connected()
        assert ear.blind_since() is None
        await asyncio.sleep(3)
        ear.disconnected("lost", at(4), [TOPIC])
        ear.disconnected("lost")
        assert ear.blind_since() == at(4)
        ear.connected()
        ear.frame(frame("c-1"))
        await asyncio.sleep(1)
        told = [
            one
            for one in all_.messages(partition_of("c-1", PARTITIONS))
            if isinstance(one, Hearing | Seen)
        ]
        assert told[1:-1] == [
            hearing("disconnected", "unreachable", at(0)),
            hearing("connected"),
            Hearing("a", "disconnected", "lost", at(4), [TOPIC]),
            hearing("disconnected", "lost", at(6)),
            hearing("connected"),
        ]
        assert isinstance(told[-1], Seen)


async def test_where_it_was_heard_last_is_looked_for_after_a_start() -> None:
    async with Listened().within() as all_:
        await all_.track()
        assert await last_heard(all_.logs.steps, "main") is None
        ear = await all_.listen("a")
        ear.connected()
        await asyncio.sleep(62)
        heard = await last_heard(all_.logs.steps, "main")
        assert heard is not None
        assert at(55) <= heard <= at(62)
        other = all_.make("b")
        other.resume(heard)
        assert other.blind_since() == heard


async def test_reads_enter_dated_and_are_not_taken_for_one_another() -> None:
    async with Listened().within() as all_:
        ear = await all_.listen("a")
        body = msgspec.json.encode(msgspec.json.decode(frame("c-1"))["eventBody"])
        for second in (1, 2):
            assert ear.read(Reading(body, at(second), at(second - 10))) == frozenset()
        assert ear.read(Reading(b"<html>", at(3))) == frozenset()
        ear.read_failed("c-1")
        await asyncio.sleep(1)
        seen = [one for one in all_.messages() if isinstance(one, Seen)]
        assert [(one.snapshot.read_at, one.date) for one in seen] == [
            (at(1), at(-9)),
            (at(2), at(-8)),
        ]
        assert ReadFailed("c-1") in all_.messages(partition_of("c-1", PARTITIONS))
        assert [fault for _, fault in all_.lost.put_aside] == ["not_json"]
        assert ear.frames == {"read": 2, "not_json": 1}


async def test_a_survey_is_divided_by_partition() -> None:
    async with Listened().within() as all_:
        ear = await all_.listen("a")
        waiting = [{"conversationId": f"c-{number}"} for number in range(30)]
        data = [{"metric": "oWaiting", "observations": waiting}]
        answer = {"results": [{"group": {"queueId": "queue-1"}, "data": data}]}
        ear.read(Reading(msgspec.json.encode(answer), at(1), at(1)))
        await asyncio.sleep(1)
        places = []
        for partition in range(PARTITIONS):
            (part,) = [one for one in all_.messages(partition) if isinstance(one, Surveyed)]
            ids = [place.conversation_id for place in part.survey.places]
            assert {partition_of(one, PARTITIONS) for one in ids} == {partition}
            assert part.date == at(1)
            places += ids
        assert sorted(places) == sorted(one["conversationId"] for one in waiting)


async def test_wishes_go_to_one_listener_each() -> None:
    async with Listened().within() as all_:
        ears = [await all_.listen(member) for member in ("a", "b")]
        await all_.wants.want(0, ["c-1", "c-2"])
        await all_.wants.want(1, ["c-3"])
        await settled()
        given = [ear.wanted(10) for ear in ears]
        assert sorted(one for each in given for one in each) == ["c-1", "c-2", "c-3"]
        assert [ear.wanted(10) for ear in ears] == [[], []]


async def test_it_says_that_it_is_there_once_at_a_time_while_the_engine_is_away() -> None:
    async with Listened().within() as all_:
        ear = await all_.listen("a")
        ear.connected()
        ear.follows(["queue-1"])
        ear.disconnected("rejected", at(0), [TOPIC])
        await asyncio.sleep(1)
        all_.inputs.there.clear()
        before = len(all_.messages(0))
        ear.frame(frame("c-1"))
        await asyncio.sleep(700)
        waiting = len(ear.putting)
        assert waiting == 1 + PARTITIONS
        all_.inputs.there.set()
        await asyncio.sleep(6)
        messages = [one for one in all_.messages(0)[before:] if not isinstance(one, Seen)]
        assert messages == [
            Alive("a", 1),
            # Trackers may have forgotten by now what it had said.
            hearing("connected"),
            Hearing("a", "disconnected", "rejected", at(0), [TOPIC]),
            Follows("a", ["queue-1"]),
            Alive("a"),
        ]


async def test_a_stop_stores_all_that_was_heard_and_says_so() -> None:
    async with Listened().within() as all_:
        all_.inputs.slowest = 2.0
        ear = await all_.listen("a")
        source = Ear(*(frame(f"c-{number}") for number in range(200)))
        listens = asyncio.create_task(ear.listen(source))
        await asyncio.sleep(1)
        listens.cancel()
        await asyncio.gather(listens, return_exceptions=True)
        assert source.closed
        await asyncio.sleep(1)
        await ear.finish()
        seen = [one for one in all_.messages() if isinstance(one, Seen)]
        assert len(seen) == 200
        for partition in range(PARTITIONS):
            last = [one for one in all_.messages(partition) if isinstance(one, Hearing)][-1]
            assert last == hearing("disconnected", STOPPED, at(1))
        assert len(ear.putting) == 0


async def test_a_stop_that_cannot_store_says_how_much_is_lost() -> None:
    async with Listened().within() as all_:
        ear = await all_.listen("a")
        await asyncio.sleep(1)
        all_.inputs.there.clear()
        ear.frame(frame("c-1"))
        ear.frame(frame("c-2"))
        with structlog.testing.capture_logs() as said, pytest.raises(TimeoutError):
            await asyncio.wait_for(ear.finish(), 5)
        (lost,) = [one for one in said if one["event"] == "heard_and_not_stored"]
        assert lost["messages"] == 2 + PARTITIONS  # that it is there is one for each


async def test_a_source_that_fails_ends_it() -> None:
    async with Listened().within() as all_:
        ear = await all_.listen("a")
        with pytest.raises(ValueError, match="broken"):
            await ear.listen(Ear(error=ValueError("broken")))


async def test_all_listeners_are_told_of_queues_in_which_frames_are_lost() -> None:
    async with Listened().within() as all_:
        told: list[tuple[str, frozenset[str]]] = []
        for member in ("a", "b"):
            ear = await all_.listen(member)
            ear.suspect = lambda queues, member=member: told.append((member, queues))
        await all_.wants.suspect(["queue-1"])
        await settled()
        assert told == [("a", frozenset({"queue-1"})), ("b", frozenset({"queue-1"}))]
