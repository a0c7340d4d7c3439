import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
import pytest

from ringback.errors import PositionGone
from ringback.web.board.board import Board
from ringback.web.feed.feed import Feed
from ringback.web.feed.wishes import Wish
from ringback.web.journal import Journal, Told
from support.feed import GrowingJournal, callback_told, source_told
from support.runtime import LoopClock, settled

pytestmark = pytest.mark.looptime

PLENTY = 1 << 20


@asynccontextmanager
async def followed(growing: GrowingJournal, journal: Journal) -> AsyncIterator[None]:
    task = asyncio.create_task(journal.follow(growing.position))
    await settled()
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def positions(told: object) -> list[int]:
    assert isinstance(told, list)
    return [each.position for each in told]


async def test_listeners_get_everything_once_in_order_before_anybody_is_woken() -> None:
    growing = GrowingJournal()
    journal = Journal(growing.store, growing.advanced)
    heard: list[Told] = []
    journal.listen(heard.extend)
    await growing.append(source_told())
    async with followed(growing, journal):
        waiting = asyncio.create_task(journal.beyond(1))
        await settled()
        assert (journal.position, heard) == (1, [])
        for number in range(700):
            await growing.append(callback_told(sequence=number + 1))
        await waiting
        assert heard
        await settled()
        assert positions(heard) == list(range(2, 702))
        first = heard[0].event
        assert first is not None
        assert (first.type, first.sequence) == ("ringback.callback.waiting.v1", 1)
        assert msgspec.json.decode(heard[-1].body)["id"] == "c-1/700"


async def test_whoever_waits_for_what_is_there_does_not_wait() -> None:
    growing = GrowingJournal()
    journal = Journal(growing.store, growing.advanced)
    async with followed(growing, journal):
        await growing.append(source_told())
        await settled()
        await journal.beyond(0)


async def test_the_end_is_at_hand_in_parts_of_bounded_size() -> None:
    growing = GrowingJournal()
    journal = Journal(growing.store, growing.advanced)
    async with followed(growing, journal):
        await growing.append(*[callback_told(sequence=number) for number in range(1, 11)])
        await settled()
        size = len(callback_told())
        assert positions(journal.at_hand(0, PLENTY)) == list(range(1, 11))
        assert positions(journal.at_hand(7, PLENTY)) == [8, 9, 10]
        assert positions(journal.at_hand(10, PLENTY)) == []
        assert positions(journal.at_hand(2, 3 * size)) == [3, 4, 5]
        assert positions(journal.at_hand(2, 1)) == [3], "never nothing, or nobody would go on"


@pytest.mark.parametrize("bound", ["entries", "bytes"])
async def test_what_is_kept_is_bounded_and_the_store_has_the_rest(bound: str) -> None:
    growing = GrowingJournal()
    size = len(callback_told())
    journal = Journal(
        growing.store,
        growing.advanced,
        most_entries=100 if bound == "entries" else 10_000,
        most_bytes=100 * (size + 3) if bound == "bytes" else PLENTY,
    )
    async with followed(growing, journal):
        for first in range(1, 2000, 50):
            bodies = [callback_told(sequence=number) for number in range(first, first + 50)]
            await growing.append(*bodies)
            await settled()
            assert len(journal._end._told) <= 250
        floor = journal._end.floor
        assert 1880 <= floor <= 1905
        assert positions(journal.at_hand(floor, PLENTY)) == list(range(floor + 1, 2001))
        assert journal.at_hand(floor - 1, PLENTY) is None
        assert positions(await journal.read(3)) == list(range(4, 204))


async def test_what_was_there_before_is_read_from_the_store() -> None:
    growing = GrowingJournal()
    journal = Journal(growing.store, growing.advanced)
    await growing.append(source_told(), source_told())
    async with followed(growing, journal):
        assert journal.at_hand(1, PLENTY) is None
        assert positions(await journal.read(1)) == [2]
        await growing.forget()
        with pytest.raises(PositionGone):
            await journal.read(1)


async def test_viewers_get_what_is_personal_masked_and_all_else_as_it_is() -> None:
    growing = GrowingJournal()
    journal = Journal(growing.store, growing.advanced)
    async with followed(growing, journal):
        await growing.append(
            callback_told(contact=["+49 30 1234567", "Ada Lovelace"]), source_told()
        )
        await settled()
        personal, plain = journal.at_hand(0, PLENTY) or ()
    shown = msgspec.json.decode(personal.shown(masked=True))
    whole = msgspec.json.decode(personal.shown(masked=False))
    assert shown["data"].pop("contact") == ["…67", "A. L."]
    assert whole["data"].pop("contact") == ["+49 30 1234567", "Ada Lovelace"]
    assert shown == whole
    assert plain.shown(masked=True) is plain.body


async def test_an_entry_of_another_version_is_passed_over() -> None:
    growing = GrowingJournal()
    journal = Journal(growing.store, growing.advanced)
    board = Board()
    journal.listen(board.apply)
    feed = Feed(journal, LoopClock(), tuple)
    async with followed(growing, journal):
        await growing.append(callback_told(name="c-1"))
        await growing.append(b'{"id":"9","type":"ringback.callback.teleported.v7"}')
        await growing.append(callback_told(name="c-2"))
        await growing.append(b'{"source":"old"}')
        await settled()
        assert list(board.rows) == ["c-1", "c-2"]
        assert board.position == 4
        portion = await feed.portion(0, Wish())
        assert ([each.position for each in portion.told], portion.upto) == ([1, 3], 4)
