"""Reads a file of rules, and checks each key where it stands."""

import tomllib
from collections.abc import Mapping
from datetime import time
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NoReturn
from zoneinfo import ZoneInfo, available_timezones

import msgspec

from ringback.core.watch.defaults import feed_rule_of
from ringback.core.watch.feed_kinds import FEED_KINDS
from ringback.core.watch.hours import WEEK, Hours
from ringback.core.watch.kinds import KINDS
from ringback.core.watch.rules import Filter, Rule, RuleSet, Severity
from ringback.errors import SettingsError
from ringback.settings.describing import A_NAME
from ringback.settings.loading import closest, shown
from ringback.settings.rules.durations import A_DURATION, parse_duration
from ringback.settings.rules.schema import TOP, HoursTable, Key, RuleTable, WhereTable, keys_of

__all__ = ["load_rules"]

FOR_CALLBACKS = frozenset({"where", "proof", "while_blind"})
"""Keys that mean nothing where a source is watched."""
TAKEN = ("alertname", "severity", "queue", "org", "callback_id")
"""Labels that every alert has."""

Table = Mapping[str, Any]
_KINDS = {*KINDS, *FEED_KINDS}


def load_rules(path: Path, built_in: RuleSet) -> RuleSet:
    """Read a file of rules on top of those that are built in.

    Raises `SettingsError` with file, rule and key, what was found and what is allowed.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError("watch.rules", f"{path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise SettingsError("watch.rules", f"{path} is not TOML: {error}") from error
    return _Reading(str(path), built_in).read(document)


class _Reading:
    """One file."""

    def __init__(self, file: str, built_in: RuleSet) -> None:
        self._file = file
        self._built_in = built_in
        self._patterns = {kind: feed_rule_of(kind) for kind in FEED_KINDS}
        self._patterns |= {rule.name: rule for rule in built_in.rules}
        self._hours: dict[str, Hours] = {}

    def read(self, document: Table) -> RuleSet:
        for key in document:
            if key not in TOP:
                self._refuse(key, f"there is no such key{closest(key, TOP)}")
        keep = document.get("built_in", True)
        if not isinstance(keep, bool):
            self._refuse("built_in", _not_allowed(keep, "true or false"))
        hours = document.get("hours", {})
        if not isinstance(hours, dict):
            self._refuse("hours", "is a table: write it as [hours.<name>]")
        for name, table in hours.items():
            self._hours[name] = self._read_hours(f"hours {name!r}", table)
        given = document.get("rule", [])
        if not isinstance(given, list):
            self._refuse("rule", "is a list of tables: write each as [[rule]]")
        rules = {rule.name: rule for rule in self._built_in.rules} if keep else {}
        places: dict[str, int] = {}
        for number, table in enumerate(given, 1):
            name, rule = self._read_rule(number, table)
            if name in places:
                self._refuse(
                    f"rule {name!r}",
                    f"there are two of that name, the {places[name]}. and"
                    f" the {number}. in the file; allowed: each name once",
                )
            places[name] = number
            if rule is not None:
                rules[name] = rule
            else:
                rules.pop(name, None)
        return RuleSet(rules.values())

    def _read_rule(self, number: int, table: object) -> tuple[str, Rule | None]:
        """Read one rule; None if it is not in force."""
        place = f"rule {number}"
        if isinstance(table, dict) and isinstance(table.get("name"), str):
            place = f"rule {shown(table['name'])}"
        given = self._read_table(place, table, RuleTable)
        if "name" not in given:
            self._refuse(place, f"it has no name; allowed: {A_NAME}")
        name = given.pop("name")
        rule = self._pattern(place, name, given.pop("kind", None))
        enabled = given.pop("enabled", True)
        for key in ("after", "sustained", "damping", "lasts"):
            if key in given:
                given[key] = self._duration(place, "for" if key == "sustained" else key, given[key])
        if "severity" in given:
            given["severity"] = Severity(given["severity"])
        about = FOR_CALLBACKS & given.keys() if rule.kind in FEED_KINDS else None
        if about:
            self._refuse(
                f"{place}: {min(about)}",
                f"{rule.kind} is about a source, and has none; allowed: rules about callbacks",
            )
        if "where" in given:
            where = self._read_table(f"{place}: where", given["where"], WhereTable)
            lists = {key: frozenset(v) for key, v in where.items() if isinstance(v, list)}
            given["where"] = Filter(**(where | lists))
        if "hours" in given:
            given["hours"] = self._hours_named(place, given["hours"])
        for label in given.get("labels", ()):
            if label in TAKEN:
                self._refuse(
                    f"{place}: labels: {label}",
                    f"every alert has that one; allowed: other names than {', '.join(TAKEN)}",
                )
        return name, msgspec.structs.replace(rule, name=name, **given) if enabled else None

    def _pattern(self, place: str, name: str, kind: str | None) -> Rule:
        """Give the built-in rule whose values a rule has where it gives none."""
        found = self._patterns.get(name)
        if found is None or kind not in {None, found.kind}:
            found = self._patterns.get(kind or name) if (kind or name) in _KINDS else None
        if found is None:
            wrong = f"{shown(kind)} cannot be watched"
            if kind is None:
                wrong = f"it is missing, and no kind is called {shown(name)}"
            self._refuse(f"{place}: kind", f"{wrong}; allowed: {', '.join(sorted(_KINDS))}")
        return found

    def _hours_named(self, place: str, name: str) -> Hours:
        if name not in self._hours:
            known = ", ".join(self._hours) or f"none: write a table [hours.{name}]"
            self._refuse(f"{place}: hours", f"there are no hours {shown(name)}; allowed: {known}")
        return self._hours[name]

    def _read_hours(self, place: str, table: object) -> Hours:
        given = self._read_table(place, table, HoursTable)
        for key in keys_of(HoursTable).values():
            if key.field not in given and key.name != "closed":
                self._refuse(f"{place}: {key.name}", f"it is missing; allowed: {key.allowed}")
        zone = given["time_zone"]
        try:
            found = ZoneInfo(zone)
        except (ValueError, OSError, KeyError):  # of the last two what is not found is one
            near = get_close_matches(zone, available_timezones(), n=1)
            meant = f"; did you mean {near[0]}?" if near else ""
            allowed = keys_of(HoursTable)["time_zone"].allowed
            self._refuse(
                f"{place}: time_zone", f"{shown(zone)} is not known{meant}; allowed: {allowed}"
            )
        closes = given["closes"]
        return Hours(
            days=frozenset(map(WEEK.index, given["days"])),
            opens=time.fromisoformat(given["opens"]),
            closes=time.fromisoformat("00:00" if closes == "24:00" else closes),
            zone=found,
            closed=frozenset(given.get("closed", ())),
        )

    def _read_table(
        self, place: str, table: object, struct: type[msgspec.Struct]
    ) -> dict[str, Any]:
        """Check the keys of a table and give their values, by the fields of its struct."""
        if not isinstance(table, dict):
            self._refuse(place, f"{_not_allowed(table, 'a table')}")
        keys = keys_of(struct)
        found = {}
        for name, value in table.items():
            key = keys.get(name)
            if key is None:
                self._refuse(f"{place}: {name}", f"there is no such key{closest(name, keys)}")
            found[key.field] = self._value(f"{place}: {name}", key, value)
        return found

    def _value(self, place: str, key: Key, value: object) -> object:
        if key.name == "where":
            return value  # its keys are read one by one
        try:
            return msgspec.convert(value, key.type)
        except msgspec.ValidationError:
            self._refuse(place, _not_allowed(value, key.allowed))

    def _duration(self, place: str, key: str, text: str) -> object:
        duration = parse_duration(text)
        if duration is None:
            self._refuse(f"{place}: {key}", _not_allowed(text, A_DURATION))
        return duration

    def _refuse(self, place: str, problem: str) -> NoReturn:
        raise SettingsError(f"{self._file}: {place}", problem) from None


def _not_allowed(value: object, allowed: str) -> str:
    return f"{shown(value)} is not allowed; allowed: {allowed}"
