"""Fills a log of steps that is empty, from the first message to the last, over any interruption.

Each message is taken only if it is the very next one of the whole stream. So many can be under way
at once and still none is missing, twice or out of order, nobody else can have written meanwhile,
and where it stopped is seen from the stream itself. Until it is finished the stream's description
says so, and no daemon opens it.
"""

import asyncio
from base64 import b64decode
from collections import deque
from collections.abc import Sequence

import msgspec
from nats.aio.msg import Msg

from ringback.errors import EngineForeign
from ringback.settings.jetstream import JetStreamSettings
from ringback.stores.jetstream.connection import Connection
from ringback.stores.jetstream.faults import (
    NO_MESSAGE,
    NO_STREAM,
    DeniedError,
    RefusalError,
    UnsureError,
    worded,
)
from ringback.stores.jetstream.leases import budgets_of, leases_of
from ringback.stores.jetstream.streams import BEING_FILLED, Config, ensure, wanted
from ringback.stores.jetstream.subjects import Subjects
from ringback.wire.steps import StepBody, encode_step

__all__ = ["Filling", "Planned", "Standing"]

IN_FLIGHT = 128
"""Messages that are sent before the first of them is answered."""
TROUBLES = (UnsureError, DeniedError, RefusalError)

Planned = tuple[int, StepBody]
"""A message and its partition."""


class Standing(msgspec.Struct, frozen=True):
    """How the streams of an organisation are."""

    there: bool
    """Whether there is a log of steps."""
    begun: bool
    """Whether a migration into it was begun, and not finished."""
    steps: int
    """How many messages the log of steps ever had."""
    inputs: int


class _State(msgspec.Struct):
    last_seq: int = 0


class _Stream(msgspec.Struct):
    state: _State
    config: dict[str, object]


class _Kept(msgspec.Struct):
    subject: str
    data: str = ""


class _Found(msgspec.Struct):
    message: _Kept


class Filling:
    """The log of steps of an organisation, while it is filled. Use `open`; `close` it."""

    def __init__(
        self, connection: Connection, subjects: Subjects, configs: Sequence[Config]
    ) -> None:
        self.connection = connection
        self._subjects = subjects
        self._inputs, self._steps, *self._buckets = configs
        self._next = 0
        self._sent: deque[asyncio.Future[Msg]] = deque()

    @classmethod
    async def open(
        cls, settings: JetStreamSettings, org: str, keep_journal_hours: float
    ) -> "Filling":
        """Connect, and change nothing. Raises `EngineUnreachable` or `EngineRefused`."""
        subjects = Subjects(settings.prefix, org)
        connection = await Connection.open(settings, name=f"ringback migrate {org}")
        buckets = [leases_of(settings, subjects), budgets_of(settings, subjects)]
        return cls(
            connection, subjects, [*wanted(settings, subjects, keep_journal_hours), *buckets]
        )

    @property
    def most_bytes(self) -> int:
        """How much the log of steps keeps before the oldest goes."""
        return self._steps.max_bytes

    @property
    def stream(self) -> str:
        """The log of steps by its name."""
        return self._steps.name

    async def look(self) -> Standing:
        """Say how the streams are. Raises `StoreError`."""
        steps, inputs = await self._look(self._steps.name), await self._look(self._inputs.name)
        return Standing(
            there=steps is not None,
            begun=steps is not None and BEING_FILLED in str(steps.config.get("description")),
            steps=0 if steps is None else steps.state.last_seq,
            inputs=0 if inputs is None else inputs.state.last_seq,
        )

    async def prepare(self) -> None:
        """See that streams and buckets are there and as they have to be. Raises `StoreError`."""
        for config in (self._inputs, self._steps, *self._buckets):
            await ensure(self.connection, config)

    async def begin(self) -> None:
        """Shut daemons out, until it is finished. Raises `StoreError`."""
        description = f"{self._steps.description}, {BEING_FILLED}"
        steps = msgspec.structs.replace(self._steps, description=description)
        await ensure(self.connection, steps, being_filled=True)
        for config in (self._inputs, *self._buckets):
            await ensure(self.connection, config)

    async def has(self, sequence: int, planned: Planned) -> bool:
        """Whether a message is the one that it is to be. Raises `StoreError`."""
        try:
            found = await self.connection.ask(
                f"STREAM.MSG.GET.{self._steps.name}", {"seq": sequence}, _Found
            )
        except RefusalError as error:
            if error.code == NO_MESSAGE:
                return False
            raise worded(self.connection.servers, error) from None
        except TROUBLES as error:
            raise worded(self.connection.servers, error) from None
        subject, body = self._encode(planned)
        return (found.message.subject, b64decode(found.message.data)) == (subject, body)

    def follow(self, sequence: int) -> None:
        """What is put next comes after this one."""
        self._next = sequence + 1

    async def put(self, planned: Planned) -> None:
        """Append a message; it may still be under way. Raises `StoreError`: then begin anew."""
        while len(self._sent) >= IN_FLIGHT:
            await self._settle()
        subject, body = self._encode(planned)
        headers = {"Nats-Expected-Last-Sequence": str(self._next - 1)}
        try:
            self._sent.append(await self.connection.send(subject, body, headers))
        except UnsureError as error:
            raise worded(self.connection.servers, error) from None
        self._next += 1

    async def settle(self) -> None:
        """Return when all that was put is stored. Raises `StoreError`."""
        while self._sent:
            await self._settle()

    async def finish(self) -> None:
        """Let daemons in. Raises `StoreError`."""
        await ensure(self.connection, self._steps, being_filled=True)

    async def close(self) -> None:
        """Disconnect; what was begun can be gone on with."""
        for sent in self._sent:
            sent.cancel()
        await self.connection.close()

    def _encode(self, planned: Planned) -> tuple[str, bytes]:
        partition, step = planned
        return self._subjects.step(partition, step.key), encode_step(step)

    async def _settle(self) -> None:
        try:
            await self.connection.stored(self._sent.popleft())
        except RefusalError as error:
            raise EngineForeign(
                self._steps.name,
                f"it does not take the next message ({error})",
                "see that nobody else writes to it, then run it again: it goes on where it stopped",
            ) from None
        except TROUBLES as error:
            raise worded(self.connection.servers, error) from None

    async def _look(self, name: str) -> _Stream | None:
        try:
            return await self.connection.ask(f"STREAM.INFO.{name}", None, _Stream)
        except RefusalError as error:
            if error.code == NO_STREAM:
                return None
            raise worded(self.connection.servers, error) from None
        except TROUBLES as error:
            raise worded(self.connection.servers, error) from None
