"""Which queues are meant: patterns of names, ids and divisions, as settings give them."""

import re
from collections.abc import Callable, Iterator

from ringback.errors import SettingsError
from ringback.wire.inputs import Queue

__all__ = ["Patterns", "wild"]

Matcher = Callable[[Queue], bool]


class Patterns:
    """Two lists, separated by commas: what is meant (empty: everything) and what is not.

    An entry is a name with `*` and `?` as wildcards, `id:<id>` or `division:<name or id>`, in which
    they are wildcards, too. Upper and lower case are one. What is excepted is not meant, whatever
    else says it is.
    """

    def __init__(self, meant: str = "", excepted: str = "") -> None:
        """Read the lists. Raises `SettingsError` for an entry that means nothing."""
        self.meant = meant.strip()
        self.excepted = excepted.strip()
        self._meant = list(_matchers("genesys.queues", meant))
        self._excepted = list(_matchers("genesys.queues_except", excepted))

    def match(self, queue: Queue) -> bool:
        """Whether a queue is meant."""
        if any(matches(queue) for matches in self._excepted):
            return False
        return not self._meant or any(matches(queue) for matches in self._meant)


def _matchers(setting: str, text: str) -> Iterator[Matcher]:
    for entry in filter(None, map(str.strip, text.split(","))):
        kind, colon, rest = entry.partition(":")
        kind, rest = kind.strip().lower(), rest.strip()
        if not colon or kind not in {"id", "division"}:
            yield _name(wild(entry))
        elif not rest:
            raise SettingsError(setting, f"{entry!r} names nothing: write {kind}:<{kind}>")
        elif kind == "id":
            yield _id(rest.lower())
        else:
            yield _division(wild(rest))


def _name(pattern: re.Pattern[str]) -> Matcher:
    return lambda queue: pattern.fullmatch(queue.name or "") is not None


def _id(wanted: str) -> Matcher:
    return lambda queue: queue.id.lower() == wanted


def _division(pattern: re.Pattern[str]) -> Matcher:
    def matches(queue: Queue) -> bool:
        division = queue.division
        return division is not None and any(
            pattern.fullmatch(each) for each in (division.name, division.id) if each
        )

    return matches


def wild(text: str) -> re.Pattern[str]:
    """Compile a text in which only `*` and `?` are special: names may hold brackets."""
    parts = re.split(r"([*?])", text)
    wild = {"*": ".*", "?": "."}
    pattern = "".join(wild.get(part) or re.escape(part) for part in parts)
    return re.compile(pattern, re.IGNORECASE | re.DOTALL)
