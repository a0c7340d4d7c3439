"""`ringback cleanup`: what is stuck for sure, and disconnecting what somebody names."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, tzinfo

import msgspec
from rich.console import Console
from rich.text import Text

from ringback.errors import DaemonError, DaemonFault
from ringback.terminal.client import Client
from ringback.terminal.words import at_second, line, plural, short, spoken, state_label, worded

__all__ = ["choose", "end", "look"]

PATH = "/cleanup"
MOST = 1000
PATIENCE_SECONDS = 120.0
"""One is read and ended by the daemon while this waits."""
DONE = "disconnected"


class _Read(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    pass


class Proof(_Read, frozen=True, kw_only=True):
    """What an alert rests on."""

    confirmed: bool = False
    time: datetime | None = None
    why: str = ""


class Alert(_Read, frozen=True, kw_only=True):
    """An alert that says so."""

    rule: str
    since: datetime
    summary: str = ""
    proof: Proof = Proof()


class Zombie(_Read, frozen=True, kw_only=True):
    """A callback that is stuck."""

    conversation_id: str
    callback_id: str
    seen: str
    state: str
    age_seconds: float
    queue_id: str = ""
    live_calls: int = 0
    alerts: list[Alert] = []
    why_not: str = ""


class Zombies(_Read, frozen=True, kw_only=True):
    """All that are."""

    now: datetime
    per_minute: int = 0
    left: int = 0
    total: int = 0
    zombies: list[Zombie] = []


class Outcome(_Read, frozen=True, kw_only=True):
    """What became of one."""

    conversation_id: str
    result: str
    why: str = ""


class _Outcomes(_Read, frozen=True, kw_only=True):
    results: list[Outcome]


async def look(client: Client, console: Console, *, raw: bool, zone: tzinfo | None = None) -> None:
    """Print what is stuck; `raw` as the API gives it. Raises `DaemonError`."""
    text = await _asked(client)
    if raw:
        console.out(text.decode(), highlight=False)
        return
    told = client.read(text, Zombies)
    queues = (await client.session()).queues
    for zombie in told.zombies:
        _print(console, _lines(zombie, told.now, queues, zone))
    more = told.total - len({one.conversation_id for one in told.zombies})
    said = plural(told.total, "conversation is stuck", "conversations are stuck")
    rest = f", {more} of them not listed" if more > 0 else ""
    left = f"{told.left} of {told.per_minute} may be disconnected in this minute."
    _print(console, [line(f"{said}{rest}. {left}")])
    _print(console, [line("Nothing was done: name with --do what is to be disconnected.")])


async def choose(
    client: Client, chosen: Sequence[str], console: Console, zone: tzinfo | None = None
) -> list[Zombie]:
    """Print those that were named, as they are now; give those that may go.

    Raises `DaemonError`, also when one is not stuck.
    """
    told = client.read(await _asked(client), Zombies)
    queues = (await client.session()).queues
    stuck = {zombie.conversation_id: zombie for zombie in reversed(told.zombies)}
    found = []
    for conversation_id in dict.fromkeys(chosen):
        zombie = stuck.get(conversation_id)
        if zombie is None:
            raise DaemonError(
                DaemonFault.NOT_FOUND,
                f"conversation {conversation_id} is not stuck for sure",
                "`ringback cleanup` lists those that are; give whole ids of conversations",
            )
        _print(console, _lines(zombie, told.now, queues, zone))
        found.append(zombie)
    return [zombie for zombie in found if not zombie.why_not]


async def end(client: Client, zombies: Sequence[Zombie], tell: Callable[[str], None]) -> bool:
    """Have them disconnected as they were seen, one by one; whether all of them were.

    What became of each is told at once. Raises `DaemonError`.
    """
    all_of_them = True
    for zombie in zombies:
        chosen = {"conversationId": zombie.conversation_id, "seen": zombie.seen}
        body = msgspec.json.encode({"conversations": [chosen]})
        text = await client.post(PATH, body, PATIENCE_SECONDS)
        for outcome in client.read(text, _Outcomes).results:
            said = worded(outcome.result) + (f": {outcome.why}" if outcome.why else "")
            tell(f"{outcome.conversation_id}  {said}")
            all_of_them = all_of_them and outcome.result == DONE
    return all_of_them


async def _asked(client: Client) -> bytes:
    try:
        return await client.get(PATH, {"limit": str(MOST)})
    except DaemonError as error:
        if error.fault is not DaemonFault.NOT_FOUND:
            raise
        raise DaemonError(
            error.fault,
            f"{client.url} has no clean-up",
            "enable it there in its settings: [cleanup] enabled, see docs/cleanup.md",
        ) from None


def _lines(
    zombie: Zombie, now: datetime, queues: Mapping[str, str], zone: tzinfo | None
) -> Iterator[Text]:
    queue = queues.get(zombie.queue_id) or short(zombie.queue_id)
    calls = f", with {plural(zombie.live_calls, 'call')} that has not ended" * bool(
        zombie.live_calls
    )
    yield line((zombie.conversation_id, "bold"))
    yield line(
        f"  {state_label(zombie.state)} for {spoken(zombie.age_seconds)}",
        f" in {queue}" if queue else "",
        calls,
    )
    for alert in zombie.alerts:
        yield line(f"  {alert.summary or alert.rule}: {_proof(alert.proof, now, zone)}")
    if zombie.why_not:
        yield line("  ", (f"Left alone: {zombie.why_not}", "yellow"))


def _proof(proof: Proof, now: datetime, zone: tzinfo | None) -> str:
    if not proof.confirmed or proof.time is None:
        return f"not confirmed, {proof.why or 'nobody says why'}"
    return f"confirmed by a read at {at_second(proof.time, now, zone)}"


def _print(console: Console, lines: Iterator[Text] | list[Text]) -> None:
    for each in lines:
        # Ids are to be copied: broken by the terminal, they still can be.
        console.print(each, soft_wrap=True, highlight=False)
