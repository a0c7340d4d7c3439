"""The streams of an organisation, buckets too: made or migrated by name, read back, and checked.

A server takes settings that it does not understand and drops them without a word, so what counts is
what it says it has. Nothing is ever deleted here.
"""

import re
from typing import Any

import msgspec

from ringback.errors import EngineForeign, EngineRefused, StoreError
from ringback.settings.jetstream import JetStreamSettings
from ringback.stores.jetstream.connection import Connection
from ringback.stores.jetstream.faults import (
    NO_STREAM,
    DeniedError,
    RefusalError,
    UnsureError,
    worded,
)
from ringback.stores.jetstream.subjects import Subjects

__all__ = [
    "BEING_FILLED",
    "FORMAT",
    "Config",
    "described",
    "ensure",
    "inspect",
    "steps_kept",
    "wanted",
]

FORMAT = 1
"""Of what the streams hold. A newer one is refused; an older one is migrated here."""
BEING_FILLED = "being filled"
"""Stands in the description of a stream into which a migration is under way."""
NANO = 1_000_000_000
MEGABYTE = 1024 * 1024
HOUR = 3600 * NANO
DUPLICATES = 120 * NANO
SHORTEST_STEPS = 48.0
"""Hours that steps are kept at least, so that rows are published again at leisure."""
NUMBERS = {"max_age", "max_bytes", "num_replicas", "duplicate_window"}
"""Settings that may differ for a while: they say for how long and how safely, not what."""
NAME_IN_USE = 10058
NO_ROOM = {10023, 10028, 10047}
NO_REPLICAS = {10005, 10074}
OVERLAPS = 10065
_OURS = re.compile(r"ringback format (\d+), partitions (\d+)")


class Config(msgspec.Struct, kw_only=True):
    """What matters of a stream's configuration, by the server's names."""

    name: str
    subjects: list[str]
    description: str = ""
    retention: str = "limits"
    storage: str = "file"
    discard: str = "old"
    max_age: int
    max_bytes: int
    max_msgs: int = -1
    max_msgs_per_subject: int = -1
    max_msg_size: int = -1
    duplicate_window: int = DUPLICATES
    num_replicas: int
    allow_direct: bool = False


class _Stream(msgspec.Struct):
    config: dict[str, Any]


def wanted(settings: JetStreamSettings, subjects: Subjects, keep_journal: float) -> list[Config]:
    """Say what the streams have to be; `keep_journal` in hours."""
    description = described(settings)
    most = settings.most_megabytes * MEGABYTE
    inputs = Config(
        name=subjects.inputs,
        subjects=[f"{subjects.root}.in.>"],
        description=description,
        max_age=int(settings.keep_input_hours * HOUR),
        max_bytes=most,
        num_replicas=settings.replicas,
    )
    steps = Config(
        name=subjects.steps,
        subjects=[f"{subjects.root}.st.>"],
        description=description,
        max_age=int(steps_kept(keep_journal) * HOUR),
        max_bytes=most,
        num_replicas=settings.replicas,
        allow_direct=True,
    )
    return [inputs, steps]


def steps_kept(keep_journal: float) -> float:
    """Say how long steps are kept, both in hours: twice as long as anybody asks for events."""
    return max(SHORTEST_STEPS, 2 * keep_journal)


def described(settings: JetStreamSettings) -> str:
    """Say in a stream's own words whose it is; `ensure` reads it back."""
    return f"ringback format {FORMAT}, partitions {settings.partitions}"


async def ensure(
    connection: Connection, config: Config, *, being_filled: bool = False
) -> list[str]:
    """See that a stream is as wanted: make it, or bring it up to date.

    One that is being filled is refused, unless this begins, goes on with or ends that.
    Gives what is not as wanted and has to be mended by somebody who may, if Ringback runs on it all
    the same. Raises `EngineForeign` for one that is not ours or cannot be, `EngineRefused` for want
    of permission, `EngineUnreachable`.
    """
    try:
        found = await _look(connection, config.name) or await _make(connection, config)
        _check_ours(config, found)
        if not being_filled:
            _check_whole(config, found)
        if _differences(config, found):
            try:
                found = await _write(connection, "UPDATE", config, found)
            except DeniedError:
                return _waived(config, found)
    except (UnsureError, DeniedError, RefusalError) as error:
        raise _worded(connection.servers, config, error) from None
    if different := _differences(config, found):
        raise EngineForeign(
            config.name,
            f"the server has not taken its configuration ({', '.join(different)})",
            "run NATS servers that know these settings, or mend the stream by hand",
        )
    return []


async def inspect(connection: Connection, config: Config) -> str | None:
    """Say what `ensure` would do of a stream; None: nothing. Raises as that does."""
    try:
        found = await _look(connection, config.name)
    except (UnsureError, DeniedError, RefusalError) as error:
        raise _worded(connection.servers, config, error) from None
    if found is None:
        return f"stream {config.name} is not there yet: it will be made"
    _check_ours(config, found)
    _check_whole(config, found)
    different = _differences(config, found)
    return f"stream {config.name} will be changed: {', '.join(different)}" if different else None


async def _make(connection: Connection, config: Config) -> dict[str, Any]:
    """Make it, unless another process has just done so."""
    try:
        return await _write(connection, "CREATE", config, {})
    except RefusalError as error:
        # Of one that is being made at the same time it may say either.
        taken = error.code in {NAME_IN_USE, OVERLAPS}
        found = await _look(connection, config.name) if taken else None
        if found is None:
            raise
        return found


def _waived(config: Config, found: dict[str, Any]) -> list[str]:
    """Do without an update that this user may not make, if it is of no more than numbers."""
    different = _differences(config, found)
    remedy = "start once as a user who may update it: the one for setup"
    if any(one.split(" ", 1)[0] not in NUMBERS for one in different):
        raise EngineForeign(
            config.name,
            f"it is not as it has to be ({', '.join(different)})",
            remedy,
        )
    return [f"stream {config.name}: {', '.join(different)}; {remedy}"]


def _worded(servers: str, config: Config, error: Exception) -> StoreError:
    if isinstance(error, DeniedError) and ".STREAM.CREATE." in str(error):
        return EngineRefused(
            servers,
            f"the stream {config.name} is not there, and this user may not make it ({error})",
            "that `ringback migrate` was run once, as the user for setup (docs/scaling.md)",
        )
    if isinstance(error, RefusalError) and error.code in NO_ROOM:
        return EngineRefused(
            servers,
            f"there is no room for the stream {config.name} of {config.max_bytes} bytes ({error})",
            "jetstream.most_megabytes, and max_file_store or the account's max_file on the servers",
        )
    if isinstance(error, RefusalError) and error.code in NO_REPLICAS:
        return EngineRefused(
            servers,
            f"there are not {config.num_replicas} servers for the stream {config.name} ({error})",
            "jetstream.replicas, and that the servers form a cluster",
        )
    if isinstance(error, RefusalError) and error.code == OVERLAPS:
        return EngineForeign(
            config.name,
            f"another stream has its subjects ({', '.join(config.subjects)})",
            "give Ringback another jetstream.prefix, or its own account on the servers",
        )
    return worded(servers, error)


async def _look(connection: Connection, name: str) -> dict[str, Any] | None:
    try:
        return (await connection.ask(f"STREAM.INFO.{name}", None, _Stream)).config
    except RefusalError as error:
        if error.code == NO_STREAM:
            return None
        raise


async def _write(
    connection: Connection, how: str, config: Config, found: dict[str, Any]
) -> dict[str, Any]:
    """Make or update it; what an administrator has set besides stays."""
    request = found | msgspec.to_builtins(config)
    return (await connection.ask(f"STREAM.{how}.{config.name}", request, _Stream)).config


def _check_ours(config: Config, found: dict[str, Any]) -> None:
    told = _OURS.search(found.get("description", ""))
    if told is None:
        raise EngineForeign(
            config.name,
            "a stream of this name is not Ringback's",
            "give Ringback another jetstream.prefix, or remove the stream if nobody needs it",
        )
    if found.get("subjects") != config.subjects:
        raise EngineForeign(
            config.name,
            f"it is of {', '.join(found.get('subjects') or ['no subject'])}: of another"
            " organisation, or of another prefix, whose names together read the same",
            "give this organisation another jetstream.prefix, or an account of its own",
        )
    number, partitions = map(int, told.groups())
    if number > FORMAT:
        raise EngineForeign(
            config.name,
            f"its format is {number}, this Ringback knows {FORMAT}",
            "run the newer Ringback: of machines of two versions the newer one writes the format",
        )
    ours = _OURS.search(config.description)
    if ours is not None and partitions != int(ours.group(2)):
        raise EngineForeign(
            config.name,
            f"it was made for {partitions} partitions, and jetstream.partitions is {ours.group(2)}",
            f"set jetstream.partitions to {partitions}, the same on all machines",
        )


def _check_whole(config: Config, found: dict[str, Any]) -> None:
    if BEING_FILLED in found.get("description", ""):
        raise EngineForeign(
            config.name,
            "a migration into it was begun, and is not finished",
            "run `ringback migrate` again: it goes on where it stopped",
        )


def _differences(config: Config, found: dict[str, Any]) -> list[str]:
    """Name the settings that a stream has otherwise than wanted."""
    wished = msgspec.to_builtins(config)
    return [
        f"{name} is {found.get(name)!r}, not {value!r}"
        for name, value in wished.items()
        if found.get(name, False if value is False else None) != value
    ]
