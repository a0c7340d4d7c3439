"""What a Genesys Cloud source counts, as metrics: channels, requests, reconciliation."""

from collections.abc import Iterator

from ringback.errors import PlatformFault
from ringback.sources.genesys.client import Urgency
from ringback.sources.genesys.common import Reason
from ringback.sources.genesys.ends import End
from ringback.sources.genesys.source import GenesysSource
from ringback.vitals.measuring import counter, counters, gauge
from ringback.web.metrics import Measure

__all__ = ["measures_of"]

ENDS = tuple(End)


def measures_of(source: GenesysSource) -> Iterator[Measure]:
    """Give every number there is of one source."""
    yield from _channels(source)
    yield from _requests(source)
    yield from _reconciliation(source)


def _channels(source: GenesysSource) -> Iterator[Measure]:
    fleet = source.fleet
    yield gauge("queues_followed", "Queues that are listened to.", len(source.queues))
    for state in ("hears", "replaced", "blind"):
        count = sum(channel.state == state for channel in fleet.channels)
        yield gauge("channels", "Notification channels by how they are.", count, state=state)
    yield gauge("topics_rejected", "Topics that the platform does not permit.", len(fleet.rejected))
    yield counter("channel_connects", "How often a channel came to hear.", fleet.connects)
    yield counter("channel_evictions", "Channels that another client pushed out.", fleet.evictions)
    yield from counters(
        "channel_renewals",
        "Channels replaced without a gap, by reason.",
        "reason",
        tuple(Reason),
        fleet.renewals,
    )
    yield from counters(
        "channel_cuts", "Channels that ended unplanned, by cause.", "cause", ENDS, fleet.cuts
    )
    yield from counters(
        "channel_failures", "Attempts to hear that failed, by cause.", "cause", ENDS, fleet.failures
    )


def _requests(source: GenesysSource) -> Iterator[Measure]:
    client = source.client
    for (name, kind), count in client.requests.items():
        yield counter(
            "platform_requests",
            "REST requests, by what came of them.",
            count,
            request=name,
            result=kind,
        )
    yield counter("platform_retries", "REST requests sent once more.", client.retries)
    yield counter("platform_throttled", "REST requests answered 429.", client.throttled)
    yield counter("platform_tokens", "Tokens fetched.", client.tokens)
    for urgency in Urgency:
        yield counter(
            "platform_budget_spent",
            "REST requests let through by the budget, by urgency.",
            client.budget.spent[urgency],
            urgency=urgency.name.lower(),
        )
    yield gauge("platform_budget_waiting", "REST requests that wait.", client.budget.waiting)
    yield gauge(
        "platform_budget_per_minute",
        "REST requests that the budget lets through in a minute.",
        client.budget.per_minute,
    )


def _reconciliation(source: GenesysSource) -> Iterator[Measure]:
    reconciliation = source.reconciliation
    yield counter("surveys", "Times that everything was compared.", reconciliation.surveys)
    yield counter("conversations_read", "Conversations read singly.", reconciliation.reads)
    yield from counters(
        "reads_failed",
        "Reads that failed, by why.",
        "fault",
        tuple(PlatformFault),
        reconciliation.failures,
    )
