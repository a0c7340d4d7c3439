"""How several processes of one organisation stand, as tables: who has what, and what is behind."""

from collections.abc import Iterator
from datetime import datetime

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ringback.terminal.words import clean, duration, line, plural
from ringback.wire.standing import StreamStanding

__all__ = ["MemberLine", "OwnerLine", "Standing", "print_standing"]

MEBIBYTE = 1024 * 1024


class MemberLine(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One process."""

    name: str
    roles: list[str]
    version: str
    address: str
    since: str
    lease_age_seconds: float
    """Since it last said that it lives."""
    partitions: int
    """How many it tracks."""
    channels: int
    """Notification channels that it may use; 0 where they are not shared."""
    requests: int
    """REST requests a minute that it may make."""


class OwnerLine(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One partition, or what is done by one process at a time."""

    name: str
    owner: str | None
    lease_age_seconds: float | None
    inputs_end: int = 0
    """The last input's sequence."""
    inputs_reached: int = 0
    """The last that is noted to be dealt with."""
    lag_seconds: float = 0.0
    """How long the first input waits that is not."""
    last_step: datetime | None = None


class Standing(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """All that is looked at."""

    org: str
    now: datetime
    engine_version: str
    members: list[MemberLine]
    partitions: list[OwnerLine]
    alert: OwnerLine
    streams: list[StreamStanding]
    problems: list[str]
    """What has to be mended: something has no owner, or is far behind."""
    warnings: list[str]


def print_standing(standing: Standing, console: Console) -> None:
    """Print it all."""
    console.print(_title(f"{standing.org} on NATS {standing.engine_version}"))
    for name, table in (
        ("Members", _members(standing)),
        ("Partitions", _owners(standing)),
        ("Streams", _streams(standing)),
    ):
        console.print()
        console.print(_title(name))
        console.print(table, highlight=False)
    console.print()
    for said in _verdict(standing):
        console.print(said, soft_wrap=True, highlight=False)


def _title(text: str) -> Text:
    return line((text, "bold"))


def _table(*columns: str, right: int = 0) -> Table:
    """Begin a table whose last `right` columns hold numbers."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for place, column in enumerate(columns):
        number = place >= len(columns) - right
        table.add_column(column, justify="right" if number else "left", overflow="fold")
    return table


def _members(standing: Standing) -> Table:
    table = _table(
        "name", "roles", "version", "address", "partitions", "channels", "requests", "seen", right=4
    )
    for one in standing.members:
        table.add_row(
            _cell(one.name),
            _cell(", ".join(one.roles)),
            _cell(one.version),
            _cell(one.address),
            str(one.partitions or ""),
            str(one.channels or ""),
            str(one.requests or ""),
            _ago(one.lease_age_seconds),
        )
    return table


def _owners(standing: Standing) -> Table:
    table = _table("name", "owner", "renewed", "input", "reached", "behind", "last step", right=5)
    for one in (*standing.partitions, standing.alert):
        steps = one is not standing.alert
        table.add_row(
            one.name,
            Text("nobody", style="bold red") if one.owner is None else _cell(one.owner),
            "" if one.lease_age_seconds is None else _ago(one.lease_age_seconds),
            str(one.inputs_end) if steps else "",
            str(one.inputs_reached) if steps else "",
            duration(one.lag_seconds) if steps else "",
            _since(one.last_step, standing.now),
        )
    return table


def _streams(standing: Standing) -> Table:
    table = _table("name", "leader", "replicas", "messages", "MiB", "oldest", "newest", right=5)
    for one in standing.streams:
        table.add_row(
            one.name,
            _cell(one.leader) if one.leader else Text("none", style="bold red"),
            f"{one.replicas}" + (f", {len(one.behind)} behind" if one.behind else ""),
            f"{one.messages:,}",
            f"{one.bytes / MEBIBYTE:,.1f}",
            _since(one.first, standing.now),
            _since(one.last, standing.now),
        )
    return table


def _verdict(standing: Standing) -> Iterator[Text]:
    for problem in standing.problems:
        yield line((problem, "bold red"))
    for warning in standing.warnings:
        yield line((warning, "yellow"))
    if standing.problems:
        yield line(f"{plural(len(standing.problems), 'thing')} to mend.")
    elif not standing.warnings:
        yield line("All is well.")


def _cell(text: str) -> Text:
    return Text(clean(text))


def _since(at: datetime | None, now: datetime) -> str:
    return "" if at is None else _ago((now - at).total_seconds())


def _ago(seconds: float) -> str:
    return f"{max(0.0, seconds):.1f} s" if seconds < 60 else duration(seconds)  # noqa: PLR2004
