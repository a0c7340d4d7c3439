"""For frames that do not fit the structs: what may be overlooked, and what is new in them."""

import types
import typing

import msgspec

from ringback.wire.values import Wire

__all__ = ["Json", "NewFields", "pruned"]

KNOWN_NOISE = frozenset({"additionalProperties"})
"""Sent empty in real frames, beside the fields of a participant or communication."""
NAME_LENGTH = 64

Json = dict[str, "Json"] | list["Json"] | str | float | bool | None


def pruned(value: Json) -> Json:
    """Remove every `null` and `{}`, wherever they stand: they mean the same as absent.

    An object that is left empty goes too; an empty list stays, it says that there are none. None
    when nothing is left.
    """
    match value:
        case dict():
            kept = {name: pruned(member) for name, member in value.items()}
            return {name: member for name, member in kept.items() if member is not None} or None
        case list():
            return [member for member in map(pruned, value) if member is not None]
        case _:
            return value


class NewFields:
    """Finds fields that no struct knows, so that a grown schema is noticed and not lost silently.

    `names` holds them as `Struct.field`, at most `limit` of them; names only, never values.
    """

    def __init__(self, limit: int = 100) -> None:
        self.names: set[str] = set()
        self._limit = limit
        self._fields: dict[type[Wire], dict[str, type[Wire] | None]] = {}

    def look(self, value: Json, struct: type[Wire]) -> None:
        """Compare untyped JSON with the struct that it decodes to, all the way down."""
        if isinstance(value, list):
            for item in value:
                self.look(item, struct)
        elif isinstance(value, dict):
            fields = self._fields.get(struct)
            if fields is None:
                fields = self._fields[struct] = {
                    field.encode_name: struct_within(field.type)
                    for field in msgspec.structs.fields(struct)
                }
            for name, member in value.items():
                if name not in fields:
                    if name not in KNOWN_NOISE and len(self.names) < self._limit:
                        self.names.add(f"{struct.__name__}.{name[:NAME_LENGTH]}")
                elif (within := fields[name]) is not None:
                    self.look(member, within)


def struct_within(annotation: object) -> type[Wire] | None:
    """Give the struct that a field holds, alone, optionally or in a list; else None."""
    if isinstance(annotation, type) and issubclass(annotation, Wire):
        return annotation
    if isinstance(annotation, types.UnionType) or typing.get_origin(annotation) is list:
        return next(filter(None, map(struct_within, typing.get_args(annotation))), None)
    return None
