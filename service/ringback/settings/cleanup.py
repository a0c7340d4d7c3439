"""The options of guarded clean-up."""

from typing import Annotated

import msgspec

from ringback.core.watch.kinds import KINDS
from ringback.errors import SettingsError
from ringback.settings.describing import between, listed, means

__all__ = ["CleanupSettings", "check_cleanup"]


class CleanupSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Disconnecting stuck conversations by hand, never automatically: see docs/cleanup.md."""

    enabled: Annotated[
        bool,
        means(
            "Let operators disconnect conversations of callbacks that are confirmed to be stuck."
            " Takes source kind genesys, and the permission"
            " conversation:communication:disconnect."
        ),
    ] = False
    kinds: Annotated[
        str,
        means(
            "The kinds of alerts that make a callback one that may be disconnected, separated by"
            " commas.",
            "kinds of docs/rules.md",
        ),
    ] = "too_old"
    per_minute: Annotated[
        int, between(1, 60, "Conversations that may be disconnected in any minute.")
    ] = 6


def check_cleanup(cleanup: CleanupSettings) -> None:
    """Raise `SettingsError` for kinds that there are not."""
    kinds = listed(cleanup.kinds)
    for kind in kinds:
        if kind not in KINDS:
            raise SettingsError(
                "cleanup.kinds", f"there is no kind {kind!r}; known: {', '.join(KINDS)}"
            )
    if cleanup.enabled and not kinds:
        raise SettingsError("cleanup.kinds", "names no kind of alert")
