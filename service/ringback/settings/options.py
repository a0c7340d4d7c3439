"""The options as a flat list, derived from the schema: for reading them and for describing them."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec
from msgspec import inspect

from ringback.settings.describing import Secret
from ringback.settings.receivers import RECEIVERS, ReceiverSettings
from ringback.settings.schema import Settings

__all__ = ["Option", "options", "receiver_options", "section_types"]

UNITS = ("seconds", "hours", "days", "bytes", "megabytes", "per_hour")


class Option(NamedTuple):
    """One key of one section."""

    section: str
    key: str
    type: Any
    """As annotated, so with its bounds: what msgspec converts to."""
    shape: inspect.Type
    """The same, taken apart."""
    default: Any
    meaning: str
    said_allowed: str | None
    """What is allowed, where the schema says it in words."""

    @property
    def path(self) -> str:
        """Its name in messages: `web.port`."""
        return f"{self.section}.{self.key}"

    @property
    def variable(self) -> str:
        """Its name in the environment: `RINGBACK_WEB__PORT`."""
        return f"RINGBACK_{self.section.replace('.', '__')}__{self.key}".upper()

    @property
    def secret(self) -> bool:
        """Whether its value must not be shown."""
        return isinstance(self.default, Secret)

    @property
    def unit(self) -> str | None:
        """What it is counted in, which is how its key ends; None for a mere number or text."""
        found = next((unit for unit in UNITS if self.key.endswith(f"_{unit}")), None)
        return found and found.replace("per_", "per ")

    @property
    def allowed(self) -> str:
        """Which values are accepted, in words."""
        match self.shape:
            case _ if self.said_allowed:
                return self.said_allowed
            case inspect.LiteralType(values=values):
                return ", ".join(map(str, sorted(values, key=self._place)))
            case inspect.BoolType():
                return "true or false"
            case inspect.IntType(ge=least, le=most):
                return f"a whole number from {least} to {most}"
            case inspect.FloatType(ge=least, le=most):
                return f"a number from {least:g} to {most:.12g}"
            case _:
                return "a text"

    def _place(self, value: object) -> int:
        # msgspec sorts a Literal's values; the schema lists the default first.
        return 0 if value == self.default else 1


def section_types() -> dict[str, type[msgspec.Struct]]:
    """Give every section's struct by the section's name, in the schema's order."""
    fields = msgspec.structs.fields(Settings)
    return {field.name: field.type for field in fields if field.name != RECEIVERS}


def options() -> Iterator[Option]:
    """Give every option but those of receivers, in the schema's order."""
    for section, struct in section_types().items():
        yield from _options(section, struct)


def receiver_options(name: str) -> Iterator[Option]:
    """Give every option of one receiver."""
    yield from _options(f"{RECEIVERS}.{name}", ReceiverSettings)


def _options(section: str, struct: type[msgspec.Struct]) -> Iterator[Option]:
    for field in msgspec.structs.fields(struct):
        described = inspect.type_info(field.type)
        assert isinstance(described, inspect.Metadata), field.name  # noqa: S101  # schema's own form
        yield Option(
            section=section,
            key=field.name,
            type=field.type,
            shape=described.type,
            default=field.default,
            meaning=(described.extra_json_schema or {})["description"],
            said_allowed=(described.extra or {}).get("allowed"),
        )
