"""What can be watched of a callback: for each kind one pure function, and where it applies.

A kind says since when its condition counts, and on which clock, or that it does not apply; how long
is too long is the rule's business. Conditions follow from the record alone, so that nothing has to
be kept but when an alert began.
"""

from collections.abc import Mapping

from ringback.core.watch.endings import ENDINGS
from ringback.core.watch.handling import HANDLING
from ringback.core.watch.sight import Kind
from ringback.core.watch.standing import STANDING
from ringback.core.watch.waiting import WAITING

__all__ = ["KINDS"]

KINDS: Mapping[str, Kind] = {**WAITING, **HANDLING, **ENDINGS, **STANDING}
"""All there are, by name."""
