"""Leases as keys of a bucket: created, updated by revision, deleted, and watched.

A key's age is the engine's business, but nobody is told when a key has grown too old. So whoever
watches counts from the moment at which it saw the last renewal, which is later than the engine
does; and to claim is to create, which the engine refuses while the key is there.
"""

import asyncio
import secrets
from base64 import b64decode
from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import aclosing
from datetime import UTC, datetime, timedelta

import msgspec
from nats.aio.msg import Msg

from ringback.errors import EngineForeign, EngineUnreachable
from ringback.ports import Claim
from ringback.settings.jetstream import JetStreamSettings
from ringback.stores.jetstream.connection import Connection
from ringback.stores.jetstream.faults import (
    CONFLICTS,
    DeniedError,
    RefusalError,
    UnsureError,
    worded,
)
from ringback.stores.jetstream.streams import Config, described, ensure
from ringback.stores.jetstream.subjects import Subjects, decode_token, encode_token
from ringback.stores.jetstream.watching import Watching
from ringback.wire.members import former_seconds

__all__ = ["BUDGET_SECONDS", "JetStreamLeases", "budgets_of", "leases_of"]

BUDGET_SECONDS = 300.0
"""After so long without a renewal, what one may use of the platform's limits is another's. For most
of that a listener goes on while the engine is away, and for a minute more the platform counts."""
EXPECTED = "Nats-Expected-Last-Subject-Sequence"
OPERATION = "KV-Operation"
NO_MESSAGE = 10037
NANO = 1_000_000_000
RENEWALS_A_LEASE = 3
HEARTBEATS_A_LEASE = 6
MOST_PATIENCE_SECONDS = 2.0
MOST_HEARTBEAT_SECONDS = 2.0
LATE = 1.05
"""So much later than the engine a key is taken for gone: clocks do not run alike."""
BUCKET_BYTES = 2 * 1024 * 1024
"""Set aside. A hundred members and 256 partitions take a tenth of it."""
TROUBLES = (UnsureError, DeniedError, RefusalError)


class Body(msgspec.Struct, frozen=True, omit_defaults=True):
    """The value of a key, as JSON: people look at it with the tools of NATS."""

    holder: str
    life: str
    """Of the process: it tells a member from its former life."""
    said: str = ""
    left: bool = False
    """Whether a next life has found it, and has written it again."""


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Body).decode


class _Kept(msgspec.Struct):
    """A message as the engine keeps it."""

    seq: int
    data: str = ""
    hdrs: str = ""


class _Found(msgspec.Struct):
    message: _Kept


def leases_of(settings: JetStreamSettings, subjects: Subjects) -> Config:
    """Say what the bucket of leases has to be."""
    return _bucket(settings, subjects.leases, settings.lease_seconds)


def budgets_of(settings: JetStreamSettings, subjects: Subjects) -> Config:
    """Say what the bucket of budgets has to be."""
    return _bucket(settings, subjects.budgets, BUDGET_SECONDS)


async def agree(connection: Connection, bucket: Config) -> list[str]:
    """See that a bucket is there, and keeps leases for as long as all believe.

    Gives and raises as `ensure` does. `EngineForeign` as well where it keeps them for another time:
    who renews more rarely than the engine forgets would lose what it has.
    """
    different = await ensure(connection, bucket)
    if any("max_age is" in one for one in different):
        raise EngineForeign(
            bucket.name,
            "; ".join(different),
            "or set jetstream.lease_seconds to what all others have",
        )
    return different


class JetStreamLeases:
    """One member's leases in one bucket, which is made when they are watched."""

    def __init__(self, connection: Connection, bucket: Config, holder: str) -> None:
        self.holder = holder
        self.seconds = bucket.max_age / NANO
        self._connection = connection
        self._bucket = bucket
        self._subjects = bucket.subjects[0].removesuffix(">")
        self._life = secrets.token_hex(8)
        self._loop_began = datetime.min.replace(tzinfo=UTC)
        """By the engine's clock when the loop's was at 0, or sooner."""
        self._patience = min(MOST_PATIENCE_SECONDS, self.seconds / RENEWALS_A_LEASE)
        self._heartbeat = min(MOST_HEARTBEAT_SECONDS, self.seconds / HEARTBEATS_A_LEASE)

    async def claim(self, name: str, said: bytes = b"") -> Claim | None:
        """Hold a name; None when another does. Raises `StoreError`."""
        made = await self._write(name, said, 0)
        if made is not None:
            return made
        found = await self._last(name)
        if found is None:
            return await self._write(name, said, 0)
        if _deleted(found) or self._is_mine(found):
            return await self._write(name, said, found.seq)
        return None

    async def renew(self, claim: Claim, said: bytes | None = None) -> Claim | None:
        """Hold it for longer; None when it is not held any more. Raises `StoreError`."""
        said = claim.said if said is None else said
        renewed = await self._write(claim.name, said, claim.revision)
        if renewed is not None:
            return renewed
        found = await self._last(claim.name)
        if found is None or not self._is_mine(found):
            return None
        return await self._write(claim.name, said, found.seq)

    async def release(self, claim: Claim) -> None:
        """Let others have it, if it is still held. Raises `StoreError`."""
        if await self._delete(claim.name, claim.revision):
            return
        found = await self._last(claim.name)
        if found is not None and self._is_mine(found):
            await self._delete(claim.name, found.seq)

    async def look(self) -> Mapping[str, Claim]:
        """Give all claims once, and make nothing. Raises `StoreError`."""
        async with aclosing(self._views()) as views:
            return await anext(views)

    async def watch(self) -> AsyncGenerator[Mapping[str, Claim], None]:
        """Give all claims, at once and with every change. Raises `StoreError`."""
        await ensure(self._connection, self._bucket)
        async with aclosing(self._views()) as views:
            async for view in views:
                yield view

    async def _views(self) -> AsyncGenerator[Mapping[str, Claim], None]:
        clock = asyncio.get_running_loop().time
        view: dict[str, Claim] = {}
        gone_at: dict[str, float] = {}
        following = Watching(self._connection, self._heartbeat)
        try:
            self._note_time(await following.begin(self._bucket))
            news, found = True, False
            while True:
                if following.complete and not found:
                    found = True
                    await self._find(view.values())
                for name in [name for name, at in gone_at.items() if at <= clock()]:
                    del gone_at[name]
                    await self._let_go(view.pop(name))
                    news = True
                if news and following.complete:
                    yield dict(view)
                    news = False
                until = min(gone_at.values(), default=None)
                if (message := await following.next(until)) is not None:
                    name, claim = self._read(message)
                    news |= _differ(view.pop(name, None), claim)
                    gone_at.pop(name, None)
                    if claim is not None:
                        view[name] = claim
                        gone_at[name] = self._gone_at(claim)
        finally:
            await following.end()

    async def _find(self, claims: Iterable[Claim]) -> None:
        """Note what a former life holds, once: from now on it counts how long that is ago.

        By then that life is dead, which it need not have been at its last renewal.
        """
        for claim in claims:
            if self._is_formers(claim) and not claim.left:
                await self._publish(
                    claim.name,
                    _encode(Body(claim.holder, claim.life, claim.said.decode(), left=True)),
                    {EXPECTED: str(claim.revision)},
                )

    async def _let_go(self, claim: Claim) -> None:
        """Let all have what a former life has left behind."""
        if self._is_formers(claim) and claim.left:
            await self._delete(claim.name, claim.revision)

    def _gone_at(self, claim: Claim) -> float:
        """Say when a claim is over that is not renewed, on the loop's clock."""
        left = self.seconds * LATE
        if self._is_formers(claim) and claim.left:
            left = min(left, former_seconds(claim.name) - self._age(claim.renewed))
        return asyncio.get_running_loop().time() + left

    def _is_formers(self, claim: Claim) -> bool:
        """Whether a former life of this member holds it, for longer than its next need wait."""
        is_one = claim.holder == self.holder and not claim.mine
        return is_one and former_seconds(claim.name) < self.seconds

    def _age(self, renewed: datetime) -> float:
        """Say how old a renewal is at the least, in seconds: by the engine's clock, not by ours."""
        return (self._loop_began - renewed).total_seconds() + asyncio.get_running_loop().time()

    def _note_time(self, at: datetime) -> None:
        """Take in what the engine's clock has come to."""
        elapsed = timedelta(seconds=asyncio.get_running_loop().time())
        self._loop_began = max(self._loop_began, at - elapsed)

    async def _delete(self, name: str, revision: int) -> bool:
        headers = {OPERATION: "DEL", EXPECTED: str(revision)}
        return await self._publish(name, b"", headers) is not None

    def _is_mine(self, found: _Kept) -> bool:
        """Whether it was written by this life: an attempt may have seemed to fail, and has not."""
        body = None if _deleted(found) else _body_of(b64decode(found.data))
        return body is not None and body.life == self._life

    def _read(self, message: Msg) -> tuple[str, Claim | None]:
        at = message.metadata.timestamp.astimezone(UTC)
        self._note_time(at)
        name = _name(message.subject.removeprefix(self._subjects))
        gone = message.headers is not None and OPERATION in message.headers
        body = None if gone else _body_of(message.data)
        if body is None:
            return name, None
        return name, Claim(
            name,
            body.holder,
            body.life,
            mine=body.life == self._life,
            revision=message.metadata.sequence.stream,
            renewed=at,
            said=body.said.encode(),
            left=body.left,
        )

    async def _write(self, name: str, said: bytes, revision: int) -> Claim | None:
        """Write a key that is as it was at a revision; None when it is not."""
        body = _encode(Body(self.holder, self._life, said.decode()))
        written = await self._publish(name, body, {EXPECTED: str(revision)})
        if written is None:
            return None
        now = datetime.now(UTC)  # the engine does not say its own in an answer
        return Claim(
            name, self.holder, self._life, mine=True, revision=written, renewed=now, said=said
        )

    async def _publish(self, name: str, body: bytes, headers: dict[str, str]) -> int | None:
        try:
            async with asyncio.timeout(self._patience):
                return await self._connection.store(self._subjects + _key(name), body, headers)
        except TimeoutError:
            raise EngineUnreachable(self._connection.servers, "it does not answer") from None
        except RefusalError as error:
            if error.code in CONFLICTS:
                return None
            raise worded(self._connection.servers, error) from None
        except TROUBLES as error:
            raise worded(self._connection.servers, error) from None

    async def _last(self, name: str) -> _Kept | None:
        request = {"last_by_subj": self._subjects + _key(name)}
        what = f"STREAM.MSG.GET.{self._bucket.name}"
        try:
            return (await self._connection.ask(what, request, _Found, self._patience)).message
        except RefusalError as error:
            if error.code == NO_MESSAGE:
                return None
            raise worded(self._connection.servers, error) from None
        except TROUBLES as error:
            raise worded(self._connection.servers, error) from None


def _bucket(settings: JetStreamSettings, name: str, seconds: float) -> Config:
    age = int(seconds * NANO)
    return Config(
        name=f"KV_{name}",
        subjects=[f"$KV.{name}.>"],
        description=described(settings),
        storage="file",
        max_age=age,
        max_bytes=BUCKET_BYTES,
        max_msgs_per_subject=1,
        duplicate_window=age,
        num_replicas=settings.replicas,
    )


def _body_of(data: bytes) -> Body | None:
    """Give what a key holds; None for what is none of ours."""
    try:
        return _decode(data)
    except msgspec.DecodeError:
        return None


def _differ(before: Claim | None, now: Claim | None) -> bool:
    """Whether there is more to tell than a renewal."""
    if before is None or now is None:
        return before is not now
    return (before.holder, before.life, before.said) != (now.holder, now.life, now.said)


def _deleted(found: _Kept) -> bool:
    return OPERATION.encode() in b64decode(found.hdrs)


def _key(name: str) -> str:
    """Write a name as a key, which may hold less than a subject: two tokens, its kind and the rest.

    So what a user may write is said by a pattern, whatever members are called.
    """
    return ".".join(encode_token(part).replace("~", "=7E") for part in name.split(".", 1))


def _name(key: str) -> str:
    return ".".join(map(decode_token, key.split(".")))
