"""Bearer tokens: a private file, one line each, `role name token`.

The text of a token is forgotten as soon as it is read; what stays is its hash.
"""

import hashlib
import hmac
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

import msgspec

from ringback.errors import SettingsError
from ringback.web.visitors import Role, Visitor

__all__ = ["Token", "Tokens", "read_tokens"]

SETTING = "web.tokens"
SHORTEST = 32
LONGEST = 512
MOST_BYTES = 64 * 1024
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
TEXT = re.compile(r"[\x21-\x7e]+")
FORM = "a line is: role name token"
ROLES = ", ".join(Role)


class Token(msgspec.Struct, frozen=True):
    """One token, without its text."""

    visitor: Visitor
    digest: bytes


class Tokens:
    """All that are good."""

    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens

    def __len__(self) -> int:
        return len(self._tokens)

    def __iter__(self) -> Iterator[Token]:
        return iter(self._tokens)

    def find(self, text: str) -> Token | None:
        """Give the token of this text, in a time that tells nothing of how near it is."""
        digest = _digest(text)
        found = None
        for token in self._tokens:
            if hmac.compare_digest(token.digest, digest):
                found = token
        return found

    def known(self, digest: bytes) -> Token | None:
        """Give the token of a hash as it is in the file now."""
        return next((one for one in self._tokens if one.digest == digest), None)


def read_tokens(path: Path) -> Tokens:
    """Read the file. Raises `SettingsError`, which names lines, never what they hold."""
    text = _read(path)
    tokens: list[Token] = []
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip() and not line.lstrip().startswith("#"):
            token = _token(line, f"{path}:{number}")
            if any(token.digest == other.digest for other in tokens):
                raise SettingsError(SETTING, f"{path}:{number}: this token is there already")
            tokens.append(token)
    if not tokens:
        raise SettingsError(SETTING, f"{path} holds no token; {FORM}")
    return Tokens(tokens)


def _read(path: Path) -> str:
    try:
        # Not waiting, in case it is a pipe.
        file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(file, "rb") as opened:
            _check_mode(path, os.fstat(file).st_mode)
            content = opened.read(MOST_BYTES + 1)
    except OSError as error:
        raise SettingsError(SETTING, f"{path} cannot be read: {error.strerror}") from None
    if len(content) > MOST_BYTES:
        raise SettingsError(SETTING, f"{path} is larger than {MOST_BYTES} bytes")
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise SettingsError(SETTING, f"{path} does not hold UTF-8 text") from None


def _check_mode(path: Path, mode: int) -> None:
    if not stat.S_ISREG(mode):
        raise SettingsError(SETTING, f"{path} is no plain file")
    if mode & stat.S_IRWXO:
        raise SettingsError(
            SETTING, f"{path} is open to every user of this machine: chmod 600 {path}"
        )


def _token(line: str, place: str) -> Token:
    parts = line.split()
    if len(parts) != 3:  # noqa: PLR2004  # role, name, token
        raise SettingsError(SETTING, f"{place}: {FORM}; this one has {len(parts)} parts")
    role, name, text = parts
    if role not in list(Role):
        raise SettingsError(SETTING, f"{place}: there is no such role; known: {ROLES}")
    if not NAME.fullmatch(name):
        raise SettingsError(
            SETTING,
            f"{place}: the name is not allowed; allowed: 1 to 64 letters, digits, dots, dashes and"
            " underscores, a letter or digit first",
        )
    if not SHORTEST <= len(text) <= LONGEST or not TEXT.fullmatch(text):
        raise SettingsError(
            SETTING,
            f"{place}: the token is not allowed; allowed: {SHORTEST} to {LONGEST} characters of"
            " ASCII, as `openssl rand -hex 32` makes them",
        )
    return Token(Visitor(name, Role(role)), _digest(text))


def _digest(text: str) -> bytes:
    # A plain hash will do: of 32 random characters nobody tries them all.
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
