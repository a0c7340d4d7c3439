"""What can go wrong between the platform and whoever listens, seeded and pure.

Frames are lost, repeated, delayed, put out of order and damaged. Damage gives frames that cannot be
understood, or harmless oddities: never a plausible lie about a live leg.
"""

import heapq
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import count
from random import Random

import msgspec

from ringback.simulator.centre import Emission

__all__ = ["NO_FAULTS", "FaultRates", "Faults"]

Frame = dict[str, object]


@dataclass(frozen=True, slots=True)
class FaultRates:
    """How likely each fault is for a frame, from 0 to 1, and how bad it is."""

    lose: float = 0.0
    repeat: float = 0.0
    reorder: float = 0.0
    """Arrives up to two seconds late, behind others of its conversation."""
    delay: float = 0.0
    """Arrives up to `longest_delay` late."""
    damage: float = 0.0
    """Cannot be understood; the undamaged frame does not come."""
    oddity: float = 0.0
    """Can be understood, though something in it is unknown, null or empty."""
    longest_delay: timedelta = timedelta(seconds=30)
    oversize_bytes: int = 4 * 1024 * 1024
    """By how much a frame is blown up that is to be too large to take."""


NO_FAULTS = FaultRates()


class Faults:
    """Turns what was sent into what arrives, and when."""

    def __init__(self, seed: int, rates: FaultRates = NO_FAULTS) -> None:
        """Begin with nothing on its way."""
        self.rates = rates
        self.counts: dict[str, int] = {}
        """How often each fault was made."""
        self._random = Random(seed)
        self._order = count()
        self._under_way: list[tuple[datetime, int, Emission]] = []

    @property
    def next_at(self) -> datetime | None:
        """When the next frame under way arrives."""
        return self._under_way[0][0] if self._under_way else None

    def pass_on(self, emissions: Iterable[Emission], until: datetime) -> list[Emission]:
        """Take what was sent, and give what arrives up to and including `until`, in order.

        The `at` of what is given is its arrival.
        """
        for emission in emissions:
            self._send(emission)
        arrived = []
        while self._under_way and self._under_way[0][0] <= until:
            arrived.append(heapq.heappop(self._under_way)[2])
        return arrived

    def flush(self) -> list[Emission]:
        """Give all that is still under way, in order of arrival."""
        rest = [emission for _, _, emission in sorted(self._under_way)]
        self._under_way.clear()
        return rest

    def _send(self, emission: Emission) -> None:
        if self._happens("lose", self.rates.lose):
            return
        copies = 2 if self._happens("repeat", self.rates.repeat) else 1
        for _ in range(copies):
            late = timedelta()
            if self._happens("reorder", self.rates.reorder):
                late += self._random.uniform(0, 2) * timedelta(seconds=1)
            if self._happens("delay", self.rates.delay):
                late += self._random.random() * self.rates.longest_delay
            arriving = replace(emission, at=emission.at + late)
            if self._happens("damage", self.rates.damage):
                arriving = self._damage(arriving)
            elif self._happens("oddity", self.rates.oddity):
                arriving = self._make_odd(arriving)
            heapq.heappush(self._under_way, (arriving.at, next(self._order), arriving))

    def _happens(self, fault: str, rate: float) -> bool:
        # Drawn even for a rate of 0, so that one rate does not shift the chances of the others.
        happens = self._random.random() < rate
        if happens:
            self.counts[fault] = self.counts.get(fault, 0) + 1
        return happens

    def _damage(self, emission: Emission) -> Emission:
        frame, random = emission.frame, self._random
        match random.randrange(6):
            case 0:
                return replace(emission, frame=frame[: random.randrange(1, len(frame) - 1)])
            case 1:
                return replace(emission, frame=random.randbytes(64) + b"\xff", binary=True)
            case 2:
                depth = random.choice((600, 20_000))
                return replace(emission, frame=b'{"eventBody":' * depth + b"1" + b"}" * depth)
            case 3:
                padding = b" " * self.rates.oversize_bytes
                return replace(emission, frame=frame[:-1] + padding + b"}")
            case 4:
                nothing = random.choice((b"{}", b"null", b"[]", b'""', b"0", b"<html>", b"NaN"))
                return replace(emission, frame=nothing)
            case _:
                return _rewritten(emission, random.choice(WRONG_TYPES))

    def _make_odd(self, emission: Emission) -> Emission:
        return _rewritten(emission, self._random.choice(ODDITIES))


def _rewritten(emission: Emission, change: Callable[[Frame], object]) -> Emission:
    frame = msgspec.json.decode(emission.frame, type=Frame)
    change(frame)
    return replace(emission, frame=msgspec.json.encode(frame))


def _body(frame: Frame) -> Frame:
    return msgspec.convert(frame["eventBody"], Frame)


def _edit_body(frame: Frame, **fields: object) -> None:
    frame["eventBody"] = {**_body(frame), **fields}


def _participants(frame: Frame) -> list[Frame]:
    return msgspec.convert(_body(frame)["participants"], list[Frame])


def _edit_participants(frame: Frame, **fields: object) -> None:
    _edit_body(frame, participants=[{**one, **fields} for one in _participants(frame)])


WRONG_TYPES: tuple[Callable[[Frame], object], ...] = (
    lambda frame: frame.update(eventBody=[1, 2, 3]),
    lambda frame: frame.update(topicName=17),
    lambda frame: _edit_body(frame, id=17),
    lambda frame: _edit_body(frame, participants="none"),
    lambda frame: _edit_body(frame, participants=[1, "two"]),
    lambda frame: _edit_participants(frame, id=[]),
    lambda frame: _edit_participants(frame, purpose=7, state=[7], callbacks=7),
)
"""Changes that leave JSON which is no conversation."""

ODDITIES: tuple[Callable[[Frame], object], ...] = (
    lambda frame: frame.update(version="3", metadata=None, deliveredBy={"node": [1, 2.5, None]}),
    lambda frame: _edit_body(frame, recordingState="quantum", securePause=None, divisions={}),
    lambda frame: _edit_body(frame, futureField={"nested": [{"deep": [True]}]}),
    lambda frame: _edit_participants(frame, flaggedReason="novel", mediaRoles=["haunt"]),
    lambda frame: _edit_participants(frame, wrapupPrompt="never-heard-of", team=None),
    lambda frame: _edit_participants(frame, conversationRoutingData=None, attributes=None),
    lambda frame: _edit_participants(frame, conversationRoutingData={}, attributes={}),
    lambda frame: _edit_participants(frame, additionalProperties=None, chats=None, emails=[]),
    lambda frame: _edit_body(
        frame,
        participants=[
            *_participants(frame),
            {"id": "00000000-0000-4000-8000-000000000000", "purpose": "ghost", "callbacks": []},
        ],
    ),
)
"""Changes that say nothing else about any leg."""
