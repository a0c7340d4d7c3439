"""What is counted of those who want to come in, as metrics."""

from collections.abc import Iterator

from ringback.vitals.measuring import counters
from ringback.web.access.login import Login, Logins
from ringback.web.metrics import Measure
from ringback.web.refusals import Refusal, Refusals

__all__ = ["measures_of_access"]


def measures_of_access(refusals: Refusals, logins: Logins) -> Iterator[Measure]:
    """Give every number there is."""
    yield from counters(
        "web_refused",
        "Requests and connections that were refused, by why.",
        "reason",
        [each.value for each in Refusal],
        {each.value: count for each, count in refusals.items()},
    )
    yield from counters(
        "logins",
        "Attempts to log in at the login page, by what came of them.",
        "result",
        [each.value for each in Login],
        {each.value: count for each, count in logins.items()},
    )
