"""The alerts that fire, by their ids, and what people do about them: see them, or silence them."""

from collections.abc import Collection
from datetime import datetime

from ringback.core.changes import Change, changes_of
from ringback.core.conversations import Conversations
from ringback.core.records import Alarm, Callback, Conversation
from ringback.core.sources import Sources
from ringback.core.watch.feeds import FEED, Feeds
from ringback.core.watch.life import Life
from ringback.core.watch.silences import Matcher, Silence, Silences
from ringback.errors import AlertOver, AlertUnknown

__all__ = ["Alerts"]


class Alerts:
    """Those about callbacks and those about sources, as people know them."""

    def __init__(
        self,
        conversations: Conversations,
        life: Life,
        sources: Sources,
        feeds: Feeds,
        silences: Silences,
    ) -> None:
        self._conversations = conversations
        self._life = life
        self._sources = sources
        self._feeds = feeds
        self._silences = silences

    def firing(self, alert_id: str) -> Alarm:
        """Give an alert that is firing. Raises `AlertUnknown` and `AlertOver`."""
        about_source = self._feeds.find(alert_id)
        return self._find(alert_id)[2] if about_source is None else about_source[1]

    def row_of(self, alert_id: str) -> str:
        """Give the key of the row that an alert is in. Raises `AlertUnknown` and `AlertOver`."""
        about_source = self._feeds.find(alert_id)
        return self._find(alert_id)[0].id if about_source is None else FEED + about_source[0].name

    def acknowledge(self, alert_id: str, by: str, now: datetime) -> Change | None:
        """Note who has seen that an alert is firing; None when somebody had before.

        Raises `AlertUnknown` and `AlertOver`.
        """
        about_source = self._feeds.find(alert_id)
        if about_source is not None:
            changes = self._sources.acknowledge(*about_source, by, now)
            return changes[0] if changes else None
        conversation, callback, alarm = self._find(alert_id)
        entry = self._conversations.entries[conversation.id]
        early = self._conversations.open(entry)[1]
        events = early + self._life.acknowledge(conversation, callback, alarm, by, now)
        return self._conversations.keep(conversation, entry, now, events) if events else None

    def silence(
        self,
        matchers: Collection[Matcher],
        until: datetime,
        by: str,
        comment: str,
        now: datetime,
        *,
        silence_id: str = "",
    ) -> tuple[Silence, list[Change]]:
        """Let nobody be told of some alerts for a while. Raises `SilenceRefused`.

        Without an id it is given one; one that was given an id elsewhere is begun but once.
        """
        silence = self._silences.begin(
            tuple(matchers), until, by, comment, now, silence_id=silence_id
        )
        return silence, changes_of(self._silences.unsaved())

    def end_silence(self, silence_id: str) -> list[Change]:
        """End a silence before its time. Raises `SilenceUnknown`."""
        self._silences.end(silence_id)
        return changes_of(self._silences.unsaved())

    def _find(self, alert_id: str) -> tuple[Conversation, Callback, Alarm]:
        """Give an alert of a callback that is firing, and whose it is."""
        # A callback's id is the platform's, and may hold a slash.
        name, _, episode = alert_id.rpartition("/")
        callback_id, _, rule = name.rpartition("/")
        found = self._conversations.find(callback_id)
        if found is None:
            raise AlertUnknown(alert_id)
        conversation, callback = found
        alarm = callback.alarm(rule)
        if alarm is None or not episode.isdecimal() or not 1 <= int(episode) <= alarm.episode:
            raise AlertUnknown(alert_id)
        if alarm.since is None or int(episode) != alarm.episode:
            raise AlertOver(alert_id)
        return conversation, callback, alarm
