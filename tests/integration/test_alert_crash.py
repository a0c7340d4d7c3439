"""The daemon killed around firing, telling and resolving: in the end every receiver is right."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from random import Random
from typing import Any

from websockets.exceptions import ConnectionClosed

from support.daemon import SOON, Child, running
from support.endpoint import Endpoint, open_at
from support.gateway import Gateway, gateway, to
from support.journal import faults_of, read_journal
from support.prometheus import Server, alertmanager_running
from support.stuck import AT_ONCE, freed, stuck

AT_A_MESSAGE = ("before the answer", "after the answer")
MOMENTS = (*AT_A_MESSAGE * 2, "at the start", "at any time", "while it fires")
KILLS = int(os.environ.get("RINGBACK_ALERT_KILLS", "8"))
"""`make alert-crash` asks for more."""
SEED = 5
QUEUES = ("queue-1", "queue-2", "queue-3")
QUIET = """
route: {receiver: nobody, group_wait: 1h}
receivers: [{name: nobody}]
"""


class Stuck:
    """Callbacks, each stuck once and freed once."""

    def __init__(self, peer: Gateway, random: Random) -> None:
        self.stuck: dict[str, str] = {}
        """Those that are, and in which queue."""
        self.free: dict[str, str] = {}
        self._latest: dict[str, bytes] = {}
        self._peer = peer
        self._random = random

    async def change(self) -> None:
        """Let something happen."""
        for _ in range(self._random.randint(1, 4)):
            if self.stuck and self._random.random() < 0.4:
                name = self._random.choice(sorted(self.stuck))
                queue = self.free[name] = self.stuck.pop(name)
                self._latest[name] = freed(name, queue)
            else:
                name, queue = f"c-{len(self._latest)}", self._random.choice(QUEUES)
                self.stuck[name] = queue
                self._latest[name] = stuck(name, queue)
            await self._tell(self._latest[name])

    async def tell_again(self) -> None:
        """Tell what a daemon may have missed while it was dead."""
        await self._tell(*self._latest.values())

    async def _tell(self, *frames: bytes) -> None:
        """Tell whoever is there, who may be dead at any moment."""
        with suppress(ConnectionClosed):
            if self._peer.connections:
                await self._peer.send(*frames)


class Killer:
    """Kills a daemon at a moment that it waits for."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._victim: Child | None = None
        self._when = ""

    async def kill(self, child: Child, life: Stuck) -> None:
        """Let a daemon go about its work until it is dead."""
        self._victim, self._when = child, self._random.choice(MOMENTS)
        said = b"starting" if self._when == "at the start" else b"source_hears"
        # Or until its end: what it had begun to tell, it tells at once.
        await child.until(lambda: said in child.err)
        await life.tell_again()
        if self._when != "at any time":
            await life.change()
        if self._when not in AT_A_MESSAGE:
            await asyncio.sleep(self._random.uniform(0, 0.5))
            self._strike()
        ends = asyncio.create_task(child.process.wait())
        async with asyncio.timeout(SOON):
            while not ends.done():
                # Whoever has nothing to tell is killed by the next that happens.
                await asyncio.sleep(self._random.uniform(0.05, 0.3))
                await life.change()
        assert await child.ends() == -signal.SIGKILL

    def on_post(self) -> None:
        """Kill it if this is the moment: a message is here, its answer is not there yet."""
        if self._when == "before the answer":
            self._strike()
        elif self._when == "after the answer":
            asyncio.get_running_loop().call_later(self._random.uniform(0, 0.02), self._strike)

    def _strike(self) -> None:
        if self._victim is not None:
            self._victim.process.kill()
            self._victim, self._when = None, ""


@asynccontextmanager
async def receivers(
    folder: Path, killer: Killer
) -> AsyncIterator[tuple[Endpoint, Endpoint, Server]]:
    """Start a webhook and a PagerDuty, at which daemons die, and an Alertmanager."""
    success = b'{"status":"success","message":"Event processed","dedup_key":"x"}'
    path = folder / "alertmanager.yml"
    path.write_text(QUIET, encoding="utf-8")
    async with (
        Endpoint(on_post=killer.on_post) as hook,
        Endpoint(on_post=killer.on_post, status=202, body=success) as pager,
        alertmanager_running(folder, path) as manager,
    ):
        yield hook, pager, manager


def settings(peer: Gateway, hook: Endpoint, pager: Endpoint, manager: Server) -> dict[str, Any]:
    common = {"allow_private": "true", "group_seconds": 0.1, "most_per_minute": 600}
    given = {
        "hook": {"kind": "webhook", "url": hook.url},
        "pager": {"kind": "pagerduty", "url": pager.url, "secret": "k" * 32},
        "manager": {"kind": "alertmanager", "url": f"http://{manager.address}"},
    }
    # On any free port links would differ from life to life.
    own = {"web__address": "https://ringback.example.org"}
    return to(peer.url, **AT_ONCE, **own) | {
        f"receivers__{name}__{key}": value
        for name, keys in given.items()
        for key, value in (keys | common).items()
    }


def wrong_at_pager(pager: Endpoint, life: Stuck) -> dict[str, set[str]]:
    """Give the incidents that are open or closed at PagerDuty and should not be so.

    One is to be open for as long as one of its alerts fires.
    """
    open_: set[str] = set()
    about: dict[str, set[str]] = {}
    for posted in pager.posted:
        event = posted.json
        key = event["dedup_key"]
        if event["event_action"] == "resolve":
            open_.discard(key)
            continue
        open_.add(key)
        lines = event["payload"]["custom_details"]["alerts"]
        about.setdefault(key, set()).update(line.partition(":")[0] for line in lines)
    told = set().union(*about.values())
    wrong = {
        key: names
        for key, names in about.items()
        if (key in open_) is not bool(names & life.stuck.keys())
    }
    return wrong | ({"untold": life.stuck.keys() - told} if life.stuck.keys() - told else {})


async def open_at_manager(manager: Server) -> set[str]:
    """Give the callbacks of which an alert is active at the Alertmanager."""
    alerts = await manager.get("/api/v2/alerts", params={"active": "true"})
    return {one["labels"]["callback_id"] for one in alerts}


def alerts_of(names: Iterable[str]) -> set[str]:
    return {f"{name}/due_not_released/1" for name in names}


async def test_every_receiver_ends_with_exactly_the_open_alerts(tmp_path: Path) -> None:
    random = Random(SEED)
    killer = Killer(random)
    async with gateway() as peer, receivers(tmp_path, killer) as (hook, pager, manager):
        life = Stuck(peer, random)
        given = settings(peer, hook, pager, manager)
        for _ in range(KILLS):
            async with running(tmp_path, **given) as child:
                await killer.kill(child, life)
        async with running(tmp_path, **given) as child:
            await child.says("source_hears")
            await life.tell_again()
            wrong: object = None
            with suppress(TimeoutError):
                async with asyncio.timeout(SOON):
                    while wrong := (  # noqa: ASYNC110  # other processes are waited for
                        open_at(hook) ^ alerts_of(life.stuck)
                        or wrong_at_pager(pager, life)
                        or await open_at_manager(manager) ^ life.stuck.keys()
                    ):
                        await asyncio.sleep(0.1)
            assert not wrong, (child.err.decode(), wrong)
            assert await failures(child) == {}
    assert life.free
    assert life.stuck
    # What was freed while nobody looked never fired; all that did was told.
    assert heard(hook) == fired(tmp_path) >= alerts_of(life.stuck)


def fired(folder: Path) -> set[str]:
    """Give the alerts that have ever fired, of a journal without faults."""
    journal = read_journal(folder / "ringback.db")
    assert faults_of(journal) == []
    events = [json.loads(body) for _, body in journal]
    return {one["data"]["alertId"] for one in events if one["type"] == "ringback.alert.firing.v1"}


def heard(hook: Endpoint) -> set[str]:
    """Give the alerts that a webhook has ever heard of."""
    return {alert["alertId"] for posted in hook.posted for alert in posted.json["data"]["alerts"]}


async def failures(child: Child) -> dict[str, Any]:
    """Give what is wrong with receivers as the daemon sees them: nothing is put aside."""
    answer = await child.get("/api/v1/receivers")
    return {
        one["name"]: one
        for one in answer.json()["receivers"]
        if one["deadLetters"] or one["untold"] or one["failures"]
    }
