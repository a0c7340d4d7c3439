"""What gaps come to over all partitions, each of which counts the conversations that it has.

A gap of a source is one in each, begun when that had come to know of it: a moment apart.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta

from msgspec.structs import replace

from ringback.core.gaps import LEDGER, Gap, decode_gap

__all__ = ["PartedGaps"]

APART = timedelta(seconds=5)
"""How far apart partitions may come to know of the same."""


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
        return [self._sum(gap) for gap in spoken]

    def _sum(self, spoken: Gap) -> Gap:
        parts = [spoken]
        for gaps in self._gaps.values():
            near = [gap for gap in gaps.values() if _is_same(gap, spoken)]
            if near:
                parts.append(min(near, key=lambda gap: abs(gap.since - spoken.since)))
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
