"""A callback's states, offers, holds and gaps, drawn to scale one below the other."""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime

import msgspec
from rich.text import Text

from ringback.terminal.drawing import Drawing
from ringback.terminal.lives import Spell
from ringback.terminal.scale import Scale, span_of
from ringback.terminal.words import BASES, duration, line, short, state_label, state_style, worded

__all__ = ["FOR_WIDTH", "lanes"]

LABEL_WIDTH = 16
FOR_WIDTH = 8
BASIS_WIDTH = 13
LEAST_BAR = 8
FIRST_SPELLS = 3
"""Of more states than `Around.most_spells` the first few are shown, and the last."""
SHORT_SECONDS = 10


class _Lane(msgspec.Struct, frozen=True, kw_only=True):
    """A time, and how it is drawn."""

    began: datetime
    until: datetime | None
    seconds: float | None = None
    """How long it was, where that is told."""
    label: str
    basis: str
    sign: str
    style: str = ""


def lanes(on: Drawing) -> Iterator[Text]:
    """Draw them, the states first, and the scale below."""
    life = on.life
    began, until = span_of(life, on.now)
    taken = 2 + on.time_width + LABEL_WIDTH + FOR_WIDTH + BASIS_WIDTH + 3
    scale = Scale(began, until, max(LEAST_BAR, on.width - taken))
    yield on.heading("States")
    if not life.complete:
        yield line(("  the journal no longer has the beginning", "dim"))
    for each in _spells(on):
        if isinstance(each, str):
            yield line((f"  {each}", "dim"))
            continue
        yield _drawn(on, scale, _lane_of(on, each))
        if each.skipped:
            past = ", ".join(state_label(state) for state in each.skipped)
            yield line((f"  {'':{on.time_width}} passed through unseen: {past}", "dim"))
    beside = list(_beside(on))
    if (more := len(beside) - on.around.most_spells) > 0:
        yield line((f"  {on.signs.more} {more} more offers and holds", "dim"))
    for lane in beside[-on.around.most_spells :]:
        yield _drawn(on, scale, lane)
    if ticks := scale.ticks(on.around.zone, on.signs.tick):
        yield line((" " * (taken - BASIS_WIDTH - 1) + ticks, "dim"))
    if any(each.mixed for each in life.states):
        yield line(("  mixed: it began by one clock and ended by another", "dim"))
    yield line()


def _spells(on: Drawing) -> list[Spell | str]:
    """Give the states, and a sentence for those that would be too many."""
    states, most = on.life.states, on.around.most_spells
    if len(states) <= most:
        return [*states]
    last = most - FIRST_SPELLS
    between = states[FIRST_SPELLS:-last]
    counted = Counter(state_label(each.state) for each in between)
    what = ", ".join(f"{count} {name}" for name, count in counted.most_common())
    more = f"{on.signs.more} {len(between)} more: {what} (all of them with --json)"
    return [*states[:FIRST_SPELLS], more, *states[-last:]]


def _lane_of(on: Drawing, spell: Spell) -> _Lane:
    return _Lane(
        began=spell.began,
        until=spell.until,
        seconds=spell.seconds,
        label=state_label(spell.state),
        basis=_basis(spell),
        sign=on.signs.full,
        style=state_style(spell.state),
    )


def _beside(on: Drawing) -> Iterator[_Lane]:
    """Give what is no state: offers, holds, and when nothing was heard."""
    # In the order of their kinds, so that the gaps are what is never left out.
    for offer in on.life.offers:
        if offer.began is not None:
            yield _Lane(
                began=offer.began,
                until=offer.until,
                label=f"offer {worded(offer.result).lower()}",
                basis=short(offer.user_id),
                sign=on.signs.line,
            )
    for number, leg in enumerate(on.life.legs, 1):
        for hold in leg.holds:
            yield _Lane(
                began=hold.began,
                until=hold.until,
                label="on hold",
                basis=f"leg {number}",
                sign=on.signs.line,
                style=state_style("held"),
            )
    for gap in on.life.gaps:
        yield _Lane(
            began=gap.began,
            until=gap.until,
            label="nothing heard",
            basis=worded(gap.cause).lower(),
            sign=on.signs.hatch,
            style="red",
        )


def _drawn(on: Drawing, scale: Scale, lane: _Lane) -> Text:
    end = lane.until or on.life.ended or on.now
    long = (end - lane.began).total_seconds() if lane.seconds is None else lane.seconds
    before, bar = scale.bar(lane.began, end, lane.sign, on.signs.thin)
    if bar and lane.began < scale.began:
        bar = on.signs.cut + bar[1:]
    return line(
        f"  {on.at(lane.began):{on.time_width}} ",
        (f"{lane.label:{LABEL_WIDTH}.{LABEL_WIDTH}}", lane.style),
        f"{_exact(long):>{FOR_WIDTH}} ",
        " " * before,
        (bar, lane.style),
        " " * (scale.width - before - len(bar)),
        (f" {lane.basis[:BASIS_WIDTH]}", "dim"),
    )


def _basis(spell: Spell) -> str:
    basis = BASES.get(spell.cause, spell.cause)
    if spell.late_seconds >= 1:
        return f"{basis}, late"
    return f"{basis}, mixed" if spell.mixed else basis


def _exact(seconds: float) -> str:
    """Write a length; what is short is told apart from nothing."""
    return f"{max(0.0, seconds):.1f} s" if seconds < SHORT_SECONDS else duration(seconds)
