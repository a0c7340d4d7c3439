"""Reading the rules anew, by a signal and by the API."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from ringback.app.ruling import Ruling
from ringback.core.tracker import Tracker
from ringback.ports import Clock
from ringback.settings import Settings, WatchSettings
from ringback.web.access.access import OpenAccess
from ringback.web.api.answers import Answers
from ringback.web.app import create_app
from ringback.web.board.board import Board
from ringback.web.visitors import Role, Visitor
from support.access import Notebook
from support.runtime import HeldStore, LoopClock, make_pipeline, settled
from support.web import HEALTHY

pytestmark = pytest.mark.looptime

MINE = """
[hours.office]
days = ["mon", "fri"]
from = "08:00"
until = "24:00"
time_zone = "Europe/Berlin"
closed = [2026-12-25]

[[rule]]
name = "mine"
kind = "due_not_released"
after = "1m30s"
hours = "office"
labels = { team = "gold" }
where = { queues = ["b", "a"], preview = false }
"""


class Ruled:
    """A daemon's rules in a file, and somebody who asks."""

    def __init__(self, path: Path) -> None:
        self.path = path
        clock: Clock = LoopClock()
        self.pipeline = make_pipeline(HeldStore(), clock)
        self.ruling = Ruling(Settings(watch=WatchSettings(rules=str(path))), self.pipeline)
        self.audit = Notebook()
        self.access = OpenAccess()
        board = Board()
        board.complete(0)
        app: Any = create_app(
            HEALTHY,
            lambda _: (b"", "text/plain"),
            access=self.access,
            handlers=self.ruling.handlers(Answers(board, clock, "run"), self.audit),
        )
        transport = httpx.ASGITransport(app=app)
        self.web = httpx.AsyncClient(transport=transport, base_url="http://localhost")

    @property
    def tracker(self) -> Tracker:
        return self.pipeline.tracker

    async def rules(self) -> dict[str, Any]:
        """Give what is shown, by name."""
        answer = (await self.web.get("/api/v1/rules")).json()
        return {rule["name"]: rule for rule in answer["rules"]}

    async def reload(self) -> httpx.Response:
        return await self.web.post("/api/v1/rules/reload")

    @asynccontextmanager
    async def running(self) -> AsyncIterator[asyncio.Event]:
        """Follow the signal and take the turns; give what the signal sets."""
        wished = asyncio.Event()
        tasks = [
            asyncio.create_task(self.ruling.follow(wished)),
            asyncio.create_task(self.pipeline.settle_forever()),
        ]
        async with self.web:
            try:
                yield wished
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)


async def test_the_rules_in_force_are_shown(tmp_path: Path) -> None:
    ruled = Ruled(tmp_path / "rules.toml")
    async with ruled.running():
        built_in = await ruled.rules()
        assert "mine" not in built_in
        assert built_in["due_not_released"]["afterSeconds"] == 120
        ruled.path.write_text(MINE)
        answer = await ruled.reload()
        assert answer.status_code == 200, answer.text
        assert (await ruled.rules()) == {one["name"]: one for one in answer.json()["rules"]}
        mine = (await ruled.rules())["mine"]
        assert mine["hours"] == {
            "days": ["mon", "fri"],
            "from": "08:00",
            "until": "00:00",
            "timeZone": "Europe/Berlin",
            "closed": ["2026-12-25"],
        }
        assert mine["where"] == {"queues": ["a", "b"], "preview": False}
        assert (mine["afterSeconds"], mine["forSeconds"], mine["labels"], mine["firing"]) == (
            90,
            0,
            {"team": "gold"},
            0,
        )
    assert [(one.who, one.action, one.subject) for one in ruled.audit.noted] == [
        ("local", "reload", "rules")
    ]


async def test_a_bad_file_is_refused_and_the_rules_before_stay(tmp_path: Path) -> None:
    ruled = Ruled(tmp_path / "rules.toml")
    ruled.path.write_text(MINE)
    async with ruled.running():
        await ruled.reload()
        before = ruled.tracker.rules
        ruled.path.write_text(MINE.replace("1m30s", "90"))
        answer = await ruled.reload()
        assert answer.status_code == 409
        problem = f"{ruled.path}: rule 'mine': after: '90' is not allowed; allowed: a time with"
        assert answer.json()["detail"].startswith(problem)
        assert ruled.tracker.rules is before
        assert (await ruled.web.get("/api/v1/rules")).json()["problem"].startswith(problem)
        (check,) = ruled.ruling.checks()
        assert check.reason is not None
        assert check.reason.startswith(f"the former ones are in force: {problem}")
        ruled.path.write_text(MINE)
        assert (await ruled.reload()).status_code == 200
        assert list(ruled.ruling.checks()) == []


async def test_a_signal_reads_them_anew_and_survives_a_bad_file(tmp_path: Path) -> None:
    ruled = Ruled(tmp_path / "rules.toml")
    async with ruled.running() as wished:
        for text, known in (("[[rule", False), (MINE, True)):
            ruled.path.write_text(text)
            wished.set()
            await settled()
            assert (ruled.tracker.rules.get("mine") is not None) is known


async def test_a_viewer_may_look_and_not_reload(tmp_path: Path) -> None:
    ruled = Ruled(tmp_path / "rules.toml")
    ruled.access.visitor = Visitor("eve", Role.VIEWER)
    async with ruled.running():
        assert "due_not_released" in await ruled.rules()
        assert (await ruled.reload()).status_code == 403
    assert ruled.audit.noted == []
