from typing import Any

import msgspec
import pytest
from cloudevents.core.formats.json import JSONFormat

from ringback.core.events import (
    EVENT_TYPES,
    AlertData,
    CallbackData,
    ClockUsed,
    Event,
    SourceData,
)
from ringback.wire.cloudevents import Encoder, decode, schemas

NOW = "2022-07-04T20:03:12.235Z"

CALLBACK = CallbackData(
    callback_id="c",
    conversation_id="c",
    state="waiting",
    previous_state="scheduled",
    skipped=["alerting"],
    cause="notification",
    offers=1,
    hold_seconds=0.0,
    wait_seconds=1.5,
    clock=ClockUsed("provider", -0.25),
    observed_time=NOW,
)
ALERT = AlertData(
    alert_id="c/late/1",
    rule="late",
    callback_id="c",
    conversation_id="c",
    state="scheduled",
    state_since=NOW,
    since=NOW,
    summary="due and not released",
    observed_time=NOW,
)
SOURCE = SourceData(source_name="genesys", cause="closed", observed_time=NOW)
DATA: dict[type, CallbackData | AlertData | SourceData] = {
    CallbackData: CALLBACK,
    AlertData: ALERT,
    SourceData: SOURCE,
}


def event(kind: str) -> Event:
    data = DATA[EVENT_TYPES[kind]]
    sequence = 7 if isinstance(data, CallbackData) else None
    return Event("c/7", kind, "c", NOW, data, "conversation", sequence)


@pytest.mark.parametrize("kind", EVENT_TYPES)
def test_the_official_sdk_reads_what_we_write(kind: str) -> None:
    sent = event(kind)
    body = Encoder("my org/1").encode(sent)
    assert b"\n" not in body
    read = JSONFormat().read(None, body)
    assert read.get_specversion() == "1.0"
    assert read.get_id() == sent.id
    assert read.get_type() == kind
    assert read.get_source() == "/orgs/my%20org%2F1"
    assert read.get_subject() == "c"
    assert read.get_datacontenttype() == "application/json"
    assert read.get_extension("partitionkey") == "conversation"
    assert read.get_extension("sequence") == sent.sequence
    time = read.get_time()
    assert time is not None
    assert time.isoformat() == "2022-07-04T20:03:12.235000+00:00"
    assert read.get_data() == msgspec.to_builtins(sent.data)


@pytest.mark.parametrize("kind", EVENT_TYPES)
def test_what_is_encoded_can_be_decoded(kind: str) -> None:
    assert decode(Encoder("local").encode(event(kind))) == event(kind)


@pytest.mark.parametrize(
    "body",
    [b"{}", b"[]", b'{"type":"com.example.other.v1"}', b'{"type":"ringback.alert.firing.v1"}'],
)
def test_what_is_not_ours_is_refused(body: bytes) -> None:
    with pytest.raises(msgspec.ValidationError):
        decode(body)


def test_absent_means_absent() -> None:
    data = msgspec.json.decode(Encoder("local").encode(event("ringback.callback.waiting.v1")))[
        "data"
    ]
    assert "userId" not in data
    assert data["clock"] == {"name": "provider", "skewSeconds": -0.25}


def validated(kind: str, change: dict[str, Any]) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    schema = schemas()[kind]
    validator = jsonschema.Draft202012Validator(
        schema, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
    )
    validator.check_schema(schema)
    instance = msgspec.json.decode(Encoder("local").encode(event(kind)))
    for path, value in change.items():
        *parents, last = path.split(".")
        inner = instance
        for parent in parents:
            inner = inner[parent]
        if value is None:
            del inner[last]
        else:
            inner[last] = value
    errors = [error.message for error in validator.iter_errors(instance)]
    assert bool(errors) is bool(change), errors


@pytest.mark.parametrize("kind", EVENT_TYPES)
def test_every_type_has_a_schema_that_fits(kind: str) -> None:
    assert set(schemas()) == set(EVENT_TYPES)
    validated(kind, {})


@pytest.mark.parametrize(
    "change",
    [
        {"type": "ringback.callback.held.v1"},
        {"specversion": "0.3"},
        {"id": ""},
        {"sequence": 0},
        {"sequence": None},
        {"partitionkey": None},
        {"data.callbackId": None},
        {"data.offers": "1"},
        {"data.holdSeconds": -1},
        {"data.cause": "magic"},
        {"data.surprise": 1},
        {"data.clock.name": "sundial"},
    ],
    ids=str,
)
def test_the_schema_refuses(change: dict[str, Any]) -> None:
    validated("ringback.callback.waiting.v1", change)


def test_schemas_are_not_shared_between_types() -> None:
    first, second = schemas(), schemas()
    first["ringback.callback.held.v1"]["properties"].clear()
    assert second["ringback.callback.held.v1"]["properties"]
    assert "sequence" not in second["ringback.alert.firing.v1"]["properties"]
