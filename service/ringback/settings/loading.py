"""Reads settings: the file first, the environment on top, every value checked where it stands.

A variable is called `RINGBACK_SECTION__KEY`. A secret may instead be given as
`RINGBACK_SECTION__KEY_FILE`, the path of a file that holds it; one newline at its end is dropped.
Receivers are tables of a section, `[receivers.<name>]` and `RINGBACK_RECEIVERS__<NAME>__KEY`, and
their secrets may be given as `key_file` in the file too. What the command line gives goes on top of
both, and is checked alike.
"""

import difflib
import math
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from ringback.errors import SettingsError
from ringback.settings.cleanup import check_cleanup
from ringback.settings.describing import Secret
from ringback.settings.options import Option, options, receiver_options, section_types
from ringback.settings.platform import check_platform
from ringback.settings.reach import check_reach
from ringback.settings.receivers import RECEIVERS, check_receivers
from ringback.settings.schema import Settings

__all__ = ["closest", "load", "shown"]

PREFIX = "RINGBACK_"
SHORTEST_HASH_KEY = 16
SHORTEST_SESSION_KEY = 32
LONGEST_SHOWN = 60


def load(
    path: Path | None, environ: Mapping[str, str], arguments: Mapping[str, object] | None = None
) -> Settings:
    """Read `path` (None: no file) and what `environ` says on top of it, and `arguments` on both.

    `arguments` are by dotted path, as in `simulator.seed` for --seed; None stands for not given.
    Raises `SettingsError` with the option's dotted path, what was found (never a secret) and what
    is allowed. Relative paths inside settings are left as they are. Who gives a client of Genesys
    Cloud and no source.kind means that one.
    """
    document = _read(path) if path else {}
    known = {option.path: option for option in options()}
    for name in dict.fromkeys([*_tables(document), *_named(environ)]):
        known |= {option.path: option for option in receiver_options(name)}
    values = _from_file(document, known)
    values |= _from_environment(environ, known)
    values |= _from_arguments(arguments or {}, known)
    if values.get("genesys.client_id"):
        values.setdefault("source.kind", "genesys")
    sections: dict[str, dict[str, Any]] = {}
    for option in known.values():
        section, _, name = option.section.partition(".")
        keys = sections.setdefault(section, {})
        if name:
            keys = keys.setdefault(name, {})
        if option.path in values:
            keys[option.key] = values[option.path]
    settings = msgspec.convert(sections, Settings)
    _check(settings)
    return settings


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(str(path), f"cannot be read: {error.strerror}") from error
    except ValueError as error:  # not TOML, or not UTF-8; neither text quotes the content
        raise SettingsError(str(path), f"is not TOML: {error}") from error


def _tables(document: Mapping[str, Any]) -> Mapping[str, Any]:
    """Give the tables of receivers, by name."""
    found = document.get(RECEIVERS, {})
    if not isinstance(found, dict):
        raise SettingsError(RECEIVERS, f"holds tables: write each below [{RECEIVERS}.<name>]")
    return found


def _named(environ: Mapping[str, str]) -> Iterator[str]:
    """Give the names of receivers that variables are about."""
    begin = f"{PREFIX}{RECEIVERS.upper()}__"
    for variable in environ:
        name, _, key = variable.removeprefix(begin).partition("__")
        if variable.startswith(begin) and key:
            yield name.lower()


def _from_file(document: Mapping[str, Any], known: Mapping[str, Option]) -> dict[str, Any]:
    sections = section_types()
    found = {name: keys for name, keys in document.items() if name != RECEIVERS}
    values: dict[str, Any] = {}
    for section, keys in found.items():
        if section not in sections:
            names = [*sections, RECEIVERS]
            raise SettingsError(section, f"there is no such section{closest(section, names)}")
        values |= _from_section(section, keys, known)
    for name, keys in _tables(document).items():
        section = f"{RECEIVERS}.{name}"
        values |= _from_section(section, _with_secrets(section, keys, known), known)
    return values


def _from_section(section: str, keys: object, known: Mapping[str, Option]) -> dict[str, Any]:
    if not isinstance(keys, dict):
        raise SettingsError(section, f"is a section: write its keys below [{section}]")
    values = {}
    for key, value in keys.items():
        option = known.get(f"{section}.{key}")
        if option is None:
            mine = [each.key for each in known.values() if each.section == section]
            raise SettingsError(f"{section}.{key}", f"there is no such key{closest(key, mine)}")
        values[option.path] = _convert(option, value, option.path, strict=True)
    return values


def _with_secrets(section: str, keys: object, known: Mapping[str, Option]) -> object:
    """Read the files that a table names for its secrets."""
    if not isinstance(keys, dict):
        return keys
    given = dict(keys)
    for option in known.values():
        name = f"{option.key}_file"
        if option.section == section and option.secret and name in given:
            path = given.pop(name)
            if option.key in given:
                raise SettingsError(f"{section}.{name}", f"{option.key} is set too; keep one")
            given[option.key] = _read_secret(f"{section}.{name}", str(path))
    return given


def _from_environment(environ: Mapping[str, str], known: Mapping[str, Option]) -> dict[str, Any]:
    variables = {option.variable: option for option in known.values()}
    files = {f"{option.variable}_FILE": option for option in known.values() if option.secret}
    values = {}
    for variable in sorted(name for name in environ if name.startswith(PREFIX)):
        given = environ[variable]
        if option := variables.get(variable):
            values[option.path] = _convert(option, given, variable, strict=False)
        elif option := files.get(variable):
            if option.variable in environ:
                raise SettingsError(variable, f"{option.variable} is set too; keep one of them")
            values[option.path] = _convert(option, _read_secret(variable, given), variable)
        elif "__" in variable or _meant(variable, variables):
            raise SettingsError(
                variable, f"there is no such setting{closest(variable, [*variables, *files])}"
            )
    return values


def _from_arguments(arguments: Mapping[str, object], known: Mapping[str, Option]) -> dict[str, Any]:
    return {
        path: _convert(known[path], value, f"--{known[path].key}")
        for path, value in arguments.items()
        if value is not None
    }


def _meant(variable: str, variables: Iterable[str]) -> bool:
    """Whether a setting's name lacks only its second underscore."""
    return any(variable == each.replace("__", "_") for each in variables)


def _read_secret(variable: str, path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").removesuffix("\n")
    except OSError as error:
        raise SettingsError(variable, f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError:
        # Without its cause: that would carry the content.
        raise SettingsError(variable, f"{path} does not hold UTF-8 text") from None


def _convert(option: Option, value: object, place: str, *, strict: bool = True) -> object:
    """Check one value. `place` is where it was given; `strict` is off for the environment."""
    if option.secret:
        if isinstance(value, str):
            return Secret(value)
        raise SettingsError(place, f"this is not a text; allowed: {option.allowed}")
    try:
        converted = msgspec.convert(value, option.type, strict=strict)
    except msgspec.ValidationError as error:
        raise SettingsError(place, _refused(value, option)) from error
    if isinstance(converted, float) and not math.isfinite(converted):
        raise SettingsError(place, _refused(value, option))
    return converted


def _check(settings: Settings) -> None:
    """Check what one option alone cannot tell."""
    source = settings.source
    if source.kind == "websocket" and not source.url.reveal().startswith(("ws://", "wss://")):
        raise SettingsError("source.url", "source.kind websocket needs a ws:// or wss:// address")
    if source.kind == "recording" and not source.path:
        raise SettingsError("source.path", "source.kind recording needs the file to read")
    if source.kind == "genesys":
        check_platform(settings.genesys)
    if source.reconnect_first_seconds > source.reconnect_most_seconds:
        raise SettingsError(
            "source.reconnect_first_seconds",
            f"{source.reconnect_first_seconds} is more than source.reconnect_most_seconds,"
            f" {source.reconnect_most_seconds}",
        )
    check_cleanup(settings.cleanup)
    check_receivers(settings.receivers)
    if not settings.store.path:
        raise SettingsError("store.path", "names no file")
    key = settings.privacy.hash_key
    if key and len(key.reveal()) < SHORTEST_HASH_KEY:
        raise SettingsError("privacy.hash_key", f"is shorter than {SHORTEST_HASH_KEY} characters")
    key = settings.web.session_key
    if key and len(key.reveal()) < SHORTEST_SESSION_KEY:
        raise SettingsError("web.session_key", f"is shorter than {SHORTEST_SESSION_KEY} characters")
    check_reach(settings.web)


def _refused(value: object, option: Option) -> str:
    return f"{shown(value)} is not allowed; allowed: {option.allowed}"


def shown(value: object) -> str:
    """Give a value as an error shows it."""
    text = repr(value)
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}…"


def closest(name: str, names: Iterable[str]) -> str:
    """Suggest a name, or list all."""
    names = list(names)
    found = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    return f"; did you mean {found[0]}?" if found else f"; known: {', '.join(names)}"
