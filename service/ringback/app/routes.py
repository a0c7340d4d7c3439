"""Every route that a daemon serves, put together in one place: tests of all routes ask it too."""

from typing import Any

from ringback.app.delivering import Delivery
from ringback.app.doors import Doors
from ringback.app.ruling import Ruling
from ringback.app.showing import Showing
from ringback.web.dashboard.pages import pages

__all__ = ["all_handlers"]


def all_handlers(doors: Doors, showing: Showing, ruling: Ruling, delivery: Delivery) -> list[Any]:
    """Give the handlers of all that can be asked for, but for the daemon's own health."""
    return [
        *pages(),
        *doors.handlers(),
        *showing.handlers,
        *ruling.handlers(showing.answers, doors.audit),
        *delivery.handlers(showing.answers, doors.audit),
    ]
