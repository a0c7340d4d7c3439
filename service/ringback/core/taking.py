"""Taking in one snapshot: what each sighting changes of its leg, and what it says besides."""

from collections import Counter
from datetime import datetime, timedelta
from typing import NamedTuple

from ringback.core.clocks import Clock, Skews
from ringback.core.derivation import Cast, holds_of
from ringback.core.events import Event
from ringback.core.joining import Joining
from ringback.core.legs import Phase, Verdict, learn_holds, merge, phase_shown
from ringback.core.records import TOMBSTONE, Callback, Conversation, Voicemail
from ringback.core.settling import Settling
from ringback.core.snapshots import Medium, Sighting, Snapshot

__all__ = ["Taken", "Taking"]

AFTER_END = timedelta(seconds=5)
"""Activity must begin this much after a callback's end to be an anomaly: the clocks differ."""
HOLD_SECONDS = 1.0
"""A hold that is corrected by less is not told: frames tell ends of holds no better."""


class Taken(NamedTuple):
    """What a snapshot has done to its conversation."""

    changed: bool
    """Whether it has done anything."""
    current: bool
    """Whether it shows legs, and none of them as it once was."""
    events: list[Event]
    """Anomalies, and holds of ended callbacks that are known better now."""
    casts: list[Cast]
    """The legs of every callback as they are now."""


class Taking:
    """Takes in the snapshots of one tracker; keeps only what it has dropped, by reason."""

    def __init__(self, skews: Skews, settling: Settling) -> None:
        self.dropped: Counter[str] = Counter()
        """Sightings dropped as stale, and frames without effect."""
        self._skews = skews
        self._settling = settling

    def take(
        self, conversation: Conversation, snapshot: Snapshot, now: datetime, heard_at: datetime
    ) -> Taken:
        """Let each sighting change its leg."""
        changed = shown = stale = False
        events: list[Event] = []
        ended: dict[int, float] = {}
        outdated = snapshot.read_at is not None and snapshot.read_at < heard_at
        fresh = snapshot.read_at is not None and not outdated
        joining = Joining(conversation, snapshot.sightings, now)
        for index, sighting in enumerate(snapshot.sightings):
            if sighting.inbound and sighting.medium is Medium.VOICE:
                continue
            self.notice(sighting, now)
            known = joining.find(index, sighting)
            if known is None and outdated and phase_shown(sighting, Phase.NONE) < Phase.ENDED:
                self.dropped[Verdict.OUTDATED] += 1
                continue
            found = known or joining.place(sighting)
            if found is None:
                self.dropped[TOMBSTONE] += 1
                continue
            callback, leg = found
            if not callback.open:
                events += self._after_end(conversation, callback, sighting, now)
                ended.setdefault(callback.ordinal, holds_of(callback, now).total)
                changed = learn_holds(leg, sighting) or changed
                continue
            shown = True
            verdict = merge(leg, sighting, now, outdated=outdated, fresh=fresh)
            if verdict is Verdict.CHANGED or known is None:
                changed = True
            elif verdict is not Verdict.SAME:
                stale = True
                self.dropped[verdict] += 1
            changed = _note(callback, sighting, now) or changed
        casts = [Cast(callback) for callback in conversation.callbacks]
        if snapshot.shows_voice:
            changed = _note_visible(casts) or changed
        events += self._corrections(conversation, ended, now, events)
        return Taken(changed or bool(events), shown and not stale, events, casts)

    def _after_end(
        self, conversation: Conversation, callback: Callback, sighting: Sighting, now: datetime
    ) -> list[Event]:
        """An ended callback never reopens; what proves to be later than its end is told."""
        if phase_shown(sighting, Phase.NONE) is Phase.ENDED:
            return []
        self.dropped[Verdict.ENDED] += 1
        since, ended_at = sighting.connected_at, callback.ended_at
        if since is None or ended_at is None or since <= ended_at + AFTER_END:
            return []
        if sighting.medium is Medium.VOICE:
            # Customer first: the call goes on after its callback was handed off.
            return []
        return self._settling.after_end(conversation, callback, now, since)

    def _corrections(
        self,
        conversation: Conversation,
        before: dict[int, float],
        now: datetime,
        told: list[Event],
    ) -> list[Event]:
        """Tell of ended callbacks that have learnt of holds in a gap: no other event will.

        `before` gives the seconds that each was on hold as far as was known, by its ordinal.
        """
        corrected = [
            callback
            for callback in conversation.callbacks
            if callback.ordinal in before
            and abs(holds_of(callback, now).total - before[callback.ordinal]) >= HOLD_SECONDS
            and all(event.subject != callback.id_in(conversation.id) for event in told)
        ]
        return [self._settling.corrected(conversation, one, now) for one in corrected]

    def notice(self, sighting: Sighting, now: datetime) -> None:
        """Learn the clocks' skews from instants that cannot lie in the future."""
        connected_at, ended_at = sighting.connected_at, sighting.ended_at
        hold_started_at = sighting.hold_started_at
        if connected_at is not None and connected_at > now:
            self._skews.notice(Clock.CLOUD, connected_at, now)
        if hold_started_at is not None and hold_started_at > now:
            self._skews.notice(Clock.CLOUD, hold_started_at, now)
        if ended_at is not None and ended_at > now:
            self._skews.notice(Clock.PROVIDER, ended_at, now)


def _note_visible(casts: list[Cast]) -> bool:
    """Note with which agents voice legs would be seen, as this snapshot shows both."""
    changed = False
    for cast in casts:
        callback, agent = cast.callback, cast.agent
        if (
            agent is not None
            and agent.phase is Phase.CONNECTED
            and callback.visible_with != agent.participant_id
            and callback.open
        ):
            callback.visible_with = agent.participant_id
            changed = True
    return changed


def _note(callback: Callback, sighting: Sighting, now: datetime) -> bool:
    """Take over what a sighting says of the callback as a whole. Written out: it runs often."""
    changed = False
    status = sighting.voicemail
    if status is not None and (callback.voicemail is None or callback.voicemail.status != status):
        callback.voicemail = Voicemail(status, now)
        changed = True
    if sighting.owner_id is not None and sighting.owner_id != callback.owner_id:
        callback.owner_id = sighting.owner_id
        changed = True
    if sighting.campaign_id is not None and sighting.campaign_id != callback.campaign_id:
        callback.campaign_id = sighting.campaign_id
        changed = True
    timeout = sighting.alerting_timeout_ms
    if timeout is not None and timeout != callback.alerting_timeout_ms:
        callback.alerting_timeout_ms = timeout
        changed = True
    if sighting.automated and not callback.automated:
        callback.automated = changed = True
    if sighting.preview and not callback.preview:
        callback.preview = changed = True
    if sighting.contact and sighting.contact != callback.contact:
        callback.contact, callback.numbers = sighting.contact, sighting.numbers
        changed = True
    return changed
