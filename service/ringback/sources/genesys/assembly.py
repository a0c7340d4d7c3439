"""Makes a source for an organisation out of settings."""

import random

from ringback.ports import Clock
from ringback.settings import Settings
from ringback.sources.genesys.budget import Budget
from ringback.sources.genesys.client import RestClient
from ringback.sources.genesys.common import Pace
from ringback.sources.genesys.fleet import Fleet
from ringback.sources.genesys.line import Listening
from ringback.sources.genesys.login import Credentials
from ringback.sources.genesys.patterns import Patterns
from ringback.sources.genesys.plan import MOST_TOPICS
from ringback.sources.genesys.regions import hosts_of
from ringback.sources.genesys.source import GenesysSource

__all__ = ["assemble", "make_client"]

HOUR = 3600


def make_client(settings: Settings, clock: Clock, chance: random.Random) -> RestClient:
    """Make what asks the API. Raises `SettingsError` for a region that there is not."""
    genesys = settings.genesys
    return RestClient(
        hosts_of(genesys.region, genesys.login_url, genesys.api_url),
        Credentials(genesys.client_id, genesys.client_secret.reveal()),
        clock=clock,
        budget=Budget(genesys.requests_per_minute),
        chance=chance,
        timeout=genesys.timeout_seconds,
    )


def assemble(
    settings: Settings,
    clock: Clock,
    chance: random.Random,
    *,
    max_frame_bytes: int,
    most_topics: int = MOST_TOPICS,
) -> GenesysSource:
    """Make the source. Raises `SettingsError` for a region or a pattern that means nothing."""
    genesys, source = settings.genesys, settings.source
    client = make_client(settings, clock, chance)
    fleet = Fleet(
        source.name,
        client,
        clock,
        chance=chance,
        how=Listening(max_frame_bytes=max_frame_bytes, watchdog=source.watchdog_seconds),
        pace=Pace(
            renew=genesys.renew_hours * HOUR,
            first_wait=source.reconnect_first_seconds,
            most_wait=source.reconnect_most_seconds,
        ),
        most_channels=genesys.most_channels,
        most_topics=most_topics,
    )
    return GenesysSource(
        source.name,
        client,
        fleet,
        clock,
        patterns=Patterns(genesys.queues, genesys.queues_except),
        topics=genesys.topics,
        queues_every=genesys.queues_every_seconds,
        reconcile_every=genesys.reconcile_every_seconds,
        quiet_after=genesys.quiet_seconds,
    )
