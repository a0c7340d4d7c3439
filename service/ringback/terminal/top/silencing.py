"""Asks for how long no receiver is to be told of an alert, and of which others like it."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import ClassVar, NamedTuple

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, RadioButton, RadioSet, Static

from ringback.terminal.answers import Alert
from ringback.terminal.link import Link
from ringback.terminal.words import at_second, line, rule_label, short

__all__ = ["Silence", "Silencing", "ends_from", "scopes_of"]

MORNING = 8
MOST_COMMENT = 500


class _Option(RadioButton):
    """One of several; its sign says whether it is chosen, for its colour might not be seen."""

    BUTTON_INNER = " "

    def watch_value(self) -> None:
        """Change the sign."""
        self.BUTTON_INNER = "x" if self.value else " "
        super().watch_value()


class Silence(NamedTuple):
    """What nobody is to be told of: alerts whose fields say this."""

    matchers: Mapping[str, str]
    until: datetime
    comment: str


class Silencing(ModalScreen[Silence | None]):
    """Two choices and a comment."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss", "Back")]
    DEFAULT_CSS = """
    Silencing { align: center middle; }
    Silencing Vertical { width: 66; height: auto; max-height: 100%; border: round $foreground;
        padding: 0 1; }
    Silencing Static { height: auto; }
    Silencing RadioSet, Silencing RadioSet:focus { width: 100%; border: none; padding: 0; }
    Silencing Input { border: none; height: 1; padding: 0; }
    """

    def __init__(self, link: Link, alert: Alert, queue: str) -> None:
        super().__init__()
        self._link = link
        self._scopes = scopes_of(alert, queue)
        self._ends = ends_from(link.shown())

    def compose(self) -> ComposeResult:
        """Lay it out."""
        now = self._link.shown()
        ends = [f"{words} {at_second(until, now, None)}" for words, until in self._ends]
        with Vertical():
            yield Static(
                line(("Silence", "bold"), ": no receiver is told; it is shown all the same")
            )
            yield _choice("what", [words for words, _ in self._scopes])
            yield Static(line(("For how long", "bold")))
            yield _choice("until", ends)
            yield Static(line(("Why", "bold")))
            yield Input(placeholder="for those who ask", id="why", max_length=MOST_COMMENT)
            yield Static(
                line(("Tab: next  Space: choose  Enter under Why: silence  Esc: back", "dim"))
            )

    def on_mount(self) -> None:
        """Begin at what is to be silenced."""
        self.query_one("#what", RadioSet).focus()

    @on(Input.Submitted)
    def _done(self, event: Input.Submitted) -> None:
        _, matchers = self._scopes[max(0, self.query_one("#what", RadioSet).pressed_index)]
        _, until = self._ends[max(0, self.query_one("#until", RadioSet).pressed_index)]
        _ = self.dismiss(Silence(matchers, until, event.value.strip()))


def _choice(name: str, options: Sequence[str]) -> RadioSet:
    """Offer one of several: the first, if not said otherwise."""
    buttons = (_Option(line(words), value=number == 0) for number, words in enumerate(options))
    return RadioSet(*buttons, id=name)


def scopes_of(alert: Alert, queue: str) -> Sequence[tuple[str, Mapping[str, str]]]:
    """Give what can be silenced, the least first: in words, and what fields must say."""
    name, rule = rule_label(alert.rule), {"rule": alert.rule}
    if alert.source:
        own = (f"{name}, of source {alert.source}", rule | {"source": alert.source})
    else:
        callback = rule | {"callback": alert.callback_id}
        own = (f"{name}, of callback {short(alert.callback_id)}", callback)
    scopes = [own]
    if alert.queue_id:
        scopes.append((f"{name}, in {queue}", rule | {"queue": alert.queue_id}))
    return [*scopes, (f"{name}, everywhere", rule)]


def ends_from(now: datetime) -> Sequence[tuple[str, datetime]]:
    """Give until when: in words, and the instant; tomorrow is this machine's."""
    tomorrow = now.astimezone() + timedelta(days=1)
    morning = tomorrow.replace(hour=MORNING, minute=0, second=0, microsecond=0)
    return [
        ("1 hour, until", now + timedelta(hours=1)),
        ("4 hours, until", now + timedelta(hours=4)),
        ("until tomorrow,", morning.astimezone(now.tzinfo)),
    ]
