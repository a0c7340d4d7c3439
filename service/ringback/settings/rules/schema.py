"""Every key of a file of rules, once: its name, bounds and meaning.

The checks and the commented file are derived from here. Defaults are not here: they are those of
the built-in rules.
"""

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, Literal, NamedTuple

import msgspec
from msgspec import Meta, inspect

from ringback.settings.describing import A_NAME, NAME, means
from ringback.settings.rules.durations import A_DURATION, DURATION

__all__ = ["TOP", "HoursTable", "Key", "RuleTable", "WhereTable", "keys_of"]

Duration = Annotated[str, Meta(pattern=DURATION)]

_A_TIME = "a time of day, as 08:30"
_TIME = "^([01][0-9]|2[0-3]):[0-5][0-9]$"
_SOME_IDS = Annotated[list[Annotated[str, Meta(min_length=1)]], Meta(min_length=1)]


class WhereTable(msgspec.Struct):
    """`[rule.where]`: which callbacks a rule is for."""

    queues: Annotated[_SOME_IDS, means("In one of these queues.", "a list of ids of queues")]
    divisions: Annotated[
        _SOME_IDS, means("In a queue of one of these divisions.", "a list of ids of divisions")
    ]
    campaigns: Annotated[
        _SOME_IDS, means("A preview of one of these campaigns.", "a list of ids of campaigns")
    ]
    automated: Annotated[bool, means("Placed by the platform without an agent, or not.")]
    preview: Annotated[bool, means("A dialer's preview, or not.")]
    customer_first: Annotated[
        bool, means("In a queue that calls the customer before the agent, or not.")
    ]
    voicemail: Annotated[bool, means("Asked for by a voicemail, or not.")]


class RuleTable(msgspec.Struct):
    """One `[[rule]]`."""

    name: Annotated[
        str,
        means("Unique. That of a built-in rule changes that one.", A_NAME, NAME),
    ]
    kind: Annotated[
        str, means("What is watched. By default what the name says.", "a kind of those below")
    ]
    enabled: Annotated[bool, means("Whether it is in force.")]
    after: Annotated[
        Duration,
        means("The threshold: how long since the kind's own beginning.", A_DURATION),
    ]
    sustained: Annotated[
        Duration,
        means("How much longer it must stay so.", A_DURATION),
    ] = msgspec.field(name="for")
    times: Annotated[
        float,
        means(
            "Of kinds that count, or compare: from how many, or from how many times as much, on.",
            "a number more than 0",
        ),
        Meta(gt=0, le=1_000_000),
    ]
    severity: Annotated[
        Literal["info", "warning", "critical"], means("How bad it is.", "info, warning, critical")
    ]
    summary: Annotated[
        str,
        means(
            "What is wrong, in one line. Without anything personal: it is sent to receivers.",
            "one line of 1 to 200 characters",
            r"^[^\x00-\x1f\x7f]{1,200}$",
        ),
    ]
    labels: Annotated[
        dict[
            Annotated[str, Meta(pattern="^[A-Za-z_][A-Za-z0-9_]{0,63}$")],
            Annotated[str, Meta(max_length=200)],
        ],
        means(
            "What its alerts carry on top, for whoever routes them.",
            "up to 20 names of letters, digits and underscores, each with a text",
        ),
        Meta(max_length=20),
    ]
    where: Annotated[
        WhereTable,
        means("Which callbacks it is for: those that fulfil all of it.", "a table [rule.where]"),
    ]
    hours: Annotated[
        str,
        means(
            "Business hours: its clock runs, and it may begin, only in them.",
            "the name of a table [hours.<name>]",
        ),
    ]
    proof: Annotated[
        bool, means("Whether the conversation is read before it fires, where that can be done.")
    ]
    while_blind: Annotated[
        Literal["hold", "mark"],
        means(
            "While its source is blind and no read has confirmed it: it is held back, or told and"
            " marked.",
            "hold, mark",
        ),
    ]
    damping: Annotated[
        Duration,
        means(
            "One that fires again so soon after its end goes on for so long after its condition is"
            " over.",
            A_DURATION,
        ),
    ]
    lasts: Annotated[
        Duration,
        means("Of kinds about what has ended: for how long that is told.", A_DURATION),
    ]


class HoursTable(msgspec.Struct):
    """`[hours.<name>]`: business hours."""

    days: Annotated[
        list[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]],
        means("On which days they begin.", "a list of mon, tue, wed, thu, fri, sat, sun"),
        Meta(min_length=1),
    ]
    opens: Annotated[str, means("When they begin.", _A_TIME, _TIME)] = msgspec.field(name="from")
    closes: Annotated[
        str,
        means(
            "When they end: on the next day, if that is no later than `from`.",
            f"{_A_TIME}, or 24:00",
            f"{_TIME}|^24:00$",
        ),
    ] = msgspec.field(name="until")
    time_zone: Annotated[
        str, means("Whose clocks these are.", "a name of the IANA database, as Europe/Berlin")
    ]
    closed: Annotated[
        list[date],
        means("Dates on which they do not begin.", "a list of dates, as 2026-12-25"),
    ]


TOP = {
    "built_in": "Whether the built-in rules that are not named below are in force too.",
    "hours": "Tables of business hours, each with a name.",
    "rule": "The rules, each as [[rule]].",
}
"""What stands at the top of the file."""


class Key(NamedTuple):
    """One key of a table."""

    name: str
    field: str
    """Its name in Python, where `for` and `from` are taken."""
    type: Any
    """As annotated, so with its bounds: what msgspec converts to."""
    meaning: str
    allowed: str


def keys_of(table: type[msgspec.Struct]) -> Mapping[str, Key]:
    """Give the keys of a table by name, in the schema's order."""
    found = {}
    for field in msgspec.structs.fields(table):
        described = inspect.type_info(field.type)
        assert isinstance(described, inspect.Metadata), field.name  # noqa: S101  # schema's own form
        found[field.encode_name] = Key(
            field.encode_name,
            field.name,
            field.type,
            (described.extra_json_schema or {})["description"],
            (described.extra or {}).get("allowed", "true or false"),
        )
    return found
