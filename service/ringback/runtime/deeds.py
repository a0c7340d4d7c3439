"""What somebody did, done again: from a recording, or by whoever follows the input log."""

from collections.abc import Sequence
from datetime import UTC, datetime

from ringback.core.changes import Change
from ringback.core.tracker import Tracker
from ringback.core.watch.silences import Matcher
from ringback.wire.inputs import Acknowledge, BeginSilence, EndSilence

__all__ = ["carry_out"]


def carry_out(
    tracker: Tracker, deed: Acknowledge | BeginSilence | EndSilence, now: datetime
) -> Sequence[Change]:
    """Let a tracker take in a deed. Raises `AlertError` and `SilenceError`."""
    match deed:
        case Acknowledge():
            change = tracker.alerts.acknowledge(deed.alert_id, deed.by, now)
            return [] if change is None else [change]
        case BeginSilence():
            matchers = [Matcher(one.field, one.value, one.prefix) for one in deed.matchers]
            until = deed.until.astimezone(UTC)
            _, changes = tracker.alerts.silence(
                matchers, until, deed.by, deed.comment, now, silence_id=deed.id
            )
            return changes
        case EndSilence():
            return tracker.alerts.end_silence(deed.silence_id)
