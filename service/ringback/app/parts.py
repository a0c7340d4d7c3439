"""Makes of settings what more than one command needs, or what stands on its own."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TextIO

import structlog

from ringback.core.policy import Policy
from ringback.core.watch.defaults import built_in
from ringback.core.watch.rules import RuleSet
from ringback.errors import SettingsError
from ringback.ports import Sink, Store
from ringback.settings import Settings
from ringback.settings.rules import load_rules
from ringback.sinks.console import Console
from ringback.sinks.recording import RecordingWriter
from ringback.sinks.stdout import JsonLines
from ringback.stores.memory import MemoryStore
from ringback.stores.sqlite import SqliteStore
from ringback.wire.decode import Decoder
from ringback.wire.privacy import Privacy

__all__ = [
    "beside_the_store",
    "make_decoder",
    "make_policy",
    "make_recording",
    "make_rules",
    "make_sinks",
    "make_store",
    "make_writer",
]

log = structlog.get_logger(__name__)


def make_policy(settings: Settings) -> Policy:
    """Make what people may set of the core's decisions."""
    return Policy(
        due_grace=timedelta(seconds=settings.watch.due_grace_seconds),
        not_dialled=timedelta(seconds=settings.watch.not_dialled_seconds),
        unverified_patience=timedelta(seconds=settings.watch.unverified_seconds),
        keep_ended=timedelta(hours=settings.store.keep_ended_hours),
        numbers_kept=settings.privacy.numbers or bool(settings.privacy.hash_key.reveal()),
    )


def make_rules(settings: Settings, path: Path | None = None) -> RuleSet:
    """Make what is alarming: of that file of rules, else of the one in the settings if any.

    Raises `SettingsError`.
    """
    policy = make_policy(settings)
    ours = built_in(policy.due_grace, policy.not_dialled)
    if path is None and settings.watch.rules:
        path = Path(settings.watch.rules)
    return ours if path is None else load_rules(path, ours)


def make_decoder(settings: Settings) -> Decoder:
    """Make what understands frames, and lets through of people what it may."""
    privacy = settings.privacy
    key = privacy.hash_key.reveal().encode() or None
    return Decoder(
        Privacy(numbers=privacy.numbers, names=privacy.names, hash_key=key),
        settings.source.max_frame_bytes,
    )


async def make_store(settings: Settings) -> Store:
    """Open the store. Raises `StoreError`."""
    keep_journal = timedelta(hours=settings.store.keep_journal_hours)
    match settings.store.kind:
        case "sqlite":
            return await SqliteStore.open(settings.store.path, keep_journal)
        case "memory":
            return MemoryStore(keep_journal)
        case "jetstream":
            raise NotImplementedError  # refused before


def make_sinks(settings: Settings, out: TextIO) -> dict[str, Sink]:
    """Make who is told, by name; `out` is standard output."""
    kind = settings.sinks.stdout
    if kind == "auto":
        kind = "console" if out.isatty() else "json"
    match kind:
        case "console":
            return {"stdout": Console(out, color=out.isatty())}
        case "json":
            return {"stdout": JsonLines(out)}
        case _:
            return {}


@contextmanager
def beside_the_store(settings: Settings) -> Iterator[Path]:
    """Give the folder for frames that cannot be understood; they last as long as the store does."""
    if settings.store.kind != "memory":
        yield Path(settings.store.path).parent
        return
    try:
        folder = TemporaryDirectory(prefix="ringback-")
    except OSError as error:
        raise SettingsError(
            "store.kind",
            f"memory needs a temporary directory for bad frames ({error.strerror}): set TMPDIR",
        ) from None
    with folder as name:
        yield Path(name)


def make_recording(settings: Settings) -> RecordingWriter | None:
    """Begin the recording, if one is wished. Raises `SettingsError`."""
    record = settings.record
    if not record.path:
        return None
    return make_writer(
        Path(record.path), record.most_megabytes * 1024 * 1024, timedelta(days=record.most_days)
    )


def make_writer(
    path: Path, most_bytes: int, most_age: timedelta, setting: str = "record.path"
) -> RecordingWriter:
    """Begin a recording; `setting` says where its path is. Raises `SettingsError`."""

    def stopped(error: OSError) -> None:
        log.error("recording_stopped", path=str(path), error=error.strerror)

    return RecordingWriter(
        path, most_bytes=most_bytes, most_age=most_age, on_stop=stopped, setting=setting
    )
