"""No canary gets out, whatever field, text, exception or library carries it."""

import io
import json
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from ringback.runtime.logs import HIDDEN, LONGEST_TEXT, QUIET, configure_logging, redact
from ringback.settings import Secret

NUMBER = "+13175550100"


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    logging.captureWarnings(capture=False)
    root.handlers[:] = handlers
    root.setLevel(level)
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.NOTSET)
    structlog.reset_defaults()


@pytest.fixture
def stream() -> io.StringIO:
    return io.StringIO()


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_an_event_is_one_json_line_with_its_facts(stream: io.StringIO) -> None:
    configure_logging("info", "json", stream)
    structlog.get_logger("ringback.x").info("store_opened", path="ringback.db", rows=3)
    (line,) = lines(stream)
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "store_opened",
        "level": "info",
        "logger": "ringback.x",
        "path": "ringback.db",
        "rows": 3,
    }


def test_timestamps_are_utc_with_milliseconds(stream: io.StringIO) -> None:
    configure_logging("info", "json", stream)
    record = logging.makeLogRecord({"msg": "x", "levelno": logging.INFO, "created": 1.2345})
    logging.getLogger().handle(record)
    assert lines(stream)[0]["timestamp"] == "1970-01-01T00:00:01.234Z"


def test_auto_is_json_where_there_is_no_terminal(stream: io.StringIO) -> None:
    configure_logging("info", "auto", stream)
    structlog.get_logger("x").info("ready")
    assert lines(stream)[0]["event"] == "ready"


def test_auto_is_console_on_a_terminal() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    stream = Terminal()
    configure_logging("info", "auto", stream)
    structlog.get_logger("x").info("ready", number=NUMBER)
    assert not stream.getvalue().startswith("{")
    assert "ready" in stream.getvalue()
    assert NUMBER not in stream.getvalue()


def test_what_is_less_severe_is_left_out(stream: io.StringIO) -> None:
    configure_logging("warning", "json", stream)
    log = structlog.get_logger("x")
    log.info("quiet")
    log.warning("loud")
    assert [line["event"] for line in lines(stream)] == ["loud"]


@pytest.mark.parametrize("name", QUIET)
def test_libraries_are_heard_from_warning_on(stream: io.StringIO, name: str) -> None:
    configure_logging("debug", "json", stream)
    logging.getLogger(f"{name}.part").info("frame %s", NUMBER)
    logging.getLogger(f"{name}.part").warning("failed for %s", NUMBER)
    (line,) = lines(stream)
    assert line["event"] == f"failed for {HIDDEN}"
    assert line["logger"] == f"{name}.part"


def test_python_warnings_are_logged(stream: io.StringIO) -> None:
    configure_logging("info", "json", stream)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn(f"about {NUMBER}", UserWarning, stacklevel=1)
    (line,) = lines(stream)
    assert line["logger"] == "py.warnings"
    assert NUMBER not in line["event"]


def test_configuring_again_replaces_the_handler(stream: io.StringIO) -> None:
    configure_logging("info", "json", io.StringIO())
    configure_logging("info", "json", stream)
    structlog.get_logger("x").info("once")
    assert len(lines(stream)) == 1


def _dial() -> None:
    raise ValueError(f"cannot dial {NUMBER} with Bearer canary")


@pytest.mark.parametrize("form", ["json", "console"])
def test_exceptions_keep_their_place_and_lose_their_canaries(
    stream: io.StringIO, form: Any
) -> None:
    configure_logging("info", form, stream)
    try:
        _dial()
    except ValueError:
        structlog.get_logger("x").exception("dial_failed")
    text = stream.getvalue()
    assert "ValueError" in text
    assert "test_logs.py" in text
    assert NUMBER not in text
    assert "canary" not in text


@pytest.mark.parametrize(
    "field",
    [
        "number",
        "name",
        "callbackNumbers",
        "callbackUserName",
        "token",
        "accessToken",
        "client_secret",
        "connectUri",
        "url",
        "hash_key",
        "Authorization",
        "agent_name",
        "frame",
        "phone-number",
    ],
)
def test_fields_are_hidden_by_name_at_any_depth(field: str) -> None:
    assert redact({"legs": [{field: ["canary", {"deep": "canary"}]}]}) == {
        "legs": [{field: HIDDEN}]
    }


@pytest.mark.parametrize("field", ["queue_id", "task", "source", "state", "conversation_id"])
def test_other_fields_are_shown(field: str) -> None:
    assert redact({field: "main"}) == {field: "main"}


@pytest.mark.parametrize(
    "canary",
    [
        NUMBER,
        "+1 (317) 555-0100",
        "317-555-0100",
        "(317) 555 0100",
        "3175550100",
        "317.555.0100",
        "0049 89 1234567",
        "tel:+13175550100",
        "sip:jane@example.org",
        "jane.doe+x@mail.example.org",
        "Bearer eyJhbGciOi.canary",
        "wss://streaming.example.org/channels/canary",
        "https://user:canary@example.org/",
        "access_token=canary",
        '"client_secret": "canary"',
    ],
)
def test_values_are_hidden_by_their_looks(canary: str) -> None:
    said = str(redact(f"before {canary} after"))
    assert said.startswith("before ")
    assert said.endswith(" after")
    for part in ("canary", "5550100", "555-0100", "555 0100", "555.0100", "1234567", "jane"):
        assert part not in said


@pytest.mark.parametrize(
    "harmless",
    [
        "2026-11-22T08:00:00.000Z",
        "2026-11-22 08:00:00",
        "192.168.100.200:8080",
        "http://127.0.0.1:8080",
        "00000000-0000-4000-8000-000000000001/12",
        "3f2504e0-4f89-11d3-9a0c-0305e82c3301.2",
        "SQLite 3.54.1.0",
        "12345678 rows",
        "v2.users.123.conversations",
    ],
)
def test_what_only_resembles_is_kept(harmless: str) -> None:
    assert redact(harmless) == harmless


def test_objects_are_redacted_as_they_would_be_written() -> None:
    assert redact(Secret("canary")) == HIDDEN
    assert redact(Path("/var/lib/ringback")) == "/var/lib/ringback"
    assert NUMBER not in str(redact(ValueError(NUMBER)))
    assert NUMBER not in str(redact({"raw": NUMBER.encode()}))
    assert redact([True, None, 1.5, 13175550100]) == [True, None, 1.5, 13175550100]


def test_values_are_bounded() -> None:
    assert len(str(redact("x" * 100_000))) <= LONGEST_TEXT + 1
    cut = "x" * (LONGEST_TEXT - 9) + " " + NUMBER
    assert "1317555" not in str(redact(cut))
    assert redact(list(range(10_000))) == list(range(100))
    nested: list[Any] = []
    for _ in range(1000):
        nested = [nested]
    assert "…" in str(redact(nested))
