"""One leg as known, and what a sighting of it may change.

Frames come at most once and in any order, without a number or a time of their own, so what is old
is judged leg by leg: a leg only moves forward. `merge` says why a sighting was dropped; the rest of
its snapshot counts all the same.
"""

from datetime import datetime, timedelta
from enum import IntEnum, StrEnum

import msgspec

from ringback.core.snapshots import Medium, Role, Sighting, Span

__all__ = ["Leg", "Phase", "Verdict", "learn_holds", "merge", "phase_shown"]

MOST_HOLDS = 64
"""Holds remembered one by one for each leg; older ones are added up into one."""

LATEST = timedelta(minutes=10)
"""How late a frame may come. The platform promises nothing; seconds are what is seen."""


class Phase(IntEnum):
    """How far a leg has come."""

    NONE = 0
    SCHEDULED = 1
    OFFERING = 2
    ALERTING = 3
    CONTACTING = 4
    CONNECTED = 5
    ENDED = 6


_RANKS = (0, 0, 1, 2, 3, 4, 5)
"""By phase: no state at all and `scheduled` rank the same."""

_PHASES = {
    "none": Phase.NONE,
    "scheduled": Phase.SCHEDULED,
    "offering": Phase.OFFERING,
    "alerting": Phase.ALERTING,
    "contacting": Phase.CONTACTING,
    "dialing": Phase.CONTACTING,
    "connected": Phase.CONNECTED,
    # A parked interaction still belongs to its agent (`parkTime`, `resumeTime`).
    "parked": Phase.CONNECTED,
    "disconnected": Phase.ENDED,
    "terminated": Phase.ENDED,
}


class Verdict(StrEnum):
    """What became of a sighting. All but the first two are reasons to drop it as stale."""

    CHANGED = "changed"
    SAME = "same"
    ENDED = "ended"
    """The known leg has ended, the sighting shows it alive."""
    RANK = "rank"
    """The sighting's state ranks below the known one."""
    UNCONNECTED = "unconnected"
    """It lacks the connect time that is known, without having ended."""
    HOLD = "hold"
    """It shows a hold that is known to be over."""
    SCHEDULE = "schedule"
    """It returns to `scheduled` without a later time."""
    OUTDATED = "outdated"
    """A REST read sent before the latest frame, about something it may not change."""


class Leg(msgspec.Struct, array_like=True, gc=False):
    """What is known of one participant's communication. At rest it is a MessagePack array."""

    participant_id: str
    communication_id: str | None
    role: Role
    medium: Medium
    phase: Phase = Phase.NONE
    accepted: bool = False
    """Whether it was ever connected."""
    connected_at: datetime | None = None
    ended_at: datetime | None = None
    scheduled_at: datetime | None = None
    """The schedule in force."""
    latest_schedule: datetime | None = None
    """The latest `scheduled_at` seen."""
    spent_schedule: datetime | None = None
    """A return to `scheduled` must lie after this. See `_release`."""
    alerted_at: datetime | None = None
    work_started_at: datetime | None = None
    timeout_seconds: int | None = None
    disconnect_type: str | None = None
    user_id: str | None = None
    queue_id: str | None = None
    wrapup_code: str | None = None
    holds: list[Span] = []
    """Oldest first; at most the last one is open."""

    @property
    def held(self) -> bool:
        """Whether it is on hold now."""
        return bool(self.holds) and self.holds[-1].end is None and self.phase is not Phase.ENDED

    @property
    def live(self) -> bool:
        """Whether it has not ended."""
        return self.phase is not Phase.ENDED


def phase_shown(sighting: Sighting, known: Phase) -> Phase:
    """Read a sighting's phase; a state that says nothing leaves the known one.

    A leg with an end time has ended whatever its state says (real frames show both).
    """
    if sighting.ended_at is not None:
        return Phase.ENDED
    phase = _PHASES.get(sighting.state) if sighting.state is not None else None
    if phase is not None:
        return phase
    return Phase.CONNECTED if sighting.connected_at is not None else known


def merge(leg: Leg, sighting: Sighting, now: datetime, *, outdated: bool, fresh: bool) -> Verdict:
    """Let one sighting change a known leg, unless it is stale.

    `fresh` marks a REST read sent after the latest frame: it cannot be late, so it may reopen a
    hold. `outdated` marks one sent before it: it may change neither hold nor schedule.
    """
    shown = phase_shown(sighting, leg.phase)
    if leg.phase is Phase.ENDED or shown is Phase.ENDED:
        return _end(leg, sighting, shown, now)
    returns = shown is Phase.SCHEDULED and leg.phase > Phase.SCHEDULED
    if returns:
        stale = Verdict.OUTDATED if outdated else _stale_return(leg, sighting)
    else:
        stale = _stale(leg, sighting, shown)
        if stale is None and sighting.held and not fresh and _hold_is_over(leg, sighting, now):
            stale = Verdict.HOLD
    if stale is not None:
        return stale
    changed = returns or shown is not leg.phase
    released = leg.phase <= Phase.SCHEDULED < shown
    leg.phase = shown
    if returns:
        leg.connected_at = None
    changed = _accept(leg, sighting) or changed
    if not outdated:
        changed = _schedule(leg, sighting, released=released) or changed
        changed = _hold(leg, sighting, now) or changed
    changed = learn_holds(leg, sighting) or changed
    changed = _learn_facts(leg, sighting) or changed
    return Verdict.CHANGED if changed else Verdict.SAME


def _end(leg: Leg, sighting: Sighting, shown: Phase, now: datetime) -> Verdict:
    """End a leg, or let one that has ended learn what its end left open."""
    if shown is not Phase.ENDED:
        return Verdict.ENDED
    changed = leg.phase is not Phase.ENDED
    leg.phase = Phase.ENDED
    changed = _accept(leg, sighting) or changed
    if leg.ended_at is None and sighting.ended_at is not None:
        leg.ended_at = sighting.ended_at
        changed = True
    _close_hold(leg, leg.ended_at or now)
    changed = learn_holds(leg, sighting) or changed
    changed = _learn_facts(leg, sighting) or changed
    return Verdict.CHANGED if changed else Verdict.SAME


def _stale(leg: Leg, sighting: Sighting, shown: Phase) -> Verdict | None:
    if _RANKS[shown] < _RANKS[leg.phase]:
        return Verdict.RANK
    if leg.connected_at is not None and sighting.connected_at is None:
        return Verdict.UNCONNECTED
    return None


def _stale_return(leg: Leg, sighting: Sighting) -> Verdict | None:
    """A released leg returns to `scheduled` only for a time later than what was spent."""
    later = sighting.scheduled_at
    if later is None or sighting.preview:
        return Verdict.SCHEDULE
    spent = leg.spent_schedule
    return Verdict.SCHEDULE if spent is not None and later <= spent else None


def _accept(leg: Leg, sighting: Sighting) -> bool:
    """Note that and when the leg was connected."""
    changed = False
    if sighting.connected_at is not None and sighting.connected_at != leg.connected_at:
        leg.connected_at = sighting.connected_at
        changed = True
    if not leg.accepted and (leg.phase is Phase.CONNECTED or leg.connected_at is not None):
        leg.accepted = True
        changed = True
    return changed


def _schedule(leg: Leg, sighting: Sighting, *, released: bool) -> bool:
    """Take over the schedule and, when the leg is released, note which one is spent by that.

    A release under the schedule in force spends every schedule seen so far: none of them can come
    back. A release under another one, or under one that is spent already, is out of order (it or
    what is in force is late), so it spends only its own; another may still prove the present.
    """
    schedule = None if sighting.preview else sighting.scheduled_at
    in_force = leg.scheduled_at
    changed = False
    if schedule is not None and schedule != in_force:
        changed = True
        leg.scheduled_at = schedule
        if leg.latest_schedule is None or schedule > leg.latest_schedule:
            leg.latest_schedule = schedule
    if released:
        changed = _spend(leg, schedule, in_force) or changed
    return changed


def _spend(leg: Leg, schedule: datetime | None, in_force: datetime | None) -> bool:
    known = leg.spent_schedule
    in_order = (
        schedule is None
        or in_force is None
        or (schedule == in_force and (known is None or schedule > known))
    )
    spent = leg.latest_schedule if in_order else schedule
    if spent is None or (known is not None and spent <= known):
        return False
    leg.spent_schedule = spent
    return True


def _hold_is_over(leg: Leg, sighting: Sighting, now: datetime) -> bool:
    """Whether the hold shown, or a later one, was closed before, so that the sighting is late.

    Content alone cannot tell a late frame after a retrieve from a true one after a late frame that
    looked like a retrieve. No frame is late for longer than `LATEST`, so after that the platform's
    word counts again and every damage heals.
    """
    start = sighting.hold_started_at
    return start is not None and any(
        start <= hold.start and hold.end is not None and now - hold.end < LATEST
        for hold in leg.holds
    )


def _hold(leg: Leg, sighting: Sighting, now: datetime) -> bool:
    """Open, move or close the hold. Frames do not tell when a hold ended: it ends when unseen."""
    current = leg.holds[-1] if leg.held else None
    if not sighting.held:
        return current is not None and _close_hold(leg, now)
    start = sighting.hold_started_at
    if current is not None:
        if start is None or start <= current.start:
            # The same one, or a late frame of one that was over before.
            return False
        # The retrieve between two holds was lost: the first ended at the latest when this began.
        _close_hold(leg, start, mixed=False)
    begun = start or now
    leg.holds = [hold for hold in leg.holds if hold.start != begun]
    leg.holds.append(Span(begun))
    _bound_holds(leg)
    return True


def _close_hold(leg: Leg, end: datetime, *, mixed: bool = True) -> bool:
    """Close the open hold. Its end is mostly not read from the clock of its start."""
    if not leg.holds or leg.holds[-1].end is not None:
        return False
    start = leg.holds[-1].start
    closed = Span(start, max(start, end), mixed, negative=end < start)
    leg.holds = [*leg.holds[:-1], closed]
    return True


def learn_holds(leg: Leg, sighting: Sighting) -> bool:
    """Correct the ledger from REST segments, which know both ends. What is newer stays."""
    if not sighting.holds:
        return False
    told = [span for span in sighting.holds if span.end is not None]
    known_until = max((span.end for span in told if span.end is not None), default=None)
    newer = [
        hold
        for hold in leg.holds
        if (hold.end is None or known_until is None or hold.start >= known_until)
        and all(hold.start != span.start for span in told)
    ]
    # The open one last, whatever the clocks say.
    holds = sorted([*told, *newer], key=lambda span: (span.end is None, span.start))
    if holds == leg.holds:
        return False
    leg.holds = holds
    _bound_holds(leg)
    return True


def _bound_holds(leg: Leg) -> None:
    while len(leg.holds) > MOST_HOLDS:
        first, second, *rest = leg.holds
        length = (first.end or first.start) - first.start
        leg.holds = [
            Span(first.start, (second.end or second.start) - second.start + first.start + length),
            *rest,
        ]


def _learn_facts(leg: Leg, sighting: Sighting) -> bool:
    """Take over what a leg only ever learns, alive or ended. Written out: it runs for each leg."""
    changed = False
    if sighting.communication_id is not None and sighting.communication_id != leg.communication_id:
        leg.communication_id = sighting.communication_id
        changed = True
    if sighting.timeout_seconds is not None and sighting.timeout_seconds != leg.timeout_seconds:
        leg.timeout_seconds = sighting.timeout_seconds
        changed = True
    if sighting.disconnect_type is not None and sighting.disconnect_type != leg.disconnect_type:
        leg.disconnect_type = sighting.disconnect_type
        changed = True
    if sighting.user_id is not None and sighting.user_id != leg.user_id:
        leg.user_id = sighting.user_id
        changed = True
    if sighting.queue_id is not None and sighting.queue_id != leg.queue_id:
        leg.queue_id = sighting.queue_id
        changed = True
    if sighting.wrapup_code is not None and sighting.wrapup_code != leg.wrapup_code:
        leg.wrapup_code = sighting.wrapup_code
        changed = True
    if sighting.alerted_at is not None and sighting.alerted_at != leg.alerted_at:
        leg.alerted_at = sighting.alerted_at
        changed = True
    if sighting.work_started_at is not None and sighting.work_started_at != leg.work_started_at:
        leg.work_started_at = sighting.work_started_at
        changed = True
    return changed
