"""What is measured with: frames of the simulated centre, and a population of callbacks at rest."""

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from uuid import UUID

from ringback.core.policy import Policy
from ringback.core.records import pack
from ringback.core.snapshots import Role, Sighting, Snapshot
from ringback.core.tracker import Tracker
from ringback.simulator.centre import ContactCentre
from ringback.simulator.options import Options

START = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(minutes=20)
"""Lately: what is days old is alarming, and what lies ahead is taken for a clock that runs fast."""
FAR = START + timedelta(days=1)
QUEUE = str(UUID(int=1))


def stream(count: int) -> list[bytes]:
    """Give the first frames of a busy centre as it sends them by default: both shapes."""
    options = Options(speed=20, max_live=400, arrivals_per_minute=60, stuck_seconds=300)
    centre = ContactCentre(1, START, options)
    frames: list[bytes] = []
    at = START
    while len(frames) < count:
        at += timedelta(seconds=5)
        frames += [emission.frame for emission in centre.advance(at)]
    return frames[:count]


def snapshot(number: int, *, held: bool = False, at: datetime = START) -> Snapshot:
    """Show conversation `number`: customer, ACD and a connected agent: three legs."""
    base = number * 10
    customer, acd, agent = (str(UUID(int=base + leg)) for leg in (1, 2, 3))
    customer_call, acd_call, agent_call = (str(UUID(int=base + leg)) for leg in (4, 5, 6))
    return Snapshot(
        conversation_id=str(UUID(int=base)),
        shows_voice=True,
        sightings=[
            Sighting(
                customer,
                customer_call,
                Role.CUSTOMER,
                state="connected",
                connected_at=START,
                scheduled_at=START,
                queue_id=QUEUE,
            ),
            Sighting(
                acd,
                acd_call,
                Role.ACD,
                state="disconnected",
                connected_at=START,
                ended_at=START + timedelta(seconds=20),
                scheduled_at=START,
                disconnect_type="transfer",
                peer_id=customer_call,
                queue_id=QUEUE,
            ),
            Sighting(
                agent,
                agent_call,
                Role.AGENT,
                state="connected",
                connected_at=START + timedelta(seconds=20),
                timeout_seconds=86_400,
                held=held,
                hold_started_at=at if held else None,
                peer_id=customer_call,
                user_id=str(UUID(int=number % 2000 + 2)),
                queue_id=QUEUE,
            ),
        ],
    )


def population(
    numbers: Iterable[int], dial_at: Callable[[int], datetime] = lambda _: FAR
) -> Iterator[tuple[str, bytes, int | None]]:
    """Give live callbacks at rest, each with three legs, as rows to restore.

    One is observed; the others are it under other ids, each with its own auto-dial deadline.
    """
    tracker = Tracker(Policy())
    assert tracker.observe(snapshot(0), START) is not None
    conversation = tracker.conversations.get(snapshot(0).conversation_id)
    assert conversation is not None
    (callback,) = conversation.callbacks
    dial = callback.auto_dial
    assert dial is not None
    for number in numbers:
        shown = snapshot(number)
        conversation.id = shown.conversation_id
        callback.user_id = shown.sightings[2].user_id
        for leg, sighting in zip(callback.legs, shown.sightings, strict=True):
            leg.participant_id = sighting.participant_id
            leg.communication_id = sighting.communication_id
            leg.user_id = sighting.user_id
        dial.participant_id = callback.legs[2].participant_id
        dial.deadline = dial_at(number)
        yield conversation.id, pack(conversation), int(dial.deadline.timestamp() * 1000)
