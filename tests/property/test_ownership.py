"""Who is to have what, whoever comes and goes."""

from collections import Counter
from math import ceil

from hypothesis import given
from hypothesis import strategies as st

from ringback.core.ownership import Wish, allot, wish

MEMBERS = [f"m{number}" for number in range(9)]
STRANGER = "of whom nothing is known"

names = st.integers(1, 40).map(lambda count: [f"track.{number}" for number in range(count)])
members = st.sets(st.sampled_from(MEMBERS), min_size=1)


@st.composite
def held(draw: st.DrawFn, names: list[str], *, by: list[str]) -> dict[str, str]:
    holders = draw(st.lists(st.sampled_from([*by, ""]), min_size=len(names), max_size=len(names)))
    return {name: holder for name, holder in zip(names, holders, strict=True) if holder}


def settle(names: list[str], members: set[str], holders: dict[str, str]) -> tuple[int, int]:
    """Let all do what they should, again and again; give in how many rounds, and what moved."""
    before = dict(holders)
    for rounds in range(4):
        wishes = {me: wish(me, names, members, holders) for me in members}
        if not any(one.claim or one.hand_over for one in wishes.values()):
            return rounds, sum(holders[name] != before.get(name) for name in names)
        for me, one in wishes.items():
            for name in one.hand_over:
                assert holders.pop(name) == me
            for name in one.claim:
                assert name not in holders
                holders[name] = me
    raise AssertionError(holders)


@given(st.data(), names, members)
def test_nobody_is_wished_for_what_another_is(
    data: st.DataObject, names: list[str], members: set[str]
) -> None:
    holders = data.draw(held(names, by=[*MEMBERS, STRANGER]))
    wishes = {me: wish(me, names, members, holders) for me in members}
    claims = Counter(name for one in wishes.values() for name in one.claim)
    assert all(count == 1 for count in claims.values())
    assert all(name not in holders for name in claims)
    for me, one in wishes.items():
        assert all(holders[name] == me for name in one.hand_over)


@given(st.data(), names, members)
def test_all_are_had_in_the_end_and_evenly(
    data: st.DataObject, names: list[str], members: set[str]
) -> None:
    holders = data.draw(held(names, by=sorted(members)))
    rounds, _ = settle(names, members, holders)
    assert rounds <= 2
    assert holders.keys() == set(names)
    shares = [list(holders.values()).count(me) for me in members]
    assert max(shares) - min(shares) <= 1


@given(st.data(), names, members)
def test_nothing_moves_once_it_is_even(
    data: st.DataObject, names: list[str], members: set[str]
) -> None:
    holders = data.draw(held(names, by=sorted(members)))
    settle(names, members, holders)
    assert settle(names, members, holders) == (0, 0)


@given(st.data(), names, members)
def test_who_joins_moves_no_more_than_their_share(
    data: st.DataObject, names: list[str], members: set[str]
) -> None:
    holders: dict[str, str] = data.draw(held(names, by=sorted(members)))
    settle(names, members, holders)
    _, moved = settle(names, {*members, "new"}, holders)
    assert moved <= ceil(len(names) / (len(members) + 1))
    assert moved == list(holders.values()).count("new")


@given(st.data(), names, members)
def test_who_leaves_moves_no_more_than_they_had(
    data: st.DataObject, names: list[str], members: set[str]
) -> None:
    members = {*members, "old"}
    holders: dict[str, str] = data.draw(held(names, by=sorted(members)))
    settle(names, members, holders)
    had = {name for name, holder in holders.items() if holder == "old"}
    assert len(had) <= ceil(len(names) / len(members))
    for name in had:
        del holders[name]
    _, moved = settle(names, members - {"old"}, holders)
    assert moved == (len(had) if len(members) > 1 else 0)


@given(st.data(), names, members)
def test_what_a_stranger_has_is_waited_for(
    data: st.DataObject, names: list[str], members: set[str]
) -> None:
    holders = data.draw(held(names, by=[*sorted(members), STRANGER]))
    theirs = {name for name, holder in holders.items() if holder == STRANGER}
    now = dict(holders)
    for _ in range(3):
        wishes = {me: wish(me, names, members, now) for me in members}
        for me, one in wishes.items():
            assert theirs.isdisjoint(one.claim)
            for name in one.hand_over:
                del now[name]
            now |= dict.fromkeys(one.claim, me)
    assert {name for name in names if name not in now} == set()
    for name in theirs:
        del now[name]
    settle(names, members, now)


def test_one_name_stays_with_whoever_has_it() -> None:
    assert wish("a", ["alert"], {"a", "b"}, {}) == Wish(["alert"], [])
    assert wish("b", ["alert"], {"a", "b"}, {}) == Wish([], [])
    assert wish("b", ["alert"], {"a", "b"}, {"alert": "b"}) == Wish([], [])
    assert wish("a", ["alert"], {"a", "b"}, {"alert": "b"}) == Wish([], [])


def test_who_is_no_member_keeps_what_nobody_else_is_to_have() -> None:
    assert wish("a", ["alert"], set(), {"alert": "a"}) == Wish([], [])
    assert wish("a", ["alert"], {"b"}, {"alert": "a"}) == Wish([], ["alert"])
    assert allot(["alert"], set(), {}) == {}
