import pytest

from ringback.errors import SettingsError
from ringback.sources.genesys.patterns import Patterns
from ringback.wire.inputs import Queue
from ringback.wire.values import Reference

SALES = Queue("A1", name="Sales [EMEA]", division=Reference(id="d1", name="Europe"))
CARE = Queue("b2", name="Care", division=Reference(id="d2", name="Home"))
BARE = Queue("c3")


@pytest.mark.parametrize(
    ("meant", "excepted", "found"),
    [
        ("", "", [SALES, CARE, BARE]),
        (" , ", ",", [SALES, CARE, BARE]),
        ("sales*", "", [SALES]),
        ("Sales [EMEA]", "", [SALES]),
        ("C?re, *emea*", "", [SALES, CARE]),
        ("Sale", "", []),
        ("*", "", [SALES, CARE, BARE]),
        ("id:a1, id:c3", "", [SALES, BARE]),
        ("division:europe", "", [SALES]),
        ("Division: d2", "", [CARE]),
        ("division:*o*e", "", [SALES, CARE]),
        ("", "division:home", [SALES, BARE]),
        ("*", "id:b2, sales*", [BARE]),
        ("id:b2", "care", []),
    ],
)
def test_what_is_meant(meant: str, excepted: str, found: list[Queue]) -> None:
    patterns = Patterns(meant, excepted)
    assert [queue for queue in (SALES, CARE, BARE) if patterns.match(queue)] == found


def test_a_name_may_hold_a_colon() -> None:
    assert Patterns("VIP: gold").match(Queue("x", name="VIP: gold"))


@pytest.mark.parametrize(
    ("meant", "excepted", "words"),
    [
        ("id:", "", "genesys.queues: 'id:' names nothing: write id:<id>"),
        ("", "a, division: ", "genesys.queues_except: 'division:' names nothing"),
    ],
)
def test_what_means_nothing_is_refused(meant: str, excepted: str, words: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Patterns(meant, excepted)
    assert words in str(caught.value)
