from datetime import timedelta
from typing import Any

from ringback.core.derivation import OUTCOMES
from ringback.core.events import CallbackData, ClockUsed, Event, rfc3339
from ringback.web.board.tally import WAITS, Tally
from ringback.web.journal import Told
from support.callbacks import Follower, agent, at, customer, queue

GRACE = timedelta(minutes=2)


def told(kind: str, state: str, **said: Any) -> Told:
    effect, sequence = said.pop("effect", 0.0), said.pop("sequence", 2)
    data = CallbackData(
        callback_id="c-1",
        conversation_id="c-1",
        state=state,
        cause="notification",
        offers=0,
        hold_seconds=0,
        wait_seconds=said.pop("wait_seconds", 0.0),
        clock=ClockUsed("cloud"),
        observed_time=rfc3339(at(effect)),
        **said,
    )
    kind = f"ringback.callback.{kind}.v1"
    return Told(1, b"", Event("c-1/1", kind, "c-1", rfc3339(at(effect)), data, "c-1", sequence))


def tally(*entries: Told) -> Tally:
    found = Tally(GRACE)
    found.apply(entries)
    return found


def test_offers_misses_and_ends_are_counted() -> None:
    found = tally(
        told("alerting", "alerting", sequence=1),
        told("updated", "alerting", reasons=["offered"]),
        told("connected", "connected", skipped=["alerting"]),
        told("auto_dialing", "auto_dialing"),
        told("dialing", "dialing", skipped=["auto_dialing"]),
        told("updated", "auto_dialing", reasons=["auto_dial_missed"]),
        told("disconnected", "disconnected", outcome="lost"),
        told("disconnected", "disconnected"),
        told("updated", "disconnected", reasons=["hold_corrected"]),
    )
    assert (found.seen, found.offers, found.automatic, found.missed) == (1, 3, 2, 1)
    assert found.ended == {"lost": 1, "unknown": 1}


def test_releases_are_late_beyond_the_grace() -> None:
    due = {"previous_state": "scheduled", "scheduled_time": rfc3339(at(0))}
    found = tally(
        told("waiting", "waiting", effect=120, **due),
        told("waiting", "waiting", effect=120.001, **due),
        told("scheduled", "scheduled", effect=500, **due),
    )
    assert (found.released, found.released_late) == (2, 1)


def test_a_wait_counts_once_an_agent_takes_the_callback() -> None:
    found = tally(
        told("connected", "connected", previous_state="alerting", wait_seconds=60.0),
        told(
            "dialing", "dialing", previous_state="waiting", skipped=["connected"], wait_seconds=61
        ),
        told("connected", "connected", previous_state="held", wait_seconds=61),
        told("connected", "connected", previous_state="alerting", wait_seconds=100_000),
        told("disconnected", "disconnected", previous_state="waiting", wait_seconds=9),
    )
    counts = dict(zip([*WAITS, None], found.waits, strict=True))
    assert {bound: count for bound, count in counts.items() if count} == {60: 1, 120: 1, None: 1}
    assert found.waited_seconds == 60 + 61 + 100_000


def test_a_whole_life_with_its_alert_as_the_core_tells_it() -> None:
    follower = Follower()
    follower.follow(0, customer(state="scheduled", scheduled_at=60))
    follower.wait(180)
    released = customer(connected_at=200, scheduled_at=60)
    follower.follow(200, released, queue(connected_at=200))
    follower.follow(230, released, queue(connected_at=200), agent(state="alerting"))
    answered = (queue(connected_at=200, ended_at=250), agent(connected_at=250))
    follower.follow(250, released, *answered)
    over = customer(connected_at=200, scheduled_at=60, ended_at=300)
    follower.follow(300, over, answered[0], agent(connected_at=250, ended_at=300))
    found = tally(*(Told(number, b"", event) for number, event in enumerate(follower.told)))
    assert (found.seen, found.offers, found.released, found.released_late) == (1, 1, 1, 1)
    assert found.waited_seconds == 50
    assert sum(found.waits) == 1
    assert sum(found.ended.values()) == 1
    assert set(found.ended) <= set(OUTCOMES)
    assert found.alerts["due_not_released", "firing"] == 1
    assert found.alerts["due_not_released", "resolved"] == 1
    assert found.proofs == {"unconfirmed": 1}
