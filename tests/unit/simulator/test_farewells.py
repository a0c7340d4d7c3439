from datetime import UTC, datetime, timedelta

from ringback.core.policy import Policy
from ringback.core.snapshots import Snapshot
from ringback.core.tracker import Tracker
from ringback.simulator.centre import ContactCentre
from ringback.simulator.farewells import farewell
from ringback.simulator.options import Options
from ringback.wire.decode import Decoder

START = datetime(2026, 11, 22, 8, tzinfo=UTC)


def test_a_farewell_ends_every_callback_of_its_conversation() -> None:
    tracker, decoder = Tracker(Policy()), Decoder()

    def take(frame: bytes, now: datetime) -> None:
        decoded = decoder.decode(frame)
        if isinstance(decoded, Snapshot):
            tracker.observe(decoded, now)

    centre = ContactCentre(3, START, Options(speed=20))
    for emission in centre.advance(START + timedelta(minutes=1)):
        take(emission.frame, emission.at)
    live = sum(
        count for stage, count in tracker.conversations.stages.items() if stage != "disconnected"
    )
    assert live > 20
    end = START + timedelta(minutes=2)
    for conversation_id in list(tracker.conversations.ids()):
        conversation = tracker.conversations.get(conversation_id)
        assert conversation is not None
        if any(callback.open for callback in conversation.callbacks):
            take(farewell(conversation, end), end)
    assert +tracker.conversations.stages == {"disconnected": len(tracker.conversations)}
