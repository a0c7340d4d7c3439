"""Several listeners of one simulated contact centre, over logs in memory and in virtual time."""

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta

import pytest

from ringback.core.policy import Policy
from ringback.core.snapshots import Snapshot
from ringback.runtime.cluster.listening import Listening
from ringback.simulator.centre import ContactCentre
from ringback.simulator.faults import NO_FAULTS, FaultRates, Faults
from ringback.simulator.options import Options
from ringback.wire.decode import Decoder
from ringback.wire.log import Seen, encode_message
from support.gateway import frame
from support.listened import Listened
from support.truth import differences

pytestmark = pytest.mark.looptime

OPTIONS = Options(
    arrivals_per_minute=20, speed=5, flat=False, warm_up=timedelta(seconds=1), remember=10_000
)
POLICY = Policy(keep_ended=timedelta(days=2))
YOUNG = 125
"""Seconds within which a listener does not trust what it may have put in a former life."""
LOSING = FaultRates(lose=0.2)
BAD = FaultRates(lose=0.1, repeat=0.2, reorder=0.3, delay=0.02)
STEP = 0.25


class Play:
    """A contact centre that all listeners hear, each over a line of its own."""

    def __init__(self, all_: Listened, lines: Mapping[str, FaultRates], seed: int = 7) -> None:
        self.all = all_
        self.ears: dict[str, Listening] = {}
        self.heard: dict[str, list[bytes]] = {name: [] for name in lines}
        """What came over each line."""
        self._lines = {
            name: Faults(seed + n, rates) for n, (name, rates) in enumerate(lines.items())
        }
        self._seed = seed
        self.centre: ContactCentre | None = None

    async def begin(self) -> None:
        """Let all listen, and open the centre once they are no longer young."""
        await self.all.track()
        for name in self._lines:
            await self.join(name)
        await asyncio.sleep(YOUNG)
        self.centre = ContactCentre(self._seed, self._now(), OPTIONS)
        for settings in self.centre.queue_settings():
            for ear in self.ears.values():
                ear.settings(settings)

    async def join(self, name: str) -> None:
        """Begin a listener's life."""
        ear = self.ears[name] = await self.all.listen(name)
        ear.connected()

    async def die(self, name: str) -> None:
        """End one as kill -9 does."""
        del self.ears[name]
        await self.all.kill(name)

    async def go_on(self, seconds: float) -> None:
        """Play for so long."""
        assert self.centre is not None
        for _ in range(round(seconds / STEP)):
            await asyncio.sleep(STEP)
            self._hand_out(self.centre, self._now())

    async def halt(self) -> None:
        """Stop playing, let everything arrive and be tracked."""
        assert self.centre is not None
        self.centre.halt()
        for _ in range(200):
            await asyncio.sleep(STEP)
            self._hand_out(self.centre, self._now())
        await asyncio.sleep(2)

    def _hand_out(self, centre: ContactCentre, now: datetime) -> None:
        sent = centre.advance(now)
        for name, line in self._lines.items():
            for emission in line.pass_on(sent, now):
                if name in self.ears:
                    self.heard[name].append(emission.frame)
                    self.ears[name].frame(emission.frame)

    def _now(self) -> datetime:
        return self.all.logs.clock.now()

    def wrong(self, *, holds: bool = True) -> list[str]:
        """Give every difference from the truth."""
        assert self.centre is not None
        return differences(self.all, self.centre, holds=holds)

    def entered(self) -> dict[str, list[bytes]]:
        """Give what is in the log of each conversation, in order."""
        entered: dict[str, list[bytes]] = {}
        for one in self.all.messages():
            if isinstance(one, Seen):
                entered.setdefault(one.snapshot.conversation_id, []).append(encode_message(one))
        return entered

    def came(self, name: str) -> dict[str, list[bytes]]:
        """Give what came over a line of each conversation, what came twice in a row once."""
        decoder = Decoder()
        came: dict[str, list[bytes]] = {}
        for found in map(decoder.decode, self.heard[name]):
            if isinstance(found, Snapshot):
                of_it = came.setdefault(found.conversation_id, [])
                body = encode_message(Seen(found))
                if of_it[-1:] != [body]:
                    of_it.append(body)
        return came


def contents(*of_all: dict[str, list[bytes]]) -> set[bytes]:
    """Give snapshots whatever their order."""
    return {body for each in of_all for bodies in each.values() for body in bodies}


async def gaps(all_: Listened) -> list[tuple[str, datetime]]:
    """Give what was told of gaps, and from or until when they are."""
    return [
        (event["type"].split(".")[2], datetime.fromisoformat(event["time"]))
        for event in await all_.logs.events()
        if "gap_" in event["type"]
    ]


async def test_each_snapshot_enters_once_and_all_is_known_as_it_is() -> None:
    async with Listened(POLICY).within() as all_:
        play = Play(all_, {"a": NO_FAULTS, "b": NO_FAULTS})
        await play.begin()
        await play.go_on(300)
        await play.halt()
        entered = play.entered()
        assert entered == play.came("a")
        assert len(contents(entered)) > 300
        # Content that comes back is news each time.
        assert any(len(set(bodies)) < len(bodies) for bodies in entered.values())
        assert all_.inputs.repeated >= sum(map(len, entered.values()))
        assert play.wrong() == []
        assert await gaps(all_) == []


async def test_what_one_loses_the_other_hears() -> None:
    async with Listened(POLICY).within() as all_:
        play = Play(all_, {"a": LOSING, "b": LOSING})
        await play.begin()
        await play.go_on(300)
        await play.halt()
        entered = contents(play.entered())
        assert entered == contents(play.came("a"), play.came("b"))
        assert entered > contents(play.came("a"))
        assert entered > contents(play.came("b"))


async def test_a_line_that_is_bad_does_no_harm_beside_one_that_is_not() -> None:
    async with Listened(POLICY).within() as all_:
        all_.inputs.slowest = 0.05
        play = Play(all_, {"a": NO_FAULTS, "b": BAD})
        await play.begin()
        await play.go_on(300)
        await play.halt()
        assert contents(play.entered()) == contents(play.came("a"))
        # How long holds were is told by when frames come; a late one may look like a retrieve.
        assert play.wrong(holds=False) == []


async def test_one_that_dies_leaves_no_gap_and_all_that_die_leave_one() -> None:
    async with Listened(POLICY).within() as all_:
        play = Play(all_, {"a": NO_FAULTS, "b": NO_FAULTS})
        await play.begin()
        await play.go_on(60)
        await play.die("a")
        await play.go_on(60)
        assert await gaps(all_) == []
        last = play.all.logs.clock.now()
        await play.die("b")
        await asyncio.sleep(30)
        opened = await gaps(all_)
        assert [kind for kind, _ in opened] == ["gap_opened"]
        assert last - timedelta(seconds=5) <= opened[0][1] <= last
        await play.join("a")
        await asyncio.sleep(1)
        assert [kind for kind, _ in await gaps(all_)] == ["gap_opened", "gap_closed"]


async def test_a_hold_and_its_retrieve_both_enter_though_they_return_to_the_same() -> None:
    held = frame(held=True, startHoldTime="2026-11-22T08:03:00.000Z")
    async with Listened().within() as all_:
        ears = [await all_.listen(name) for name in ("a", "b")]
        await asyncio.sleep(YOUNG)
        for content in (frame(), held, frame()):
            for ear in ears:
                ear.frame(content)
            await asyncio.sleep(5)
        seen = [one.snapshot for one in all_.messages() if isinstance(one, Seen)]
        assert len(seen) == 3
        assert seen[0] == seen[2] != seen[1]


async def test_what_comes_again_after_the_window_enters_and_tells_nothing_new() -> None:
    async with Listened().within() as all_:
        await all_.track()
        first = await all_.listen("a")
        second = await all_.listen("b")
        await asyncio.sleep(YOUNG)
        first.frame(frame())
        await asyncio.sleep(YOUNG)
        events = await all_.logs.events()
        second.frame(frame())
        await asyncio.sleep(5)
        assert len([one for one in all_.messages() if isinstance(one, Seen)]) == 2
        assert await all_.logs.events() == events
        assert any(event["subject"] == "c-1" for event in events)


async def test_an_engine_that_is_away_loses_nothing() -> None:
    async with Listened(POLICY).within() as all_:
        play = Play(all_, {"a": NO_FAULTS})
        await play.begin()
        await play.go_on(60)
        all_.inputs.there.clear()
        await play.go_on(40)
        assert len(play.ears["a"].putting) > 0
        all_.inputs.there.set()
        await play.go_on(60)
        await play.halt()
        assert contents(play.entered()) == contents(play.came("a"))
        # How long holds were is told by when frames come; a late one may look like a retrieve.
        assert play.wrong(holds=False) == []


async def test_a_process_that_begins_anew_loses_nothing_to_its_former_life() -> None:
    held = frame(held=True, startHoldTime="2026-11-22T08:03:00.000Z")
    async with Listened().within() as all_:
        ear = await all_.listen("a")
        await asyncio.sleep(YOUNG)
        ear.frame(frame())
        ear.frame(held)
        await asyncio.sleep(1)
        await all_.kill("a")
        again = await all_.listen("a")
        again.frame(frame())
        await asyncio.sleep(1)
        seen = [one.snapshot for one in all_.messages() if isinstance(one, Seen)]
        assert len(seen) == 3
