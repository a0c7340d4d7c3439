"""Guarded clean-up before the real simulated platform, which is full of zombies."""

import asyncio
from collections import Counter
from datetime import datetime
from pathlib import Path
from random import Random

import pytest
from aiohttp import web

from ringback.simulator.genesys.mischief import Handler
from ringback.simulator.interventions import disconnect, reschedule
from ringback.simulator.options import Options
from ringback.stores.memory import MemoryStore
from ringback.web.api.cleanup import Outcome
from support.cleanup import FORGOTTEN, cleaning, graveyard, trail_in
from support.organisation import KEEP, organisation
from support.virtual import run_virtually

LIVELY = Options(arrivals_per_minute=3, agents=40, max_live=150, stuck_seconds=5000)
MOVING = (
    "due_not_released",
    "waiting_too_long",
    "never_offered",
    "unanswered",
    "not_offered_again",
    "alerting_too_long",
    "connected_not_dialled",
    "auto_dial_missed",
    "dialing_too_long",
    "held_too_long",
    "after_call_work_too_long",
)
"""Kinds that nobody should choose: much that they are about goes on by itself."""
ASKED_DISCONNECT = "POST */disconnect"
READ = "GET /api/v2/conversations/*"


def test_a_dry_run_lists_each_with_its_proof_and_does_nothing(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with graveyard(tmp_path) as here:
            rows = await here.stuck(3)
            told = await here.look()
            assert told["action"] == "POST /api/v2/conversations/{conversationId}/disconnect"
            assert (told["kinds"], told["perMinute"], told["left"]) == (["due_not_released"], 6, 6)
            assert told["total"] == len(told["zombies"]) >= 3
            now = datetime.fromisoformat(told["now"])
            for row in rows:
                since = datetime.fromisoformat(row["stateSince"])
                assert row["ageSeconds"] == pytest.approx((now - since).total_seconds(), abs=0.01)
                (alert,) = row["alerts"]
                assert alert["proof"]["confirmed"]
                assert alert["proof"]["time"] <= told["now"]
                assert (alert["kind"], row["state"]) == ("due_not_released", "scheduled")
                assert (row["liveCalls"], "userId" in row) == (0, False)
            assert len((await here.web.get("/api/v1/cleanup?limit=2")).json()["zombies"]) == 2
            assert here.asked == 0
            assert await here.deeds() == []

    run_virtually(scenario())


def test_what_was_chosen_is_ended_and_noted_before_and_after(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with graveyard(tmp_path) as here:
            first, second, spared, *_ = await here.stuck(3)
            assert await here.end(first, second) == [("disconnected", ""), ("disconnected", "")]
            assert here.asked == 2
            counted = {
                measure.labels["result"]: measure.value
                for measure in here.showing.measures()
                if measure.name == "ringback_cleanup"
            }
            assert (counted.pop("disconnected"), set(counted.values())) == (2, {0})
            assert [here.live(row) for row in (first, second, spared)] == [False, False, True]
            await asyncio.sleep(5)
            still = {row["conversationId"] for row in (await here.look())["zombies"]}
            assert spared["conversationId"] in still
            assert still.isdisjoint({first["conversationId"], second["conversationId"]})
            deeds = await here.deeds()
            assert [(action, subject) for action, subject, _ in deeds] == [
                ("disconnect", row["conversationId"]) for row in (first, first, second, second)
            ]
            (_, _, about_to), (_, _, done), *_ = deeds
            since = first["stateSince"]
            said = f"about to: {first['callbackId']} is scheduled since {since}; due_not_released;"
            assert about_to.startswith(f"{said} read at 2026-11-22T")
            assert done == "disconnected"
            # The file's own lines say it.
            assert (tmp_path / "audit.jsonl").read_text().count('"disconnect"') == 4
            resolved = await here.found.events("alert.resolved")
            assert {str(event["subject"]) for event in resolved} >= {
                first["callbackId"],
                second["callbackId"],
            }

    run_virtually(scenario())


def test_what_has_changed_since_it_was_seen_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        async with graveyard(tmp_path) as here:
            moved, ended, gone, told, *_ = await here.stuck(4)
            centre = here.platform.centre
            # The feed says nothing of it: only reading once more can tell.
            here.platform.faults.silence()
            missed: list[frozenset[str]] = []
            monkeypatch.setattr(here.found.source, "missed", missed.append)
            await asyncio.sleep(60)
            assert disconnect(centre, ended["conversationId"])
            # After so long a frame should have told it.
            await asyncio.sleep(45)
            now = here.found.pipeline.clock.now()
            assert reschedule(centre, moved["conversationId"], now + KEEP)
            here.platform.faults.fail(f"GET */{gone['conversationId']}", status=404)
            answers = await here.end(moved, ended, gone, told | {"seen": "another"})
            assert [result for result, _ in answers] == ["left_alone"] * 4
            assert answers[0][1] in {
                "it is not stuck any more",
                f"it has changed: scheduled since {moved['stateSince']}",
            }
            assert answers[1][1] == "it is not stuck any more"
            assert answers[2][1] == "the platform knows no such conversation"
            assert answers[3][1].startswith("it has changed: scheduled since ")
            assert here.asked == 0
            assert await here.deeds() == []
            assert here.live(moved)
            assert here.live(told)
            # What was found out by that is told to the source as well.
            assert missed

    run_virtually(scenario())


def test_there_are_no_more_a_minute_than_are_allowed_whatever_restarts(tmp_path: Path) -> None:
    async def scenario() -> None:
        store = MemoryStore(KEEP)
        async with organisation(FORGOTTEN) as (platform, _):
            async with cleaning(platform, tmp_path, store, per_minute=2) as here:
                rows = await here.stuck(6)
                assert await here.end(*rows[:3]) == [
                    ("disconnected", ""),
                    ("disconnected", ""),
                    ("over_limit", "2 a minute are allowed by [cleanup] per_minute"),
                ]
                assert (await here.look())["left"] == 0
                assert here.live(rows[2])
            async with cleaning(platform, tmp_path, store, per_minute=2) as here:
                assert (await here.look())["left"] == 0
                left = (await here.stuck(1))[0]
                assert [result for result, _ in await here.end(left)] == ["over_limit"]
                await asyncio.sleep(60)
                assert (await here.look())["left"] == 2
                left = (await here.stuck(1))[0]
                assert await here.end(left) == [("disconnected", "")]
                assert here.asked == 3

    run_virtually(scenario())


def test_the_platforms_own_no_is_told_and_noted(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with graveyard(tmp_path) as here:
            one, two, three, four, *_ = await here.stuck(4)
            here.platform.client.permissions.discard("conversation:communication:disconnect")
            ((result, why),) = await here.end(one)
            assert result == "refused"
            assert "conversation:communication:disconnect" in why
            here.platform.faults.fail(ASKED_DISCONNECT, status=404)
            why = "the platform knows no such conversation"
            assert await here.end(four) == [("left_alone", why)]
            here.platform.faults.throttle(ASKED_DISCONNECT, seconds=30)
            assert [result for result, _ in await here.end(two)] == ["refused"]
            here.platform.faults.fail(READ, times=9, status=500)
            assert [result for result, _ in await here.end(three)] == ["unread"]
            here.platform.faults.forgive()
            assert here.asked == 3
            assert [said.partition(":")[0] for _, _, said in await here.deeds()] == [
                said
                for result in ("refused", "left_alone", "refused")
                for said in ("about to", result)
            ]
            assert here.live(four)

    run_virtually(scenario())


@pytest.mark.parametrize("trick", ["drop", "delay", "fail"])
def test_no_answer_is_not_taken_for_one_nor_asked_for_again(tmp_path: Path, trick: str) -> None:
    async def scenario() -> None:
        async with graveyard(tmp_path) as here:
            one, *_ = await here.stuck(1)
            getattr(here.platform.faults, trick)(ASKED_DISCONNECT)
            why = "the platform did not answer: it may have been done"
            assert await here.end(one) == [("unknown", why)]
            assert (await here.deeds())[-1][2] == f"unknown: {why}"
            ((result, why),) = await here.end(one)
            assert result == "left_alone"
            assert why == (
                "it is not stuck any more"
                if trick == "delay"
                else "the platform was asked to end it less than a minute ago"
            )
            assert here.asked == 1
            if trick != "delay":
                await asyncio.sleep(60)
                assert await here.end(one) == [("disconnected", "")]

    run_virtually(scenario())


def test_while_the_source_is_blind_nothing_is_ended(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with graveyard(tmp_path) as here:
            one, *_ = await here.stuck(1)
            here.platform.faults.go_down(60)
            here.platform.faults.cut()
            await here.found.until(lambda: here.found.tracker.repair.ledger.open_gaps("main"))
            why = "the source is blind: what happens meanwhile would not be seen"
            assert await here.end(one) == [("left_alone", why)]
            assert here.asked == 0

    run_virtually(scenario())


def test_what_cannot_be_noted_is_not_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_file: int, _line: bytes) -> None:
        raise OSError(28, "No space left on device")

    async def scenario() -> None:
        async with graveyard(tmp_path) as here:
            one, two, *_ = await here.stuck(2)
            with monkeypatch.context() as patch:
                patch.setattr("ringback.sinks.audit._write", full)
                answers = await here.end(one, two)
            why = "it cannot be noted who does this: see /readyz"
            assert answers == [("not_noted", why)] * 2
            assert here.asked == 0
            assert here.live(one)
            assert await here.end(one) == [("disconnected", "")]

    run_virtually(scenario())


@pytest.mark.parametrize(
    ("seconds", "why"), [(1, "it is not stuck any more"), (30, "it took too long to read it again")]
)
def test_what_happens_while_it_is_noted_still_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seconds: float, why: str
) -> None:
    async def scenario() -> None:
        async with graveyard(tmp_path) as here:
            one, *_ = await here.stuck(1)
            note = here.trail.note

            async def slowly(*said: str, **facts: str) -> None:
                await note(*said, **facts)
                if seconds < 20:
                    disconnect(here.platform.centre, one["conversationId"])
                    here.platform.host.play.catch_up()
                await asyncio.sleep(seconds)

            monkeypatch.setattr(here.trail, "note", slowly)
            assert await here.end(one) == [("left_alone", why)]
            assert here.asked == 0
            assert [said.partition(":")[0] for _, _, said in await here.deeds()] == [
                "about to",
                "left_alone",
            ]

    run_virtually(scenario())


def test_a_kill_in_the_middle_leaves_a_true_trail(tmp_path: Path) -> None:
    """After what was noted before, nothing says that it was done; and it counts for the limit."""

    async def scenario() -> None:
        async with graveyard(tmp_path, per_minute=1) as here:
            one, two, *_ = await here.stuck(2)
            here.platform.faults.delay(ASKED_DISCONNECT, seconds=10)
            cleaner = here.showing.cleaner
            assert cleaner is not None
            facts = {"role": "operator"}
            doing: asyncio.Task[Outcome] = asyncio.create_task(
                cleaner.disconnect(one["conversationId"], one["seen"], "olga", facts)
            )
            await here.found.until(lambda: here.asked)
            doing.cancel()
            await asyncio.gather(doing, return_exceptions=True)
            again = trail_in(tmp_path)
            (deed,) = await again.deeds(None, 10, lambda _: True)
            again.close()
            assert (deed.who, deed.role, deed.subject) == (
                "olga",
                "operator",
                one["conversationId"],
            )
            assert deed.result.startswith("about to: ")
            assert [result for result, _ in await here.end(two)] == ["over_limit"]

    run_virtually(scenario())


def test_whatever_happens_meanwhile_nothing_is_ended_that_is_not_as_it_was_seen(
    tmp_path: Path,
) -> None:
    """An operator ends all that there is, late, while calls go on and the feed breaks."""

    async def scenario() -> None:
        async with (
            organisation(LIVELY, seed=4) as (platform, _),
            cleaning(platform, tmp_path, kinds=",".join(MOVING), per_minute=60) as here,
        ):
            chance, ended, wrong = Random(7), Counter[str](), list[str]()
            seen: dict[str, tuple[datetime, str]] = {}

            async def judge(request: web.Request, handler: Handler) -> web.StreamResponse:
                key = request.path.split("/")[4]
                looked_at, state = seen[key]
                scene = platform.centre.scene(key)
                assert scene is not None
                live = [one.ledger for one in scene.callbacks if one.ledger.state != "disconnected"]
                for ledger in live:
                    since, truly = ledger.visits[-1]
                    if len(live) > 1 or truly != state or since > looked_at:
                        wrong.append(f"{key}: seen {state} at {looked_at}, {ledger.visits[-2:]}")
                ended[state] += 1
                return await handler(request)

            platform.faults.plan("POST */disconnect", judge, times=10**6)
            results = Counter[str]()
            for _ in range(10):
                for trouble in (platform.faults.silence, platform.faults.cut, None, None):
                    await asyncio.sleep(chance.uniform(200, 500))
                    told = await here.look()
                    rows = [row for row in told["zombies"] if "whyNot" not in row]
                    for row in rows:
                        seen[row["conversationId"]] = (
                            datetime.fromisoformat(told["now"]),
                            row["state"],
                        )
                    if trouble is not None:
                        trouble()
                    await asyncio.sleep(chance.uniform(0, 90))
                    for at in range(0, len(rows), 20):
                        results.update(result for result, _ in await here.end(*rows[at : at + 20]))
            assert wrong == []
            assert len(ended) > 3, ended
            assert results.keys() == {"disconnected", "left_alone"}

    run_virtually(scenario())


def test_requests_that_mean_nothing_are_refused(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with graveyard(tmp_path) as here:
            one, *_ = await here.stuck(1)
            twice = await here.send(one, one)
            assert (twice.status_code, twice.json()["detail"]) == (
                400,
                "conversations: one is given more than once",
            )
            assert (await here.send()).status_code == 400
            assert (await here.send(*[one] * 21)).status_code == 400
            unknown = {"conversationId": "../../x", "seen": one["seen"]}
            assert await here.end(unknown) == [("left_alone", "it is not stuck any more")]
            assert here.asked == 0

    run_virtually(scenario())
