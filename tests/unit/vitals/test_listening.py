import asyncio

import pytest

from ringback.vitals.listening import checks_of_listening, measures_of_listening
from ringback.web.health import Status
from support.gateway import frame
from support.listened import Listened
from support.runtime import Ear

pytestmark = pytest.mark.looptime


async def test_a_listener_is_degraded_until_it_hears_all_and_while_something_is_lost() -> None:
    async with Listened().within() as all_:
        ear = await all_.listen("a")
        source = Ear()

        def status() -> list[Status]:
            return [check.status for check in checks_of_listening(ear, source)]

        assert status() == [Status.DEGRADED]
        ear.connected()
        assert status() == [Status.OK]
        ear.disconnected("lost", None, ["v2.users.u.conversations"])
        assert status() == [Status.DEGRADED]
        ear.connected()
        ear.putting.too_large += 1
        assert status() == [Status.OK, Status.DEGRADED]
        source.problems = ["the platform refuses"]
        assert status() == [Status.OK, Status.DEGRADED, Status.DEGRADED]


async def test_what_was_heard_and_stored_is_counted() -> None:
    async with Listened().within() as all_:
        ear = await all_.listen("a")
        await asyncio.sleep(1)
        before = ear.putting.put
        for content in (frame(), frame(), b"{"):
            ear.frame(content)

        def value(name: str, **labels: str) -> object:
            return next(
                one.value
                for one in measures_of_listening(ear)
                if one.name == f"ringback_{name}" and one.labels == labels
            )

        assert value("listener_waiting") == 1
        await asyncio.sleep(1)
        assert value("frames", kind="snapshot") == 1
        assert value("frames", kind="repeated") == 1
        assert value("frames", kind="not_json") == 1
        assert value("listener_waiting") == 0
        assert value("listener_messages", outcome="stored") == before + 1
        assert value("listener_hears") == 0
