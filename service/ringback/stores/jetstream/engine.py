"""The engine of several machines, opened: its streams are there, and as they have to be."""

from collections.abc import Sequence

from ringback.settings.jetstream import JetStreamSettings
from ringback.stores.jetstream.checks import findings, look
from ringback.stores.jetstream.connection import Connection
from ringback.stores.jetstream.inputs import JetStreamInputs
from ringback.stores.jetstream.leases import agree, budgets_of, leases_of
from ringback.stores.jetstream.steps import JetStreamSteps
from ringback.stores.jetstream.store import JetStreamStore
from ringback.stores.jetstream.streams import ensure, inspect, wanted
from ringback.stores.jetstream.subjects import Subjects

__all__ = ["Engine", "inspect_engine"]


class Engine:
    """Everything of one organisation's that is in NATS, but for leases and budgets."""

    def __init__(
        self, connection: Connection, subjects: Subjects, findings: Sequence[str] = ()
    ) -> None:
        self.connection = connection
        self.subjects = subjects
        self.findings = findings
        """What is not as it should be, although it runs; each with what to do."""
        self.inputs = JetStreamInputs(connection, subjects)
        self.steps = JetStreamSteps(connection, subjects)

    @classmethod
    async def open(
        cls, settings: JetStreamSettings, org: str, keep_journal_hours: float, name: str = ""
    ) -> "Engine":
        """Connect, and see that the streams are there and as they have to be.

        `name` is shown by the servers' monitoring. Raises `EngineUnreachable`, `EngineRefused` or
        `EngineForeign`; of these the first, and with a server that is mended the others, may go
        by trying again.
        """
        subjects = Subjects(settings.prefix, org)
        connection = await Connection.open(settings, name=name or f"ringback {org}")
        found: list[str] = []
        try:
            for config in wanted(settings, subjects, keep_journal_hours):
                found += await ensure(connection, config)
            for bucket in (leases_of(settings, subjects), budgets_of(settings, subjects)):
                found += await agree(connection, bucket)
        except BaseException:
            await connection.close()
            raise
        seen = await look(settings.monitor) if settings.monitor else None
        found += findings(settings, connection.version, connection.client.max_payload, seen)
        return cls(connection, subjects, found)

    def store(self, partition: int) -> JetStreamStore:
        """Give the store of one partition, not loaded yet."""
        return JetStreamStore(self.connection, self.subjects, partition)

    async def close(self) -> None:
        """Close the connection. Nothing may be called afterwards."""
        await self.connection.close()


async def inspect_engine(
    settings: JetStreamSettings, org: str, keep_journal_hours: float
) -> tuple[str, list[str]]:
    """Look at an engine without changing anything: how it is, and what is to be known of it.

    Raises as `Engine.open` does.
    """
    subjects = Subjects(settings.prefix, org)
    connection = await Connection.open(settings, name=f"ringback {org} check")
    try:
        looks = [
            await inspect(connection, config)
            for config in (
                *wanted(settings, subjects, keep_journal_hours),
                leases_of(settings, subjects),
                budgets_of(settings, subjects),
            )
        ]
        seen = await look(settings.monitor) if settings.monitor else None
        found = findings(settings, connection.version, connection.client.max_payload, seen)
        said = f"NATS {connection.version} at {connection.servers}"
    finally:
        await connection.close()
    return said, [*filter(None, looks), *found]
