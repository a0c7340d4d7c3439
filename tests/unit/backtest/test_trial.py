"""Two sets of rules on trial at once, on a recording made by hand."""

from collections.abc import Sequence
from datetime import timedelta

import msgspec

from ringback.backtest.findings import Findings, compare
from ringback.backtest.trial import Trial
from ringback.core.policy import Policy
from ringback.core.watch.defaults import rule_of
from ringback.core.watch.rules import RuleSet
from ringback.errors import RecordingError
from ringback.ports import Record, RecordKind
from ringback.runtime.replay import Replay
from ringback.wire.inputs import Acknowledge, Gap, encode_deed, encode_gap
from support.callbacks import at
from support.runtime import decoder

EARLY = RuleSet([rule_of("due_not_released")])
LATE = RuleSet([rule_of("due_not_released", after=timedelta(minutes=30))])


def record(seconds: float, data: bytes, kind: RecordKind = "frame") -> Record:
    return Record(at(seconds), kind, data, "day.jsonl", 1, sent=at(seconds))


def conversation(name: str, schedule: float, **leg: object) -> bytes:
    """Show a customer's callback leg that is scheduled, if it is said nothing else of it."""
    due = at(schedule).isoformat().replace("+00:00", "Z")
    shown = {"id": f"k-{name}", "state": "scheduled", "callbackScheduledTime": due, **leg}
    participant = {"id": f"p-{name}", "purpose": "customer", "callbacks": [shown]}
    body = {"id": name, "participants": [participant]}
    topic = "v2.routing.queues.queue-1.conversations"
    return msgspec.json.encode({"topicName": topic, "eventBody": body})


def read(name: str, schedule: float) -> bytes:
    body: dict[str, bytes] = msgspec.json.decode(conversation(name, schedule), type=dict)
    return msgspec.json.encode(body["eventBody"])


def tried(records: Sequence[Record], until: float | None = None) -> list[Findings]:
    complaints: list[RecordingError] = []
    trial = Trial({"early.toml": EARLY, "late.toml": LATE}, Policy())
    player = Replay(trial.tracker, decoder(), trial.tell, complaints.append)
    end = None if until is None else at(until)
    player.run(trial.watched(records), end)
    assert complaints == []
    return trial.findings(end)


RECORDS = (
    record(0, conversation("c-1", 60)),
    record(1, conversation("c-2", 70)),
    record(300, conversation("c-1", 60, state="connected", connectedTime="2026-11-22T08:05:00Z")),
    record(4000, conversation("c-3", 9000)),
)


def test_each_set_finds_what_it_would_have_alone() -> None:
    early, late = tried(RECORDS)
    assert [(one.subject, one.fired, one.resolved, one.reason) for one in early.alerts] == [
        ("c-1", at(180), at(300), "waiting"),
        ("c-2", at(190), None, None),
    ]
    assert [(one.subject, one.alert_id) for one in late.alerts] == [
        ("c-2", "c-2/due_not_released/1")
    ]
    assert (early.rules, early.callbacks, early.began, early.ended) == (
        "early.toml",
        3,
        at(0),
        at(4000),
    )
    assert [one.seconds(early.ended) for one in early.alerts] == [120, 3810]


def test_the_difference_is_told_by_rule_and_by_alert() -> None:
    difference = compare(*tried(RECORDS))
    assert [one.subject for one in difference.gone] == ["c-1"]
    assert difference.new == []
    (rule,) = difference.rules
    assert (rule.rule, rule.first, rule.second, rule.both) == ("due_not_released", 2, 1, 1)
    assert rule.moved_seconds == 28 * 60


def test_time_goes_on_as_far_as_is_said() -> None:
    early, late = tried(RECORDS, until=20_000)
    assert [one.subject for one in early.alerts] == ["c-1", "c-2", "c-3"]
    assert early.ended == late.ended == at(20_000)


def test_recorded_reads_confirm() -> None:
    gap = encode_gap(Gap("main", "connected", reads=True))
    early, _ = tried(
        [
            record(0, gap, "gap"),
            *RECORDS[:2],
            record(170, read("c-1", 60), "read"),
            *RECORDS[2:],
        ]
    )
    assert [(one.subject, one.confirmed) for one in early.alerts] == [("c-1", True), ("c-2", False)]


def test_what_people_did_was_about_other_alerts() -> None:
    deed = encode_deed(Acknowledge("c-7/gone/1", "ada"))
    early, _ = tried([*RECORDS[:3], record(400, deed, "operator"), *RECORDS[3:]])
    assert len(early.alerts) == 2


def test_of_nothing_there_is_nothing_to_say() -> None:
    assert tried([]) == []
