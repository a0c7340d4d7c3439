"""What is shown by processes that track nothing, asked in the process itself."""

import asyncio
import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from structlog.testing import capture_logs

from ringback.app.cluster.alerting import Alerting
from ringback.app.ruling import Ruling
from ringback.app.showing import Showing
from ringback.core.snapshots import QueueSettings
from ringback.core.watch.messages import Phase
from ringback.errors import DeliveryError, DeliveryFault, SinkError
from ringback.ports import PartitionStore
from ringback.runtime.cluster.mirror import Mirror
from ringback.settings import CleanupSettings, Settings
from ringback.settings.receivers import ReceiverSettings
from ringback.settings.schema import WatchSettings
from ringback.stores.memory import MemoryStore
from ringback.stores.memory_log import MemoryPartitionStore
from ringback.vitals.mirror import checks_of_mirror, measures_of_mirror
from ringback.web.access.access import OpenAccess
from ringback.web.app import create_app
from ringback.web.feed.following import Ending, follow
from ringback.web.feed.reader import Reader, Turn
from ringback.web.feed.wishes import Wish
from ringback.web.health import Check, Status
from support.access import Notebook
from support.alerts import Friend
from support.callbacks import START
from support.gateway import frame
from support.mirrored import Tracking
from support.runtime import KEEP, Ear, Listener, LoopClock, make_pipeline, settled, types
from support.web import HEALTHY, METRICS

pytestmark = pytest.mark.looptime

API = "/api/v1"
DUE = {"state": "scheduled", "connectedTime": None, "callbackScheduledTime": "2026-11-22T07:50:00Z"}
OVER = {"state": "disconnected", "disconnectedTime": "2026-11-22T08:00:00Z"}
ALERT = "c-1/due_not_released/1"
RECEIVING = Settings(receivers={"ops": ReceiverSettings(kind="stdout")})


class Node:
    """A process that serves, and that could tell receivers and a sink."""

    def __init__(self, tracking: Tracking, mirror: Mirror, settings: Settings) -> None:
        self.sink = Listener()
        self.mirror = mirror
        self.audit = Notebook()
        self.showing = Showing(settings, mirror, mirror, None, self.audit)
        self.ruling = Ruling(settings, mirror)

        async def open_store() -> PartitionStore:
            return MemoryPartitionStore(tracking.steps, tracking.partitions)

        self.alerting = Alerting(
            settings,
            mirror,
            open_store=open_store,
            out=io.StringIO(),
            dashboard=lambda: "http://localhost",
            sinks={"stdout": self.sink},
        )
        answers = self.showing.answers
        app: Any = create_app(
            HEALTHY,
            METRICS.expose,
            access=OpenAccess(),
            handlers=[
                *self.showing.handlers,
                *self.ruling.handlers(answers, self.audit),
                *self.alerting.handlers(answers, self.audit),
            ],
        )
        transport = httpx.ASGITransport(app=app)
        self.web = httpx.AsyncClient(transport=transport, base_url="http://localhost")

    async def get(self, path: str) -> dict[str, Any]:
        answer = await self.web.get(API + path)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def post(self, path: str, **body: Any) -> httpx.Response:
        return await self.web.post(API + path, json=body)


@asynccontextmanager
async def serving(tracking: Tracking, settings: Settings | None = None) -> AsyncIterator[Node]:
    """Serve what is tracked."""
    async with tracking.mirroring() as mirror:
        node = Node(tracking, mirror, settings or Settings())
        async with node.web:
            work = (node.showing.follow(), node.showing.load(), node.showing.feed.run())
            tasks = [asyncio.create_task(each) for each in work]
            await settled()
            try:
                yield node
            finally:
                await node.alerting.duty.lose("alert")
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)


async def alarmed(tracking: Tracking) -> None:
    """Let one be due, and not be released, for long enough."""
    await tracking.see(frame("c-1", **DUE), frame("c-2"))
    await asyncio.sleep(200)
    await tracking.live()
    await settled()


async def test_every_process_shows_all_and_says_the_same_position() -> None:
    tracking = Tracking(LoopClock(), 4)
    await tracking.see(*(frame(f"c-{number}") for number in range(10)))
    async with serving(tracking) as one, serving(tracking) as other:
        await tracking.see(*(frame(f"c-{number}") for number in range(10, 20)))
        await settled()
        pages = [await node.get("/callbacks?sort=callbackId&limit=50") for node in (one, other)]
        assert pages[0]["total"] == 20
        assert pages[0] == pages[1]
        assert pages[0]["position"] == one.mirror.position
        life = await one.get("/callbacks/c-3")
        assert [event["type"] for event in life["events"]] == ["ringback.callback.waiting.v1"]
        summary = await other.get("/summary")
        assert summary["total"] == 20
        assert (await other.get("/trends?hours=1"))["waiting"][-1] == 20


async def test_what_was_told_before_it_began_is_in_the_trends() -> None:
    tracking = Tracking(LoopClock(), 2)
    await tracking.see(*(frame(f"c-{number}") for number in range(10)))
    await asyncio.sleep(600)
    await tracking.live()
    await tracking.see(*(frame(f"c-{number}", **OVER) for number in range(4)))
    await asyncio.sleep(600)
    await tracking.live()
    async with serving(tracking) as node:
        trends = await node.get("/trends?hours=1")
        assert sum(trends["ended"]) == 4
        assert trends["waiting"][-1] == 6
        assert node.showing.charting.complete


async def test_a_source_that_others_hear_is_shown_with_its_gaps_and_queues_by_name() -> None:
    clock = LoopClock()
    tracking = Tracking(clock)
    await tracking.hear()
    await tracking.know(QueueSettings("queue-1", name="Sales"))
    async with serving(tracking) as node:
        await asyncio.sleep(1)
        await tracking.go_blind()
        await asyncio.sleep(1)
        await tracking.hear()
        await settled()
        (source,) = (await node.get("/sources"))["sources"]
        assert (source["name"], source["hears"]) == ("main", True)
        assert [gap["cause"] for gap in source["gaps"]] == ["cut"]
        session = await node.get("/session")
        assert session["queues"] == {"queue-1": "Sales"}


async def test_acknowledging_on_one_is_seen_on_the_other() -> None:
    tracking = Tracking(LoopClock())
    async with tracking.working(), serving(tracking) as one, serving(tracking) as other:
        await alarmed(tracking)
        (alert,) = (await other.get("/alerts"))["alerts"]
        assert "acknowledged" not in alert
        answer = await one.post("/alerts/acknowledge", alertId=ALERT)
        assert answer.status_code == 200, answer.text
        assert answer.json()["acknowledged"]["by"] == "local"
        await settled()
        (alert,) = (await other.get("/alerts"))["alerts"]
        assert alert["acknowledged"] == answer.json()["acknowledged"]
        again = await other.post("/alerts/acknowledge", alertId=ALERT)
        assert again.json()["acknowledged"] == answer.json()["acknowledged"]
        assert [deed.subject for deed in one.audit.noted] == [ALERT]
        unknown = await other.post("/alerts/acknowledge", alertId="c-9/due_not_released/1")
        assert unknown.status_code == 404


async def test_what_the_log_does_not_take_is_said_not_to_be_done() -> None:
    tracking = Tracking(LoopClock())
    async with serving(tracking) as node:
        await alarmed(tracking)

        async def put(*_: object) -> int:
            await asyncio.Event().wait()
            return 0

        tracking.inputs.put = put  # type: ignore[assignment,method-assign]
        answer = await node.post("/alerts/acknowledge", alertId=ALERT)
        assert answer.status_code == 503
        assert "may be done all the same" in answer.json()["detail"]
        (alert,) = (await node.get("/alerts"))["alerts"]
        assert "acknowledged" not in alert


async def test_a_silence_begun_on_one_is_ended_on_the_other() -> None:
    tracking = Tracking(LoopClock())
    async with tracking.working(), serving(tracking) as one, serving(tracking) as other:
        await alarmed(tracking)
        made = await one.post(
            "/silences",
            matchers=[{"field": "rule", "value": "due_not_released"}],
            until="2026-11-22T10:00:00Z",
        )
        assert made.status_code == 200, made.text
        await settled()
        (shown,) = (await other.get("/silences"))["silences"]
        assert shown == made.json()["silence"]
        (alert,) = (await other.get("/alerts"))["alerts"]
        assert alert["silencedUntil"] == shown["until"]
        ended = await other.web.delete(f"{API}/silences/{shown['id']}")
        assert ended.status_code == 200, ended.text
        assert (await one.get("/silences"))["silences"] == []


async def test_rules_are_read_anew_on_one_and_in_force_on_all(tmp_path: Path) -> None:
    path = tmp_path / "rules.toml"
    path.write_text("[[rule]]\nname = 'late'\nkind = 'due_not_released'\nafter = '90s'\n")
    settings = Settings(watch=WatchSettings(rules=str(path)))
    tracking = Tracking(LoopClock())
    async with tracking.working(), serving(tracking, settings) as one, serving(tracking) as other:
        before = await other.get("/rules")
        answer = await one.post("/rules/reload")
        assert answer.status_code == 200, answer.text
        await settled()
        after = await other.get("/rules")
        assert after["rules"] == (await one.get("/rules"))["rules"]
        assert after["rules"] != before["rules"]


class Traveller:
    """A reader of the feed that goes to another process after every few events."""

    def __init__(self, *nodes: Node) -> None:
        self.nodes = nodes
        self.got: list[tuple[int, str]] = []
        self.position = 0
        self.endings: list[Ending] = []

    async def travel(self, until: int, most: int) -> None:
        """Read so many entries here and so many there, until there are enough."""
        while len(self.got) < until:
            feed = self.nodes[len(self.endings) % len(self.nodes)].showing.feed
            reader, enough = Reader("events", Wish(), self.position, masked=False), asyncio.Event()
            left = most

            def form(turn: Turn) -> bytes:
                nonlocal left
                for told in turn.portion.told[:left]:
                    assert told.event is not None
                    self.got.append((told.position, told.event.id))
                    self.position = told.position
                left -= len(turn.portion.told[:left])
                if not left:
                    enough.set()  # noqa: B023
                return b""

            async def write(_: bytes) -> None:
                if enough.is_set():  # noqa: B023
                    await asyncio.Event().wait()  # it takes nothing more

            async def gone() -> None:
                await enough.wait()  # noqa: B023

            with feed.reading(reader):
                self.endings.append(await follow(feed, reader, form, write, gone))
            if self.endings[-1] is not Ending.GONE:
                return


async def test_a_reader_goes_from_one_to_the_other_without_a_hole_or_a_repeat() -> None:
    tracking = Tracking(LoopClock(), 3)
    await tracking.see(*(frame(f"c-{number}") for number in range(30)))
    async with serving(tracking) as one, serving(tracking) as other:
        reader = Traveller(one, other)
        travelling = asyncio.create_task(reader.travel(until=300, most=6))
        for number in range(30, 300):
            await tracking.see(frame(f"c-{number}"))
            if not number % 9:
                await tracking.live()
                await asyncio.sleep(0.1)
        await travelling
        assert set(reader.endings) == {Ending.GONE}
        assert [name for _, name in reader.got] == [f"c-{number}/1" for number in range(300)]
        positions = [position for position, _ in reader.got]
        assert positions == sorted(set(positions))


async def test_a_reader_that_was_told_more_elsewhere_waits_and_one_of_another_log_begins_anew() -> (
    None
):
    tracking = Tracking(LoopClock(), 2)
    await tracking.see(frame("c-1"))
    async with serving(tracking) as ahead:
        late = tracking.mirror()
        await late.load()
        node = Node(tracking, late, Settings())  # it does not follow yet
        tasks = [
            asyncio.create_task(work)
            for work in (node.showing.follow(), node.showing.load(), node.showing.feed.run())
        ]
        await tracking.see(frame("c-2"))
        await settled()
        reader = Traveller(node)
        reader.position = ahead.mirror.position
        assert reader.position > late.position
        reading = asyncio.create_task(reader.travel(until=1, most=1))
        await asyncio.sleep(1)
        assert not reading.done()
        tasks.append(asyncio.create_task(late.follow_forever()))
        await tracking.see(frame("c-3"))
        await reading
        assert [name for _, name in reader.got] == ["c-3/1"]
        reader.position += 10_000
        await reader.travel(until=2, most=1)
        assert reader.endings == [Ending.GONE, Ending.AHEAD]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await node.web.aclose()


@pytest.fixture
def friends(monkeypatch: pytest.MonkeyPatch) -> list[Friend]:
    """Receivers that remember, in the order in which they were made."""
    made: list[Friend] = []

    def make(*_: object) -> Friend:
        made.append(Friend())
        return made[-1]

    monkeypatch.setattr("ringback.app.delivering.make_receiver", make)
    return made


async def test_receivers_are_told_by_one_and_shown_by_all(friends: list[Friend]) -> None:
    tracking = Tracking(LoopClock())
    async with serving(tracking, RECEIVING) as one, serving(tracking, RECEIVING) as other:
        await one.alerting.duty.take("alert")
        await alarmed(tracking)
        await asyncio.sleep(1)
        (report,) = (await other.get("/receivers"))["receivers"]
        assert (report["name"], report["kind"], report["untold"]) == ("ops", "stdout", 1)
        await asyncio.sleep(6)
        assert list(friends[0].world.open) == [ALERT]
        assert (await one.get("/receivers"))["receivers"][0]["sent"] == 1
        assert (await other.get("/receivers"))["receivers"][0]["untold"] == 0
        assert list(other.alerting.measures()) == []
        await one.alerting.duty.give("alert")
        assert friends[0].closed
        await other.alerting.duty.take("alert")
        await tracking.see(frame("c-1", **OVER))
        await asyncio.sleep(6)
        assert [item.phase for item in friends[1].world.messages[0].items] == [Phase.RESOLVED]


async def test_a_dead_letter_is_let_go_of_where_receivers_are_told(friends: list[Friend]) -> None:
    tracking = Tracking(LoopClock())
    async with serving(tracking, RECEIVING) as one, serving(tracking, RECEIVING) as other:
        await one.alerting.duty.take("alert")
        friends[0].trouble.append(DeliveryError(DeliveryFault.REFUSED, "it does not like it"))
        await alarmed(tracking)
        await asyncio.sleep(10)
        letters = (await other.get("/receivers"))["receivers"][0]["deadLetters"]
        assert [letter["why"] for letter in letters] == ["it does not like it"]
        path = f"{API}/receivers/ops/dead/{letters[0]['number']}"
        assert (await other.web.delete(path)).status_code == 409
        assert (await one.web.delete(path)).status_code == 200
        await asyncio.sleep(1)
        assert (await other.get("/receivers"))["receivers"][0]["deadLetters"] == []


async def test_a_silence_holds_back_what_another_process_would_tell(friends: list[Friend]) -> None:
    tracking = Tracking(LoopClock())
    async with (
        tracking.working(),
        serving(tracking, RECEIVING) as one,
        serving(tracking, RECEIVING) as other,
    ):
        await other.alerting.duty.take("alert")
        made = await one.post(
            "/silences",
            matchers=[{"field": "rule", "value": "due_not_released"}],
            until="2026-11-22T10:00:00Z",
        )
        await alarmed(tracking)
        await asyncio.sleep(10)
        assert friends[0].world.messages == []
        assert (await other.get("/receivers"))["receivers"][0]["heldBack"] == 1
        await one.web.delete(f"{API}/silences/{made.json()['silence']['id']}")
        await asyncio.sleep(10)
        assert list(friends[0].world.open) == [ALERT]


async def test_it_says_how_far_it_can_be_relied_on() -> None:
    tracking = Tracking(LoopClock())
    mirror = tracking.mirror()
    assert list(checks_of_mirror(mirror)) == [
        Check("mirror", Status.FAILED, "still reading the log of steps")
    ]
    await tracking.hear()
    async with tracking.mirroring() as mirror:
        assert {check.status for check in checks_of_mirror(mirror)} == {Status.OK}
        measures = {one.name: one.value for one in measures_of_mirror(mirror)}
        assert measures["ringback_source_connected"] == 1
        assert measures["ringback_log_behind_steps"] == 0
        await tracking.go_blind()
        await settled()
        (check,) = [one for one in checks_of_mirror(mirror) if one.status is not Status.OK]
        assert check.name == "source main"
        assert "cut" in (check.reason or "")
        await asyncio.sleep(21)
        found = [one.name for one in checks_of_mirror(mirror) if one.status is not Status.OK]
        assert found == ["tracking", "source main"]
    await asyncio.sleep(6)
    (_, check) = checks_of_mirror(mirror)
    assert (check.name, check.status) == ("log of steps", Status.DEGRADED)
    beat = msgspec.json.decode(Node(tracking, mirror, Settings()).showing.feed.beat())
    assert beat["sources"][0]["hears"] is False


def test_the_clock_is_where_the_frames_are() -> None:
    assert START.isoformat() == "2026-11-22T08:00:00+00:00"


async def test_without_a_source_nothing_is_disconnected_and_with_one_it_is_told_of() -> None:
    tracking = Tracking(LoopClock())
    async with serving(tracking, Settings(cleanup=CleanupSettings(enabled=True))) as node:
        stuck = {"conversationId": "c-1", "seen": "x"}
        refused = await node.post("/cleanup", conversations=[stuck])
        assert refused.status_code == 409
        assert "ask one that listens" in refused.json()["detail"]
        ear = Ear()
        ear.problems = ["it has no ears"]
        node.showing.use(ear, make_pipeline(MemoryStore(KEEP), tracking.clock))
        (source,) = (await node.get("/sources"))["sources"]
        assert source["problems"] == ["it has no ears"]
        refused = await node.post("/cleanup", conversations=[stuck])
        assert "takes one of kind genesys" in refused.json()["detail"]


async def test_a_sink_is_told_by_one_process_at_a_time_each_event_at_least_once() -> None:
    tracking = Tracking(LoopClock())
    async with serving(tracking) as one, serving(tracking) as other:
        await one.alerting.duty.take("alert")
        await tracking.see(frame("c-1"), frame("c-2"))
        await settled()
        await one.alerting.duty.give("alert")
        await tracking.see(frame("c-3"))
        await other.alerting.duty.take("alert")
        await settled()
        assert types(one.sink.entries) == ["callback.waiting"] * 2
        assert types(other.sink.entries) == ["callback.waiting"]
        await other.alerting.close()
        assert other.sink.closed


async def test_a_sink_that_cannot_go_on_holds_up_no_receiver(friends: list[Friend]) -> None:
    tracking = Tracking(LoopClock())
    async with serving(tracking, RECEIVING) as node:
        node.sink.error = SinkError("stdout", "its reader has gone", "keep it")
        await node.alerting.duty.take("alert")
        with capture_logs() as said:
            await alarmed(tracking)
            await asyncio.sleep(10)
        assert [one["event"] for one in said if one["log_level"] == "error"] == ["sink_failed"]
        assert list(friends[0].world.open) == [ALERT]
        assert len(friends) == 1
