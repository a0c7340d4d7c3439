"""Messages to be worded, and where things are."""

from datetime import timedelta
from typing import Any

from ringback.core.events import AlertData, rfc3339
from ringback.core.watch.messages import Message, Phase
from ringback.core.watch.notices import Limits, Notices
from ringback.sinks.receivers.wording import Places, Wording
from support.callbacks import START

__all__ = ["QUEUES", "message_of", "wording"]

QUEUES = {"q-1": "Sales", "q-2": "Support & <Service>"}


def wording(**more: Any) -> Wording:
    """Make what words messages."""
    given: dict[str, Any] = {
        "org": "acme",
        "dashboard": lambda: "https://ringback.example.org",
        "platform": "https://apps.example.org/#/interactions/{conversationId}",
    }
    return Wording(Places(**given | more))


def message_of(
    *told: tuple[Phase, AlertData], before: tuple[AlertData, ...] = (), most: int = 0
) -> Message:
    """Give the message that tells of these; those `before` were told of as firing."""
    now = START
    notices = Notices(
        "ops", Limits(gather=timedelta(), most=most, acknowledged=True), queue_names=lambda: QUEUES
    )
    for alert in before:
        notices.take(Phase.FIRING, alert, rfc3339(now), now)
    if before:
        assert notices.compose(now) is not None
        notices.delivered(now)
    for phase, alert in told:
        notices.take(phase, alert, rfc3339(now), now)
    message = notices.compose(now)
    assert message is not None
    return message
