from typing import Any

import msgspec
import pytest

from ringback.wire.callback import Callback
from ringback.wire.values import UNLISTED, CommunicationState


def test_an_unlisted_value_is_as_good_as_a_string() -> None:
    state = CommunicationState("hovering")
    assert state == "hovering"
    assert hash(state) == hash("hovering")
    assert f"{state}" == str(state) == "hovering"
    assert isinstance(state, CommunicationState)
    assert "hovering" not in {*CommunicationState}
    assert msgspec.json.encode(state) == b'"hovering"'
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(state)) == "hovering"


def test_what_is_no_string_is_no_state() -> None:
    with pytest.raises(msgspec.ValidationError, match="Expected `str"):
        msgspec.json.decode(b'{"state":5}', type=Callback)
    number: Any = 5
    with pytest.raises(ValueError, match="5"):
        CommunicationState(number)


def test_unlisted_values_are_noted_in_a_bounded_way() -> None:
    for _ in range(3000):
        CommunicationState("hovering")
    assert len(UNLISTED) == 1000
    UNLISTED.clear()


def test_structs_go_out_as_they_came() -> None:
    frame = (
        b'{"state":"hovering","id":"m","callbackNumbers":["1"],"timeoutSeconds":0,'
        b'"connectedTime":"2022-07-04T20:04:12.131Z","callbackScheduledTime":1649237504949}'
    )
    callback = msgspec.json.decode(frame, type=Callback)
    again = msgspec.json.decode(msgspec.json.encode(callback), type=Callback)
    assert again == callback
    assert set(msgspec.json.decode(msgspec.json.encode(callback))) == set(
        msgspec.json.decode(frame)
    )
    UNLISTED.clear()
