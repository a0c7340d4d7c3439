"""Readers in virtual time: what they get, when, and when they are let go of."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise

import msgspec
import pytest
from litestar.exceptions import HTTPException

from ringback.web.feed.feed import Feed, Limits
from ringback.web.feed.following import Ending, follow
from ringback.web.feed.portions import SourceBeat, as_events
from ringback.web.feed.reader import Reader, Turn
from ringback.web.feed.wishes import Wish
from ringback.web.journal import Journal
from support.feed import GrowingJournal, alert_told, callback_told, source_told
from support.runtime import LoopClock, settled

pytestmark = pytest.mark.looptime

ALL = Wish()


class World:
    """A journal, its feed, and those who follow it."""

    def __init__(self, limits: Limits | None = None, most_entries: int = 20_000) -> None:
        self.growing = GrowingJournal()
        self.journal = Journal(self.growing.store, self.growing.advanced, most_entries=most_entries)
        self.feed = Feed(
            self.journal, LoopClock(), lambda: [SourceBeat(name="main", hears=True)], limits
        )
        self.clients: list[Client] = []
        self.running: asyncio.Task[None] | None = None

    async def end(self) -> None:
        """Stop the feed, as the daemon does."""
        assert self.running is not None
        self.running.cancel()
        await asyncio.gather(self.running, return_exceptions=True)
        await settled()


class Client:
    """One that follows, and may take nothing, or go."""

    def __init__(self, world: World, wish: Wish = ALL, after: int = 0) -> None:
        self.reader = Reader("events", wish, after, masked=False)
        self.formed: list[Turn] = []
        self.turns: list[tuple[float, Turn]] = []
        self.takes = asyncio.Event()
        self.takes.set()
        self.leaves = asyncio.Event()
        self.task = asyncio.create_task(self._follow(world.feed))
        world.clients.append(self)

    async def _follow(self, feed: Feed) -> Ending:
        with feed.reading(self.reader):
            return await follow(feed, self.reader, self._form, self._write, self._gone)

    def _form(self, turn: Turn) -> bytes:
        self.formed.append(turn)
        return b"formed"

    async def _write(self, formed: bytes) -> None:
        assert formed == b"formed"
        await self.takes.wait()
        self.turns.append((asyncio.get_running_loop().time(), self.formed[-1]))

    async def _gone(self) -> None:
        await self.leaves.wait()

    @property
    def positions(self) -> list[int]:
        return [told.position for _, turn in self.turns for told in turn.portion.told]

    @property
    def beats(self) -> list[tuple[float, int]]:
        """When heartbeats came, and which position each said."""
        return [
            (at, msgspec.json.decode(turn.beat)["position"])
            for at, turn in self.turns
            if turn.beat is not None
        ]


@asynccontextmanager
async def world(limits: Limits | None = None, most_entries: int = 20_000) -> AsyncIterator[World]:
    made = World(limits, most_entries)
    following = asyncio.create_task(made.journal.follow(0))
    await settled()
    made.running = asyncio.create_task(made.feed.run())
    await settled()
    try:
        yield made
    finally:
        tasks = [following, made.running, *(client.task for client in made.clients)]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert made.feed.readers.total() == 0


async def grow(world: World, count: int, every: float = 0.0) -> None:
    """Append so many entries, one each so many seconds."""
    for _ in range(count):
        await world.growing.append(callback_told(sequence=world.growing.position + 1))
        if every:
            await asyncio.sleep(every)


async def test_every_reader_gets_everything_after_its_position_once_in_order() -> None:
    async with world() as it:
        await grow(it, 10)
        old, new = Client(it, after=4), Client(it, after=10)
        await grow(it, 200, every=0.003)
        await asyncio.sleep(1)
        assert old.positions == list(range(5, 211))
        assert new.positions == list(range(11, 211))
        assert it.feed.sent["events"] == 206 + 200
        assert it.feed.lag == 0


async def test_at_most_20_writes_a_second_with_everything_that_waits() -> None:
    async with world() as it:
        client = Client(it)
        await asyncio.sleep(1)
        await grow(it, 1000, every=0.001)
        await asyncio.sleep(1)
        times = [at for at, _ in client.turns]
        assert client.positions == list(range(1, 1001))
        for start in times:
            assert sum(start <= at < start + 0.999 for at in times) <= 20
        assert 20 <= len(times) <= 24


async def test_after_a_pause_the_first_event_does_not_wait() -> None:
    async with world() as it:
        client = Client(it)
        await asyncio.sleep(1.23)
        before = asyncio.get_running_loop().time()
        await grow(it, 1)
        await settled()
        at, turn = client.turns[-1]
        assert (at, len(turn.portion.told)) == (before, 1)


async def test_what_two_readers_write_at_the_same_place_is_made_once() -> None:
    async with world() as it:
        one, two = Client(it), Client(it)
        await grow(it, 3)
        await asyncio.sleep(1)
        mine, yours = one.turns[-1][1].portion, two.turns[-1][1].portion
        assert mine is yours
        assert mine.formed(as_events, masked=False) is yours.formed(as_events, masked=False)


async def test_heartbeats_at_once_and_every_5_seconds_say_the_position() -> None:
    async with world() as it:
        await grow(it, 2)
        await asyncio.sleep(1)
        client = Client(it, after=2)
        await asyncio.sleep(0.5)
        assert client.beats == [(1.0, 2)]
        await grow(it, 1)
        await asyncio.sleep(12)
        assert [position for _, position in client.beats] == [2, 3, 3]
        assert [at for at, _ in client.beats[1:]] == pytest.approx([5, 10], abs=0.06)
        beat = msgspec.json.decode(client.turns[0][1].beat or b"")
        assert beat == {
            "position": 2,
            "now": "2026-11-22T08:00:01.000Z",
            "sources": [{"name": "main", "hears": True}],
        }


async def test_a_reader_far_behind_catches_up_part_by_part_and_then_hears_that_it_has() -> None:
    async with world(most_entries=100) as it:
        await grow(it, 3000)
        await asyncio.sleep(1)
        client = Client(it)
        await asyncio.sleep(1.5)
        assert client.positions == list(range(1, 3001))
        times = [at for at, _ in client.turns]
        assert all(after - at >= 0.05 - 1e-9 for at, after in pairwise(times))
        first, last = client.turns[0][1], client.turns[-1][1]
        assert first.portion.upto < 3000
        assert first.beat is not None, "it is said at once that the connection stands"
        assert last.beat is not None, "and that it is behind no more"
        assert len(client.beats) == 2


@pytest.mark.parametrize(
    ("wish", "expected"),
    [
        (ALL, [1, 2, 3, 4, 5, 6]),
        (Wish(types=frozenset({"ringback.callback.waiting.v1"})), [2, 3]),
        (Wish(queues=frozenset({"q-1"})), [1, 2, 5]),
        (Wish(states=frozenset({"waiting"})), [1, 2, 3]),
        (Wish(states=frozenset({"scheduled"})), [1, 5, 6]),
        (Wish(queues=frozenset({"q-1", "q-2"}), states=frozenset({"talking"})), [1, 4]),
    ],
)
async def test_filters(wish: Wish, expected: list[int]) -> None:
    async with world() as it:
        client = Client(it, wish)
        await it.growing.append(
            source_told(),
            callback_told(queue_id="q-1"),
            callback_told(sequence=2),
            callback_told(state="talking", sequence=3, queue_id="q-2"),
            alert_told(queue_id="q-1"),
            alert_told(),
        )
        await asyncio.sleep(6)
        assert client.positions == expected
        assert client.reader.position == 6, "what was not asked for is passed over"
        assert client.beats[-1][1] == 6


async def test_a_reader_whose_position_is_no_longer_kept_is_sent_for_a_new_snapshot() -> None:
    async with world(most_entries=1) as it:
        await grow(it, 5)
        await asyncio.sleep(1)
        await it.growing.forget()
        kept, gone = Client(it, after=5), Client(it, after=3)
        await grow(it, 2)
        await asyncio.sleep(1)
        assert await gone.task is Ending.RETENTION
        assert it.feed.cut_off == {Ending.RETENTION: 1}
        assert kept.positions == [6, 7]


async def test_a_position_of_another_journal_is_no_position() -> None:
    async with world() as it:
        await grow(it, 5)
        await asyncio.sleep(1)
        client = Client(it, after=6)
        await asyncio.sleep(1)
        assert await client.task is Ending.AHEAD
        assert client.turns == []


async def test_who_takes_nothing_is_cut_off_and_slows_nobody() -> None:
    async with world() as it:
        stalled, other = Client(it), Client(it)
        await asyncio.sleep(1)
        stalled.takes.clear()
        await grow(it, 300, every=0.1)
        assert not stalled.task.done()
        assert it.feed.lag > 290
        assert other.positions[-1] >= 299
        await grow(it, 10, every=0.1)
        assert await stalled.task is Ending.STALLED
        assert it.feed.cut_off == {Ending.STALLED: 1}
        assert it.feed.lag <= 1


async def test_who_is_slow_but_takes_something_is_behind_and_loses_nothing() -> None:
    async with world() as it:
        slow = Client(it)
        for _ in range(10):
            slow.takes.clear()
            await grow(it, 100, every=0.1)
            slow.takes.set()
            await asyncio.sleep(0.1)
        assert slow.positions == list(range(1, 1001))
        assert it.feed.cut_off == {}


async def test_who_goes_is_forgotten() -> None:
    async with world() as it:
        client = Client(it)
        await asyncio.sleep(1)
        assert it.feed.readers == {"events": 1}
        client.leaves.set()
        assert await client.task is Ending.GONE
        assert (it.feed.readers, it.feed.cut_off) == ({"events": 0}, {})


async def test_only_so_many_may_follow() -> None:
    async with world(Limits(readers=2)) as it:
        first, _ = Client(it), Client(it)
        await settled()
        third = Client(it)
        with pytest.raises(HTTPException, match="2 readers follow already") as refused:
            await third.task
        assert (refused.value.status_code, refused.value.headers) == (503, {"retry-after": "5"})
        assert it.feed.refused == 1
        first.leaves.set()
        await first.task
        fourth = Client(it)
        await settled()
        assert len(fourth.turns) == 1


async def test_all_end_with_the_feed_even_who_takes_nothing() -> None:
    async with world() as it:
        stalled, other = Client(it), Client(it)
        await asyncio.sleep(1)
        stalled.takes.clear()
        await grow(it, 3, every=0.1)
        began = asyncio.get_running_loop().time()
        await it.end()
        assert await other.task is Ending.CLOSED
        assert await stalled.task is Ending.STALLED
        assert asyncio.get_running_loop().time() == pytest.approx(began + 1)
        late = Client(it)
        with pytest.raises(HTTPException, match="not open"):
            await late.task
