"""Emitted events as CloudEvents 1.0 in structured JSON, and the JSON Schema of each type.

Extensions: `sequence`, an integer, which only callback events have, and `partitionkey`.
"""

from typing import Annotated, Any, Generic, Literal, TypeVar
from urllib.parse import quote

import msgspec
from msgspec import UNSET, Meta, UnsetType

from ringback.core.events import EVENT_TYPES, AlertData, CallbackData, Event, SourceData

__all__ = ["Encoder", "decode", "decode_known", "schemas"]

DIALECT = "https://json-schema.org/draft/2020-12/schema"

Data = TypeVar("Data", bound=CallbackData | AlertData | SourceData)
Text = Annotated[str, Meta(min_length=1)]


class Envelope(msgspec.Struct, Generic[Data], frozen=True, gc=False):
    """The attributes around `data`, under the standard's names."""

    specversion: Literal["1.0"]
    id: Text
    source: Annotated[str, Meta(min_length=1, extra_json_schema={"format": "uri-reference"})]
    type: Text
    subject: Text
    time: Annotated[str, Meta(extra_json_schema={"format": "date-time"})]
    datacontenttype: Literal["application/json"]
    partitionkey: Text
    data: Data
    sequence: Annotated[int, Meta(ge=1)] | UnsetType = UNSET


ENVELOPES: dict[type, Any] = {
    CallbackData: Envelope[CallbackData],
    AlertData: Envelope[AlertData],
    SourceData: Envelope[SourceData],
}


class Encoder:
    """Encodes the events of one organisation; `org` is its name or id."""

    def __init__(self, org: str) -> None:
        self._source = f"/orgs/{quote(org, safe='')}"
        self._encode = msgspec.json.Encoder().encode

    def encode(self, event: Event) -> bytes:
        """Give one event as a CloudEvent: one line of JSON, without its end."""
        return self._encode(
            Envelope(
                "1.0",
                event.id,
                self._source,
                event.type,
                event.subject,
                event.time,
                "application/json",
                event.partition,
                event.data,
                UNSET if event.sequence is None else event.sequence,
            )
        )


class Typed(msgspec.Struct):
    """As much of an event as tells what its data is."""

    type: str


def decode(body: bytes) -> Event:
    """Give back the event that `Encoder.encode` encoded.

    Raises `msgspec.ValidationError` for anything that is not one of ours.
    """
    kind = msgspec.json.decode(body, type=Typed).type
    if kind not in EVENT_TYPES:
        raise msgspec.ValidationError(f"not one of Ringback's events: {kind}")
    envelope = msgspec.json.decode(body, type=ENVELOPES[EVENT_TYPES[kind]])
    return Event(
        id=envelope.id,
        type=envelope.type,
        subject=envelope.subject,
        time=envelope.time,
        data=envelope.data,
        partition=envelope.partitionkey,
        sequence=None if envelope.sequence is UNSET else envelope.sequence,
    )


def decode_known(body: bytes) -> Event | None:
    """Give back an event; None for one that is not of this version's.

    A journal outlives the version that has written it. Nobody should have to go without the rest of
    it because of one entry.
    """
    try:
        return decode(body)
    except msgspec.DecodeError:
        return None


def schemas() -> dict[str, dict[str, Any]]:
    """Give the JSON Schema of every event type, by type.

    The data is closed: what a type carries is said here in full. The envelope is open, since
    CloudEvents lets those who pass an event on add extensions.
    """
    return {kind: schema(kind) for kind in EVENT_TYPES}


def schema(kind: str) -> dict[str, Any]:
    """Give one type's schema."""
    generated: dict[str, Any] = msgspec.json.schema(ENVELOPES[EVENT_TYPES[kind]])
    definitions = generated["$defs"]
    envelope: dict[str, Any] = definitions.pop(generated["$ref"].rpartition("/")[2])
    for definition in definitions.values():
        definition["additionalProperties"] = False
    envelope["properties"]["type"] = {"const": kind}
    if EVENT_TYPES[kind] is CallbackData:
        envelope["required"].append("sequence")
    else:
        del envelope["properties"]["sequence"]
    return {"$schema": DIALECT} | envelope | {"title": kind, "$defs": definitions}
