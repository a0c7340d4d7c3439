from datetime import datetime

import pytest
from structlog.testing import capture_logs

from ringback.errors import FrameError, FrameFault
from ringback.runtime.quarantine import KEPT_BYTES, Quarantine
from support.callbacks import at

NOT_JSON = FrameError(FrameFault.NOT_JSON, "at byte 3")
TOO_LARGE = FrameError(FrameFault.TOO_LARGE, "70000 bytes")


class Kept(list[tuple[datetime, bytes | str]]):
    def __call__(self, now: datetime, frame: bytes | str) -> None:
        self.append((now, frame))


def test_every_bad_frame_is_kept_and_each_kind_said_once_a_minute() -> None:
    kept = Kept()
    quarantine = Quarantine(kept)
    with capture_logs() as said:
        for second in range(120):
            quarantine.put(b"{", NOT_JSON, at(second))
            if second == 30:
                quarantine.put(b"huge", TOO_LARGE, at(second))
        quarantine.put(b"{", NOT_JSON, at(120))
    assert len(kept) == 122
    assert [(line["fault"], line["count"]) for line in said] == [
        ("not_json", 1),
        ("too_large", 1),
        ("not_json", 60),
        ("not_json", 60),
    ]
    assert said[0]["detail"] == "at byte 3"


def test_a_clock_set_back_does_not_silence_it() -> None:
    quarantine = Quarantine(Kept())
    with capture_logs() as said:
        quarantine.put(b"{", NOT_JSON, at(3600))
        quarantine.put(b"{", NOT_JSON, at(0))
    assert len(said) == 2


@pytest.mark.parametrize("frame", [b"x" * 1_000_000, "x" * 1_000_000])
def test_of_a_large_frame_the_beginning_is_kept(frame: bytes | str) -> None:
    kept = Kept()
    with capture_logs():
        Quarantine(kept).put(frame, TOO_LARGE, at(0))
    assert kept == [(at(0), frame[:KEPT_BYTES])]


def test_the_frame_itself_is_never_said() -> None:
    with capture_logs() as said:
        Quarantine(Kept()).put(b"+15550142233", NOT_JSON, at(0))
    assert set(said[0]) == {"event", "log_level", "fault", "detail", "count"}
    assert "5550142233" not in str(said)
