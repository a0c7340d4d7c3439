"""One callback's life on a terminal: where it is, what comes next, and how it came there."""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime

from rich.text import Text

from ringback.terminal.answers import Row
from ringback.terminal.choosing import waited
from ringback.terminal.drawing import LEAST_WIDTH, Around, Drawing
from ringback.terminal.lanes import FOR_WIDTH, lanes
from ringback.terminal.lives import Deadline, Leg, Life, LifeAlert
from ringback.terminal.proofs import proof_words
from ringback.terminal.words import (
    BASES,
    duration,
    line,
    plural,
    rule_label,
    severity,
    short,
    spoken,
    state_label,
    state_style,
    worded,
)

__all__ = ["timeline"]

MOST_NOTES = 8

KINDS = {
    "scheduled": ("it is scheduled for", "it was scheduled for"),
    "late": ("counts as late", "has counted as late since"),
    "auto_dial": ("the platform dials by itself", "the platform was to dial by itself"),
    "auto_dial_missed": ("the automatic call counts as missed", "the automatic call was missed"),
}
NOTES = frozenset({"updated", "unverified", "verified", "anomaly"})
"""What is told of a callback without a new state."""


def timeline(life: Life, now: datetime, width: int, around: Around) -> list[Text]:
    """Give the lines; none is wider than `width`, but for the link at the end."""
    on = Drawing(life, now, max(LEAST_WIDTH, width), around)
    lines = list(_lines(on))
    for text in lines:
        if text.cell_len > on.width:
            text.truncate(on.width, overflow=on.signs.overflow)
    return [*lines, line(life.link)] if life.link else lines


def _lines(on: Drawing) -> Iterator[Text]:
    yield from _where(on)
    yield from _doubts(on)
    yield line()
    yield from _next(on)
    yield from _alerts(on)
    yield from lanes(on)
    yield from _notes(on)
    yield from _legs(on)
    yield from _ids(on)


def _where(on: Drawing) -> Iterator[Text]:
    life, row, dot = on.life, on.life.callback, on.signs.dot
    if life.ended is not None:
        outcome = worded(life.outcome) if life.outcome else "outcome not known"
        how = f" {dot} {worded(life.disconnect_type)}" if life.disconnect_type else ""
        raw = life.raw_disconnect_type
        raw = f" ({raw})" if raw and raw != life.disconnect_type else ""
        ago = spoken((on.now - life.ended).total_seconds())
        yield line(
            (f"Ended: {outcome}", "bold"),
            f"  at {on.at(life.ended)}, {ago} ago{how}{raw}",
        )
    else:
        yield line(
            (state_label(row.state), f"bold {state_style(row.state)}"),
            (f" for {on.since(row.since)}", "bold"),
            f"  since {on.at(row.since)}{_by(row.clock)}",
        )
    yield from _facts(on, row)


def _facts(on: Drawing, row: Row) -> Iterator[Text]:
    life = on.life
    facts = []
    if row.queue_id:
        facts.append(f"queue {on.queue(row.queue_id)}")
    if row.user_id:
        facts.append(f"agent {short(row.user_id)}")
    facts.append(f"offers {row.offers}{_results(on)}")
    if long := waited(row, on.now):
        facts.append(f"waited {duration(long)}")
    if life.holds.total:
        held = f"held {duration(life.holds.total)}"
        longest = life.holds.longest
        held += f", longest {duration(longest)}" if longest else ""
        facts.append(f"{held} by more than one clock" if life.holds.mixed else held)
    if row.contact:
        facts.append(f"contact {', '.join(row.contact)}")
    yield from on.flowing(facts, f" {on.signs.dot} ")


def _results(on: Drawing) -> str:
    counted = Counter(worded(each.result).lower() for each in on.life.offers)
    parts = [f"{count} {result}" for result, count in counted.items()]
    return f" ({', '.join(parts)})" if parts else ""


def _doubts(on: Drawing) -> Iterator[Text]:
    row = on.life.callback
    if row.unverified:
        yield line(
            ("? Unverified: ", "bold yellow"),
            "something may have been missed, nothing has confirmed it.",
        )
    for source in on.around.sources:
        if source.hears or on.life.ended is not None:
            continue
        since = source.blind_since
        long = f" since {on.at(since)}, {on.spoken(since)}" if since else ""
        yield line(
            ("! Blind: ", "bold red"),
            f"source {source.name} hears nothing{long}; it may have moved on.",
        )
    for other in on.around.others:
        yield line(
            ("! Goes on in: ", "bold yellow"),
            f"{other.callback_id}, {state_label(other.state)}",
        )


def _next(on: Drawing) -> Iterator[Text]:
    if on.life.ended is not None:
        return
    ahead = [each for each in on.life.deadlines if each.at > on.now]
    passed = [each for each in on.life.deadlines if each.at <= on.now]
    yield on.heading("Next")
    if not ahead:
        yield line("  nothing is timed: it moves when somebody acts")
    for each in ahead:
        left = duration((each.at - on.now).total_seconds() + 1)
        yield line(
            (f"  {f'in {left}':>{FOR_WIDTH + 4}}", "bold"),
            f"  {on.at(each.at)}  {_deadline(each, 0)}{_by(each.clock)}",
        )
    for each in passed:
        ago = on.since(each.at)
        yield line(
            (f"  {ago:>{FOR_WIDTH}} ago", "dim"),
            (f"  {on.at(each.at)}  {_deadline(each, 1)}{_by(each.clock)}", "dim"),
        )
    yield line()


def _alerts(on: Drawing) -> Iterator[Text]:
    if not on.life.alerts:
        return
    yield on.heading("Alerts")
    for each in on.life.alerts:
        yield _alert(on, each)
        _, word, style = severity(each.severity)
        if each.until is None:
            yield line("    ", (word, style), (f": {each.summary}" if each.summary else "", "dim"))
        rests = proof_words(each.proof, on.now, on.around.zone)
        if rests:
            yield line((f"    {rests}", "dim"))
    yield line()


def _alert(on: Drawing, alert: LifeAlert) -> Text:
    said = f"  {on.at(alert.since)}"
    if alert.until is not None:
        long = duration((alert.until - alert.since).total_seconds())
        why = f": {worded(alert.reason).lower()}" if alert.reason else ""
        mark, style = f"  {on.signs.dot} ", "dim"
        said += f", over after {long}{why}"
    else:
        sign, _, style = severity(alert.severity)
        mark = f"  {sign} "
        said += f", firing for {on.since(alert.since)}"
        seen = alert.acknowledged
        said += f", seen by {seen.by} at {on.at(seen.time)}" if seen else ", nobody has seen it"
    return line((f"{mark}{rule_label(alert.rule)}", style), said)


def _notes(on: Drawing) -> Iterator[Text]:
    """Tell what happened without a new state."""
    notes = [each for each in on.life.events if _kind(each.type) in NOTES]
    if not notes:
        return
    yield on.heading("Also told")
    if len(notes) > MOST_NOTES:
        yield line((f"  {on.signs.more} {plural(len(notes) - MOST_NOTES, 'earlier one')}", "dim"))
    for each in notes[-MOST_NOTES:]:
        kind = _kind(each.type)
        what = ", ".join(worded(reason).lower() for reason in each.reasons) or kind
        basis = BASES.get(each.cause, each.cause)
        said = what if kind == "updated" else f"{kind}: {what}" if each.reasons else kind
        yield line(f"  {on.at(each.time):{on.time_width}} {said}  ", (basis, "dim"))
    yield line()


def _legs(on: Drawing) -> Iterator[Text]:
    if not on.life.legs:
        return
    yield on.heading("Legs")
    for number, leg in enumerate(on.life.legs, 1):
        yield line(f"  {number} {f'{leg.role} {leg.medium}':19} ", *_leg(on, leg))
    yield line()


def _leg(on: Drawing, leg: Leg) -> list[str | tuple[str, str]]:
    who = f"agent {short(leg.user_id)}" if leg.user_id else ""
    if not who and leg.queue_id:
        who = f"queue {on.queue(leg.queue_id)}"
    times = []
    if leg.connected_time is not None:
        times.append(f"connected {on.at(leg.connected_time)}")
    if leg.ended_time is not None:
        times.append(f"ended {on.at(leg.ended_time)}")
    phase = worded(leg.phase).lower()
    return [
        (f"{phase:11}", "" if leg.ended_time else "bold"),
        f"{who:16.24}  ",
        ", ".join(times),
    ]


def _ids(on: Drawing) -> Iterator[Text]:
    row = on.life.callback
    yield line("Conversation ", (row.conversation_id, "bold"))
    if row.callback_id != row.conversation_id:
        yield line("Callback     ", (row.callback_id, "bold"))
    if row.queue_id:
        yield line(f"Queue        {row.queue_id}")
    if row.user_id:
        yield line(f"Agent        {row.user_id}")


def _kind(type_: str) -> str:
    """Give what a type of event is about: `updated` of `ringback.callback.updated.v1`."""
    return type_.removeprefix("ringback.callback.").partition(".")[0]


def _deadline(deadline: Deadline, which: int) -> str:
    known = KINDS.get(deadline.kind)
    if known:
        return known[which]
    word = severity(deadline.severity)[1].lower() if deadline.severity else "alert"
    return f"{word}: {rule_label(deadline.kind)}"


def _by(clock: str) -> str:
    return f" ({clock} clock)" if clock else ""
