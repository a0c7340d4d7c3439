"""Other rules, while alerts fire and clocks run."""

from collections.abc import Iterator
from datetime import time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest

from ringback.core.changes import Change
from ringback.core.watch.adoption import CHUNK, ROW
from ringback.core.watch.hours import Hours
from ringback.core.watch.rules import Filter, Rule, RuleSet, Severity
from support.callbacks import Follower, alert, at, customer, kind, snapshot, told

LATE = customer(state="scheduled", scheduled_at=60)
RULE = Rule(name="late", kind="due_not_released", after=timedelta(minutes=2), summary="it is late")


def rules(**changed: Any) -> RuleSet:
    return RuleSet([msgspec.structs.replace(RULE, **changed)])


def follower(*conversations: str, **changed: Any) -> Follower:
    made = Follower(rules=rules(**changed))
    for name in conversations or ("c-1",):
        made.observe(0, snapshot(LATE, conversation=name))
    return made


def adopt(it: Follower, seconds: float, adopted: RuleSet) -> list[str]:
    """Put rules in force and take all turns; give what was told."""
    it.wait(seconds)
    before = len(it.told)
    for changes in it.tracker.adopt(adopted, it.now):
        for change in changes:
            it._commit(change)
    it.rules = adopted
    return [f"{event.subject} {kind(event)}" for event in it.told[before:]]


def test_a_clock_that_runs_is_not_begun_anew() -> None:
    it = follower()
    assert adopt(it, 100, rules(after=timedelta(minutes=3))) == []
    assert it.wait(239) == []
    assert alert(it.wait(240)).since == "2026-11-22T08:04:00.000Z"


def test_a_threshold_that_is_passed_already_fires_at_once() -> None:
    it = follower()
    assert adopt(it, 100, rules(after=timedelta(seconds=10))) == ["c-1 alert.firing"]
    fired = alert(it.told)
    assert (fired.since, fired.observed_time) == (
        "2026-11-22T08:01:10.000Z",
        "2026-11-22T08:01:40.000Z",
    )


def test_an_alert_goes_on_under_its_rule_as_it_is_now_in_the_words_it_was_told_with() -> None:
    it = follower()
    it.wait(180)
    assert adopt(it, 200, rules(severity=Severity.CRITICAL, summary="worse")) == []
    resolved = alert(it.follow(300, customer(connected_at=300, scheduled_at=60)))
    assert (resolved.severity, resolved.summary) == ("warning", "it is late")


@pytest.mark.parametrize(
    "changed",
    [
        {"after": timedelta(minutes=10)},
        {"where": Filter(queues=frozenset({"queue-2"}))},
        {"kind": "auto_dial_missed"},
    ],
)
def test_what_is_not_alarming_by_its_rule_any_more_is_resolved(changed: dict[str, Any]) -> None:
    it = follower()
    it.wait(180)
    assert adopt(it, 200, rules(**changed)) == ["c-1 alert.resolved"]
    assert told(it.told[-1])["reason"] == "its rule has changed"


def test_an_alert_without_a_rule_is_resolved_and_counts_on_if_that_comes_back() -> None:
    it = follower()
    it.wait(180)
    assert adopt(it, 200, RuleSet([])) == ["c-1 alert.resolved"]
    assert told(it.told[-1])["reason"] == "its rule is gone"
    assert adopt(it, 300, rules()) == ["c-1 alert.firing"]
    assert told(it.told[-1])["alertId"] == "c-1/late/2"


def test_what_has_ended_and_what_is_forgotten_stay_as_they_are() -> None:
    it = follower()
    it.follow(10, customer(ended_at=10))
    assert adopt(it, 20, rules(after=timedelta())) == []
    it.wait(timedelta(days=2).total_seconds())
    before = dict(it.rows)
    assert adopt(it, timedelta(days=2).total_seconds(), rules()) == []
    assert {key: row for key, row in it.rows.items() if key != ROW} == {
        key: row for key, row in before.items() if key != ROW
    }


def test_only_what_changes_is_stored_anew() -> None:
    it = follower("c-1", "c-2")
    it.observe(1, snapshot(customer(connected_at=1), conversation="c-2"))
    turns = list(it.tracker.adopt(rules(after=timedelta(minutes=3)), at(2)))
    assert [change.conversation_id for turn in turns for change in turn] == ["c-1", ROW]


def test_after_a_restart_all_is_gone_over_again_if_it_was_not_done() -> None:
    it = follower()

    def settled() -> bool:
        return it.tracker.adoption.settled

    assert not settled()
    adopt(it, 1, rules())
    assert settled()
    it.restart(2)
    assert settled()
    turns = it.tracker.adopt(rules(after=timedelta(minutes=3)), at(3))
    next(turns)  # and then it is killed
    it.rules = rules(after=timedelta(minutes=3))
    it.restart(4)
    assert not settled()


NAMES = [f"c-{number}" for number in range(2 * CHUNK + 50)]


def in_the_middle(it: Follower, adopted: RuleSet) -> Iterator[list[Change]]:
    """Put rules in force at 200 s, and take the first turn."""
    it.wait(200)
    turns = it.tracker.adopt(adopted, it.now)
    for change in next(turns):
        it._commit(change)
    return turns


@pytest.mark.parametrize("adopted", [RuleSet([]), rules(after=timedelta(seconds=130)), rules()])
def test_what_happens_between_the_turns_comes_after_the_rules(adopted: RuleSet) -> None:
    """A replay takes all turns at once; of each callback the same must be told."""
    released = snapshot(customer(connected_at=201, scheduled_at=60), conversation=NAMES[-1])
    slow, quick = (Follower(rules=rules(after=timedelta(seconds=150))) for _ in range(2))
    for it in (slow, quick):
        for number, name in enumerate(NAMES):
            late = customer(state="scheduled", scheduled_at=60 if number % 2 else 40)
            it.observe(0, snapshot(late, conversation=name))
    turns = in_the_middle(slow, adopted)
    slow.observe(201, released)
    slow.wait(205)
    for changes in turns:
        for change in changes:
            slow._commit(change)
    slow.wait(400)
    adopt(quick, 200, adopted)
    quick.observe(201, released)
    quick.wait(400)
    assert by_subject(slow) == by_subject(quick)
    assert {key: row[1:] for key, row in slow.rows.items()} == {
        key: row[1:] for key, row in quick.rows.items()
    }


def test_what_is_asked_for_between_the_turns_is_under_the_rules() -> None:
    it = Follower(rules=rules())
    for name in NAMES:
        it.observe(0, snapshot(LATE, conversation=name))
    in_the_middle(it, RuleSet([]))
    last = it.tracker.conversations.get(NAMES[-1])
    assert last is not None
    assert [alarm.since for alarm in last.callbacks[0].alarms] == [None]


def test_rules_are_packed_and_known_again() -> None:
    office = Hours(opens=time(8), closes=time(18), zone=ZoneInfo("Europe/Berlin"))
    packed = rules(
        hours=office, where=Filter(queues=frozenset({"b", "a"}), preview=False), labels={"a": "b"}
    )
    again = RuleSet.unpack(packed.packed, ZoneInfo)
    assert again.rules == packed.rules
    assert again.packed == packed.packed


def test_what_a_later_version_watches_is_refused() -> None:
    packed = rules().packed.replace(b"due_not_released", b"read_minds")
    with pytest.raises(ValueError, match="nobody knows how to watch read_minds"):
        RuleSet.unpack(packed, ZoneInfo)


def by_subject(it: Follower) -> dict[str, list[tuple[str, Any]]]:
    found: dict[str, list[tuple[str, Any]]] = {}
    for event in it.told:
        found.setdefault(event.subject, []).append((event.id, told(event)))
    return found
