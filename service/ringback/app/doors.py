"""Composes who may come in to what is shown, and how it is reached."""

import ssl
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

from ringback.ports import Clock
from ringback.settings import Settings
from ringback.settings.describing import listed
from ringback.settings.platform import loopback
from ringback.sinks.audit import AuditTrail
from ringback.web.access.access import Access
from ringback.web.access.login import Logins, login_handlers
from ringback.web.access.sessions import Sessions
from ringback.web.app import Reach
from ringback.web.heads import LOOPBACK_NAMES
from ringback.web.health import Check, Status
from ringback.web.proxies import trusting
from ringback.web.refusals import Refusals
from ringback.web.tls import Certificate

__all__ = ["Doors"]

SESSIONS = "sessions.json"
AUDIT = "audit.jsonl"


class Doors:
    """The doors of one daemon."""

    def __init__(self, settings: Settings, folder: Path, clock: Clock) -> None:
        """`folder` is for what has to outlive a restart. Raises `SettingsError`."""
        web = settings.web
        self.access = _make_access(settings, folder, clock) if web.tokens else None
        """Who may come in; None: everybody, for loopback alone."""
        self._certificate = (
            Certificate(Path(web.tls_certificate), Path(web.tls_key))
            if web.tls_certificate
            else None
        )
        self.reach = Reach(
            names=LOOPBACK_NAMES | {name.lower() for name in listed(web.names)},
            addresses=not loopback(web.host),
            proxies=listed(web.proxies),
            encrypted=self._certificate is not None,
        )
        self._is_proxy = trusting(self.reach.proxies)
        self.audit = AuditTrail(folder / AUDIT, clock)
        """What they do inside."""
        self.refusals: Refusals = Counter()
        self.logins: Logins = Counter()

    @property
    def tls(self) -> ssl.SSLContext | None:
        """What the server speaks TLS with, if it does."""
        return None if self._certificate is None else self._certificate.context

    def trusts(self, address: str) -> bool:
        """Whether many come from an address, as from a proxy."""
        return loopback(address) or self._is_proxy(address)

    def handlers(self) -> list[Any]:
        """Give the handlers of login and logout, where there is a need for them."""
        return [] if self.access is None else login_handlers(self.access, self.audit, self.logins)

    def look(self) -> None:
        """See whether files have changed that say who may come in."""
        if self.access is not None:
            self.access.look()
        if self._certificate is not None:
            self._certificate.look()

    def close(self) -> None:
        """Wait for what is being noted."""
        self.audit.close()

    def checks(self) -> Iterator[Check]:
        """Say what is wrong with them."""
        if self.access is not None and self.access.trouble is not None:
            yield Check(
                "access",
                Status.DEGRADED,
                f"the former tokens count: {self.access.trouble}",
            )
        if self.audit.trouble is not None:
            yield Check("audit", Status.DEGRADED, f"nobody can do anything: {self.audit.trouble}")
        if self._certificate is not None and self._certificate.trouble is not None:
            yield Check(
                "certificate",
                Status.DEGRADED,
                f"the former one counts: {self._certificate.trouble}",
            )


def _make_access(settings: Settings, folder: Path, clock: Clock) -> Access:
    web = settings.web
    lifetime = timedelta(hours=web.session_hours)
    sessions = Sessions(folder / SESSIONS, lifetime, web.session_key.reveal())
    return Access(Path(settings.web.tokens), sessions, clock)
