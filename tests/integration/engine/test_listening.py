"""Listeners on a real server: two that hear the same over real sockets, and an engine that dies."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from ringback.core.snapshots import Snapshot
from ringback.ports import Intake
from ringback.runtime.clock import SystemClock
from ringback.runtime.cluster.listening import STOPPED, Listening
from ringback.sources.websocket import WebsocketSource
from ringback.stores.jetstream.engine import Engine
from ringback.stores.jetstream.subjects import partition_of
from ringback.stores.jetstream.wants import JetStreamWants
from ringback.wire.decode import Decoder
from ringback.wire.log import Alive, Hearing, Message, Seen, decode_message, encode_message
from support.daemon import SOON
from support.engine import open_engine
from support.gateway import contact_centre, frame
from support.nats import one_node
from support.runtime import LostFrames, decoder

PARTITIONS = 4


async def until(seen: Callable[[], object]) -> None:
    """Wait for something that comes over the network."""
    async with asyncio.timeout(SOON):
        while not seen():  # noqa: ASYNC110  # a server does it
            await asyncio.sleep(0.005)


def side(snapshot: Snapshot) -> str:
    """Name what one of two shapes of topics shows of a conversation."""
    return f"{snapshot.conversation_id}/{snapshot.shows_voice}"


class Heard(Listening):
    """Keeps what it heard."""

    def __init__(self, engine: Engine, member: str) -> None:
        super().__init__(
            member=member,
            source="main",
            decoder=decoder(),
            inputs=engine.inputs,
            partitions=PARTITIONS,
            partition_of=lambda one: partition_of(one, PARTITIONS),
            clock=SystemClock(),
            quarantine=LostFrames(),
            wishes=JetStreamWants(engine.connection, engine.subjects),
        )
        self.came: dict[str, list[bytes]] = {}
        """By side of a conversation, what came twice in a row once."""
        self._look = Decoder()

    def frame(self, frame: bytes | str) -> None:
        """Keep it, and go on."""
        found = self._look.decode(frame)
        if isinstance(found, Snapshot):
            came = self.came.setdefault(side(found), [])
            body = encode_message(Seen(found))
            if came[-1:] != [body]:
                came.append(body)
        super().frame(frame)


@asynccontextmanager
async def listening(engine: Engine, member: str, url: str = "") -> AsyncIterator[Heard]:
    """Run a listener, and a source of its own if there is one to connect to; stop it cleanly."""
    ear = Heard(engine, member)
    ear.resume()
    runs = asyncio.create_task(ear.run())
    listens = asyncio.create_task(ear.listen(_source(url))) if url else None
    try:
        yield ear
        if listens is not None:
            await _end(listens)
        await ear.finish()
    finally:
        await _end(*(task for task in (listens, runs) if task is not None))


def _source(url: str) -> WebsocketSource:
    return WebsocketSource(
        "main",
        url,
        max_frame_bytes=1 << 20,
        watchdog=30.0,
        first_wait=0.05,
        most_wait=0.05,
        chance=random.Random(1),
    )


async def _end(*tasks: asyncio.Task[None]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def all_of(engine: Engine) -> list[list[Message]]:
    """Read the whole log, by partition."""
    found: list[list[Message]] = []
    for partition in range(PARTITIONS):
        messages: list[Message] = []
        async with asyncio.timeout(SOON):
            async for chunk in engine.inputs.follow(partition, 0):
                if not chunk:
                    break
                messages += [decode_message(one.body) for one in chunk]
        found.append(messages)
    return found


def seen(messages: Iterable[list[Message]]) -> dict[str, list[bytes]]:
    """Give the snapshots that entered, by side of a conversation."""
    entered: dict[str, list[bytes]] = {}
    for one in (one for each in messages for one in each if isinstance(one, Seen)):
        entered.setdefault(side(one.snapshot), []).append(encode_message(one))
    return entered


def enter_once(entered: dict[str, list[bytes]], came: dict[str, list[bytes]]) -> None:
    """Check that all is there once; what a young listener hears first may be there twice."""
    assert entered.keys() == came.keys()
    for conversation, bodies in came.items():
        often = Counter(entered[conversation])
        assert often.keys() == set(bodies)
        for body, count in Counter(bodies).items():
            assert count <= often[body] <= count + (body == bodies[0])


async def test_two_that_hear_the_same_put_it_once(nats_url: str) -> None:
    async with AsyncExitStack() as stack:
        centre = await stack.enter_async_context(contact_centre())
        engine = await open_engine(nats_url)
        stack.push_async_callback(engine.close)
        another = await open_engine(nats_url, engine.subjects.org)
        stack.push_async_callback(another.close)
        async with (
            listening(engine, "a", centre.url) as one,
            listening(another, "b", centre.url) as other,
        ):
            await until(lambda: one.frames["snapshot"] > 200 and other.frames["snapshot"] > 200)
            centre.centre.halt()
            await until(lambda: one.came == other.came)
        messages = await all_of(engine)
        enter_once(seen(messages), one.came)
        for partition in messages:
            reports = [report for report in partition if isinstance(report, Hearing)]
            for member in ("a", "b"):
                told = [(each.state, each.cause) for each in reports if each.listener == member]
                assert told[:2] == [("disconnected", "restart"), ("connected", "unknown")]
                assert told[-1] == ("disconnected", STOPPED)


async def test_an_engine_that_dies_and_comes_back_has_all_in_order(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        node = await stack.enter_async_context(one_node(tmp_path))
        centre = await stack.enter_async_context(contact_centre())
        engine = await open_engine(node.url)
        stack.push_async_callback(engine.close)
        async with listening(engine, "a", centre.url) as ear:
            await until(lambda: ear.putting.put > 100)
            await node.kill()
            await until(lambda: len(ear.putting) > 50)
            await node.start()
            await node.ready()
            heard = ear.putting.put
            await until(lambda: ear.putting.put > heard + 100)
            # What it had subscribed to, it hears again.
            wants = JetStreamWants(engine.connection, engine.subjects)
            await wants.want(1, ["c-1"])
            await until(lambda: list(ear.wanted(1)) == ["c-1"])
        entered = seen(await all_of(engine))
        assert entered == ear.came


async def test_each_wish_reaches_one_listener(nats_url: str) -> None:
    async with AsyncExitStack() as stack:
        engine = await open_engine(nats_url)
        stack.push_async_callback(engine.close)
        wants = JetStreamWants(engine.connection, engine.subjects)
        async with listening(engine, "a") as one, listening(engine, "b") as other:
            ears: list[Intake] = [one, other]
            # Until both have subscribed, nobody may hear.
            given: list[list[str]] = [[], []]

            await engine.connection.client.publish(engine.subjects.wants(0), b"\xc1")
            async with asyncio.timeout(SOON):
                number = 0
                while not all(given):
                    await wants.want(number % PARTITIONS, [f"c-{number}"])
                    number += 1
                    await asyncio.sleep(0.005)
                    for had, ear in zip(given, ears, strict=True):
                        had.extend(ear.wanted(100))
            suspected: list[tuple[str, frozenset[str]]] = []
            one.suspect = lambda queues: suspected.append(("a", queues))
            other.suspect = lambda queues: suspected.append(("b", queues))
            await wants.suspect(["queue-1"])
            await until(lambda: len(suspected) == 2)
            assert {queues for _, queues in suspected} == {frozenset({"queue-1"})}
            assert [*one.wanted(9), *other.wanted(9)] == []
            asked = [one for each in given for one in each]
            assert len(asked) == len(set(asked))


async def test_what_is_heard_comes_after_the_report_that_it_is_and_before_that_of_the_end(
    nats_url: str,
) -> None:
    async with AsyncExitStack() as stack:
        engine = await open_engine(nats_url)
        stack.push_async_callback(engine.close)
        async with listening(engine, "a") as ear:
            ear.connected()
            for number in range(100):
                ear.frame(frame(f"c-{number}"))
        for partition in await all_of(engine):
            kinds = [type(one) for one in partition]
            assert kinds[:2] == [Hearing, Hearing]
            assert kinds[-1] is Hearing
            assert set(kinds[2:-1]) <= {Seen, Alive}
        assert len(seen(await all_of(engine))) == 100
