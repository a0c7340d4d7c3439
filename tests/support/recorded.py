"""Recorded messages of the logs, of this and earlier formats: what machines of two versions share.

`python -P -m support.recorded` writes those of the present format anew. Once a version has been
given out, its folder is never written again: another format gets a folder of its own.
"""

import base64
from collections.abc import Iterator
from datetime import timedelta
from functools import singledispatch
from pathlib import Path
from typing import Any

import msgspec

from ringback.core.lifecycle import State
from ringback.core.policy import Policy
from ringback.core.snapshots import Snapshot
from ringback.core.surveys import Place, Survey
from ringback.core.watch.feed_kinds import Pulse
from ringback.core.watch.silences import SILENCE
from ringback.ports import Step
from ringback.simulator.options import Options
from ringback.stores.jetstream.streams import FORMAT
from ringback.wire import log
from ringback.wire.inputs import Acknowledge, BeginSilence, EndSilence, MatcherText, encode_deed
from ringback.wire.steps import StepBody, decode_step, encode_step
from support.book import Book
from support.callbacks import at

__all__ = ["FOLDER", "PRESENT", "Recorded", "formats", "read"]

FOLDER = Path(__file__).parents[1] / "data" / "log"
PRESENT = FOLDER / f"format-{FORMAT}"
INPUTS = "inputs.jsonl"
STEPS = "steps.jsonl"
MOST_SNAPSHOTS = 6
MOST_STEPS = 24


class Recorded(msgspec.Struct):
    """One message, and what it means."""

    body: bytes
    """In the file as base64."""
    means: Any
    """As it was decoded by the version that wrote it, in JSON."""


def formats() -> list[Path]:
    """Give the folder of every format there has been."""
    return sorted(FOLDER.iterdir())


def read(path: Path) -> list[Recorded]:
    """Read a file of recorded messages."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return [msgspec.json.decode(line, type=Recorded) for line in lines]


@singledispatch
def meaning(message: Any) -> Any:
    """Give what a decoded message means, as JSON has it."""
    return msgspec.json.decode(msgspec.json.encode(message))


@meaning.register
def _(step: StepBody) -> Any:
    # Bytes are left out: the states' own meaning is tested through the tracker.
    return [step.key, step.wake_at, step.reached, len(step.events), step.subjects]


def _inputs(book: Book) -> Iterator[log.Message]:
    """Give at least one of every kind, with all that it can hold."""
    seen = [put.message for put in book.logs.inputs if isinstance(put.message, log.Seen)]
    settled = [put.message for put in book.logs.inputs if isinstance(put.message, log.Settled)]
    chosen = seen[:: len(seen) // MOST_SNAPSHOTS]
    yield from chosen
    yield from settled[:: book.partitions]
    read: Snapshot = msgspec.structs.replace(chosen[0].snapshot, read_at=at(60))
    yield log.Seen(read, at(60.5))
    place = Place("c-1", frozenset({State.WAITING}), "queue-1", "user-1")
    yield log.Surveyed(Survey(at(61), at(53), [read], [place]), at(61.5))
    yield log.ReadFailed("c-1")
    topics = ["v2.routing.queues.queue-1.conversations"]
    yield log.Hearing("a-1", "connected", topics=topics, reads=True)
    yield log.Hearing("a-1", "disconnected", "cut", at(62), topics, reads=True)
    yield log.Follows("a-1", ["queue-1", "queue-2"])
    yield log.Alive("a-1", 17, 1)
    yield log.Beaten("a-1", Pulse(at(63), at(64), timedelta(seconds=1.5)))
    matchers = [MatcherText("rule", "late", prefix=True)]
    for deed in (
        Acknowledge("c-1/late/1", "ann"),
        BeginSilence(matchers, at(3600), "ann", "works", f"{SILENCE}1"),
        EndSilence(f"{SILENCE}1", "ann"),
    ):
        yield log.Done(encode_deed(deed))
    yield log.Tick()


def _steps(book: Book) -> Iterator[StepBody]:
    """Give steps of whole lives, the asides, and one that says that a row is gone."""
    steps = book.logs.steps
    of_row: dict[str, list[Step]] = {}
    for step in steps:
        of_row.setdefault(step.row.conversation_id, []).append(step)
    longest = sorted(of_row.values(), key=lambda each: -len(each))
    chosen = [step for each in longest for step in each][:MOST_STEPS]
    chosen += [each[-1] for key, each in of_row.items() if key.startswith("~")]
    for step in sorted(chosen, key=lambda each: each.sequence):
        row = step.row
        yield StepBody(
            row.conversation_id, row.state, row.wake_at, step.reached, step.events, step.subjects
        )
    yield StepBody("c-gone", None, None, 17)


def _write(path: Path, bodies: Iterator[tuple[bytes, Any]]) -> None:
    lines = [
        msgspec.json.encode({"body": base64.b64encode(body).decode(), "means": means}).decode()
        for body, means in bodies
    ]
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def main() -> None:
    """Record the present format."""
    options = Options(arrivals_per_minute=20, speed=20, warm_up=timedelta(0))
    book = Book(2, 3, options, Policy(due_grace=timedelta(seconds=1)))
    book.play(40)
    PRESENT.mkdir(parents=True, exist_ok=True)
    inputs = map(log.encode_message, _inputs(book))
    _write(PRESENT / INPUTS, ((body, meaning(log.decode_message(body))) for body in inputs))
    steps = map(encode_step, _steps(book))
    _write(PRESENT / STEPS, ((body, meaning(decode_step(body))) for body in steps))


if __name__ == "__main__":
    main()
