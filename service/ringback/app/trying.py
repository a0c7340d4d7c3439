"""Looks at receivers beforehand: whether each can be reached, and, if asked, whether it is told."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from ringback.app.receivers import PAGERDUTY, make_receiver
from ringback.core.events import AlertData, rfc3339
from ringback.core.watch.messages import Item, Message, Phase
from ringback.errors import DeliveryError, DeliveryFault
from ringback.ports import Clock, Receiver
from ringback.settings import ReceiverSettings, Settings
from ringback.sinks.receivers.email import server_of
from ringback.sinks.receivers.targets import connect
from ringback.sinks.receivers.wording import Places, Wording
from ringback.sources.findings import Finding, Level

__all__ = ["try_receivers"]

REACH_SECONDS = 10.0
PORTS = {"http": 80, "https": 443}
RULE = "test"
SUMMARY = "a test by ringback check, nothing is stuck"


async def try_receivers(settings: Settings, clock: Clock, *, send: bool) -> list[Finding]:
    """Look at each; with `send` it is sent a message that says that it is a test."""
    if not settings.receivers:
        said = "none: alerts are shown, and nobody is told of them"
        return [Finding(Level.OK, "receivers", said)]
    wording = Wording(Places(settings.source.org, lambda: settings.web.address or "", None))
    tried = (
        _try(name, receiver, wording, clock, send=send)
        for name, receiver in settings.receivers.items()
    )
    return list(await asyncio.gather(*tried))


async def _try(
    name: str, settings: ReceiverSettings, wording: Wording, clock: Clock, *, send: bool
) -> Finding:
    about = f"receiver {name}"
    try:
        if send:
            async with _made(name, settings, wording, clock) as receiver:
                await receiver.deliver(_test(clock))
            return Finding(Level.OK, about, f"{settings.kind}: has taken a test message")
        return Finding(Level.OK, about, f"{settings.kind}: {await _reach(settings)}")
    except DeliveryError as error:
        return Finding(
            Level.FAIL,
            about,
            f"{settings.kind}: {error.problem}",
            f"correct [receivers.{name}], or see that the other side runs and can be reached",
        )


async def _reach(settings: ReceiverSettings) -> str:
    """Connect to where messages go, and say nothing there. Raises `DeliveryError`."""
    if settings.kind == "stdout":
        return "standard output"
    url = settings.url.reveal() or PAGERDUTY
    private = settings.allow_private
    if settings.kind == "email":
        host, port, _ = server_of(url, allow_private=private)
    else:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or PORTS[parts.scheme]
    try:
        async with asyncio.timeout(REACH_SECONDS):
            (await connect(host, port, allow_private=private)).close()
    except TimeoutError:
        problem = f"{host} does not answer within {REACH_SECONDS:g} s"
        raise DeliveryError(DeliveryFault.TIMED_OUT, problem) from None
    return f"{host} can be connected to"


@asynccontextmanager
async def _made(
    name: str, settings: ReceiverSettings, wording: Wording, clock: Clock
) -> AsyncIterator[Receiver]:
    receiver = make_receiver(name, settings, wording, clock, sys.stdout)
    try:
        yield receiver
    finally:
        await receiver.close()


def _test(clock: Clock) -> Message:
    """Make a message of an alert that came and went: it leaves nothing open anywhere."""
    now = clock.now()
    at = rfc3339(now)
    alert_id = f"{RULE}/{RULE}/{int(now.timestamp())}"
    alert = AlertData(
        alert_id=alert_id,
        rule=RULE,
        severity="info",
        callback_id=RULE,
        conversation_id=RULE,
        state="disconnected",
        state_since=at,
        since=at,
        summary=SUMMARY,
        reason="a test",
        observed_time=at,
    )
    item = Item(alert, Phase.RESOLVED, first=True, at=at, queue=None, incident=alert_id)
    return Message(1, now, [item], opens=alert_id, closes=[alert_id])
