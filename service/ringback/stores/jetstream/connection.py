"""The connection to NATS: one a process, held for ever, and what is known of it.

Nothing is buffered while it is away: whoever stores something keeps it until the engine has said
that it is stored, and tries again with the same id.
"""

import asyncio
import re
import ssl
from collections.abc import Awaitable, Callable
from typing import TypeVar

import msgspec
import structlog
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.errors import MaxPayloadError

from ringback.errors import EngineRefused, EngineUnreachable, StepTooLarge, StoreError
from ringback.settings.jetstream import JetStreamSettings
from ringback.stores.jetstream.access import Access, access, inbox_of, shown
from ringback.stores.jetstream.client import HeldClient, InClearError
from ringback.stores.jetstream.faults import (
    CONFLICTS,
    DeniedError,
    Refusal,
    RefusalError,
    UnsureError,
    worded,
)

__all__ = ["Connection"]

T = TypeVar("T")
log = structlog.get_logger(__name__)

ANSWER = 2.0
"""Seconds that a store has to be answered in, before it is tried again."""
ANSWER_API = 3.0
ASKED_AGAIN = 1.0
"""Seconds between two questions of the same. One is lost while nobody leads the servers, or if what
it asks for falls to one that is gone: who waits for its answer loses what an election takes."""
FIRST_WAIT = 0.05
LONGEST_WAIT = 1.0
AGAIN = 0.25
"""Seconds between attempts to connect."""
PING = 1.0
UNANSWERED_PINGS = 2
CONNECT_SECONDS = 2
_DENIED = re.compile(
    r'permissions violation for (publish|subscription) to "([^"]*)"', re.IGNORECASE
)


class _Answer(msgspec.Struct):
    seq: int = 0
    error: Refusal | None = None


def _understood(message: Msg, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(message.data, type=kind)
    except msgspec.DecodeError:
        raise UnsureError("what answers is not JetStream, or speaks otherwise") from None


def _served(message: Msg) -> Msg:
    if message.headers and message.headers.get("Status") == "503":
        raise UnsureError("nobody answers: there is no JetStream, or no such stream")
    return message


class Connection:
    """Made by `open`. `client` is nats-py's, for subscriptions that outlive a reconnection."""

    def __init__(self, servers: str) -> None:
        self.servers = servers
        """Where it connects to, for messages."""
        self.client = HeldClient()
        self.troubles: dict[str, str] = {}
        """What cannot be stored at the moment, by stream, and why."""
        self.lost = 0
        """How often the connection was lost."""
        self.readers: set[Callable[[], None]] = set()
        """Told when the connection is lost."""
        self._errors: list[Exception] = []
        self._unheard: dict[str, str] = {}
        """Subjects that this user may not listen to, and the error."""
        self._told: set[tuple[str, int]] = set()
        """Streams of which it was logged that they refuse something, and the error's code."""
        self._up = asyncio.Event()
        self._away_since: float | None = None
        self._waiting: dict[str, tuple[asyncio.Future[Msg], str]] = {}
        self._count = 0
        self._answers = ""

    @classmethod
    async def open(cls, settings: JetStreamSettings, *, name: str) -> "Connection":
        """Connect, or raise `EngineUnreachable` or `EngineRefused`.

        `name` is shown by the servers' monitoring.
        """
        servers = [one.strip() for one in settings.servers.split(",") if one.strip()]
        made = cls(", ".join(map(shown, servers)))
        await made._connect(servers, name, inbox_of(settings), access(settings, made.servers))
        return made

    async def _connect(self, servers: list[str], name: str, inbox: str, access: Access) -> None:
        client = self.client
        client.encrypted = access.encrypted
        client.public_key = access.public_key
        try:
            await client.connect(
                servers,
                name=name,
                error_cb=self._failed,
                disconnected_cb=self._disconnected,
                reconnected_cb=self._reconnected,
                connect_timeout=CONNECT_SECONDS,
                reconnect_time_wait=AGAIN,  # type: ignore[arg-type]  # any number will do
                max_reconnect_attempts=1,
                ping_interval=PING,  # type: ignore[arg-type]
                max_outstanding_pings=UNANSWERED_PINGS,
                pending_size=0,
                inbox_prefix=inbox,
                tls=access.tls,
                user=access.user or None,
                password=access.password or None,
                signature_cb=access.sign,
                user_jwt_cb=access.jwt,
            )
        except (NatsError, OSError, TimeoutError, ValueError) as error:
            await client.close()
            raise self._why(error) from None
        client.options["max_reconnect_attempts"] = -1
        self._answers = client.new_inbox()
        await client.listen(f"{self._answers}.*", self._answered)
        await self._see_whether_heard()
        self._errors.clear()
        self._up.set()

    async def _see_whether_heard(self) -> None:
        """Refuse a user who would never hear an answer."""
        try:
            # nats-py asks for a sign of life ahead of what it has still to send, the first time.
            for _ in range(2):
                await self.client.flush(timeout=CONNECT_SECONDS)
        except (NatsError, OSError, TimeoutError) as error:
            await self.client.close()
            raise self._why(error) from None
        for problem in self._unheard.values():
            await self.client.close()
            raise EngineRefused(
                self.servers,
                f"this user may not hear its answers: {problem}",
                "jetstream.inbox: the prefix that the user may listen to (deploy/nats)",
            )

    @property
    def connected(self) -> bool:
        """Whether a server is connected."""
        return self._up.is_set()

    @property
    def away(self) -> float | None:
        """For how many seconds none has been; None while one is."""
        if self._away_since is None:
            return None
        return asyncio.get_running_loop().time() - self._away_since

    @property
    def version(self) -> str:
        """The version of the server that is or was connected."""
        found = self.client.connected_server_version
        return f"{found.major}.{found.minor}.{found.patch}"

    @property
    def problem(self) -> str | None:
        """What keeps the engine from storing anything, with what to do; None if nothing does."""
        if not self.connected:
            last = self._errors[-1] if self._errors else UnsureError("the connection was lost")
            return str(self._why(last))
        return next(iter((self._unheard | self.troubles).values()), None)

    async def up(self) -> None:
        """Wait until a server is connected."""
        await self._up.wait()

    async def ask(self, what: str, request: object, answer: type[T], within: float = 0) -> T:
        """Ask the JetStream API, again each second: an election loses what is asked meanwhile.

        The first answer counts, so it must be something that does no harm twice. Raises
        `UnsureError`, `DeniedError` or `RefusalError`.
        """
        body = msgspec.json.encode(request) if request is not None else b""
        within = within or ANSWER_API
        sent: list[asyncio.Future[Msg]] = []
        done: set[asyncio.Future[Msg]] = set()
        try:
            async with asyncio.timeout(within):
                while not done:
                    sent.append(await self.send(f"$JS.API.{what}", body))
                    done, _ = await asyncio.wait(
                        sent, timeout=ASKED_AGAIN, return_when=asyncio.FIRST_COMPLETED
                    )
        except TimeoutError:
            raise UnsureError(f"no answer within {within:g} s") from None
        finally:
            for future in sent:
                future.cancel()
        message = _served(done.pop().result())
        refused = _understood(message, _Answer).error
        if refused is not None:
            raise RefusalError(refused)
        return _understood(message, answer)

    async def last(self, stream: str, subject: str) -> Msg | None:
        """Ask any server once for the last message of a subject, as it has it; None if it has none.

        Raises `UnsureError` or `DeniedError`.
        """
        future = await self.send(f"$JS.API.DIRECT.GET.{stream}.{subject}", b"")
        message = await self._outcome(future, ANSWER_API)
        status = message.headers.get("Status") if message.headers else None
        return None if status == "404" else message

    async def persist(self, attempt: Callable[[], Awaitable[T]], what: str) -> T:
        """Try something until it is done; meanwhile `troubles` says what is in its way.

        Only what trying again cannot mend is raised: a conflict as the `RefusalError` that it is,
        else a `StoreError`. Whoever waits no longer leaves nothing in anybody's way.
        """
        try:
            return await self._persist(attempt, what)
        except asyncio.CancelledError:
            self.troubles.pop(what, None)
            raise

    async def _persist(self, attempt: Callable[[], Awaitable[T]], what: str) -> T:
        wait = FIRST_WAIT
        while True:
            try:
                done = await attempt()
            except RefusalError as error:
                if error.code in CONFLICTS:
                    raise
                self._tell(what, error)
            except DeniedError as error:
                self._tell(what, error)
            except UnsureError as error:
                self.troubles[what] = str(worded(self.servers, error))
            else:
                if self.troubles:
                    self.troubles.pop(what, None)
                return done
            if self.connected:
                await asyncio.sleep(wait)
                wait = min(LONGEST_WAIT, wait * 2)
            else:
                await self.up()
                wait = FIRST_WAIT

    def _tell(self, what: str, error: Exception) -> None:
        """Say what an administrator has to mend, once for each stream and kind."""
        problem = str(worded(self.servers, error))
        kind = (what, error.code if isinstance(error, RefusalError) else 0)
        if kind not in self._told:
            self._told.add(kind)
            log.warning("engine_refuses", stream=what, problem=problem)
        self.troubles[what] = problem

    async def store(self, subject: str, payload: bytes, headers: dict[str, str]) -> int:
        """Try once to store a message; give its sequence.

        Raises `UnsureError`, `DeniedError`, `RefusalError` or `StepTooLarge`.
        """
        return await self.stored(await self.send(subject, payload, headers))

    async def stored(self, sent: asyncio.Future[Msg]) -> int:
        """Wait for the answer to what was sent to be stored. Raises as `store` does."""
        message = sent.result() if sent.done() else await self._outcome(sent, ANSWER)
        if not message.data:
            raise UnsureError("no stream takes it, or it has no leader")
        answer = _understood(message, _Answer)
        if answer.error is not None:
            raise RefusalError(answer.error)
        return answer.seq

    async def send(
        self, subject: str, payload: bytes, headers: dict[str, str] | None = None
    ) -> asyncio.Future[Msg]:
        """Send a message; give what will hold the answer, or the error, if one comes."""
        self._count += 1
        token = str(self._count)
        future: asyncio.Future[Msg] = asyncio.get_running_loop().create_future()
        self._waiting[token] = (future, subject)
        future.add_done_callback(lambda _: self._waiting.pop(token, None))
        try:
            await self.client.publish(subject, payload, f"{self._answers}.{token}", headers)
        except MaxPayloadError:
            future.cancel()
            raise StepTooLarge(self.servers, len(payload), self.client.max_payload) from None
        except NatsError as error:
            future.cancel()
            raise UnsureError(str(error) or "not connected") from None
        return future

    async def close(self) -> None:
        """Close it; what was sent is on its way."""
        if self.connected:
            try:
                await self.client.flush(timeout=1)
            except (NatsError, OSError):
                self._up.clear()
        await self.client.close()
        self._drop("it is closed")

    async def _outcome(self, future: asyncio.Future[Msg], within: float) -> Msg:
        try:
            async with asyncio.timeout(within):
                message = await future
        except TimeoutError:
            raise UnsureError(f"no answer within {within:g} s") from None
        return _served(message)

    def _answered(self, message: Msg) -> None:
        waiting = self._waiting.get(message.subject.rpartition(".")[2])
        if waiting is not None and not waiting[0].done():
            waiting[0].set_result(message)

    async def _failed(self, error: Exception) -> None:
        """Take in what nats-py would print."""
        denied = _DENIED.search(str(error))
        if denied is None:
            self._errors = [*self._errors[-9:], error]
            return
        what, where = denied.groups()
        if what.lower() == "subscription":
            refused = DeniedError(where, "listen to")
            log.warning("engine_refuses", subject=where, problem=str(refused))
            self._unheard[where] = str(worded(self.servers, refused))
            return
        for future, subject in list(self._waiting.values()):
            if subject.lower() == where.lower() and not future.done():
                future.set_exception(DeniedError(subject))
                future.exception()  # whoever has given up waiting need not be told

    async def _disconnected(self) -> None:
        self._up.clear()
        self._unheard.clear()  # who connects again subscribes again
        self.lost += 1
        if self._away_since is None:
            self._away_since = asyncio.get_running_loop().time()
        self._drop("the connection was lost")
        for tell in list(self.readers):
            tell()

    async def _reconnected(self) -> None:
        self._away_since = None
        self._errors.clear()
        self._up.set()

    def _drop(self, why: str) -> None:
        for future, _ in list(self._waiting.values()):
            if not future.done():
                future.set_exception(UnsureError(why))
                future.exception()  # as above

    def _why(self, error: Exception) -> StoreError:
        """Word why there is no connection, from all that was heard on the way."""
        heard = [*self._errors, error]
        for one in reversed(heard):
            text = str(one).lower()
            if "authorization violation" in text or "authentication" in text:
                return EngineRefused(
                    self.servers,
                    "the credentials are not accepted",
                    "jetstream.credentials, jetstream.nkey, or jetstream.user and its password",
                )
            if isinstance(one, ssl.SSLError | InClearError):
                return EngineRefused(
                    self.servers,
                    f"TLS failed ({getattr(one, 'verify_message', '') or one})",
                    "jetstream.tls_ca, tls_certificate and the names that jetstream.servers has",
                )
        told = [one for one in heard if not str(one).startswith("nats: no servers")]
        last = (told or heard)[-1]
        return EngineUnreachable(self.servers, str(last) or type(last).__name__)
