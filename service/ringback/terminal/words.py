"""States and rules in people's words, how times are written, and what is fit for a terminal.

The words are the dashboard's own: who looks at both reads the same.
"""

import re
from collections.abc import Mapping
from datetime import datetime, tzinfo

from rich.text import Text

__all__ = [
    "BASES",
    "RULES",
    "SEVERITIES",
    "STATES",
    "Part",
    "at_second",
    "clean",
    "duration",
    "instants_at",
    "line",
    "plural",
    "rule_label",
    "severity",
    "severity_rank",
    "short",
    "spoken",
    "state_label",
    "state_style",
    "worded",
]

STATES = {
    "scheduled": "Scheduled",
    "waiting": "Waiting",
    "alerting": "Alerting",
    "connected": "Accepted",
    "auto_dialing": "Auto-dialling",
    "dialing": "Dialling",
    "talking": "Talking",
    "held": "On hold",
    "after_call_work": "After call",
    "disconnected": "Ended",
}
"""In the order of a callback's life."""

STYLES: Mapping[str, str] = {
    "scheduled": "blue",
    "waiting": "yellow",
    "alerting": "magenta",
    "connected": "cyan",
    "auto_dialing": "bright_red",
    "dialing": "bright_blue",
    "talking": "green",
    "held": "bright_yellow",
    "after_call_work": "bright_cyan",
    "disconnected": "bright_black",
}
"""Of the sixteen colours, so that every terminal has them. None stands without its word."""

RULES = {
    "due_not_released": "Due, not released",
    "connected_not_dialled": "Accepted, not dialled",
    "auto_dial_missed": "Auto-dial missed",
    "dialing_too_long": "Dialling too long",
    "held_too_long": "On hold too long",
    "held_in_total": "On hold too long in total",
    "after_call_work_too_long": "After-call work too long",
    "too_old": "In one state for hours",
}
"""Only what its name does not say well enough."""

SEVERITIES: Mapping[str, tuple[str, str, str]] = {
    "critical": ("X", "Critical", "bold red"),
    "warning": ("!", "Warning", "bold yellow"),
    "info": ("i", "Info", "bold blue"),
}
"""Sign, word and colour of each, the worst first. No sign stands for two."""
BASES = {
    "notification": "frame",
    "reconcile": "REST read",
    "timer": "timer",
    "operator": "operator",
}
"""What a fact rests on."""

MINUTE, HOUR, DAY = 60, 3600, 86_400
LONG_HOURS = 48
SHORT_SPOKEN = 90
ID_WIDTH = 8

INSTANT = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z")

Part = str | tuple[str, str]


def line(*parts: Part) -> Text:
    """Put a line together from texts and texts with a style."""
    return Text.assemble(
        *(clean(part) if isinstance(part, str) else (clean(part[0]), part[1]) for part in parts),
        no_wrap=True,
        end="",
    )


def clean(text: str) -> str:
    """Keep the terminal safe from what an id or a name may hold."""
    return "".join(sign if sign.isprintable() else "�" for sign in text)


def state_label(state: str) -> str:
    """Say a state in people's words."""
    return STATES.get(state) or worded(state)


def state_style(state: str) -> str:
    """Give a state's colour."""
    return STYLES.get(state, "default")


def rule_label(rule: str) -> str:
    """Say a rule in people's words."""
    return RULES.get(rule) or worded(rule)


def severity(name: str) -> tuple[str, str, str]:
    """Give sign, word and colour of a severity; what nobody has told is a warning."""
    return SEVERITIES.get(name) or SEVERITIES["warning"]


def severity_rank(name: str) -> int:
    """Give 0 for the worst."""
    return list(SEVERITIES).index(name if name in SEVERITIES else "warning")


def worded(name: str) -> str:
    """Make words of a name."""
    words = name.replace("_", " ")
    return words[:1].upper() + words[1:]


def short(id_: str) -> str:
    """Give the beginning of an id, by which it is recognised."""
    return id_[:ID_WIDTH]


def plural(count: int, one: str, many: str = "") -> str:
    """Say how many there are."""
    return f"{count:,} {one if count == 1 else many or f'{one}s'}"


def duration(seconds: float) -> str:
    """Write a length: 0:07, 12:40, 3:05:09, 2 d 3 h; as long as it has to be."""
    whole = max(0, int(seconds))
    minutes, hours = whole // MINUTE, whole // HOUR
    if hours >= LONG_HOURS:
        return f"{whole // DAY} d {hours % 24} h"
    if hours:
        return f"{hours}:{minutes % 60:02}:{whole % 60:02}"
    return f"{minutes}:{whole % 60:02}"


def spoken(seconds: float) -> str:
    """Say a length in words, for sentences."""
    whole = max(0, round(seconds))
    if whole < SHORT_SPOKEN:
        return f"{whole} s"
    minutes = round(whole / MINUTE)
    if minutes < SHORT_SPOKEN:
        return f"{minutes} min"
    hours = round(minutes / 60)
    return f"{hours} h" if hours < LONG_HOURS else f"{round(hours / 24)} days"


def at_second(instant: datetime, now: datetime, zone: tzinfo | None) -> str:
    """Write a time of day, with its date if that is not the one of `now`."""
    when, present = instant.astimezone(zone), now.astimezone(zone)
    if when.date() == present.date():
        return f"{when:%H:%M:%S}"
    return f"{when:%b %d %H:%M}" if when.year == present.year else f"{when:%Y-%m-%d}"


def instants_at(text: str, now: datetime, zone: tzinfo | None) -> str:
    """Write the instants in a text as times of day."""
    return INSTANT.sub(
        lambda found: at_second(datetime.fromisoformat(found.group()), now, zone), text
    )
