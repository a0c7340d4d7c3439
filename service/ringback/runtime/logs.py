"""The daemon's log: one line an event, on standard error, without personal data and secrets.

    log = structlog.get_logger(__name__)
    log.warning("frame_quarantined", source="main", fault="not_json")

An event has a stable name in snake_case and its facts as keys; it is never a sentence. Everything,
what libraries log included, goes through one handler whose last step before the text is made is
the redactor: first by the names of fields, then by what values look like.
"""

import logging
import re
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Literal, TextIO

import structlog
from structlog.typing import EventDict, WrappedLogger

__all__ = ["configure_logging", "redact"]

HIDDEN = "***"
LONGEST_TEXT = 8192
MOST_ITEMS = 100
DEEPEST = 6

SECRET_FIELDS = frozenset(
    {"address", "ani", "apikey", "authorization", "body", "contact", "cookie", "credential"}
    | {"dnis", "email", "frame", "hashkey", "payload", "phone", "user"}
)
"""Names of fields that are never shown, in lower case and without marks."""

SECRET_ENDINGS = ("name", "number", "numbers", "password", "secret", "token", "uri", "url")
"""So that `agent_name`, `callbackNumbers` and `accessToken` are hidden too."""

SHOWN_FIELDS = frozenset({"hostname", "queuename", "sourcename", "taskname"})
"""What ends like a secret and is none."""

PATTERNS = (
    (re.compile(r"\b(bearer|basic)\s+[^\s\"',]+", re.IGNORECASE), rf"\1 {HIDDEN}"),
    (re.compile(r"\b(wss?|sips?|tel)(:(?://)?)[^\s\"'<>]+", re.IGNORECASE), rf"\1\2{HIDDEN}"),
    (re.compile(r"(://)[^\s/@]+@"), rf"\1{HIDDEN}@"),
    (
        re.compile(
            r"\b(\w*(?:token|secret|password|key)(?:[\"']\s*:|\s*=)\s*)[^\s&,;]+", re.IGNORECASE
        ),
        rf"\1{HIDDEN}",
    ),
    (re.compile(r"[\w.+%-]+@[\w-]+(?:\.[\w-]+)+"), HIDDEN),
    # Nine to fifteen digits, with what people write between them; no IPv4 address, and no part
    # of a longer identifier or of an instant.
    (
        re.compile(
            r"(?<![\w.:/-])(?!\d{1,3}(?:\.\d{1,3}){3}(?!\d))(?!\d{4}-\d\d-\d\d[ T])"
            r"(?:\+|\()?\d(?:[ ().-]{0,3}\d){8,14}(?![\w-])"
        ),
        HIDDEN,
    ),
)
"""What a secret or a person's data looks like, and what stands in its place."""

QUIET = ("asyncio", "httpcore", "httpx", "litestar", "transitions", "uvicorn", "websockets")
"""Libraries whose ordinary talk is not the operator's: at debug some log whole frames."""


def configure_logging(
    level: Literal["debug", "info", "warning", "error"] = "info",
    form: Literal["auto", "console", "json"] = "auto",
    stream: TextIO | None = None,
) -> None:
    """Set up logging for the whole process; may be called again.

    `stream` is standard error unless given; `auto` is console on a terminal and JSON elsewhere.
    """
    stream = stream or sys.stderr
    least = logging.getLevelNamesMapping()[level.upper()]
    console = form == "console" or (form == "auto" and stream.isatty())
    told: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.PositionalArgumentsFormatter(),
    ]
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=told,
            processors=[
                _stamp,
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                _redact_event,
                structlog.dev.ConsoleRenderer(colors=stream.isatty())
                if console
                else structlog.processors.JSONRenderer(),
            ],
        )
    )
    logging.basicConfig(handlers=[handler], level=least, force=True)
    logging.captureWarnings(capture=True)
    for name in QUIET:
        logging.getLogger(name).setLevel(max(least, logging.WARNING))
    structlog.configure(
        processors=[*told, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(least),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )


def redact(value: object, depth: int = 0) -> object:
    """Give `value` as it may be logged: bounded, and without what fields or looks give away."""
    match value:
        case None | bool() | int() | float():
            return value
        case str():
            return _redact_text(value)
        case _ if depth >= DEEPEST:
            return "…"
        case Mapping():
            return _redact_fields(value, depth + 1)
        case list() | tuple() | set() | frozenset():
            return [redact(each, depth + 1) for each in islice(value, MOST_ITEMS)]
        case _:
            return _redact_text(str(value))


def _redact_fields(fields: Mapping[Any, object], depth: int) -> dict[str, object]:
    return {
        _redact_text(str(key)): HIDDEN if _hidden(str(key)) else redact(value, depth)
        for key, value in islice(fields.items(), MOST_ITEMS)
    }


def _redact_text(text: str) -> str:
    if len(text) > LONGEST_TEXT:
        # Half a number at the cut would no longer look like one.
        text = text[:LONGEST_TEXT].rstrip("0123456789 ().+-") + "…"
    for pattern, instead in PATTERNS:
        text = pattern.sub(instead, text)
    return text


def _hidden(field: str) -> bool:
    plain = field.lower().replace("_", "").replace("-", "")
    if plain in SHOWN_FIELDS:
        return False
    return plain in SECRET_FIELDS or plain.endswith(SECRET_ENDINGS)


def _redact_event(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    stamp = event.pop("timestamp")
    return {"timestamp": stamp, **_redact_fields(event, depth=0)}


def _stamp(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    record: logging.LogRecord = event["_record"]
    at = datetime.fromtimestamp(record.created, UTC)
    event["timestamp"] = at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return event
