import pytest

from ringback.core.snapshots import QueueSettings
from ringback.errors import FrameError, FrameFault
from ringback.wire.inputs import Gap, decode_gap, decode_settings, encode_gap, encode_settings


@pytest.mark.parametrize(
    ("callback", "seconds"),
    [
        ('{"enableAutoDialAndEnd":true,"autoDialDelaySeconds":40}', 40),
        ('{"enableAutoDialAndEnd":true}', 300),
        ('{"enableAutoDialAndEnd":true,"autoDialDelaySeconds":0}', 0),
        ('{"enableAutoDialAndEnd":false,"autoDialDelaySeconds":40}', None),
        ('{"enableAutoDialAndEnd":{},"autoDialDelaySeconds":null}', None),
        ("null", None),
        ("{}", None),
    ],
)
def test_a_queue_dials_by_itself_when_it_is_switched_on(callback: str, seconds: int | None) -> None:
    queue = f'{{"id":"q1","name":"Sales","mediaSettings":{{"call":{{}},"callback":{callback}}}}}'
    assert decode_settings(queue.encode()) == QueueSettings("q1", seconds, name="Sales")


def test_a_queue_may_put_the_customer_first() -> None:
    data = b'{"id":"q1","mediaSettings":{"callback":{"mode":"CustomerFirst"}}}'
    assert decode_settings(data) == QueueSettings("q1", customer_first=True)


@pytest.mark.parametrize(
    ("owned", "hours"),
    [
        ('{"enableAgentOwnedCallbacks":true,"maxOwnedCallbackHours":48}', 48),
        ('{"enableAgentOwnedCallbacks":false,"maxOwnedCallbackHours":48}', None),
        ('{"maxOwnedCallbackHours":48}', None),
        ("{}", None),
    ],
)
def test_a_queue_may_let_callbacks_wait_for_an_agent(owned: str, hours: int | None) -> None:
    queue = f'{{"id":"q1","agentOwnedRouting":{owned},"division":{{"id":"d","name":null}}}}'
    assert decode_settings(queue.encode()) == QueueSettings(
        "q1", owned_hours=hours, division_id="d"
    )


def test_a_queue_says_how_long_an_agent_is_alerted() -> None:
    data = b'{"id":"q1","mediaSettings":{"callback":{"alertingTimeoutSeconds":12}}}'
    assert decode_settings(data) == QueueSettings("q1", alerting_timeout_seconds=12)


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (b"{", FrameFault.NOT_JSON),
        (b'{"id":"\xff"}', FrameFault.NOT_JSON),
        (b"null", FrameFault.WRONG_TYPE),
        (b"{}", FrameFault.WRONG_TYPE),
        (b'{"id":5}', FrameFault.WRONG_TYPE),
    ],
)
def test_what_is_no_queue_is_refused(data: bytes, fault: FrameFault) -> None:
    with pytest.raises(FrameError) as refused:
        decode_settings(data)
    assert refused.value.fault is fault


@pytest.mark.parametrize(
    "settings",
    [
        QueueSettings("q1"),
        QueueSettings("q1", 40),
        QueueSettings("q1", 0, customer_first=True),
        QueueSettings("q1", alerting_timeout_seconds=30, owned_hours=24),
    ],
)
def test_settings_are_recorded_as_the_queue_they_could_be_of(settings: QueueSettings) -> None:
    assert decode_settings(encode_settings(settings)) == settings


def test_a_gap_is_recorded_and_read_again() -> None:
    gap = Gap("main", "disconnected", "silent")
    assert decode_gap(encode_gap(gap)) == gap
    with pytest.raises(FrameError):
        decode_gap(b'{"source":"main","state":"asleep"}')
