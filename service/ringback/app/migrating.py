"""Carries the store of a single machine into JetStream, or only makes the streams."""

import asyncio
from collections.abc import Callable, Generator
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import TextIO
from urllib.parse import quote

import msgspec

from ringback.app.migration import first_wanted, messages, org_of
from ringback.core.asides import is_aside
from ringback.errors import EngineForeign, SettingsError
from ringback.settings import Settings
from ringback.stores.jetstream.filling import Filling, Planned, Standing
from ringback.stores.sqlite import SqliteReader
from ringback.wire.cloudevents import Encoder
from ringback.wire.steps import encode_step

__all__ = ["migrate"]

AT_ONCE = 500
MEGABYTE = 1_000_000
ROOM = 0.8
"""As much of what the log of steps keeps may be filled: the rest is for what is to come."""
MESSAGE_BYTES = 120
"""What a message takes beside its body, about."""

Progress = Callable[[int, int], None]


class _Plan(msgspec.Struct):
    """What there is to write."""

    first: int
    entries: int
    total: int = 0
    conversations: int = 0
    size: int = 0
    last: Planned | None = None

    def take(self, planned: Planned) -> None:
        _, step = planned
        self.total += 1
        self.conversations += step.state is not None and not is_aside(step.key)
        self.size += len(encode_step(step)) + len(step.key) + MESSAGE_BYTES
        self.last = planned


async def migrate(
    settings: Settings,
    source: Path | None,
    out: TextIO,
    *,
    check: bool = False,
    history_hours: float | None = None,
    progress: Progress | None = None,
) -> None:
    """Carry over what is at `source`; without it only see that the streams are there.

    With `check` nothing is changed. Raises `StoreError` and `SettingsError`.
    """
    if settings.store.kind != "jetstream":
        raise SettingsError(
            "store.kind", f"{settings.store.kind} is no place to migrate to: set it to jetstream"
        )
    keep = settings.store.keep_journal_hours
    filling = await Filling.open(settings.jetstream, settings.source.org, keep)
    try:
        standing = await filling.look()
        if source is None:
            await _make(filling, standing, out, check=check)
            return
        with SqliteReader.open(source) as reader:
            await _Migration(settings, filling, reader, out).run(
                standing, check=check, history_hours=history_hours, progress=progress
            )
    finally:
        await filling.close()


async def _make(filling: Filling, standing: Standing, out: TextIO, *, check: bool) -> None:
    if check:
        found = "is there" if standing.there else "would be made"
        print(f"{filling.stream} {found}. Nothing was changed.", file=out)
        return
    await filling.prepare()
    print(f"{filling.stream} and what belongs to it are there.", file=out)


class _Migration:
    def __init__(
        self, settings: Settings, filling: Filling, reader: SqliteReader, out: TextIO
    ) -> None:
        self._org = settings.source.org
        self._partitions = settings.jetstream.partitions
        self._filling = filling
        self._reader = reader
        self._out = out

    async def run(
        self,
        standing: Standing,
        *,
        check: bool,
        history_hours: float | None,
        progress: Progress | None,
    ) -> None:
        self._refuse_another_organisation()
        plan = await asyncio.to_thread(self._plan, history_hours)
        self._say(
            f"{plan.conversations} conversations and {plan.entries} events:"
            f" {plan.total} messages, {plan.size / MEGABYTE:.1f} MB, into {self._filling.stream}"
            f" of {self._partitions} partitions."
        )
        if plan.size > ROOM * self._filling.most_bytes:
            raise SettingsError(
                "jetstream.most_megabytes",
                f"{plan.size / MEGABYTE:.0f} MB do not fit well into it: raise it, or carry less"
                " with --history-hours",
            )
        if await self._is_done(standing, plan):
            self._say("All of it is there already. Nothing was changed.")
            return
        if check:
            rest = f", {standing.steps} of them are there already" if standing.steps else ""
            self._say(f"It can be carried over{rest}. Nothing was changed.")
            return
        await self._filling.begin()
        await self._fill(standing.steps, plan, progress)
        await self._filling.finish()
        self._say(
            "Done. Start the daemons; keep the old store until you have seen that all is well."
        )

    def _plan(self, history_hours: float | None) -> _Plan:
        first = first_wanted(self._reader, history_hours)
        plan = _Plan(first, self._reader.kept.last - first + 1)
        for planned in self._messages(plan):
            plan.take(planned)
        return plan

    def _messages(self, plan: _Plan) -> Generator[Planned, None, None]:
        return messages(self._reader, self._partitions, Encoder(self._org), plan.first)

    async def _is_done(self, standing: Standing, plan: _Plan) -> bool:
        """Whether all is there. Raises `EngineForeign` when something else is."""
        begun, stream = standing.steps, self._filling.stream
        if not begun and not standing.inputs:
            return False
        if standing.begun and begun <= plan.total and not standing.inputs:
            reached = await asyncio.to_thread(self._message, plan, begun) if begun else None
            if reached is None or await self._filling.has(begun, reached):
                return False
            raise EngineForeign(
                stream,
                f"a migration into it was begun from another store, or another state of this one"
                f" ({begun} messages)",
                "migrate from that store, or give another jetstream.prefix",
            )
        if plan.last is not None and await self._filling.has(plan.total, plan.last):
            return True
        raise EngineForeign(
            stream,
            "it is in use: nothing is carried into what has callbacks of its own",
            "give another jetstream.prefix, or remove the streams if nobody needs them",
        )

    def _message(self, plan: _Plan, number: int) -> Planned:
        with closing(self._messages(plan)) as found:
            return next(islice(found, number - 1, None))

    async def _fill(self, done: int, plan: _Plan, progress: Progress | None) -> None:
        filling = self._filling
        filling.follow(done)
        with closing(self._messages(plan)) as found:
            rest = islice(found, done, None)
            while chunk := await asyncio.to_thread(lambda: list(islice(rest, AT_ONCE))):
                for planned in chunk:
                    await filling.put(planned)
                done += len(chunk)
                if progress is not None:
                    progress(done, plan.total)
            await filling.settle()

    def _refuse_another_organisation(self) -> None:
        found, ours = org_of(self._reader), f"/orgs/{quote(self._org, safe='')}"
        if found not in {None, ours}:
            raise SettingsError("source.org", f"the store's events are of {found}, not of {ours}")

    def _say(self, text: str) -> None:
        print(text, file=self._out)
