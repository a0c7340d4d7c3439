"""Which conversations are best read by REST now, most urgent first.

Those that are unverified, those that a survey contradicted or brought up, those whose holds a gap
may have hidden, and those that nothing has confirmed for long. Reading is somebody else's business;
this only says what for.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from heapq import nsmallest
from itertools import chain, islice

from ringback.core.doubts import Doubts
from ringback.core.entries import Entry
from ringback.core.lifecycle import State
from ringback.core.records import is_over, stage_of

__all__ = ["Wants"]

AGAIN = timedelta(seconds=30)
"""Between two reads of the same conversation, whatever became of the first."""
SURVEYED = timedelta(seconds=25)
"""From the end of a gap until surveys have had their chance. They lag by seconds, and confirm
hundreds with one request."""
STRAY = timedelta(seconds=60)
"""A callback that has left the queues that are listened to is read so often."""
MOST_UNKNOWN = 20_000
"""Conversations that a survey brought up and nobody knew; more are found by the next one."""
MOST_UNHEARD = 20_000
"""Conversations whose holds are to be asked for. Beyond that some seconds on hold are missed."""
IN_VAIN = timedelta(minutes=15)
"""How long holds, or what an alert rests on, are asked for in vain."""
MOST_RANKED = 20_000
"""Wanted ones compared a call. Of more than that, a part has its turn each time."""
ROUNDS = 2000
"""Conversations looked at a call for whether they were confirmed lately."""

_URGENCY = {
    state: place
    for place, state in enumerate(
        (
            State.CONNECTED,  # the deadline of the automatic call runs
            State.AUTO_DIALING,
            State.HELD,
            State.DIALING,
            State.TALKING,
            State.ALERTING,
            State.WAITING,
            State.AFTER_CALL_WORK,
            State.SCHEDULED,
        )
    )
}
_UNKNOWN = _URGENCY[State.ALERTING]
_FAR = 1 << 62
_OPEN = frozenset(state.value for state in _URGENCY)


class Wants:
    """What is wanted, and what was asked for lately."""

    def __init__(
        self,
        entries: Mapping[str, Entry],
        doubts: Doubts,
        listened_to: Callable[[str | None], bool],
        overdue: timedelta,
    ) -> None:
        """`listened_to` says whether a queue's topics are heard.

        `overdue` is how long a live conversation may go without being confirmed.
        """
        self._entries = entries
        self._doubts = doubts
        self._listened_to = listened_to
        self._overdue = overdue
        self._contradicted: set[str] = set()
        self._unknown: dict[str, bool] = {}
        """With whether they have ended: then there is no hurry."""
        self._unheard: dict[str, datetime] = {}
        """With until when something may have been missed."""
        self._proofs: dict[str, tuple[int, datetime]] = {}
        """With how urgent each is, and since when."""
        self._asked: dict[str, datetime] = {}
        self._turn: Iterator[str] = iter(())
        self._round: Iterator[str] = iter(())

    def __len__(self) -> int:
        """How many are wanted, those aside that are merely not confirmed lately."""
        others = len(self._contradicted) + len(self._unknown) + len(self._unheard)
        return len(self._doubts) + len(self._proofs) + others

    def contradicted(self, conversation_id: str) -> None:
        """A survey does not agree with what is known."""
        self._contradicted.add(conversation_id)

    def unknown(self, conversation_id: str, *, over: bool) -> None:
        """A survey shows a conversation that is not known; `over` when it has ended as well."""
        if len(self._unknown) < MOST_UNKNOWN:
            self._unknown[conversation_id] = over

    def unheard(self, conversation_id: str, until: datetime) -> None:
        """It may have been on hold until then. Frames tell of no former hold, only reads do."""
        if len(self._unheard) < MOST_UNHEARD:
            self._unheard[conversation_id] = until

    def prove(self, conversation_id: str, rank: int, now: datetime) -> None:
        """An alert waits for it; the lower the rank, the sooner. It may be read again at once."""
        known, _ = self._proofs.get(conversation_id, (rank, now))
        self._proofs[conversation_id] = min(rank, known), now
        self._asked.pop(conversation_id, None)

    def may_know_holds(self, conversation_id: str, as_of: datetime) -> bool:
        """Whether holds are asked for that what is known as of then would show."""
        until = self._unheard.get(conversation_id)
        return until is not None and until <= as_of

    def heard(self, conversation_id: str) -> None:
        """All its holds are known."""
        self._unheard.pop(conversation_id, None)

    def satisfied(self, conversation_id: str, *, holds: bool) -> None:
        """Something has shown how it is; with `holds` also how it was."""
        self._contradicted.discard(conversation_id)
        self._unknown.pop(conversation_id, None)
        if holds:
            self.heard(conversation_id)
            self._proofs.pop(conversation_id, None)

    def failed(self, conversation_id: str, now: datetime) -> None:
        """A read failed: try again, later. What is not there to be read need not be found."""
        self._unknown.pop(conversation_id, None)
        unheard = self._unheard.get(conversation_id)
        if unheard is not None and now - unheard > IN_VAIN:
            del self._unheard[conversation_id]
        _, since = self._proofs.get(conversation_id, (0, now))
        if now - since > IN_VAIN:
            del self._proofs[conversation_id]
        self._asked[conversation_id] = now + AGAIN

    def most_urgent(self, limit: int, now: datetime) -> list[str]:
        """Give at most `limit` to read now. They are not given again for a while."""
        self._asked = {one: until for one, until in self._asked.items() if until > now}
        seen = {*self._candidates(now), *self._unconfirmed(now)}
        wanted = (one for one in seen if one not in self._asked)
        chosen = [one for _, _, one in nsmallest(limit, map(self._urgency, wanted))]
        self._asked.update(dict.fromkeys(chosen, now + AGAIN))
        return chosen

    def _candidates(self, now: datetime) -> Iterator[str]:
        """Give what is wanted; a part of it, in turn, when it is too much to compare."""
        if len(self) <= MOST_RANKED:
            proofs, doubts = self._proofs, self._doubts
            part = [*proofs, *self._contradicted, *self._unknown, *doubts, *self._unheard]
        else:
            part = list(islice(chain(self._proofs, self._turn), MOST_RANKED))
            if len(part) < MOST_RANKED:
                wanted = (self._contradicted, self._unknown, self._doubts, self._unheard)
                self._turn = iter(list(chain.from_iterable(wanted)))
                part += islice(self._turn, MOST_RANKED - len(part))
        return (one for one in part if self._is_wanted(one, now))

    def _is_wanted(self, conversation_id: str, now: datetime) -> bool:
        """Whether it is wanted still. What has time is left to surveys first."""
        if any(
            conversation_id in each for each in (self._proofs, self._contradicted, self._unknown)
        ):
            return True
        if conversation_id not in self._doubts:
            unheard = self._unheard.get(conversation_id)
            return unheard is not None and now - unheard >= SURVEYED
        ended_at = self._doubts.ended_at(conversation_id)
        return ended_at is not None and (
            now - ended_at >= SURVEYED
            or self._urgency(conversation_id)[0] <= _URGENCY[State.ALERTING]
        )

    def _urgency(self, conversation_id: str) -> tuple[int, int, str]:
        entry = self._entries.get(conversation_id)
        if entry is None:
            over = self._unknown.get(conversation_id, False)
            return len(_URGENCY) if over else _UNKNOWN, _FAR, conversation_id
        stage = stage_of(entry.state)
        rank = _URGENCY[State(stage)] if stage in _OPEN else len(_URGENCY)
        if conversation_id in self._proofs:
            rank, _ = self._proofs[conversation_id]
        return rank, entry.wake_at or _FAR, conversation_id

    def _unconfirmed(self, now: datetime) -> Iterable[str]:
        """Look at some more of all conversations, in turn."""
        for _ in range(ROUNDS):
            conversation_id = next(self._round, None)
            if conversation_id is None:
                self._round = iter(list(self._entries))
                return
            entry = self._entries.get(conversation_id)
            if entry is None or conversation_id in self._doubts or is_over(entry.state):
                continue
            patience = self._overdue if self._listened_to(entry.queue_id) else STRAY
            if entry.confirmed_at < now - patience:
                yield conversation_id
