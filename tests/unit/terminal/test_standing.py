"""What `ringback status` prints."""

import io
from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec.structs import replace
from rich.console import Console

from ringback.terminal.standing import (
    MemberLine,
    OwnerLine,
    Standing,
    print_standing,
)
from ringback.wire.standing import StreamStanding

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
OWNED = OwnerLine(
    name="track.0",
    owner="here",
    lease_age_seconds=0.2,
    inputs_end=1200,
    inputs_reached=1200,
    last_step=NOW - timedelta(seconds=1),
)
STANDING = Standing(
    org="acme",
    now=NOW,
    engine_version="2.9.10",
    members=[
        MemberLine(
            name="here",
            roles=["listen", "track"],
            version="0.1.0",
            address="http://here:8080",
            since="",
            lease_age_seconds=0.3,
            partitions=1,
            channels=2,
            requests=150,
        )
    ],
    partitions=[OWNED],
    alert=OwnerLine(name="alert", owner="there", lease_age_seconds=90.0),
    streams=[
        StreamStanding(
            name="ringback-acme-in",
            messages=123_456,
            bytes=99_000_000,
            first=NOW - timedelta(hours=23),
            last=None,
            replicas=3,
            leader="n1",
            behind=[],
        )
    ],
    problems=[],
    warnings=[],
)


def printed(**facts: Any) -> list[str]:
    """Give the lines, their words one space apart."""
    out = io.StringIO()
    print_standing(replace(STANDING, **facts), Console(file=out, width=120))
    return [" ".join(text.split()) for text in out.getvalue().splitlines() if text.strip()]


def test_all_is_shown() -> None:
    assert printed() == [
        "acme on NATS 2.9.10",
        "Members",
        "name roles version address partitions channels requests seen",
        "here listen, track 0.1.0 http://here:8080 1 2 150 0.3 s",
        "Partitions",
        "name owner renewed input reached behind last step",
        "track.0 here 0.2 s 1200 1200 0:00 1.0 s",
        "alert there 1:30",
        "Streams",
        "name leader replicas messages MiB oldest newest",
        "ringback-acme-in n1 3 123,456 94.4 23:00:00",
        "All is well.",
    ]


def test_what_is_wrong_stands_at_the_end() -> None:
    lost = replace(OWNED, owner=None, lease_age_seconds=None, lag_seconds=75.0)
    broken = replace(STANDING.streams[0], leader="", behind=["n2", "n3"])
    lines = printed(
        partitions=[lost], streams=[broken], problems=["it is bad"], warnings=["it may get so"]
    )
    assert "track.0 nobody 1200 1200 1:15 1.0 s" in lines
    assert "ringback-acme-in none 3, 2 behind 123,456 94.4 23:00:00" in lines
    assert lines[-3:] == [
        "it is bad",
        "it may get so",
        "1 thing to mend.",
    ]
    assert printed(warnings=["it may get so"])[-1] == "it may get so"


def test_no_terminal_is_led_astray_by_what_members_call_themselves() -> None:
    member = replace(STANDING.members[0], name="a\x1b[31mb", version="[bold]", address="\x07")
    out = io.StringIO()
    print_standing(replace(STANDING, members=[member]), Console(file=out, width=120))
    assert "\x1b" not in out.getvalue()
    assert "\x07" not in out.getvalue()
    assert "[bold]" in out.getvalue()
