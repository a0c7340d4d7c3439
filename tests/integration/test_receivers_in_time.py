"""Receivers over real sockets in virtual time: hours of trouble, the others on time all along."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import timedelta
from itertools import pairwise
from typing import Any

from ringback.core.watch.messages import Phase
from ringback.core.watch.notices import Limits
from ringback.ports import Receiver
from ringback.sinks.receivers.posting import Target
from ringback.sinks.receivers.webhook import Webhook
from support.alerts import Post, an_alert
from support.endpoint import Endpoint
from support.messages import wording
from support.runtime import LoopClock
from support.virtual import run_virtually

FIRING, _, RESOLVED = Phase
OUTAGE = timedelta(hours=3)
EVERY = 97
"""Seconds from one thing that happens to the next."""
AS_SOON_AS = 5.0 + 0.25
"""A group waits for company; the journal is looked at every so often."""

Trouble = Callable[[], Any]


class Sick(Endpoint):
    """An endpoint that is in trouble for a while, and remembers when it has taken what."""

    def __init__(self, trouble: Trouble | None = None) -> None:
        super().__init__()
        self.trouble = trouble
        self.taken: dict[tuple[str, str], float] = {}
        self.attempts: list[float] = []

    def answer(self) -> Any:
        """Answer as it is just now."""
        now = asyncio.get_running_loop().time()
        self.attempts.append(now)
        if self.trouble is not None and now < OUTAGE.total_seconds():
            return self.trouble()
        for alert in self.posted[-1].json["data"]["alerts"]:
            self.taken.setdefault((alert["callbackId"], alert["status"]), now)
        return super().answer()


def made(there: Endpoint, clock: LoopClock) -> Receiver:
    target = Target(there.url, allow_private=True, timeout=10, clock=clock)
    return Webhook("ops", target, (), wording(), clock)


async def trouble(*troubles: Trouble) -> tuple[list[Sick], dict[tuple[str, str], float], Post]:
    """Let alerts fire and end for hours of trouble; give who was told what, and what happened."""
    happened: dict[tuple[str, str], float] = {}
    async with AsyncExitStack() as stack:
        ends = [await stack.enter_async_context(Sick())]
        ends += [await stack.enter_async_context(Sick(one)) for one in troubles]
        clock = LoopClock()
        post = Post(*(made(end, clock) for end in ends), limits=Limits(most=6))
        await post.start()
        loop = asyncio.get_running_loop()
        number = 0
        while loop.time() < OUTAGE.total_seconds() + 3600:
            number += 1
            alert = an_alert(number, queue=f"q-{number % 7}")
            happened[f"c-{number}", "firing"] = loop.time()
            await post.say(FIRING, alert)
            if number > 5:
                over = an_alert(number - 5, queue=f"q-{(number - 5) % 7}")
                happened[f"c-{number - 5}", "resolved"] = loop.time()
                await post.say(RESOLVED, over)
            await asyncio.sleep(EVERY)
        await asyncio.sleep(600)
        await post.kill()
        for outbox in post.outboxes:
            await outbox.receiver.close()
        return ends, happened, post


def test_the_others_are_on_time_and_nothing_is_lost() -> None:
    """One answers 500, one 429, one garbage that is a status, one hangs up, one says nothing."""

    def nothing() -> Any:
        return "silence"

    async def work() -> None:
        ends, happened, post = await trouble(
            lambda: 500,
            lambda: (429, {"Retry-After": "700"}, b""),
            lambda: (302, {"Location": "http://169.254.169.254/"}, b""),
            lambda: "hang up",
            nothing,
        )
        well, *sick = ends
        late = {
            what: well.taken[what] - at
            for what, at in happened.items()
            if well.taken[what] - at > AS_SOON_AS
        }
        assert late == {}
        for end, outbox in zip(sick, post.outboxes[1:], strict=True):
            told = {what for what in happened if what in end.taken}
            aside = {
                (item.alert.callback_id, item.phase.value)
                for dead in outbox.notices.dead.values()
                for item in dead.message.items
            }
            # What came and went in the trouble is told as over already, by a dead letter at worst.
            over = {name for name, status in told | aside if status == "resolved"}
            for name, status in happened.keys() - told - aside:
                assert (status, name in over) == ("firing", True)
            lost = {name for name, _ in happened} - {name for name, _ in told}
            assert lost <= {name for name, status in aside if status == "resolved"}
            assert outbox.notices.dead
            assert outbox.problem is None
            assert outbox.notices.untold == 0
            busiest = max(
                sum(first <= at < first + 60 for at in end.attempts) for first in end.attempts
            )
            assert busiest <= 6
        # It had asked to be left alone for 700 s, each time.
        asked = [at for at in sick[1].attempts if at < OUTAGE.total_seconds()]
        assert min(after - before for before, after in pairwise(asked)) > 699

    run_virtually(work())
