import io
import json
from datetime import datetime, timedelta

from ringback.simulator.centre import ContactCentre, Emission
from ringback.simulator.faults import FaultRates, Faults
from ringback.simulator.recording import recording_line, write_recording


def test_each_frame_is_one_line_as_it_was(start: datetime) -> None:
    sent = ContactCentre(1, start).advance(start + timedelta(minutes=1))
    file = io.BytesIO()
    assert write_recording(sent, file) == len(sent)
    lines = file.getvalue().splitlines()
    assert len(lines) == len(sent)
    for line, emission in zip(lines, sent, strict=True):
        record = json.loads(line)
        assert set(record) == {"at", "frame"}
        assert record["frame"] == json.loads(emission.frame)
        assert datetime.fromisoformat(record["at"]) == emission.at


def test_damaged_frames_are_kept_as_one_line_each(start: datetime) -> None:
    sent = ContactCentre(1, start).advance(start + timedelta(minutes=1))
    faults = Faults(1, FaultRates(damage=1, oversize_bytes=1000))
    for emission in faults.pass_on(sent, start + timedelta(hours=1)):
        line = recording_line(emission)
        assert line.count(b"\n") == 1
        assert line.endswith(b"\n")


def test_what_is_no_json_becomes_a_string(start: datetime) -> None:
    for frame, binary, expected in (
        (b'{"a": 1', False, '{"a": 1'),
        (b"\xff\x00", True, "\ufffd\x00"),
        (b'{"a":\n1}', False, '{"a":\n1}'),
        (b'{"a":1}', False, {"a": 1}),
    ):
        line = recording_line(Emission(start, "c", "t", frame, binary=binary))
        assert json.loads(line) == {"at": "2026-11-22T08:00:00.000Z", "frame": expected}
