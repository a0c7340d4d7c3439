"""What the feed counts, as metrics."""

from collections.abc import Iterator

from ringback.vitals.measuring import counter, gauge
from ringback.web.feed.feed import Feed
from ringback.web.feed.following import CUT_OFF
from ringback.web.metrics import Measure

__all__ = ["measures_of_feed"]

TRANSPORTS = ("events", "websocket")


def measures_of_feed(feed: Feed) -> Iterator[Measure]:
    """Give every number there is."""
    for transport in TRANSPORTS:
        yield gauge(
            "feed_readers",
            "Readers that follow the feed.",
            feed.readers[transport],
            transport=transport,
        )
        yield counter(
            "feed_entries_sent",
            "Journal entries written to readers, each as often as it was.",
            feed.sent[transport],
            transport=transport,
        )
    for ending in CUT_OFF:
        yield counter(
            "feed_readers_cut_off",
            "Readers that were let go of, by why.",
            feed.cut_off[ending],
            reason=ending.value,
        )
    yield counter(
        "feed_readers_refused", "Readers that were one too many, or too early.", feed.refused
    )
    yield gauge(
        "feed_lag_entries", "How far the reader is behind that is furthest behind.", feed.lag
    )
