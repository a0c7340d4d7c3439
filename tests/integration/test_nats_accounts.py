"""On a real server each user can do what its role needs, and nothing else."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import nats
import pytest
import pytest_asyncio
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js.api import DeliverPolicy, KeyValueConfig, StorageType, StreamConfig
from nats.js.errors import APIError, NotFoundError

from ringback.settings.jetstream import JetStreamSettings
from ringback.stores.jetstream.permissions import USERS, User, account
from ringback.stores.jetstream.subjects import EVERYBODY, Subjects
from support.accounts import DENIED, SHIPPED, Visitor, accounts_of, password, visiting
from support.nats import Node, one_node

ONE = JetStreamSettings(replicas=1, most_megabytes=64, partitions=8)
LOCAL, OTHER = Subjects("ringback", "local"), Subjects("ringback", "other.org_2")
ALERTS = ONE.partitions
"""The partition of what receivers were told."""

Work = Callable[[Visitor], Awaitable[object]]


def streams(subjects: Subjects) -> list[StreamConfig]:
    size = ONE.most_megabytes * 1024 * 1024
    return [
        StreamConfig(
            name=name,
            subjects=[f"{subjects.root}.{kind}.>"],
            max_bytes=size,
            allow_direct=True,
        )
        for name, kind in ((subjects.inputs, "in"), (subjects.steps, "st"))
    ]


def buckets(subjects: Subjects) -> list[KeyValueConfig]:
    return [
        KeyValueConfig(subjects.leases, ttl=3, storage=StorageType.MEMORY),
        KeyValueConfig(subjects.budgets, ttl=60),
    ]


async def make(visitor: Visitor, subjects: Subjects) -> None:
    for stream in streams(subjects):
        await visitor.jetstream.add_stream(stream)
    for bucket in buckets(subjects):
        await visitor.jetstream.create_key_value(bucket)


class Server:
    """A server with the accounts of two organisations, and a connection for each user."""

    def __init__(self, node: Node, stack: AsyncExitStack) -> None:
        self.node = node
        self._stack = stack

    async def visitor(self, user: User, subjects: Subjects = LOCAL) -> Visitor:
        return await self._stack.enter_async_context(visiting(self.node.url, user, subjects))


@pytest_asyncio.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    accounts = accounts_of(tmp_path, [LOCAL.org, OTHER.org], ONE)
    async with one_node(tmp_path, accounts) as node, AsyncExitStack() as stack:
        found = Server(node, stack)
        await (await connected(node, "local-setup", password(LOCAL, "setup"))).close()
        for subjects in (LOCAL, OTHER):
            await make(await found.visitor("setup", subjects), subjects)
        yield found


async def connected(node: Node, user: str, password: str = "") -> Client:
    """Connect, once the server answers for JetStream."""
    async with asyncio.timeout(30):
        while True:
            try:
                client = await nats.connect(
                    node.url,
                    user=user,
                    password=password,
                    inbox_prefix=f"_INBOX.{user}",
                    allow_reconnect=False,
                    error_cb=unheard,
                )
                await client.jetstream().account_info()
            except (OSError, NatsError, TimeoutError):
                await asyncio.sleep(0.05)
            else:
                return client


async def unheard(_: Exception) -> None:
    """Say nothing of a server that is not there yet."""


# What there is to do


def put(subject: str) -> Work:
    return lambda visitor: visitor.jetstream.publish(subject, b"x")


def say(subject: str) -> Work:
    return lambda visitor: visitor.client.publish(subject, b"x")


def hear(subject: str) -> Work:
    async def work(visitor: Visitor) -> None:
        await (await visitor.client.subscribe(subject)).unsubscribe()

    return work


def follow(stream: str, subject: str) -> Work:
    """Read the last message of each subject, in order, as a mirror or a watcher does."""

    async def work(visitor: Visitor) -> None:
        found = await visitor.jetstream.subscribe(
            subject,
            stream=stream,
            ordered_consumer=True,
            deliver_policy=DeliverPolicy.LAST_PER_SUBJECT,
        )
        await found.next_msg(timeout=5)
        await found.consumer_info()
        await found.unsubscribe()

    return work


def pull(stream: str, subject: str) -> Work:
    """Read as a worker does that asks for as much as it can take."""

    async def work(visitor: Visitor) -> None:
        consumer = await visitor.jetstream.pull_subscribe(subject, stream=stream)
        (message,) = await consumer.fetch(1, timeout=5)
        await message.ack_sync()
        name = (await consumer.consumer_info()).name
        await visitor.jetstream.delete_consumer(stream, name)

    return work


def last(stream: str, subject: str) -> Work:
    return lambda visitor: visitor.jetstream.get_last_msg(stream, subject)


def direct(stream: str, subject: str) -> Work:
    return lambda visitor: visitor.jetstream.get_last_msg(stream, subject, direct=True)


def key(bucket: str, name: str) -> Work:
    """Claim, renew, give back; only by publishing, since not all who write may read."""

    async def work(visitor: Visitor) -> None:
        subject = f"$KV.{bucket}.{name}"
        await visitor.jetstream.publish(subject, b"1")
        await visitor.jetstream.publish(subject, b"", headers={"KV-Operation": "DEL"})

    return work


def watch(bucket: str) -> Work:
    async def work(visitor: Visitor) -> None:
        store = await visitor.jetstream.key_value(bucket)
        watcher = await store.watchall()
        await watcher.updates(timeout=5)  # type: ignore[no-untyped-call]
        await watcher.stop()  # type: ignore[no-untyped-call]

    return work


def info(stream: str) -> Work:
    return lambda visitor: visitor.jetstream.stream_info(stream)


EVERY: frozenset[User] = frozenset(USERS)
NOBODY: frozenset[User] = frozenset()


def of(*users: User) -> frozenset[User]:
    """These, and who stands for all roles."""
    return frozenset({*users, "all", "setup"})


READ_INPUTS, READ_STEPS = of("track"), of("track", "serve", "alert", "status")
BUDGETS = f"KV_{LOCAL.budgets}"

OPERATIONS: dict[str, tuple[Work, frozenset[User]]] = {
    "look at all streams": (info(LOCAL.steps), EVERY),
    "put an input": (put(LOCAL.input(3, "conversation")), of("listen", "track", "serve")),
    "put for everybody": (put(LOCAL.input(3, EVERYBODY)), of("listen", "track", "serve")),
    "follow inputs": (follow(LOCAL.inputs, LOCAL.inputs_of(0)), READ_INPUTS),
    "pull inputs": (pull(LOCAL.inputs, LOCAL.inputs_of(0)), READ_INPUTS),
    "look up an input": (last(LOCAL.inputs, LOCAL.input(0, "c")), of("track", "status")),
    "put a step": (put(LOCAL.step(3, "conversation")), of("track")),
    "put a row of alerts": (put(LOCAL.step(ALERTS, "receiver")), of("track", "alert")),
    "follow steps": (follow(LOCAL.steps, f"{LOCAL.root}.st.>"), READ_STEPS),
    "pull steps": (pull(LOCAL.steps, LOCAL.steps_of(0)), READ_STEPS),
    "look up a step": (last(LOCAL.steps, LOCAL.step(0, "c")), READ_STEPS),
    "look up a step, from any server": (direct(LOCAL.steps, LOCAL.step(0, "c")), READ_STEPS),
    "look up when the source was heard": (
        direct(LOCAL.steps, LOCAL.step(0, "~source/main")),
        READ_STEPS | {"listen"},
    ),
    "say what is wanted": (say(LOCAL.wants(3)), of("track")),
    "hear what is wanted": (hear(LOCAL.wants(3)), of("listen")),
    "be a member": (key(LOCAL.leases, "member.n1"), EVERY - {"status"}),
    "claim a partition": (key(LOCAL.leases, "track.3"), of("track")),
    "claim alerts": (key(LOCAL.leases, "alert"), of("alert")),
    "see who has what": (watch(LOCAL.leases), EVERY),
    "claim a channel": (key(LOCAL.budgets, "channel.3"), of("listen")),
    "see the budgets": (watch(LOCAL.budgets), of("listen", "status")),
    "hear answers to others": (hear("_INBOX.>"), NOBODY),
    "hear inputs go by": (hear(LOCAL.inputs_of(3)), NOBODY),
    "hear steps go by": (hear(LOCAL.steps_of(3)), NOBODY),
    "change a stream": (
        lambda visitor: visitor.jetstream.update_stream(streams(LOCAL)[1]),
        frozenset({"setup"}),
    ),
    "delete a stream": (lambda visitor: visitor.jetstream.delete_stream(LOCAL.steps), NOBODY),
    "empty a stream": (lambda visitor: visitor.jetstream.purge_stream(LOCAL.inputs), NOBODY),
    "delete a message": (lambda visitor: visitor.jetstream.delete_msg(LOCAL.steps, 1), NOBODY),
    "delete a bucket": (lambda visitor: visitor.jetstream.delete_stream(BUDGETS), NOBODY),
    "list all streams": (lambda visitor: visitor.jetstream.streams_info(), NOBODY),
    "make a stream of its own": (
        lambda visitor: visitor.jetstream.add_stream(name="mine", subjects=["mine"]),
        NOBODY,
    ),
    "say something else": (say("mine"), NOBODY),
    "put to another organisation": (put(OTHER.step(0, "c")), NOBODY),
}


async def test_each_user_may_do_what_its_role_needs_and_nothing_else(server: Server) -> None:
    setup = await server.visitor("setup")
    heard = LOCAL.step(0, "~source/main")
    for subject in (LOCAL.input(0, "c"), LOCAL.step(0, "c"), heard):
        await setup.jetstream.publish(subject, b"x")
    for user in USERS:
        visitor = await server.visitor(user)
        outcomes = {name: await visitor.tries(work) for name, (work, _) in OPERATIONS.items()}
        allowed = {name for name, outcome in outcomes.items() if outcome != DENIED}
        wanted = {name for name, (_, users) in OPERATIONS.items() if user in users}
        assert (user, allowed) == (user, wanted)


async def test_organisations_do_not_see_one_another(server: Server) -> None:
    ours, theirs = [await server.visitor("setup", each) for each in (LOCAL, OTHER)]
    await ours.jetstream.publish(LOCAL.step(0, "c"), b"ours")
    await theirs.jetstream.publish(OTHER.step(0, "c"), b"theirs")
    infos = [
        await visitor.jetstream.stream_info(subjects.steps)
        for visitor, subjects in ((ours, LOCAL), (theirs, OTHER))
    ]
    assert [each.state.messages for each in infos] == [1, 1]
    assert (await theirs.jetstream.account_info()).streams == len(streams(OTHER) + buckets(OTHER))
    assert await theirs.tries(info(LOCAL.steps)) == DENIED


async def test_accounts_are_apart_even_where_names_are_the_same(tmp_path: Path) -> None:
    # Whatever permissions say: a stream is looked for in one's own account.
    lines = [f'{one}: {{ jetstream: enabled, users: [{{ user: "{one}" }}] }}' for one in "ab"]
    async with one_node(tmp_path, "\n".join(["accounts {", *lines, "}"])) as node:
        ours, theirs = [await connected(node, user) for user in "ab"]
        try:
            await ours.jetstream().add_stream(name=LOCAL.steps, subjects=["steps.>"])
            with pytest.raises(NotFoundError):
                await theirs.jetstream().stream_info(LOCAL.steps)
        finally:
            await ours.close()
            await theirs.close()


async def test_an_organisation_cannot_take_more_than_its_share(server: Server) -> None:
    setup = await server.visitor("setup")
    bigger = streams(LOCAL)[1]
    bigger.max_bytes = 3 * ONE.most_megabytes * 1024 * 1024
    with pytest.raises(APIError, match="insufficient storage resources"):
        await setup.jetstream.update_stream(bigger)


def test_the_shipped_account_is_that_of_the_default_settings() -> None:
    shipped = (SHIPPED / "accounts" / "local.conf").read_text(encoding="utf-8")
    assert shipped == account("local", JetStreamSettings(), "main")
