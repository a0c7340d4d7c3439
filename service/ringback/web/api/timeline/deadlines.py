"""What falls due for a callback, and what fell due."""

from collections.abc import Iterable
from datetime import datetime
from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

from ringback.core.clocks import Clock, Skews
from ringback.core.derivation import Cast, seen_dialled, voice_visible
from ringback.core.events import Time, rfc3339
from ringback.core.lifecycle import State
from ringback.core.policy import Policy
from ringback.core.watch.rules import Rule, Severity
from ringback.core.watch.sight import Begun

__all__ = ["Deadline", "deadlines_of"]


class Deadline(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True, kw_only=True):
    """When something falls due, or fell due."""

    kind: str
    """`scheduled`, `late`, `auto_dial`, `auto_dial_missed`, or the rule of an alert."""
    at: Time
    clock: Clock
    severity: Severity | UnsetType = UNSET
    """Of the alert that is pending."""
    state: Literal["armed", "passed"]


def deadlines_of(
    cast: Cast,
    alarming: Iterable[tuple[Rule, Begun]],
    policy: Policy,
    skews: Skews,
    now: datetime,
) -> list[Deadline]:
    """Say what falls due or fell due; what can no longer be late is left out."""
    callback, agent = cast.callback, cast.agent
    found: list[tuple[str, datetime, Clock, Severity | UnsetType]] = []
    scheduled = callback.scheduled_at
    if scheduled is not None:
        found.append(("scheduled", scheduled, Clock.PROVIDER, UNSET))
        if callback.state is State.SCHEDULED:
            found.append(("late", scheduled + policy.due_grace, Clock.PROVIDER, UNSET))
    dial = callback.auto_dial
    if dial is not None:
        found.append(("auto_dial", dial.deadline, Clock.CLOUD, UNSET))
        missed = dial.missed_at or dial.deadline + policy.dial_grace
        if voice_visible(cast) and agent is not None and not seen_dialled(cast, agent):
            found.append(("auto_dial_missed", missed, Clock.CLOUD, UNSET))
    for rule, begun in alarming:
        if all(begun.at != at for _, at, _, _ in found):
            found.append((rule.name, begun.at, begun.clock, rule.severity))
    return [
        Deadline(
            kind=kind,
            at=rfc3339(at),
            clock=clock,
            severity=severity,
            state="passed" if at <= now + skews.ahead(clock, now) else "armed",
        )
        for kind, at, clock, severity in sorted(found, key=lambda each: each[1])
    ]
