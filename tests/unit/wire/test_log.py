"""The input log's messages come back as they were, and an unknown one is an error of its own."""

from datetime import UTC, datetime

import msgspec
import pytest

from ringback.core.snapshots import Medium, QueueSettings, Role, Sighting, Snapshot
from ringback.core.surveys import Survey
from ringback.core.watch.feed_kinds import Pulse
from ringback.errors import FrameError
from ringback.wire import log
from ringback.wire.steps import StepBody, decode_step, encode_step

AT = datetime(2026, 11, 25, 8, 0, 0, 123_000, tzinfo=UTC)
SNAPSHOT = Snapshot(
    "c-1",
    [Sighting("p-1", None, Role.CUSTOMER, Medium.CALLBACK, "scheduled", scheduled_at=AT)],
    shows_voice=True,
    read_at=AT,
)


@pytest.mark.parametrize(
    "message",
    [
        log.Seen(SNAPSHOT, AT),
        log.Surveyed(Survey(AT, AT, [SNAPSHOT])),
        log.ReadFailed("c-1"),
        log.Settled(QueueSettings("q-1", auto_dial_seconds=30)),
        log.Follows("a", ["q1", "q2"]),
        log.Hearing("a", "disconnected", "cut", AT, ["v2.users.u.conversations"], reads=True),
        log.Alive("a", 3, 1),
        log.Beaten("a", Pulse()),
        log.Done(b'{"action":"end_silence","silenceId":"s","by":"b"}'),
        log.Tick(),
    ],
)
def test_a_message_comes_back(message: log.Message) -> None:
    found = log.decode_message(log.encode_message(message))
    assert type(found) is type(message)
    assert log.encode_message(found) == log.encode_message(message)


def test_a_message_of_a_later_version_is_an_error() -> None:
    with pytest.raises(FrameError):
        log.decode_message(msgspec.msgpack.encode(["of_a_later_version", 1]))


def test_a_step_comes_back_and_one_of_a_later_version_too() -> None:
    step = StepBody("c-1", b"state", 12, 34, [b"{}"], ["c-1"])
    assert decode_step(encode_step(step)) == step
    longer = msgspec.msgpack.encode(["c-1", b"state", 12, 34, [b"{}"], ["c-1"], "more"])
    assert decode_step(longer) == step
    assert decode_step(msgspec.msgpack.encode(["c-1", None])).events == []
