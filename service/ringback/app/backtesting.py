"""`ringback backtest`: rules on trial over recordings."""

from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path
from typing import TextIO

import msgspec
from rich.console import Console

from ringback.app.parts import make_decoder, make_policy, make_rules
from ringback.backtest.findings import Comparison, Findings, compare
from ringback.backtest.page import page
from ringback.backtest.tables import show
from ringback.backtest.trial import Trial
from ringback.errors import RecordingError
from ringback.runtime.replay import Replay
from ringback.settings import Settings
from ringback.sources.recording import read_recordings

__all__ = ["Backtest", "backtest", "tell"]


PIPED_WIDTH = 140
"""Columns where nobody says how many there are."""
IN_FORCE = "the rules in force"
"""What is tried when no file of rules is named."""


class Backtest(msgspec.Struct, frozen=True, rename="camel"):
    """What came of a trial."""

    found: list[Findings]
    """One for each set of rules; empty if there was nothing to watch."""
    comparison: Comparison | None
    """Of two sets."""
    queues: dict[str, str]
    """The names of queues by id, as far as the recordings tell them."""
    skipped: int


def backtest(
    settings: Settings,
    rules: Iterable[Path],
    paths: Iterable[Path],
    until: datetime | None,
    complain: Callable[[RecordingError], None],
) -> Backtest:
    """Try one or two files of rules; none: those that the settings name, else the built-in ones.

    `complain` is told of each thing in the recordings that was skipped. Raises `SettingsError`.
    """
    sets = {str(path): make_rules(settings, path) for path in rules}
    trial = Trial(sets or {IN_FORCE: make_rules(settings)}, make_policy(settings))
    player = Replay(trial.tracker, make_decoder(settings), trial.tell, complain)
    player.run(trial.watched(read_recordings(paths)), until)
    found = trial.findings(until)
    both = compare(*found) if len(found) == 2 else None  # noqa: PLR2004  # as many as are compared
    return Backtest(found, both, trial.queues, player.counts["skipped"])


def tell(outcome: Backtest, out: TextIO, *, as_json: bool, html: TextIO | None) -> None:
    """Write what came of a trial: JSON or tables on `out`, and the report if one is wished."""
    if html is not None:
        html.write(page(outcome.found, outcome.comparison, outcome.queues))
    if as_json:
        out.write(msgspec.json.format(msgspec.json.encode(outcome)).decode() + "\n")
    elif outcome.found:
        console = Console(file=out, highlight=False, width=None if out.isatty() else PIPED_WIDTH)
        show(console, outcome.found, outcome.comparison, outcome.queues)
    else:
        out.write("The recordings hold nothing to watch.\n")
