import json
from datetime import datetime, timedelta
from typing import Any

import pytest

from ringback.simulator.centre import ContactCentre, Emission
from ringback.simulator.faults import FaultRates, Faults

FOREVER = timedelta(hours=1)


@pytest.fixture(scope="module")
def sent() -> list[Emission]:
    start = datetime.fromisoformat("2026-11-22T08:00:00Z")
    return ContactCentre(1, start).advance(start + timedelta(minutes=2))


def through(sent: list[Emission], rates: FaultRates, seed: int = 1) -> list[Emission]:
    faults = Faults(seed, rates)
    return faults.pass_on(sent, sent[-1].at + FOREVER)


def test_without_faults_everything_arrives_as_sent(sent: list[Emission]) -> None:
    assert through(sent, FaultRates()) == sent


def test_same_seed_gives_the_same_faults(sent: list[Emission]) -> None:
    rates = FaultRates(
        lose=0.1, repeat=0.1, reorder=0.2, delay=0.1, damage=0.1, oddity=0.1, oversize_bytes=100
    )
    assert through(sent, rates) == through(sent, rates)
    assert through(sent, rates) != through(sent, rates, seed=2)


def test_lost_repeated_and_late_frames_are_whole(sent: list[Emission]) -> None:
    frames = {one.frame for one in sent}
    lossy = through(sent, FaultRates(lose=0.5))
    assert 0.4 < len(lossy) / len(sent) < 0.6
    doubled = through(sent, FaultRates(repeat=1))
    assert len(doubled) == 2 * len(sent)
    shuffled = through(sent, FaultRates(reorder=0.5, delay=0.5))
    assert len(shuffled) == len(sent)
    assert [one.frame for one in shuffled] != [one.frame for one in sent]
    assert [one.at for one in shuffled] == sorted(one.at for one in shuffled)
    assert {one.frame for one in (*lossy, *doubled, *shuffled)} <= frames


def test_late_frames_wait_their_time_and_can_be_flushed(sent: list[Emission]) -> None:
    faults = Faults(1, FaultRates(delay=1))
    arrived = faults.pass_on(sent, sent[-1].at)
    assert all(one.at <= sent[-1].at for one in arrived)
    assert faults.next_at is not None
    assert faults.next_at > sent[-1].at
    rest = faults.flush()
    assert len(arrived) + len(rest) == len(sent)
    assert faults.next_at is None


def leg_facts(frame: dict[str, Any]) -> list[object]:
    return [
        (one["id"], one.get("state"), one.get("callbacks"), one.get("calls"))
        for one in frame["eventBody"]["participants"]
        if one["purpose"] != "ghost"
    ]


def test_an_oddity_says_the_same_about_every_leg(sent: list[Emission]) -> None:
    changed = 0
    for before, after in zip(sent, through(sent, FaultRates(oddity=1)), strict=True):
        assert leg_facts(json.loads(before.frame)) == leg_facts(json.loads(after.frame))
        changed += before.frame != after.frame
    assert changed == len(sent)


def is_a_conversation(emission: Emission) -> bool:
    """Whether somebody careless could still take it for one."""
    if emission.binary:
        return False
    try:
        frame = json.loads(emission.frame)
        legs = [(one["id"] + "", one["purpose"] + "") for one in frame["eventBody"]["participants"]]
    except (ValueError, KeyError, TypeError, RecursionError):
        return False
    return bool(legs) and isinstance(frame["eventBody"]["id"], str)


def test_what_is_damaged_is_no_conversation(sent: list[Emission]) -> None:
    damaged = through(sent, FaultRates(damage=1, oversize_bytes=5_000_000))
    assert len(damaged) == len(sent)
    readable = [one for one in damaged if is_a_conversation(one)]
    # Only the oversized, and one without a proper topic, are conversations: true ones at that.
    original = [json.loads(one.frame)["eventBody"] for one in sent]
    assert 0 < len(readable) < len(sent) / 3
    assert all(json.loads(one.frame)["eventBody"] in original for one in readable)
    assert any(len(one.frame) > 5_000_000 for one in readable)
    assert any(one.binary for one in damaged)
