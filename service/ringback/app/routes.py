"""Every route that a daemon serves, put together in one place: tests of all routes ask it too."""

from typing import Any, Protocol

from ringback.app.doors import Doors
from ringback.app.ruling import Ruling
from ringback.app.showing import Showing
from ringback.ports import Audit
from ringback.web.api.answers import Answers
from ringback.web.dashboard.pages import pages

__all__ = ["all_handlers"]


class Telling(Protocol):
    """Whoever tells receivers, or knows who does."""

    def handlers(self, answers: Answers, audit: Audit) -> list[Any]:
        """Give the handlers of silences and receivers."""


def all_handlers(doors: Doors, showing: Showing, ruling: Ruling, telling: Telling) -> list[Any]:
    """Give the handlers of all that can be asked for, but for the daemon's own health."""
    return [
        *pages(),
        *doors.handlers(),
        *showing.handlers,
        *ruling.handlers(showing.answers, doors.audit),
        *telling.handlers(showing.answers, doors.audit),
    ]
