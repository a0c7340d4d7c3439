"""The daemon killed at random moments, again and again, while the contact centre goes on."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import apsw
import msgspec
import pytest

from ringback.core.lifecycle import State
from ringback.core.policy import Policy
from ringback.core.records import TOMBSTONE, Conversation, Tombstone, pack
from ringback.core.tracker import Tracker
from ringback.ports import Batch, Row
from ringback.runtime.clock import SystemClock
from ringback.simulator.centre import ContactCentre
from ringback.simulator.faults import FaultRates, Faults
from ringback.simulator.options import Options
from ringback.simulator.server import SimulatorServer
from ringback.simulator.truths import Truth
from ringback.stores.sqlite import SqliteStore
from support.daemon import SOON, Child, running
from support.journal import Line, faults_of, last_states, read_journal, states_of, untold

KILLS = int(os.environ.get("RINGBACK_KILLS", "50"))
"""`make crash` asks for more."""
SEED = 22
MOMENT = timedelta(seconds=1)
HOUR = timedelta(hours=1)
OLD_ROWS = 30_000
OLD_ENTRIES = 18_000
OLD_CONVERSATIONS = 300
BUDGET_SECONDS = 10.0
"""All stages of a stop together."""

CENTRE = Options(
    # All that ever lived is sent again at the end, so a long run is quieter.
    arrivals_per_minute=120 if KILLS <= 100 else 20,
    queues=12,
    agents=400,
    speed=30,
    max_live=600,
    remember=1_000_000,
    warm_up=timedelta(seconds=30),
)
# In order: a frame from before a hold that comes after it looks like its end, see docs/design.md.
RATES = FaultRates(lose=0.02, repeat=0.02, damage=0.01, oversize_bytes=400_000)


def settings(server: SimulatorServer) -> dict[str, Any]:
    return {
        "source__kind": "websocket",
        "source__url": server.url,
        "source__max_frame_bytes": 300_000,
        "source__reconnect_first_seconds": 0.05,
        "store__keep_journal_hours": 1,
        "watch__not_dialled_seconds": 2,
        "watch__due_grace_seconds": 1,
    }


async def make_old(path: Path) -> None:
    """Fill a store as if it had long been used.

    There is much to compact. At any start there is something to prune, for the entries of a minute
    cross the limit of an hour while the test runs.
    """
    now = SystemClock().now()
    store = await SqliteStore.open(path, HOUR)
    names = [f"old-{number}" for number in range(OLD_CONVERSATIONS)]
    tombstone = Tombstone(1, 1, [], now + timedelta(days=30))
    milliseconds = int(tombstone.until.timestamp() * 1000)
    rows = [
        Row(name, pack(Conversation(TOMBSTONE, name, tombstone=tombstone)), milliseconds)
        for name in names
    ]
    parts = OLD_ROWS // OLD_CONVERSATIONS
    for part in range(parts):
        count = OLD_ENTRIES // parts
        events = [b'{"source":"old","id":"%d-%d"}' % (part, number) for number in range(count)]
        at = now - HOUR - timedelta(seconds=5) + part * timedelta(seconds=1)
        batch = Batch({row.conversation_id: row for row in rows}, events, {"stdout": 0})
        batch.cursors["stdout"] = OLD_ENTRIES
        await store.commit(batch, at)
    await store.close()


async def follow_and_kill(child: Child, random: Random) -> None:
    """Kill a daemon at a moment of one of the parts of its life."""
    match random.choice(("start", "restore", "begin", "follow", "follow")):
        case "start":  # imports, opening the store
            longest = 1.0
        case "restore":
            await child.says("starting")
            longest = 0.05
        case "begin":  # pruning, connecting, the first commits
            await child.says("restored")
            longest = 0.1
        case _:
            await child.tells("source.connected")
            longest = 0.5
    await asyncio.sleep(random.uniform(0, longest))
    assert child.process.returncode is None, child.err.decode()
    child.process.kill()
    assert await child.ends() == -signal.SIGKILL


def expected(truth: Truth, told: Mapping[str, Any] | None) -> str:
    """Give the state that a callback should be known in.

    Nobody tells this daemon how long a queue waits before it dials by itself.
    """
    if truth.state.value == State.AUTO_DIALING and told is not None and "autoDialAt" not in told:
        return State.CONNECTED
    return truth.state


def differences(truths: Mapping[str, Truth], journal: Iterable[Line]) -> dict[str, tuple[str, str]]:
    """Give every callback whose state is not the truth: what it is, and what it should be."""
    known = last_states(journal)
    found = {}
    for name, truth in truths.items():
        told = known.get(name)
        state, wanted = "unknown" if told is None else told["state"], expected(truth, told)
        if state != wanted:
            found[name] = (state, wanted)
    for name in known.keys() - truths.keys():
        found[name] = (known[name]["state"], "no such callback")
    return found


async def settle(centre: ContactCentre, path: Path) -> Mapping[str, Truth]:
    """Wait until all is known, or give up once nothing comes: the caller finds what is wrong then.

    Gives the truth, of which nothing changes for the next moments: only automatic calls fall due
    in a centre that is halted.
    """
    journal: list[Line] = []
    quiet = False
    try:
        async with asyncio.timeout(SOON) as patience:
            while not quiet or differences(centre.truth(), journal):
                await asyncio.sleep(0.1)
                news = read_journal(path, journal[-1][0] if journal else OLD_ENTRIES)
                journal += news
                if news:
                    patience.reschedule(asyncio.get_running_loop().time() + SOON)
                due = [truth.auto_dial_at for truth in centre.truth().values()]
                near = [abs(at - centre.now) for at in due if at is not None]
                quiet = not news and min(near, default=MOMENT) >= MOMENT
    except TimeoutError:
        pass
    return centre.truth()


@asynccontextmanager
async def contact_centre() -> AsyncIterator[SimulatorServer]:
    centre = ContactCentre(SEED, SystemClock().now(), CENTRE)
    async with SimulatorServer(centre, SystemClock(), faults=Faults(SEED, RATES)) as server:
        yield server


async def known_states(path: Path) -> dict[str, str]:
    """Restore a tracker from a store, as the daemon does."""
    store = await SqliteStore.open(path, HOUR)
    try:
        tracker = Tracker(Policy())
        rows = [row async for chunk in store.load() for row in chunk]
        tracker.restore(
            [(row.conversation_id, row.state, row.wake_at) for row in rows if row.state],
            datetime.now(UTC),
        )
        return states_of(tracker, rows)
    finally:
        await store.close()


def oldest(path: Path) -> tuple[int, int]:
    """Give the first row's version and the first entry's position."""
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        version = connection.execute("SELECT min(version) FROM conversation").get
        position = connection.execute("SELECT min(position) FROM journal").get
        assert connection.pragma("integrity_check") == "ok"
        return version, position
    finally:
        connection.close()


async def test_no_kill_leaves_a_hole_or_an_untruth(tmp_path: Path) -> None:
    random = Random(SEED)
    path = tmp_path / "ringback.db"
    await make_old(path)
    lives: list[list[bytes]] = []
    async with contact_centre() as server:
        for _ in range(KILLS):
            async with running(tmp_path, **settings(server)) as child:
                await follow_and_kill(child, random)
            lives.append(child.lines)
        async with running(tmp_path, **settings(server)) as child:
            await child.tells("source.connected")
            server.centre.halt()
            await server.resend_latest()
            truths = await settle(server.centre, path)
            asked = asyncio.get_running_loop().time()
            child.process.send_signal(signal.SIGTERM)
            code = await child.ends()
            took = asyncio.get_running_loop().time() - asked
        lives.append(child.lines)
        journal = read_journal(path, OLD_ENTRIES)
        assert faults_of(journal) == []
        assert untold(journal, lives) == []
        assert differences(truths, journal) == {}
        told = {name: data["state"] for name, data in last_states(journal).items()}
        assert await known_states(path) == told
        assert code == 0
        assert {line["level"] for line in child.log} <= {"info", "warning"}
        assert took < BUDGET_SECONDS
        # It was a busy time, and the chores were under way as well.
        assert len(told) > 300
        assert len(journal) > 20 * KILLS
        first_version, first_position = oldest(path)
        assert first_version > 1, "nothing was compacted"
        assert first_position > 1, "nothing was pruned"


def event(callback: str, sequence: int, state: str = "waiting") -> bytes:
    return msgspec.json.encode(
        {
            "source": "/orgs/acme",
            "id": f"{callback}/{sequence}",
            "subject": callback,
            "sequence": f"{sequence:010}",
            "data": {"state": state},
        }
    )


SOUND: list[Line] = [(1, event("a", 1)), (2, event("b", 1)), (3, event("a", 2)), (4, event("b", 2))]


def test_a_sound_journal_has_no_faults() -> None:
    bodies = [body for _, body in SOUND]
    assert faults_of(SOUND) == []
    assert untold(SOUND, [bodies[:3], bodies[1:3], [], bodies[2:]]) == []
    assert last_states(SOUND) == {"a": {"state": "waiting"}, "b": {"state": "waiting"}}


@pytest.mark.parametrize(
    ("journal", "fault"),
    [
        (SOUND[:1] + SOUND[2:], "position 3 follows 1"),
        (SOUND[:1] + SOUND[2:], "sequence 2 of b follows 0"),
        ([*SOUND, (5, event("a", 2))], "id a/2 came 2 times"),
        ([*SOUND, (5, event("a", 2, "talking"))], "id a/2 came 2 times"),
        ([*SOUND, (5, event("a", 4))], "sequence 4 of a follows 2"),
        ([*SOUND, (5, event("b", 3).replace(b"b/3", b"b/7"))], "id b/7 is of sequence 3 of b"),
    ],
)
def test_a_journal_that_was_tampered_with_has_faults(journal: list[Line], fault: str) -> None:
    assert fault in faults_of(journal)


@pytest.mark.parametrize(
    ("lives", "fault"),
    [
        ([[b"a"], [b"c", b"d"]], "with holes, after 1"),
        ([[b"a", b"c", b"d"]], "with holes, after 0"),
        ([[b"a", b"b", b"x"], [b"c", b"d"]], "told what is not stored"),
        ([[b"a", b"b", b"c"]], "told up to 3 only, of 4"),
    ],
)
def test_what_was_told_and_is_not_the_journal_has_faults(
    lives: list[list[bytes]], fault: str
) -> None:
    journal = [(number, body) for number, body in enumerate((b"a", b"b", b"c", b"d"), 1)]
    assert any(fault in found for found in untold(journal, lives))


def test_a_state_that_is_not_the_truth_is_found() -> None:
    start = datetime(2026, 11, 22, 8, tzinfo=UTC)
    centre = ContactCentre(SEED, start, CENTRE)
    centre.advance(start + timedelta(seconds=5))
    truths = centre.truth()
    journal = [
        (number, event(name, 1, truth.state.value))
        for number, (name, truth) in enumerate(truths.items(), 1)
        if truth.state.value != State.AUTO_DIALING
    ]
    assert all(wanted == "auto_dialing" for _, wanted in differences(truths, journal).values())
    name, truth = next(iter(truths.items()))
    wrong = "talking" if truth.state.value != "talking" else "waiting"
    altered = [*journal, (len(journal) + 1, event(name, 2, wrong))]
    assert differences(truths, altered)[name] == (wrong, truth.state.value)
    invented = [*journal, (len(journal) + 1, event("nobody", 1))]
    assert differences(truths, invented)["nobody"] == ("waiting", "no such callback")
