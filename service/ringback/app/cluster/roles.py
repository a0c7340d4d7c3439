"""The roles of one process among several."""

from collections.abc import Iterable
from enum import StrEnum

from ringback.errors import SettingsError
from ringback.settings import Settings

__all__ = ["ALL", "Role", "roles_of"]


class Role(StrEnum):
    """What a process does of the whole."""

    LISTEN = "listen"
    """Puts what the source says into the input log."""
    TRACK = "track"
    """Makes of the input log states and events, for some of the partitions."""
    SERVE = "serve"
    """Shows all callbacks: API, feed, dashboard."""
    ALERT = "alert"
    """Tells receivers of alerts, one process at a time."""


ALL = frozenset(Role)


def roles_of(texts: Iterable[str], settings: Settings) -> frozenset[Role]:
    """Read roles, each text one or more of them with commas; none means all.

    Raises `SettingsError` for roles that the settings cannot fulfil.
    """
    names = [name.strip() for text in texts for name in text.split(",") if name.strip()]
    try:
        roles = frozenset(Role(name) for name in names)
    except ValueError:
        unknown = next(name for name in names if name not in set(Role))
        raise SettingsError(
            "--role", f"{unknown!r} is none: {', '.join(Role)} are, with commas between them"
        ) from None
    if roles and settings.store.kind != "jetstream":
        raise SettingsError(
            "--role",
            f"store.kind is {settings.store.kind}, which one process has to itself: several need"
            " store.kind = jetstream",
        )
    return roles or ALL
