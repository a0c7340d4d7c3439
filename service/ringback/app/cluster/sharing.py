"""What listeners on several machines share of the platform's limits, as slots that they hold."""

from ringback.ports import Source
from ringback.runtime.cluster.duties import Duty
from ringback.runtime.cluster.sharing import Share, slots
from ringback.settings import Settings
from ringback.sources.genesys.source import GenesysSource
from ringback.stores.jetstream.leases import BUDGET_SECONDS

__all__ = ["LAPSE_SECONDS", "LISTEN", "shared_limits", "slots_of"]

LISTEN = "listen"
WINDOW_SECONDS = 60.0
"""For so long the platform counts what was used."""
LAPSE_SECONDS = BUDGET_SECONDS - WINDOW_SECONDS - 5.0
"""A listener that cannot renew its slots uses them for so long: once they are another's, what it
used counts no more."""
MOST_SLOTS = 20


def shared_limits(settings: Settings, source: Source) -> list[Duty]:
    """Give what is to be owned in the bucket of budgets; from now on the source may use nothing.

    Nothing for a source whose platform has no limits.
    """
    if not isinstance(source, GenesysSource):
        return []
    duties = []
    for kind, parts in slots_of(settings).items():
        share = Share(source.limits[kind], parts)
        # Two who hear a part each may both miss the rest.
        patient = kind == "channels"
        duties.append(Duty(LISTEN, list(parts), share, LAPSE_SECONDS, share.most, patient))
    return duties


def slots_of(settings: Settings) -> dict[str, dict[str, int]]:
    """Say into which slots each limit is divided, and how much each of them stands for."""
    genesys = settings.genesys
    amounts = {"channels": genesys.most_channels, "requests": genesys.requests_per_minute}
    return {kind: slots(kind, amount, MOST_SLOTS) for kind, amount in amounts.items()}
