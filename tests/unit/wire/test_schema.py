"""The structs against the platform's own tables, class by class and field by field."""

import re
import types
import typing
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec import Raw

from ringback.wire import call, callback, conversations, participants, problems, system, values
from ringback.wire.values import OpenEnum, Time, WholeSeconds, Wire

CLASSES: dict[str, dict[str, dict[str, Any]]] = msgspec.json.decode(
    (Path(__file__).parents[2] / "data" / "schemas.json").read_bytes()
)["classes"]

TOPIC = re.compile(r"^(Queue)?Conversation(Callback)?EventTopic")
STRUCTS: dict[str, type[Wire]] = {
    struct.__name__: struct
    for module in (call, callback, conversations, participants, problems, system, values)
    for struct in vars(module).values()
    if isinstance(struct, type) and issubclass(struct, Wire)
}
OTHER_NAMES = {
    "AddressableEntityRef": "Reference",
    "Detail": "ErrorDetail",
    "DispositionAmdTimeout": "DispositionTimeout",
    "DispositionSilentCallTimeout": "DispositionTimeout",
    "DivisionEntityRef": "Reference",
    "DomainEntityRef": "Reference",
    "ErrorBody": "ErrorInfo",
    "ErrorDetails": "ErrorInfo",
    "Limit": "ErrorLimit",
    "QueueMediaSettings": "ConversationQueueMediaSettings",
    "SystemMessageSystemMessage": "SystemMessage",
    "TransferModifedBy": "Reference",
    "TransferResponse": "Transfer",
    "TransferResponseModifiedBy": "Reference",
    "UriReference": "Reference",
}
SCALARS: dict[str, tuple[Any, ...]] = {
    "str": (str,),
    "bool": (bool,),
    "int": (int, WholeSeconds),
    "float": (float,),
    "datetime": (Time,),
    "dict(str, str)": (dict[str, str],),
    "dict(str, object)": (dict[str, Any],),
}
FREE = {"Limit.namespace"}
"""Enumerations that are kept as plain strings on purpose."""

FIELDS = [(name, field) for name, fields in CLASSES.items() for field in fields]


def struct_of(name: str) -> type[Wire]:
    base = TOPIC.sub("", name)
    return STRUCTS[OTHER_NAMES.get(base, base)]


def given(struct: type[Wire], field: str) -> msgspec.structs.FieldInfo:
    return {each.encode_name: each for each in msgspec.structs.fields(struct)}[field]


def without_none(annotation: Any) -> Any:
    if annotation == Time or typing.get_origin(annotation) not in {types.UnionType, typing.Union}:
        return annotation
    (only,) = (each for each in typing.get_args(annotation) if each is not type(None))
    return only


def fits(kind: str, annotation: Any) -> bool:
    if listed := re.fullmatch(r"list\[(.*)\]", kind):
        (item,) = typing.get_args(annotation)
        return typing.get_origin(annotation) is list and fits(listed[1], item)
    if kind in SCALARS:
        is_enum = isinstance(annotation, type) and issubclass(annotation, OpenEnum)
        return annotation in SCALARS[kind] or (kind == "str" and is_enum)
    return annotation is struct_of(kind)


@pytest.mark.parametrize(("name", "field"), FIELDS, ids=lambda value: value)
def test_field(name: str, field: str) -> None:
    info = given(struct_of(name), field)
    assert not info.required
    if info.type is Raw:
        assert name.endswith("EventTopicParticipant")
        return
    assert info.default is (False if field in {"held", "skipEnabled"} else None)
    annotation = without_none(info.type)
    wanted = CLASSES[name][field]
    assert fits(wanted["type"], annotation), annotation
    if "enum" in wanted and f"{TOPIC.sub('', name)}.{field}" not in FREE:
        assert set(wanted["enum"]) <= {member.value for member in annotation}


def test_the_whole_schema_is_covered() -> None:
    assert len(CLASSES) == 120
    assert len(FIELDS) > 800


def test_every_struct_is_of_the_schema_or_an_envelope() -> None:
    envelopes = {"Wire", "ConversationNotification", "CallbackNotification", "Answer"}
    assert set(STRUCTS) - {struct_of(name).__name__ for name in CLASSES} == envelopes


def test_only_other_media_stay_undecoded() -> None:
    raw = {
        field.encode_name
        for field in msgspec.structs.fields(participants.Participant)
        if field.type is Raw
    }
    assert raw == {
        "chats",
        "cobrowsesessions",
        "emails",
        "evaluations",
        "internalMessages",
        "messages",
        "screenMonitorings",
        "screenshares",
        "socialExpressions",
        "videos",
        "workflow",
    }


def test_the_seed_is_whole() -> None:
    seed = {
        *("state", "id", "segments", "direction", "held", "disconnectType", "startHoldTime"),
        *("dialerPreview", "callbackNumbers", "callbackUserName", "scriptId", "skipEnabled"),
        *("timeoutSeconds", "connectedTime", "disconnectedTime", "callbackScheduledTime"),
        "provider",
    }
    assert seed <= {field.encode_name for field in msgspec.structs.fields(callback.Callback)}
    assert callback.Callback().held is False
    assert callback.Callback().skip_enabled is False
