"""Incidents: alerts that a receiver was told of together, open for as long as one of them fires."""

from collections.abc import Callable, Iterable

from ringback.core.watch.messages import Phase

__all__ = ["Incidents"]


class Incidents:
    """Which alerts belong to which incident, by their ids."""

    def __init__(self) -> None:
        self._alerts: dict[str, set[str]] = {}

    def join(self, incident: str, key: str) -> None:
        """Let an alert belong to an incident."""
        self._alerts.setdefault(incident, set()).add(key)

    def part(self, incident: str, key: str) -> None:
        """Let it belong to none."""
        alerts = self._alerts[incident]
        alerts.discard(key)
        if not alerts:
            del self._alerts[incident]

    def phases(
        self, incidents: Iterable[str], phase_of: Callable[[str], Phase | None]
    ) -> dict[str, Phase]:
        """Say how incidents are, `phase_of` giving what the receiver knows of an alert."""
        return {one: _worst(map(phase_of, self._alerts[one])) for one in dict.fromkeys(incidents)}


def _worst(phases: Iterable[Phase | None]) -> Phase:
    known = set(phases)
    for phase in (Phase.FIRING, Phase.ACKNOWLEDGED):
        if phase in known:
            return phase
    return Phase.RESOLVED
