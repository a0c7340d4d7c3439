"""Sessions of browsers: a signed cookie that says which token it was begun with, and until when.

The key and the sessions that were ended before their time are in one private file, so that a
restart ends no session and revives none.
"""

import asyncio
import base64
import binascii
import hashlib
import hmac
import os
import secrets
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

import msgspec

from ringback.errors import AuditError, SettingsError

__all__ = ["Session", "Sessions"]

KEY_BYTES = 32
ID_BYTES = 16
MOST_ENDED = 1000
"""Ended sessions remembered; one more, and the key is changed, which ends all. A shared key is not
for one process to change: with it all are remembered until they would have ended."""
LONGEST_COOKIE = 512


class Session(msgspec.Struct, frozen=True, array_like=True):
    """What the cookie says. Not secret from whoever holds it, and not to be changed by them."""

    id: bytes
    mark: bytes
    """Of the token it was begun with: when that goes, so does the session."""
    until: int
    """Seconds since the epoch."""


class _Kept(msgspec.Struct, frozen=True):
    key: bytes
    ended: dict[str, int] = {}
    """Sessions that were ended, by id in hexadecimal, and when they would have ended."""


class Sessions:
    """Begins, knows and ends sessions."""

    def __init__(self, path: Path, lifetime: timedelta, shared_key: str = "") -> None:
        """Keep what has to outlive a restart at `path`. Raises `SettingsError`.

        With a key that others have too, a session that was begun with one of them is known here.
        """
        self.lifetime = lifetime
        self._shared = hashlib.sha256(shared_key.encode()).digest() if shared_key else None
        self._path = path
        self._writing = asyncio.Lock()
        try:
            self._kept = _read(path)
        except OSError as error:
            raise SettingsError("store.path", f"{path}: {error.strerror}") from None

    def begin(self, digest: bytes, now: datetime) -> str:
        """Begin one with the token of a hash; give the cookie's text."""
        until = int((now + self.lifetime).timestamp())
        session = Session(secrets.token_bytes(ID_BYTES), self._sign(digest), until)
        content = msgspec.msgpack.encode(session)
        return f"{_text(content)}.{_text(self._sign(content))}"

    def find(self, cookie: str, now: datetime) -> Session | None:
        """Give the session that a cookie stands for, if it is one of ours and still lasts."""
        content, _, signature = cookie.partition(".")
        if len(cookie) > LONGEST_COOKIE or not signature:
            return None
        try:
            packed = _bytes(content)
            if not hmac.compare_digest(self._sign(packed), _bytes(signature)):
                return None
            session = msgspec.msgpack.decode(packed, type=Session)
        except (binascii.Error, ValueError):
            return None
        return session if self.lasts(session, now) else None

    def lasts(self, session: Session, now: datetime) -> bool:
        """Whether a session has neither run out nor been ended."""
        if not now.timestamp() < session.until <= (now + self.lifetime).timestamp():
            return False
        return session.id.hex() not in self._kept.ended

    def of(self, session: Session, digest: bytes) -> bool:
        """Whether a session was begun with the token of a hash."""
        return hmac.compare_digest(session.mark, self._sign(digest))

    async def end(self, session: Session, now: datetime) -> None:
        """End a session, for good. Raises `AuditError` if that cannot be kept over a restart."""
        async with self._writing:
            ended = {
                each: until for each, until in self._kept.ended.items() if until > now.timestamp()
            }
            ended[session.id.hex()] = session.until
            key = self._kept.key
            if len(ended) > MOST_ENDED and self._shared is None:
                key, ended = secrets.token_bytes(KEY_BYTES), {}
            self._kept = _Kept(key, ended)
            try:
                await asyncio.to_thread(_write, self._path, self._kept)
            except OSError as error:
                raise AuditError(f"{self._path}: {error.strerror}") from None

    def _sign(self, content: bytes) -> bytes:
        return hmac.digest(self._shared or self._kept.key, content, "sha256")


def _read(path: Path) -> _Kept:
    """Read the file; begin anew if there is none, or none that can be understood."""
    with suppress(FileNotFoundError):
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        with os.fdopen(file, "rb") as opened:
            os.fchmod(file, 0o600)
            with suppress(msgspec.DecodeError):
                kept = msgspec.json.decode(opened.read(), type=_Kept)
                if len(kept.key) == KEY_BYTES:
                    return kept
    kept = _Kept(secrets.token_bytes(KEY_BYTES))
    _write(path, kept)
    return kept


def _write(path: Path, kept: _Kept) -> None:
    """Replace the file by a whole one, for the owner alone."""
    beside = path.with_name(f"{path.name}.new")
    beside.unlink(missing_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(beside, flags, 0o600), "wb") as file:
        file.write(msgspec.json.encode(kept))
        file.flush()
        os.fsync(file.fileno())
    beside.rename(path)


def _text(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def _bytes(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
