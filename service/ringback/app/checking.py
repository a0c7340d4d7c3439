"""Composes what `ringback check` looks at, and shows what it found."""

import os
import random
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ringback.app.parts import make_policy, make_rules
from ringback.app.receivers import refuse_bad_receivers
from ringback.app.trying import try_receivers
from ringback.errors import SettingsError, StoreError, StoreLocked
from ringback.ports import Clock
from ringback.runtime.clock import SystemClock
from ringback.settings import Settings, WebSettings
from ringback.sources.findings import Finding, Level
from ringback.sources.genesys.assembly import make_client
from ringback.sources.genesys.check import Check
from ringback.sources.genesys.patterns import Patterns
from ringback.sources.genesys.regions import find_region
from ringback.sources.probe import unreachable
from ringback.sources.socket import display_url
from ringback.stores.jetstream.engine import inspect_engine
from ringback.stores.sqlite import inspect
from ringback.web.access.tokens import read_tokens
from ringback.web.tls import Certificate

__all__ = ["check", "failed", "show"]

REACH_SECONDS = 10.0
LEAST_WIDTH = 100
"""Characters a line, where nobody has a terminal to say how wide it is."""
STYLES = {Level.OK: "green", Level.WARN: "yellow", Level.FAIL: "bold red"}


async def check(
    settings: Settings, clock: Clock | None = None, *, send_test: bool = False
) -> list[Finding]:
    """Look at everything. Raises `SettingsError` for what can be told without looking.

    With `send_test` receivers are sent a message; else nothing is changed anywhere.
    """
    refuse_bad_receivers(settings)
    clock = clock or SystemClock()
    found = [
        Finding(Level.OK, "settings", f"kind {settings.source.kind}, org {settings.source.org}")
    ]
    found.append(_rules(settings))
    found += await _source(settings, clock)
    found += await try_receivers(settings, clock, send=send_test)
    return [*found, _access(settings.web), *await _store(settings)]


def failed(findings: Sequence[Finding]) -> bool:
    """Whether something has to be mended."""
    return any(finding.level is Level.FAIL for finding in findings)


def show(findings: Sequence[Finding], out: TextIO) -> None:
    """Print a table: how it is, what it is about, and what to do about it."""
    terminal = out.isatty()
    console = Console(file=out, highlight=False, width=None if terminal else LEAST_WIDTH)
    table = Table.grid(padding=(0, 2))
    for _ in range(2):
        table.add_column(no_wrap=True)
    table.add_column(ratio=1, overflow="fold")
    for finding in findings:
        said = Text(finding.text)
        if finding.remedy:
            said.append(f"\n→ {finding.remedy}", style="bold")
        table.add_row(
            Text(finding.level.value, style=STYLES[finding.level]), Text(finding.about), said
        )
    console.print(table)
    console.print(Text(_summary(findings)))


def _summary(findings: Sequence[Finding]) -> str:
    bad, doubtful = (
        sum(finding.level is level for finding in findings) for level in (Level.FAIL, Level.WARN)
    )
    if bad:
        return f"\n{bad} to mend, {doubtful} to look at."
    return f"\nAll is well; {doubtful} to look at." if doubtful else "\nAll is well."


def _rules(settings: Settings) -> Finding:
    rules, path = make_rules(settings), settings.watch.rules
    text = f"{len(rules.rules)} in force, {path or 'all built in'}"
    if rules.watches("same_number_twice") and not make_policy(settings).numbers_kept:
        text += " (same_number_twice idle: [privacy] has no hash_key)"
    return Finding(Level.OK, "rules", text)


async def _source(settings: Settings, clock: Clock) -> list[Finding]:
    match settings.source.kind:
        case "genesys":
            return await _genesys(settings, clock)
        case "websocket":
            return [await _websocket(settings.source.url.reveal())]
        case "recording":
            return [_recording(settings.source.path)]
        case "simulator":
            return [Finding(Level.OK, "source", "a contact centre inside the process")]


async def _genesys(settings: Settings, clock: Clock) -> list[Finding]:
    genesys = settings.genesys
    patterns = Patterns(genesys.queues, genesys.queues_except)
    region = find_region(genesys.region) if genesys.region else "hosts of its own"
    chance = random.SystemRandom()
    async with make_client(settings, clock, chance) as client:
        return await Check(
            client,
            clock=clock,
            client_id=genesys.client_id,
            region=region,
            patterns=patterns,
            topics=genesys.topics,
            most_channels=genesys.most_channels,
            cleanup=settings.cleanup.enabled,
        ).run()


async def _websocket(url: str) -> Finding:
    where = display_url(url)
    problem = await unreachable(url, REACH_SECONDS)
    if problem is None:
        return Finding(Level.OK, "source", f"{where} can be connected to")
    return Finding(
        Level.FAIL,
        "source",
        f"{where}: {problem}",
        "correct [source] url, or see that its server runs and can be reached",
    )


def _recording(path: str) -> Finding:
    if os.access(path, os.R_OK) and not Path(path).is_dir():
        return Finding(Level.OK, "source", f"{path} can be read")
    raise SettingsError("source.path", f"{path} is no file that this user can read")


def _access(web: WebSettings) -> Finding:
    about = "access"
    if not web.tokens:
        return Finding(Level.OK, about, "nobody is asked for a token: this machine alone is served")
    try:
        visitors = len(read_tokens(Path(web.tokens)))
        if web.tls_certificate:
            Certificate(Path(web.tls_certificate), Path(web.tls_key))
    except SettingsError as error:
        problem, _, remedy = str(error).partition("; ")
        return Finding(Level.FAIL, about, problem, remedy)
    how = "over TLS" if web.tls_certificate else "without TLS of its own"
    return Finding(Level.OK, about, f"{visitors} tokens, {how}")


async def _engine(settings: Settings) -> list[Finding]:
    about = "engine"
    try:
        said, notes = await inspect_engine(
            settings.jetstream, settings.source.org, settings.store.keep_journal_hours
        )
    except StoreError as error:
        return [_worded(Level.FAIL, about, str(error))]
    return [Finding(Level.OK, about, said), *(_worded(Level.WARN, about, one) for one in notes)]


def _worded(level: Level, about: str, text: str) -> Finding:
    problem, _, remedy = text.partition("; ")
    return Finding(level, about, problem, remedy)


async def _store(settings: Settings) -> list[Finding]:
    match settings.store.kind:
        case "memory":
            return [Finding(Level.OK, "store", "in memory: a restart forgets everything")]
        case "jetstream":
            return await _engine(settings)
        case "sqlite":
            return [await _database(settings)]


async def _database(settings: Settings) -> Finding:
    about = "store"
    try:
        return Finding(Level.OK, about, await inspect(settings.store.path))
    except StoreLocked:
        return Finding(
            Level.WARN,
            about,
            f"{settings.store.path} is in use, by a Ringback that runs already",
            "stop that one before starting another, or give this one its own [store] path",
        )
    except StoreError as error:
        return _worded(Level.FAIL, about, str(error))
