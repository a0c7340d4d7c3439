"""What gaps come to over all partitions, each of which counts the conversations that it has.

A gap of a source is one in each, begun when that had come to know of it: a moment apart.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import timedelta

from msgspec.structs import replace

from ringback.core.gaps import LEDGER, Gap, decode_gap

__all__ = ["PartedGaps"]

APART = timedelta(seconds=8)
"""How far apart partitions may come to know of the same: listeners speak every five seconds."""
_Kind = tuple[str, str, int]
"""A gap's source and cause, and about when it began."""


class PartedGaps:
    """The gaps of the partitions that do not speak for all."""

    def __init__(self) -> None:
        self._gaps: dict[int, dict[str, Gap]] = {}

    def mirror(self, partition: int, key: str, packed: bytes | None) -> None:
        """Take over what a partition has made of a row, if that is one of a gap."""
        if not key.startswith(LEDGER):
            return
        gaps = self._gaps.setdefault(partition, {})
        if packed is None:
            gaps.pop(key, None)
        else:
            gaps[key] = decode_gap(packed)

    def summed(self, spoken: Sequence[Gap]) -> list[Gap]:
        """Give gaps as they are told, with what they come to over all partitions."""
        alike: defaultdict[_Kind, list[tuple[int, Gap]]] = defaultdict(list)
        for partition, gaps in self._gaps.items():
            for gap in gaps.values():
                alike[_kind(gap)].append((partition, gap))
        return [_sum(gap, alike) for gap in spoken]


def _kind(gap: Gap, later: int = 0) -> _Kind:
    return gap.source, gap.cause, int(gap.since.timestamp() / APART.total_seconds()) + later


def _sum(spoken: Gap, alike: Mapping[_Kind, list[tuple[int, Gap]]]) -> Gap:
    """Add the nearest of each partition."""
    near: dict[int, Gap] = {}
    for later in (-1, 0, 1):
        for partition, gap in alike.get(_kind(spoken, later), ()):
            known = near.get(partition)
            if _is_same(gap, spoken) and (
                known is None or abs(gap.since - spoken.since) < abs(known.since - spoken.since)
            ):
                near[partition] = gap
    parts = [spoken, *near.values()]
    repaired = [gap.repaired_at for gap in parts if gap.repaired_at is not None]
    return replace(
        spoken,
        touched=sum(gap.touched for gap in parts),
        unverified=sum(gap.unverified for gap in parts),
        repaired_by=dict(sum((Counter(gap.repaired_by) for gap in parts), Counter[str]())),
        repaired_at=max(repaired) if len(repaired) == len(parts) else None,
    )


def _is_same(gap: Gap, spoken: Gap) -> bool:
    return (
        (gap.source, gap.cause, gap.topics) == (spoken.source, spoken.cause, spoken.topics)
        and (gap.until is None) == (spoken.until is None)
        and abs(gap.since - spoken.since) <= APART
    )
