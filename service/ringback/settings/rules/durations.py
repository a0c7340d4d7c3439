"""Spans of time as people write them for Prometheus: 90s, 2m, 1h30m."""

import re
from datetime import timedelta

__all__ = ["A_DURATION", "DURATION", "MOST", "parse_duration", "write_duration"]

UNITS = {
    "w": timedelta(weeks=1),
    "d": timedelta(days=1),
    "h": timedelta(hours=1),
    "m": timedelta(minutes=1),
    "s": timedelta(seconds=1),
    "ms": timedelta(milliseconds=1),
}
DURATION = "^(?=[0-9])" + "".join(f"([0-9]{{1,9}}{unit})?" for unit in UNITS) + "$"
MOST = timedelta(days=366)
A_DURATION = "a time with its unit (ms, s, m, h, d, w), as 90s, 2m or 1h30m, up to a year"

_PARTS = re.compile(r"([0-9]+)(ms|[wdhms])")


def parse_duration(text: str) -> timedelta | None:
    """Read one; None if it is none or too long."""
    if re.fullmatch(DURATION, text) is None:
        return None
    total = sum((int(count) * UNITS[unit] for count, unit in _PARTS.findall(text)), timedelta())
    return total if total <= MOST else None


def write_duration(duration: timedelta) -> str:
    """Write one, in whole milliseconds."""
    written = ""
    for unit, size in UNITS.items():
        count, duration = divmod(duration, size)
        # Weeks only where nothing is left over: 10d says more than 1w3d.
        if unit == "w" and duration:
            duration += count * size
        elif count:
            written += f"{count}{unit}"
    return written or "0s"
