"""What a source has to say of itself: what it hears, its channels, its gaps and their repair."""

from datetime import datetime

from msgspec import UNSET, UnsetType

from ringback.core.events import rfc3339
from ringback.core.gaps import MOST_TOPICS_TOLD, Gap
from ringback.ports import Source
from ringback.runtime.desk import Desk
from ringback.sources.genesys.fleet import ChannelState
from ringback.sources.genesys.source import GenesysSource
from ringback.web.api.sources import ChannelReport, GapReport, ReadsReport, SourceReport
from ringback.web.feed.portions import SourceBeat

__all__ = ["beat_of", "report_of"]


def report_of(desk: Desk, source: Source | None, name: str, kind: str, at: float) -> SourceReport:
    """Report on a source; `at` is the present on the loop's clock.

    Without a source, as where only others listen, it is as much as trackers have told.
    """
    repair, fresh = desk.tracker.repair, desk.freshness(name)
    reads: ReadsReport | UnsetType = UNSET
    genesys = source if isinstance(source, GenesysSource) else None
    if genesys is not None:
        reconciliation = genesys.reconciliation
        reads = ReadsReport(
            wanted=len(repair.wants),
            done=reconciliation.reads,
            surveys=reconciliation.surveys,
            failed=dict(reconciliation.failures),
        )
    channels = None if genesys is None else genesys.fleet.channels
    return SourceReport(
        name=name,
        kind=kind,
        hears=fresh.hears,
        blind_since=_time(fresh.blind_since),
        last_frame=_time(fresh.last_frame),
        problems=[] if source is None else list(source.problems),
        queues=UNSET if genesys is None else len(genesys.queues),
        topics=UNSET if channels is None else sum(len(one.topics) for one in channels),
        topics_rejected=UNSET if genesys is None else len(genesys.fleet.rejected),
        channels=UNSET if channels is None else [_channel(one, at) for one in channels],
        reads=reads,
        gaps=[_gap(gap) for gap in reversed(desk.gaps(name))],
    )


def beat_of(desk: Desk, name: str) -> SourceBeat:
    """Say how fresh a source is, for heartbeats."""
    fresh = desk.freshness(name)
    return SourceBeat(
        name=name,
        hears=fresh.hears,
        blind_since=_time(fresh.blind_since),
        last_frame=_time(fresh.last_frame),
    )


def _channel(channel: ChannelState, at: float) -> ChannelReport:
    return ChannelReport(
        state=channel.state,
        topics=len(channel.topics),
        age_seconds=_passed(channel.made_at, at),
        heard_seconds=_passed(channel.heard_at, at),
        conversation_seconds=_passed(channel.conversation_at, at),
    )


def _gap(gap: Gap) -> GapReport:
    return GapReport(
        id=gap.id,
        began=rfc3339(gap.since),
        until=_time(gap.until),
        cause=gap.cause,
        topics=gap.topics[:MOST_TOPICS_TOLD],
        topic_count=len(gap.topics),
        touched=gap.touched,
        unverified=gap.unverified,
        repaired_by=dict(gap.repaired_by),
        repaired_at=_time(gap.repaired_at),
    )


def _time(instant: datetime | None) -> str | UnsetType:
    return UNSET if instant is None else rfc3339(instant)


def _passed(since: float, at: float) -> float:
    return max(0.0, round(at - since, 1))
