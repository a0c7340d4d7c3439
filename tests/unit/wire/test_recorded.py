"""Messages that this and earlier versions have stored are read, and mean what they meant."""

from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest

from ringback.core.policy import Policy
from ringback.core.tracker import Tracker
from ringback.wire import log
from ringback.wire.cloudevents import decode
from ringback.wire.log import decode_message, encode_message
from ringback.wire.steps import decode_step, encode_step
from support import recorded
from support.callbacks import at
from support.recorded import INPUTS, PRESENT, STEPS, formats, meaning, read

AGAIN = "the format has changed: see tests/support/recorded.py for where it is to be recorded"


def holds(found: Any, recorded_: Any) -> bool:
    """Whether all that was recorded is found again; what has been appended since is no loss."""
    if isinstance(recorded_, dict):
        return isinstance(found, dict) and all(
            key in found and holds(found[key], value) for key, value in recorded_.items()
        )
    if isinstance(recorded_, list):
        return (
            isinstance(found, list)
            and len(found) >= len(recorded_)
            and all(map(holds, found, recorded_))
        )
    return bool(found == recorded_)


@pytest.mark.parametrize("folder", formats(), ids=lambda folder: folder.name)
def test_inputs_mean_what_they_meant(folder: Path) -> None:
    messages = read(folder / INPUTS)
    assert len(messages) > 20
    for one in messages:
        assert holds(meaning(decode_message(one.body)), one.means)


@pytest.mark.parametrize("folder", formats(), ids=lambda folder: folder.name)
def test_steps_mean_what_they_meant_and_a_tracker_begins_with_them(folder: Path) -> None:
    steps = [(decode_step(one.body), one.means) for one in read(folder / STEPS)]
    last = {}
    told: dict[str, str] = {}
    for step, means in steps:
        assert holds(meaning(step), means)
        last[step.key] = step
        for event in map(decode, step.events):
            if event.sequence is not None:
                told[event.subject] = event.data.state  # type: ignore[union-attr, assignment]
    tracker = Tracker(Policy())
    rows = [(each.key, each.state, each.wake_at) for each in last.values() if each.state]
    tracker.restore(rows, at(0))
    assert told
    assert "c-gone" in last
    assert "c-gone" not in tracker.conversations.ids()
    for name, state in told.items():
        found = tracker.conversations.find(name)
        assert found is not None
        assert found[1].state.value == state
    while tracker.fire_due(at(30 * 24 * 3600)):
        pass  # all of it can still be worked with


def test_the_present_format_is_recorded_with_every_kind_of_message() -> None:
    messages = [decode_message(one.body) for one in read(PRESENT / INPUTS)]
    assert {type(each) for each in messages} == set(get_args(log.Message))
    for one, message in zip(read(PRESENT / INPUTS), messages, strict=True):
        assert encode_message(message) == one.body, AGAIN
    for one in read(PRESENT / STEPS):
        assert encode_step(decode_step(one.body)) == one.body, AGAIN


def test_a_field_that_moved_is_noticed() -> None:
    one = next(each for each in read(PRESENT / STEPS) if each.means[1] is not None)
    key, state, wake_at, reached, *others = msgspec.msgpack.decode(one.body)
    moved = msgspec.msgpack.encode([key, state, reached, wake_at, *others])
    assert not holds(meaning(decode_step(moved)), one.means)
    assert not holds({"a": [1, 3]}, {"a": [1, 2]})
    assert holds({"a": [1, 2, 3], "b": None}, {"a": [1, 2]})
    assert recorded.PRESENT in formats()
