"""Who is to have what, of names of which each is had by one member at a time.

Every member decides for itself, by what it sees: what to try to claim, and what to hand over. Those
who see the same decide the same. Nobody is told to give up what nobody else is to have.
"""

from collections.abc import Collection, Mapping, Sequence

import msgspec

__all__ = ["Wish", "allot", "wish"]


class Wish(msgspec.Struct, frozen=True):
    """What one member should do."""

    claim: Sequence[str] = ()
    """Nobody has these."""
    hand_over: Sequence[str] = ()
    """It has these, and another should."""


def allot(
    names: Sequence[str], members: Collection[str], holders: Mapping[str, str]
) -> dict[str, str]:
    """Say who should have each name; nothing, if there are no members.

    All have as many, but for one. What a member has it keeps, unless it has too many: then the last
    of them go. `holders` may name strangers: what they have is planned for others.
    """
    if not members:
        return {}
    had: dict[str, list[str]] = {member: [] for member in sorted(members)}
    for name in names:
        if (holder := holders.get(name)) in had:
            had[holder].append(name)
    least, more = divmod(len(names), len(had))
    # Those who have most may have one more: so the fewest names move.
    fullest = sorted(had, key=lambda member: -len(had[member]))
    room = {member: least + (place < more) for place, member in enumerate(fullest)}
    result: dict[str, str] = {}
    for member, has in had.items():
        kept = has[: room[member]]
        room[member] -= len(kept)
        result.update(dict.fromkeys(kept, member))
    takers = (member for member in had for _ in range(room[member]))
    result.update(zip((name for name in names if name not in result), takers, strict=True))
    return result


def wish(
    me: str, names: Sequence[str], members: Collection[str], holders: Mapping[str, str]
) -> Wish:
    """Say what one member should do about these names; a former life's are a stranger's."""
    allotted = allot(names, members, holders)
    return Wish(
        [name for name in names if allotted.get(name) == me and name not in holders],
        [name for name in names if holders.get(name) == me and allotted.get(name, me) != me],
    )
