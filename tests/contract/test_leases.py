"""What leases promise, whatever they are made of."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest
import pytest_asyncio

from ringback.errors import StoreError
from ringback.ports import Claim, Leases
from ringback.settings.jetstream import JetStreamSettings
from ringback.stores.jetstream import leases
from ringback.stores.jetstream.connection import Connection
from ringback.stores.jetstream.leases import JetStreamLeases, budgets_of, leases_of
from ringback.stores.jetstream.streams import ensure
from ringback.stores.jetstream.subjects import Subjects
from ringback.stores.memory_leases import LeaseTable
from support.nats import ANY, Node, Server, one_node

SECONDS = 1.0
SOON = 20.0
"""Far more than anything takes, however busy the machine is."""

Make = Callable[[str], Leases]


@asynccontextmanager
async def bucket(
    folder: Path, server: Server = ANY
) -> AsyncIterator[tuple[Make, Node, Connection]]:
    async with one_node(folder, server=server) as node, AsyncExitStack() as last:
        settings = JetStreamSettings(servers=node.url, replicas=1, lease_seconds=SECONDS)
        connection = await Connection.open(settings, name="test")
        last.push_async_callback(connection.close)
        config = leases_of(settings, Subjects("ringback", "o.r*g"))
        await ensure(connection, config)
        yield lambda name: JetStreamLeases(connection, config, name), node, connection


@asynccontextmanager
async def budgets(folder: Path) -> AsyncIterator[Callable[[str], JetStreamLeases]]:
    """Give leases of the other bucket, whose keys outlive their holder by minutes."""
    async with bucket(folder) as (_, node, connection):
        settings = JetStreamSettings(servers=node.url, replicas=1)
        config = budgets_of(settings, Subjects("ringback", "o.r*g"))
        await ensure(connection, config)
        yield lambda name: JetStreamLeases(connection, config, name)


@pytest_asyncio.fixture(params=["memory", *Server])
async def make(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Make]:
    if request.param == "memory":
        yield LeaseTable(SECONDS).leases
        return
    async with bucket(tmp_path, request.param) as (made, _, _):
        yield made


class Watch:
    """What a member sees, kept by a task."""

    def __init__(self, leases: Leases) -> None:
        self.view: Mapping[str, Claim] | None = None
        self.times = 0
        self.error: StoreError | None = None
        self._leases = leases
        self._news = asyncio.Condition()

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run())
        await self.until(lambda _: True)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task

    async def _run(self) -> None:
        watch = self._leases.watch()
        try:
            async for view in watch:
                async with self._news:
                    self.view, self.times = view, self.times + 1
                    self._news.notify_all()
        except StoreError as error:
            async with self._news:
                self.error = error
                self._news.notify_all()
        finally:
            await watch.aclose()

    async def until(self, so: Callable[[Mapping[str, str]], bool]) -> None:
        def seen() -> bool:
            return self.view is not None and so(
                {name: claim.holder for name, claim in self.view.items()}
            )

        async with asyncio.timeout(SOON), self._news:
            await self._news.wait_for(lambda: self.error is not None or seen())
        assert seen(), self.error


async def claimed(leases: Leases, name: str, said: bytes = b"") -> Claim:
    claim = await leases.claim(name, said)
    assert claim is not None
    return claim


async def test_a_name_is_held_by_one(make: Make) -> None:
    ann, ben = make("ann"), make("ben")
    claim = await claimed(ann, "track.1", b"mine")
    assert (claim.name, claim.holder, claim.mine, claim.said) == ("track.1", "ann", True, b"mine")
    assert await ben.claim("track.1") is None
    assert await ben.claim("track.2") is not None


async def test_what_is_released_is_free_at_once(make: Make) -> None:
    ann, ben = make("ann"), make("ben")
    claim = await claimed(ann, "alert")
    await ann.release(claim)
    theirs = await claimed(ben, "alert")
    assert await ann.renew(claim) is None
    await ann.release(claim)
    assert await ben.renew(theirs) is not None
    assert theirs.revision > claim.revision


async def test_what_is_renewed_is_held_for_longer_than_a_lease(make: Make) -> None:
    ann, ben = make("ann"), make("ben")
    now = asyncio.get_running_loop().time
    claim, renewals = await claimed(ann, "alert"), 0
    while renewals < 6:
        before = now()
        await asyncio.sleep(SECONDS / 3)
        renewed = await ann.renew(claim)
        if renewed is None:  # a machine with more to do than it can has let the lease pass
            assert now() - before > 0.9 * SECONDS
            claim, renewals = await claimed(ann, "alert"), 0
            continue
        assert renewed.revision > claim.revision
        claim, renewals = renewed, renewals + 1
    assert await ben.claim("alert") is None


async def test_what_is_not_renewed_is_free_after_the_lease(make: Make) -> None:
    ann, ben = make("ann"), make("ben")
    async with Watch(ben) as watch:
        claim = await claimed(ann, "alert")
        await watch.until(lambda held: held == {"alert": "ann"})
        await watch.until(lambda held: not held)
        async with asyncio.timeout(SOON):
            while await ben.claim("alert") is None:  # noqa: ASYNC110  # an engine may be late
                await asyncio.sleep(SECONDS / 20)
        assert await ann.renew(claim) is None
        await watch.until(lambda held: held == {"alert": "ben"})


async def test_a_claim_of_one_s_own_is_claimed_again(make: Make) -> None:
    """An answer may be lost on its way: then the claim is there, and its holder does not know."""
    ann = make("ann")
    first = await claimed(ann, "alert")
    second = await claimed(ann, "alert")
    assert second.revision > first.revision
    assert await ann.renew(first) is not None


async def test_a_former_life_is_another(make: Make) -> None:
    before, after = make("ann"), make("ann")
    claim = await claimed(before, "alert")
    assert await after.claim("alert") is None
    async with Watch(after) as watch:
        assert watch.view is not None
        assert not watch.view["alert"].mine
        assert watch.view["alert"].holder == "ann"
    assert await before.renew(claim) is not None


async def test_a_watch_begins_with_all_that_is_held(make: Make) -> None:
    ann, ben = make("ann"), make("ben")
    async with Watch(ben) as watch:
        assert watch.view == {}
    gone = await claimed(ann, "track.9")
    await ann.release(gone)
    for number in range(5):
        assert await ann.claim(f"track.{number}") is not None
    async with Watch(ben) as watch:
        assert watch.view is not None
        assert watch.view.keys() == {f"track.{number}" for number in range(5)}
        assert not any(claim.mine for claim in watch.view.values())


async def test_a_watch_tells_what_is_said_and_no_mere_renewals(make: Make) -> None:
    ann, ben = make("ann"), make("ben")
    async with Watch(ben) as watch:
        claim = await claimed(ann, "member.ann", b'{"a":1}')
        await watch.until(lambda held: "member.ann" in held)
        times = watch.times
        for _ in range(3):
            claim = await ann.renew(claim) or claim
        claim = await ann.renew(claim, b'{"a":2}') or claim
        await watch.until(
            lambda _: bool(watch.view) and watch.view["member.ann"].said == b'{"a":2}'  # type: ignore[index]
        )
        assert watch.times == times + 1


@pytest.mark.parametrize(
    "name", ["member.host~1", "member..", "member.a b*>", "member.ä.example.org", "x"]
)
async def test_any_name_will_do(make: Make, name: str) -> None:
    ann = make("ann")
    async with Watch(ann) as watch:
        claim = await claimed(ann, name)
        await watch.until(lambda held: held == {name: "ann"})
        assert await ann.renew(claim) is not None


async def test_many_claim_and_one_gets_it(make: Make) -> None:
    members = [make(f"m{number}") for number in range(8)]
    claims = await asyncio.gather(*(member.claim("alert") for member in members))
    assert sum(claim is not None for claim in claims) == 1


async def test_an_engine_that_is_gone_is_told(tmp_path: Path) -> None:
    async with bucket(tmp_path) as (make, node, _):
        ann = make("ann")
        claim = await claimed(ann, "alert")
        async with Watch(ann) as watch:
            await node.kill()
            async with asyncio.timeout(SOON), watch._news:
                await watch._news.wait_for(lambda: watch.error is not None)
        with pytest.raises(StoreError):
            await ann.renew(claim)
        with pytest.raises(StoreError):
            await ann.claim("track.1")
        with pytest.raises(StoreError):
            await ann.release(claim)
        await node.start()
        await node.ready()
        async with asyncio.timeout(SOON):
            while not await _watched(ann):  # noqa: ASYNC110  # another process
                await asyncio.sleep(0.05)
        # It is held as before, unless it has run out meanwhile: then it is another's to claim.
        held = await ann.renew(claim) is not None
        assert (await make("ben").claim("alert") is None) == held


async def _watched(leases: Leases) -> bool:
    try:
        async with Watch(leases):
            return True
    except AssertionError:
        return False


async def test_a_bucket_is_made_when_it_is_watched(tmp_path: Path) -> None:
    async with bucket(tmp_path) as (make, _, connection):
        await connection.ask("STREAM.DELETE.KV_ringback-o_2Er_2Ag-leases", None, dict[str, Any])
        ann = make("ann")
        with pytest.raises(StoreError):
            await ann.claim("alert")
        async with Watch(ann) as watch:
            claim = await claimed(ann, "alert")
            await watch.until(lambda held: held == {"alert": "ann"})
            assert await ann.renew(claim) is not None


async def test_foreign_keys_are_nobody_s(tmp_path: Path) -> None:
    async with bucket(tmp_path) as (make, _, connection):
        ann = make("ann")
        await connection.store("$KV.ringback-o_2Er_2Ag-leases.alert", b"not ours", {})
        async with Watch(ann) as watch:
            assert watch.view == {}
            assert await ann.claim("alert") is None


async def test_what_a_former_life_held_is_the_next_ones_once_it_has_long_not_renewed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    soon = {"member.ann": SECONDS, "channels.1": 2 * SECONDS}
    monkeypatch.setattr(leases, "former_seconds", lambda name: soon.get(name, 3600.0))
    async with budgets(tmp_path) as make:
        before, after, ben = (make(name) for name in ("ann", "ann", "ben"))
        dead = await claimed(before, "channels.1")
        for name in ("member.ann", "channels.2"):
            await claimed(before, name)
        await claimed(ben, "channels.3")
        async with Watch(after) as watch:
            await watch.until(lambda held: "member.ann" not in held)
            assert await after.claim("member.ann") is not None
            await watch.until(lambda held: "channels.1" not in held)
            assert await after.claim("channels.2") is None
            assert await after.claim("channels.3") is None
            assert await after.claim("channels.1") is not None
            assert await before.renew(dead) is None
            await watch.until(lambda held: held.get("channels.1") == "ann")
            assert watch.view is not None
            assert watch.view["channels.1"].mine


async def test_a_third_life_does_not_wait_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """How long ago the second has found what the first held, the engine's clock tells."""
    monkeypatch.setattr(leases, "former_seconds", {"channels.1": SECONDS}.get)
    async with budgets(tmp_path) as make:
        first, second, third = (make("ann") for _ in range(3))
        held = await claimed(first, "channels.1")
        await asyncio.sleep(SECONDS)  # however long the first has been dead
        async with Watch(second) as watch:
            assert watch.view is not None
            assert list(watch.view) == ["channels.1"]
        await asyncio.sleep(SECONDS)  # what the engine's clock says of it
        async with Watch(third) as watch:
            assert watch.view == {}
            assert await third.claim("channels.1") is not None
        assert await first.renew(held) is None


async def test_a_life_that_goes_on_after_all_keeps_what_it_held(tmp_path: Path) -> None:
    """Two processes of one name: the second takes the first for dead, until that renews."""
    async with budgets(tmp_path) as make:
        first, second, onlooker = (make(name) for name in ("ann", "ann", "ben"))
        held = await claimed(first, "channels.1")
        assert not (await onlooker.look())["channels.1"].left
        async with Watch(second):
            assert (await onlooker.look())["channels.1"].left
            assert await first.renew(held) is not None
            assert not (await onlooker.look())["channels.1"].left
            assert await second.claim("channels.1") is None


@pytest.mark.looptime
async def test_what_a_former_life_has_left_behind_is_anybody_s_in_memory_too() -> None:
    """Their time is the loop's, and the limits are the real ones."""
    table = LeaseTable(300.0)
    before, after, ben = (table.leases(name) for name in ("ann", "ann", "ben"))
    await claimed(before, "member.ann")
    await claimed(before, "requests.1")
    async with Watch(after) as watch:
        await asyncio.sleep(14)
        assert await after.claim("member.ann") is None
        await watch.until(lambda held: "member.ann" not in held)
        assert await after.claim("member.ann") is not None
        await asyncio.sleep(49)
        assert await after.claim("requests.1") is None
        await watch.until(lambda held: "requests.1" not in held)
        assert await ben.claim("requests.1") is not None
