"""Every open callback, and every alert that is firing, as of one position of the journal."""

from collections.abc import Iterator, Sequence
from itertools import islice

import msgspec

from ringback.core.events import AlertData, CallbackData, Event
from ringback.core.records import Conversation
from ringback.core.tracker import Tracker
from ringback.web.board.alarms import Alarm, alarm_of_feed, alarm_told, alarms_of, place_told
from ringback.web.board.rows import Row, row_of, row_told
from ringback.web.journal import Told

__all__ = ["Board"]

CHUNK = 200
"""Conversations loaded at once: a few milliseconds."""


class Board:
    """Rows never change, they are replaced: a copy of the list of them is a snapshot."""

    def __init__(self) -> None:
        self.rows: dict[str, Row] = {}
        """By callback id."""
        self.alarms: dict[str, Alarm] = {}
        """By alert id."""
        self.position = 0
        """Of the last journal entry that is shown."""
        self._complete_at: int | None = None

    @property
    def loaded(self) -> bool:
        """Whether all is here, and is committed; until then nothing may be shown."""
        return self._complete_at is not None and self.position >= self._complete_at

    def complete(self, position: int) -> None:
        """Note that all was loaded, of which some is told only up to this position."""
        self._complete_at = position

    def apply(self, told: Sequence[Told]) -> None:
        """Take in journal entries, in order. What is known already changes nothing."""
        for each in told:
            event = each.event
            if event is None:
                continue
            data = event.data
            if isinstance(data, CallbackData):
                self._callback(event, data)
            elif isinstance(data, AlertData):
                self._alert(event, data)
        if told:
            self.position = told[-1].position

    def load(self, tracker: Tracker) -> Iterator[None]:
        """Take over all that is open or firing, part by part; events may come in between.

        What a tracker knows may not be committed yet: call `complete` once it is.
        """
        for feed, alarm in tracker.feeds.firing():
            shown = alarm_of_feed(feed, alarm)
            self.alarms[shown.alert.alert_id] = shown
        ids = iter(list(tracker.conversations.ids()))
        while part := list(islice(ids, CHUNK)):
            for conversation_id in part:
                conversation = tracker.conversations.get_kept(conversation_id)
                if conversation is not None:
                    self._take(conversation, conversation_id)
            yield

    def _take(self, conversation: Conversation, known_id: str) -> None:
        for callback in conversation.callbacks:
            # Never older than what events have told by now: the tracker is ahead of the journal.
            if callback.open:
                row = row_of(conversation, callback, known_id)
                self.rows[row.callback_id] = row
            for alarm in alarms_of(conversation, callback):
                self.alarms[alarm.alert.alert_id] = alarm

    def _callback(self, event: Event, data: CallbackData) -> None:
        known = self.rows.get(data.callback_id)
        if known is not None and (event.sequence or 0) <= known.sequence:
            return
        row = row_told(event, data, known)
        if row is not None:
            self.rows[row.callback_id] = row
        elif known is not None:
            del self.rows[data.callback_id]
        for alert in () if known is None else known.alerts:
            alarm = self.alarms[alert.alert_id]
            place = place_told(event, data, alarm.place)
            self.alarms[alert.alert_id] = msgspec.structs.replace(alarm, place=place)

    def _alert(self, event: Event, data: AlertData) -> None:
        alarm = alarm_told(event, data, self.alarms.get(data.alert_id))
        if alarm is not None:
            self.alarms[data.alert_id] = alarm
        else:
            self.alarms.pop(data.alert_id, None)
        row = self.rows.get(data.callback_id or "")
        if row is not None:
            others = [one for one in row.alerts if one.alert_id != data.alert_id]
            alerts = (*others, *(() if alarm is None else (alarm.alert,)))
            self.rows[row.callback_id] = msgspec.structs.replace(row, alerts=alerts)
