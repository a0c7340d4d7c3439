"""A list with a cursor: of ten thousand lines only those in sight are drawn."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import ClassVar

from rich.cells import set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from ringback.terminal.words import Part, clean

__all__ = ["Cell", "Listing", "cell"]

Cell = tuple[str, str]
"""A text, as wide as it is to be, and its style."""

Draw = Callable[[str, int], Sequence[Cell]]
Head = Callable[[int], Sequence[Cell]]

HEAD_LINES = 1


def cell(part: Part, width: int, *, right: bool = False) -> Cell:
    """Bring a text to a width."""
    text, style = (part, "") if isinstance(part, str) else part
    text = clean(text)
    if right and len(text) < width:
        text = text.rjust(width)
    return set_cell_size(text, width), style


class Listing(ScrollView, can_focus=True):
    """Lines by key, below a head that stays.

    Until somebody moves it, the cursor stays on the first line; then it follows what it is on.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,j", "move(1)", "Down", show=False),
        Binding("up,k", "move(-1)", "Up", show=False),
        Binding("pagedown,space", "page(1)", "Page down", show=False),
        Binding("pageup", "page(-1)", "Page up", show=False),
        Binding("home,g", "first", "First", show=False),
        Binding("end,G", "last", "Last", show=False),
        Binding("enter", "open", "Open", show=False),
    ]
    DEFAULT_CSS = "Listing { height: 1fr; scrollbar-size-vertical: 1; overflow-x: hidden; }"

    class Opened(Message):
        """Somebody wants to see one of them."""

        def __init__(self, key: str) -> None:
            super().__init__()
            self.key = key

    class Moved(Message):
        """The cursor is somewhere else."""

    class HeadClicked(Message):
        """Somebody clicked into the head."""

        def __init__(self, column: int) -> None:
            super().__init__()
            self.column = column

    def __init__(self, draw: Draw, head: Head, *, id: str) -> None:  # noqa: A002  # Textual's name
        super().__init__(id=id)
        self._draw = draw
        self._head = head
        self._keys: Sequence[str] = ()
        self._at = 0
        self._held = False
        """Whether somebody has put the cursor where it is."""
        self._key: str | None = None
        self.dimmed = False

    @property
    def chosen(self) -> str | None:
        """The key under the cursor."""
        return self._keys[self._at] if self._keys else None

    def put(self, keys: Sequence[str]) -> None:
        """Show other lines; the cursor goes where its line went, and what is in sight with it."""
        self._keys = keys
        if self._held and self._key is not None and self._key in set(keys):
            self._go(keys.index(self._key), follow=self._in_sight())
        else:
            # What was under it is gone: the next one has come into its place.
            self._go(self._at if self._held else 0, follow=self._held)
        self.virtual_size = Size(0, len(keys) + HEAD_LINES)
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """Draw one line of what is in sight."""
        width = self.scrollable_content_region.width
        if y == 0:
            return _strip(self._head(width), width, "bold underline")
        number = int(self.scroll_offset.y) + y - HEAD_LINES
        if number >= len(self._keys):
            return Strip.blank(width)
        style = "reverse" if number == self._at and self.has_focus else ""
        cells = self._draw(self._keys[number], width)
        return _strip(cells, width, f"{style} dim" if self.dimmed else style)

    def action_move(self, lines: int) -> None:
        """Go some lines down."""
        self._put_cursor(self._at + lines)

    def action_page(self, pages: int) -> None:
        """Go some pages down."""
        self._put_cursor(self._at + pages * max(1, self.size.height - HEAD_LINES))

    def action_first(self) -> None:
        """Go to the first line, and stay there."""
        self._put_cursor(0)
        self._held = False

    def action_last(self) -> None:
        """Go to the last line."""
        self._put_cursor(len(self._keys) - 1)

    def action_open(self) -> None:
        """Open what is under the cursor."""
        if self.chosen is not None:
            self.post_message(self.Opened(self.chosen))

    def on_click(self, event: events.Click) -> None:
        """Put the cursor where the mouse is; on what is chosen already, open it."""
        line = event.y
        if line < HEAD_LINES:
            self.post_message(self.HeadClicked(event.x))
            return
        number = int(self.scroll_offset.y) + line - HEAD_LINES
        if number >= len(self._keys):
            return
        if number == self._at and self._held:
            self.action_open()
        self._put_cursor(number)

    def _put_cursor(self, number: int) -> None:
        self._held = True
        self._go(number, follow=True)
        self.refresh()
        self.post_message(self.Moved())

    def _go(self, number: int, *, follow: bool) -> None:
        self._at = max(0, min(number, len(self._keys) - 1))
        self._key = self.chosen
        if follow:
            # The head covers the uppermost line of what is scrolled to.
            self.scroll_to_region(
                Region(0, self._at, 1, 1 + HEAD_LINES), animate=False, immediate=True, force=True
            )

    def _in_sight(self) -> bool:
        top = int(self.scroll_offset.y)
        return top <= self._at < top + max(1, self.size.height - HEAD_LINES)


def _strip(cells: Sequence[Cell], width: int, style: str) -> Strip:
    segments = []
    for number, (text, own) in enumerate(cells):
        segments.append(Segment(f"{text} " if number < len(cells) - 1 else text, _of(own, style)))
    return Strip(segments).adjust_cell_length(width, _of("", style))


@lru_cache(maxsize=256)
def _of(own: str, over: str) -> Style:
    return Style.parse(f"{own} {over}".strip() or "none")
