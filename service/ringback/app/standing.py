"""What `ringback status` tells of several processes that share one organisation's work."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from io import TextIOWrapper
from typing import TextIO

import msgspec
from rich.console import Console

from ringback.app.cluster.sharing import slots_of
from ringback.errors import SettingsError
from ringback.ports import Claim, Clock
from ringback.runtime.clock import SystemClock
from ringback.runtime.cluster.checkpoint import CHECKPOINT
from ringback.settings import Settings
from ringback.stores.jetstream.checks import findings, look
from ringback.stores.jetstream.connection import Connection
from ringback.stores.jetstream.leases import JetStreamLeases, budgets_of, leases_of
from ringback.stores.jetstream.standing import (
    PartitionStanding,
    partition_standing,
    stream_standing,
)
from ringback.stores.jetstream.streams import Config, wanted
from ringback.stores.jetstream.subjects import Subjects
from ringback.terminal.standing import (
    MemberLine,
    OwnerLine,
    Standing,
    print_standing,
)
from ringback.wire.members import MEMBER, decode_member
from ringback.wire.standing import StreamStanding

__all__ = ["show", "standing_of"]

FAR = 30.0
"""Seconds that an input may wait to be dealt with."""
LATE = 5.0
ONLOOKER = "status"
WIDTH = 120
"""Characters a line, where nobody has a terminal to say how wide it is."""


async def standing_of(settings: Settings, clock: Clock | None = None) -> Standing:
    """Look at the engine; nothing is made or changed.

    Raises `SettingsError` where there is none, and `StoreError` where it cannot be asked.
    """
    if settings.store.kind != "jetstream":
        raise SettingsError(
            "store.kind",
            f"it is {settings.store.kind}, and `ringback status` is of several processes that share"
            " NATS JetStream; a single one says how it is at /readyz, and `ringback check` what"
            " it needs",
        )
    connection = await Connection.open(settings.jetstream, name="ringback status")
    try:
        return await _Looking(settings, connection, clock or SystemClock()).look()
    finally:
        await connection.close()


def show(standing: Standing, out: TextIO, *, raw: bool) -> None:
    """Print tables, or with `raw` JSON."""
    if raw:
        out.write(msgspec.json.format(msgspec.json.encode(standing)).decode() + "\n")
        return
    if isinstance(out, TextIOWrapper):  # a member may have any name, whatever can be printed
        out.reconfigure(errors="replace")
    print_standing(standing, Console(file=out, width=None if out.isatty() else WIDTH))


class _Looking:
    """One look at all there is."""

    def __init__(self, settings: Settings, connection: Connection, clock: Clock) -> None:
        self._settings = settings
        self._engine = settings.jetstream
        self._connection = connection
        self._clock = clock
        self._subjects = Subjects(settings.jetstream.prefix, settings.source.org)

    async def look(self) -> Standing:
        engine, subjects = self._engine, self._subjects
        configs = [
            *wanted(engine, subjects, self._settings.store.keep_journal_hours),
            leases_of(engine, subjects),
            budgets_of(engine, subjects),
        ]
        streams = [await stream_standing(self._connection, config.name) for config in configs]
        missing = [one.name for one, stream in zip(configs, streams, strict=True) if stream is None]
        leases = await self._claims(configs[2], missing)
        budgets = await self._claims(configs[3], missing)
        partitions: Sequence[PartitionStanding] = ()
        if not missing or set(missing) <= {configs[2].name, configs[3].name}:
            partitions = await asyncio.gather(
                *(
                    partition_standing(self._connection, subjects, number, CHECKPOINT)
                    for number in range(engine.partitions)
                )
            )
        now = self._clock.now()
        found = [stream for stream in streams if stream is not None]
        members = self._members(leases, budgets, now)
        owners = [
            _owner(f"track.{number}", leases, now, partitions[number] if partitions else None)
            for number in range(engine.partitions)
        ]
        alert = _owner("alert", leases, now, None)
        seen = await look(engine.monitor) if engine.monitor else None
        return Standing(
            org=self._settings.source.org,
            now=now,
            engine_version=self._connection.version,
            members=members,
            partitions=owners,
            alert=alert,
            streams=found,
            problems=[
                *(
                    f"{name} is not there: no process has run yet"
                    for name in missing
                    if name != configs[3].name  # it is made by those who share limits
                ),
                *_problems(members, owners, alert),
                *_broken(found),
            ],
            warnings=[
                *_warnings(members, owners),
                *findings(
                    engine, self._connection.version, self._connection.client.max_payload, seen
                ),
            ],
        )

    async def _claims(self, bucket: Config, missing: Sequence[str]) -> Mapping[str, Claim]:
        if bucket.name in missing:
            return {}
        return await JetStreamLeases(self._connection, bucket, ONLOOKER).look()

    def _members(
        self, leases: Mapping[str, Claim], budgets: Mapping[str, Claim], now: datetime
    ) -> list[MemberLine]:
        shared = slots_of(self._settings)
        lines = []
        for name, claim in sorted(leases.items()):
            member = decode_member(claim.said) if name.startswith(MEMBER) else None
            if member is None:
                continue
            used = {
                kind: sum(
                    size
                    for slot, size in slots.items()
                    if slot in budgets and budgets[slot].holder == claim.holder
                )
                for kind, slots in shared.items()
            }
            lines.append(
                MemberLine(
                    name=claim.holder,
                    roles=list(member.roles),
                    version=member.version,
                    address=member.address,
                    since=member.since,
                    lease_age_seconds=_age(claim, now),
                    partitions=sum(
                        one.holder == claim.holder
                        for key, one in leases.items()
                        if key.startswith("track.")
                    ),
                    channels=used.get("channels", 0),
                    requests=used.get("requests", 0),
                )
            )
        return lines


def _owner(
    name: str, leases: Mapping[str, Claim], now: datetime, partition: PartitionStanding | None
) -> OwnerLine:
    claim = leases.get(name)
    lag = 0.0
    if partition is not None and partition.waits_since is not None:
        lag = max(0.0, (now - partition.waits_since).total_seconds())
    return OwnerLine(
        name=name,
        owner=None if claim is None else claim.holder,
        lease_age_seconds=None if claim is None else _age(claim, now),
        inputs_end=partition.end if partition else 0,
        inputs_reached=partition.reached if partition else 0,
        lag_seconds=round(lag, 3),
        last_step=partition.last_step if partition else None,
    )


def _age(claim: Claim, now: datetime) -> float:
    return round(max(0.0, (now - claim.renewed).total_seconds()), 3)


def _problems(
    members: Sequence[MemberLine], owners: Sequence[OwnerLine], alert: OwnerLine
) -> Iterator[str]:
    """Say what has to be mended."""
    for role, what in (
        ("listen", "nobody listens: what happens now is not heard"),
        ("track", "nobody tracks"),
        ("alert", "nobody sends alerts"),
        ("serve", "nobody serves the API and the dashboard"),
    ):
        if not any(role in one.roles for one in members):
            yield f"{what}; start a process with the role {role}"
    lost = [one.name for one in owners if one.owner is None]
    if lost and any("track" in one.roles for one in members):
        yield f"{', '.join(lost)}: nobody has it; see the logs of those who track"
    if alert.owner is None and any("alert" in one.roles for one in members):
        yield "alert: nobody has it; see the logs of those with the role alert"
    for one in owners:
        if one.lag_seconds > FAR:
            yield (
                f"{one.name} is {one.lag_seconds:.0f} s behind what was heard; see the log of"
                f" {one.owner or 'whoever had it'}"
            )


def _broken(streams: Sequence[StreamStanding]) -> Iterator[str]:
    for stream in streams:
        if not stream.leader:
            yield f"{stream.name} has no leader: too few of its servers are there"
        for server in stream.behind:
            yield f"{stream.name}: server {server} is not there, or is catching up"


def _warnings(members: Sequence[MemberLine], owners: Sequence[OwnerLine]) -> Iterator[str]:
    versions = sorted({one.version for one in members})
    if len(versions) > 1:
        yield f"versions differ ({', '.join(versions)}): go on with the upgrade"
    for role in ("listen", "track", "serve", "alert"):
        if sum(role in one.roles for one in members) == 1:
            yield f"one process alone has the role {role}: nobody takes over when it fails"
    for one in owners:
        if LATE < one.lag_seconds <= FAR:
            yield f"{one.name} is {one.lag_seconds:.0f} s behind what was heard"
