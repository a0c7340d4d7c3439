from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from ringback.core.events import CallbackData, Event
from ringback.core.policy import Policy
from ringback.core.snapshots import QueueSettings
from ringback.core.tracker import Tracker
from ringback.errors import RecordingError
from ringback.ports import Record, RecordKind
from ringback.runtime.replay import Replay
from ringback.sources.recording import read_recordings
from ringback.wire.inputs import Acknowledge, Gap, encode_deed, encode_gap, encode_settings
from support.callbacks import START, at
from support.gateway import frame
from support.runtime import decoder

POLICY = Policy(due_grace=timedelta(seconds=10), not_dialled=timedelta(seconds=40))
SCHEDULED = msgspec.json.encode(
    {
        "topicName": "v2.routing.queues.queue-1.conversations",
        "eventBody": {
            "id": "c-9",
            "participants": [
                {
                    "id": "p-1",
                    "purpose": "customer",
                    "callbacks": [
                        {
                            "id": "k-1",
                            "state": "scheduled",
                            "callbackScheduledTime": "2026-11-22T08:01:00.000Z",
                        }
                    ],
                }
            ],
        },
    }
)


class Played:
    def __init__(
        self,
        records: Sequence[Record | RecordingError],
        until: float | None = None,
    ) -> None:
        self.events: list[Event] = []
        self.complaints: list[RecordingError] = []
        self.replay = Replay(Tracker(POLICY), decoder(), self.events.append, self.complaints.append)
        self.replay.run(records, None if until is None else at(until))

    @property
    def told(self) -> list[str]:
        return [event.type.removeprefix("ringback.").removesuffix(".v1") for event in self.events]

    @property
    def observed(self) -> list[float]:
        """When each event was observed, in seconds after the start."""
        return [
            (datetime.fromisoformat(event.data.observed_time) - START).total_seconds()
            for event in self.events
        ]


def record(seconds: float, data: bytes, kind: RecordKind = "frame") -> Record:
    return Record(at(seconds), kind, data, "day.jsonl", 1)


def agent(state: str = "connected", **said: str) -> bytes:
    """Make a notification of a callback that an agent has."""
    body = msgspec.json.decode(frame())
    leg = {"id": "k-3", "state": state, "direction": "inbound", **said}
    body["eventBody"]["participants"].append(
        {"id": "p-3", "purpose": "agent", "userId": "u-1", "queueId": "queue-1", "callbacks": [leg]}
    )
    return msgspec.json.encode(body)


CONNECTED = agent(connectedTime="2026-11-22T08:00:00.000Z")


def test_a_timer_fires_at_its_own_instant_between_records() -> None:
    played = Played([record(0, SCHEDULED), record(500, frame())])
    assert played.told == ["callback.scheduled", "alert.firing", "callback.waiting"]
    assert played.observed == [0, 70, 500]


def test_until_lets_time_go_on_after_the_last_record() -> None:
    assert Played([record(0, SCHEDULED)]).told == ["callback.scheduled"]
    assert Played([record(0, SCHEDULED)], until=69).told == ["callback.scheduled"]
    played = Played([record(0, SCHEDULED)], until=70)
    assert played.told == ["callback.scheduled", "alert.firing"]
    assert played.observed == [0, 70]


def test_until_stops_before_later_records_but_fires_timers() -> None:
    played = Played([record(0, SCHEDULED), record(200, frame())], until=100)
    assert played.told == ["callback.scheduled", "alert.firing"]
    assert played.replay.counts["records"] == 1
    assert Played([record(0, SCHEDULED)], until=-1).told == []


def test_a_record_at_until_is_played() -> None:
    assert Played([record(5, frame())], until=5).told == ["callback.waiting"]


def test_time_never_goes_backwards() -> None:
    played = Played([record(100, frame("c-1")), record(40, frame("c-2"))])
    assert played.observed == [100, 100]


def test_a_deadline_that_is_past_already_fires_late_and_says_so() -> None:
    played = Played([record(300, SCHEDULED)], until=300)
    assert played.told == ["callback.scheduled", "alert.firing"]
    assert played.observed == [300, 300]


def test_settings_move_deadlines() -> None:
    settings = encode_settings(QueueSettings("queue-1", auto_dial_seconds=20))
    without = Played([record(0, CONNECTED)], until=30)
    with_them = Played([record(0, settings, "settings"), record(0, CONNECTED)], until=30)
    learned = Played([record(0, CONNECTED), record(5, settings, "settings")], until=30)
    assert "callback.auto_dialing" not in without.told
    for played in (with_them, learned):
        moment = played.told.index("callback.auto_dialing")
        assert played.observed[moment] == 20


def test_a_read_is_as_of_the_moment_it_was_sent() -> None:
    body = msgspec.json.encode(msgspec.json.decode(frame())["eventBody"])
    played = Played([record(3, body, "read")])
    assert played.told == ["callback.waiting"]
    data = played.events[0].data
    assert isinstance(data, CallbackData)
    assert data.cause == "reconcile"


def test_a_read_that_was_sent_before_a_gap_ended_confirms_nothing() -> None:
    """What a recording says of when it was sent, not when it was answered."""
    body = msgspec.json.encode(msgspec.json.decode(frame())["eventBody"])

    def played(sent: float | None) -> list[str]:
        read = Record(at(22), "read", body, "day.jsonl", 1, None if sent is None else at(sent))
        return Played(
            [
                record(0, encode_gap(Gap("main", "connected")), "gap"),
                record(1, frame()),
                record(10, encode_gap(Gap("main", "disconnected", "cut", at(8))), "gap"),
                record(20, encode_gap(Gap("main", "connected")), "gap"),
                read,
            ],
            until=200,
        ).told

    assert "callback.unverified" in played(19)
    assert "callback.unverified" not in played(20)
    assert "callback.unverified" not in played(None)


def test_a_bulk_read_is_replayed_and_tells_nothing_of_its_own() -> None:
    body = b'{"results":[{"group":{"queueId":"q"},"data":[]}]}'
    played = Played([record(0, frame()), record(3, body, "read")])
    assert played.told == ["callback.waiting"]
    assert played.replay.counts["read"] == 1


def test_a_restart_within_a_recording_is_a_gap_like_another() -> None:
    gaps = [
        record(0, encode_gap(Gap("main", "connected")), "gap"),
        record(1, frame()),
        record(50, encode_gap(Gap("main", "disconnected", "restart", at(40))), "gap"),
        record(51, encode_gap(Gap("main", "connected")), "gap"),
        record(52, frame()),
    ]
    assert Played(gaps, until=1000).told == [
        *("source.connected", "callback.waiting", "source.disconnected", "source.gap_opened"),
        *("source.connected", "source.gap_closed"),
    ]


def test_gaps_are_told_for_each_source() -> None:
    gaps = [
        record(0, encode_gap(Gap("main", "connected")), "gap"),
        record(5, encode_gap(Gap("main", "disconnected", "silent")), "gap"),
        record(6, encode_gap(Gap("other", "connected")), "gap"),
        record(9, encode_gap(Gap("main", "connected")), "gap"),
    ]
    played = Played(gaps)
    assert [(event.subject, event.type.split(".")[2]) for event in played.events] == [
        ("main", "connected"),
        ("main", "disconnected"),
        ("main", "gap_opened"),
        ("other", "connected"),
        ("main", "connected"),
        ("main", "gap_closed"),
    ]


@pytest.mark.parametrize(
    ("data", "kind"),
    [(b"{", "frame"), (b"[1]", "read"), (b"{}", "settings"), (b'{"source":1}', "gap")],
)
def test_what_cannot_be_understood_is_skipped_and_said(data: bytes, kind: RecordKind) -> None:
    bad = Record(at(1), kind, data, "day.jsonl", 7)
    played = Played([record(0, frame()), bad, record(2, frame("c-2"))])
    assert played.told == ["callback.waiting"] * 2
    (complaint,) = played.complaints
    assert str(complaint).startswith("day.jsonl:7: ")
    assert played.replay.counts["skipped"] == 1


def test_a_line_that_cannot_be_read_is_skipped_and_said() -> None:
    bad = RecordingError("day.jsonl", 3, "is no record")
    played = Played([record(0, frame()), bad])
    assert played.complaints == [bad]
    assert played.replay.counts == {"records": 1, "snapshot": 1, "events": 1, "skipped": 1}


def deed(alert_id: str) -> bytes:
    return encode_deed(Acknowledge(alert_id, "ada"))


def test_what_operators_did_is_done_again() -> None:
    records = [
        record(0, SCHEDULED),
        record(100, deed("c-9/due_not_released/1"), "operator"),
        record(101, deed("c-9/due_not_released/1"), "operator"),
    ]
    played = Played(records)
    assert played.told == ["callback.scheduled", "alert.firing", "alert.acknowledged"]
    assert played.replay.counts["operator"] == 2
    assert played.complaints == []


@pytest.mark.parametrize("done", [b"{}", b"[", deed("c-9/due_not_released/1")])
def test_what_operators_cannot_have_done_is_skipped(done: bytes) -> None:
    played = Played([record(0, done, "operator"), record(0, frame("c-1"))])
    assert played.told == ["callback.waiting"]
    assert len(played.complaints) == 1


def test_it_says_where_the_conversations_are() -> None:
    played = Played([record(0, frame("c-1")), record(0, frame("c-2")), record(1, SCHEDULED)])
    assert played.replay.stages() == {"waiting": 2, "scheduled": 1}


def test_files_are_merged_by_time(tmp_path: Path) -> None:
    def line(seconds: float, conversation: str) -> bytes:
        stamp = at(seconds).astimezone(UTC).isoformat().encode()
        return b'{"at":"%s","frame":%s}\n' % (stamp, frame(conversation))

    first, second = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    first.write_bytes(line(0, "c-1") + line(4, "c-3") + line(2, "c-4"))
    second.write_bytes(line(1, "c-2") + line(4, "c-5"))
    played = Played(list(read_recordings([first, second])))
    assert [event.subject for event in played.events] == ["c-1", "c-2", "c-3", "c-4", "c-5"]
    assert played.observed == [0, 1, 4, 4, 4]


def test_the_same_records_give_the_same_events() -> None:
    records = [record(0, SCHEDULED), record(1, CONNECTED), record(2, b"{"), record(3, frame("c-2"))]
    assert Played(records, until=1000).events == Played(records, until=1000).events
