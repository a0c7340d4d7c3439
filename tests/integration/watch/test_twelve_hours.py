"""Twelve hours of a contact centre, in virtual time, watched by the built-in rules.

In a healthy one nobody is alarmed. With one callback stuck in each way there is, each is found by
its rule, once, and nothing else is.
"""

from collections import Counter
from datetime import timedelta

import pytest

from ringback.core.watch.defaults import built_in
from ringback.simulator.centre import ContactCentre
from ringback.simulator.kinds import HEALTHY, Kind
from ringback.simulator.options import Options
from ringback.simulator.scenarios import SCENARIOS
from support.cases import CASES, Stuck, plant
from support.watching import START, Watcher

RULES = built_in(timedelta(minutes=2), timedelta(minutes=5))
HOURS = 12
PEOPLES_PACE = 0.2
"""Of a simulated centre's, in which a talk takes 18 seconds: here it takes a minute and a half."""


def open_centre(seed: int, kinds: frozenset[Kind] = HEALTHY) -> ContactCentre:
    """Open a centre in which everything goes well, and agents are busy most of the time."""
    return ContactCentre(
        seed,
        START,
        Options(
            arrivals_per_minute=15,
            speed=PEOPLES_PACE,
            agents=20,
            mix={kind: SCENARIOS[kind].weight for kind in Kind if kind in kinds},
            flat=False,
        ),
    )


@pytest.mark.parametrize("seed", [1, 2])
def test_in_a_healthy_centre_nobody_is_alarmed(seed: int) -> None:
    centre = open_centre(seed)
    watcher = Watcher(centre, RULES)
    watcher.follow(START + timedelta(hours=HOURS))
    assert [(told.data.rule, told.data.alert_id) for told in watcher.alerts.values()] == []
    assert len(centre.truth()) > 1000


def test_each_way_to_be_stuck_is_found_once_and_nothing_else() -> None:
    # The owner of an owned callback may be the one agent whom a stuck callback holds for hours.
    centre = open_centre(3, HEALTHY - {Kind.AGENT_OWNED})
    watcher = Watcher(centre, RULES)
    planted: dict[str, str] = {}
    for number, (name, case) in enumerate(CASES.items()):
        watcher.follow(START + timedelta(minutes=30 + 5 * number))
        rule = RULES.get(name)
        assert rule is not None
        long = rule.after.total_seconds()
        planted[plant(centre, case, Stuck(long + 60))] = name
        watcher.settle()
    watcher.follow(START + timedelta(hours=HOURS))
    told = Counter((one.data.callback_id, one.data.rule) for one in watcher.alerts.values())
    found = set(planted.items())
    assert found <= set(told)
    assert set(told.values()) == {1}
    beside = {(id_, rule) for id_, name in planted.items() for rule in CASES[name].beside}
    assert set(told) - found <= beside
