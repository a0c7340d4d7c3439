"""What the feed tells, folded into what is known."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from ringback.terminal.known import Known
from support.terminal import NOW
from support.top import Scripted, alert_of, numbered

LATER = NOW + timedelta(seconds=5)


@pytest.fixture
def known() -> Known:
    made = Known()
    row = numbered(1, "connected", user_id="agent-1")
    made.replace([row, numbered(2)], [alert_of(row)], [])
    return made


def told(known: Known, number: int, kind: str, **facts: Any) -> bool:
    """Have something told of a callback; say whether that changed anything."""
    row = known.rows.get(numbered(number).callback_id, numbered(number))
    before = known.version
    known.apply(Scripted().told(row, kind, at=LATER, **facts).event)
    return known.version != before


async def test_a_state_is_entered_when_the_event_says(known: Known) -> None:
    assert told(known, 1, "callback.talking", state="talking", offers=2)
    row = known.rows[numbered(1).callback_id]
    assert (row.state, row.since, row.sequence, row.offers) == ("talking", LATER, 2, 2)
    assert row.user_id == "agent-1"


async def test_an_update_leaves_the_state_as_old_as_it_is(known: Known) -> None:
    before = known.rows[numbered(1).callback_id]
    assert told(known, 1, "callback.updated", user_id="agent-2")
    row = known.rows[before.callback_id]
    assert (row.since, row.clock, row.user_id) == (before.since, before.clock, "agent-2")


async def test_doubt_comes_and_goes(known: Known) -> None:
    assert told(known, 1, "callback.unverified", unverified=True)
    assert known.rows[numbered(1).callback_id].unverified
    assert told(known, 1, "callback.verified")
    assert not known.rows[numbered(1).callback_id].unverified


async def test_what_comes_twice_or_late_changes_nothing(known: Known) -> None:
    assert told(known, 1, "callback.talking", state="talking", sequence=5)
    for sequence in (4, 5, "5"):
        assert not told(known, 1, "callback.waiting", state="waiting", sequence=sequence)
    assert known.rows[numbered(1).callback_id].state == "talking"


async def test_an_end_takes_the_row_away(known: Known) -> None:
    assert told(known, 1, "callback.disconnected", state="disconnected")
    assert known.rows.keys() == {numbered(2).callback_id}
    told(known, 1, "callback.updated", state="disconnected", sequence=9)
    assert known.rows.keys() == {numbered(2).callback_id}


async def test_a_callback_may_appear_by_any_event_but_an_anomaly(known: Known) -> None:
    assert told(known, 7, "callback.updated", state="waiting")
    assert known.rows[numbered(7).callback_id].since == LATER
    assert not told(known, 8, "callback.anomaly")
    assert not told(known, 8, "source.connected")
    assert numbered(8).callback_id not in known.rows


async def test_alerts_fire_are_seen_and_end(known: Known) -> None:
    row = known.rows[numbered(1).callback_id]
    other = alert_of(row, "auto_dial_missed")
    facts = {"alert_id": other.alert_id, "rule": other.rule, "since": other.since}
    told(known, 1, "alert.firing", **facts)
    assert [each.rule for each in known.alerts_of(row.callback_id)] == [
        "connected_not_dialled",
        "auto_dial_missed",
    ]
    told(known, 1, "alert.acknowledged", by="anna", **facts)
    seen = known.alerts[other.alert_id].acknowledged
    assert seen is not None
    assert (seen.by, seen.time) == ("anna", LATER)
    told(known, 1, "alert.firing", **facts)
    assert known.alerts[other.alert_id].acknowledged == seen
    for alert_id in [*known.alerts, "unknown"]:
        told(known, 1, "alert.resolved", alert_id=alert_id)
    assert known.alerts == {}
    assert known.alerts_of(row.callback_id) == ()
    told(known, 1, "alert.acknowledged", by="anna", **facts)
    assert known.alerts == {}


async def test_a_snapshot_takes_the_place_of_everything(known: Known) -> None:
    row = numbered(3)
    known.replace([row], [], [])
    assert known.rows == {row.callback_id: row}
    assert known.alerts_of(numbered(1).callback_id) == ()
    newer = msgspec.structs.replace(row, sequence=4)
    known.replace([newer], [alert_of(row)], [])
    assert known.rows[row.callback_id] is newer
    assert len(known.alerts_of(row.callback_id)) == 1
