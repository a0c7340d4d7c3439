"""Knows visitors: by a bearer token, by a session, or because nobody has to say who they are."""

import asyncio
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import msgspec
import structlog

from ringback.errors import SettingsError
from ringback.ports import Clock
from ringback.web.access.sessions import Session, Sessions
from ringback.web.access.throttle import Throttle
from ringback.web.access.tokens import Token, Tokens, read_tokens
from ringback.web.connection import connection_of
from ringback.web.files import version_of
from ringback.web.heads import address_of, header
from ringback.web.visitors import LOCAL, Visitor

__all__ = ["Access", "Admission", "OpenAccess", "cookie_name"]

log = structlog.get_logger(__name__)

COOKIE = "ringback"
BEARER = "bearer "
MOST_NOTED = 100
NOTED_SECONDS = 3600.0


class Admission(msgspec.Struct, frozen=True):
    """Somebody who may come in, and why."""

    visitor: Visitor
    token: Token | None = None
    session: Session | None = None


def cookie_name(scope: Any) -> str:  # noqa: ANN401  # a scope of any kind
    """Give the name of the session's cookie; over TLS browsers let no other host set it."""
    return f"__Host-{COOKIE}" if scope["scheme"] in ("https", "wss") else COOKIE


class OpenAccess:
    """Lets everybody in, as one and the same."""

    def __init__(self, visitor: Visitor = LOCAL) -> None:
        self.visitor = visitor

    def admit(self, _scope: Any) -> Admission | None:  # noqa: ANN401  # a scope of any kind
        """Say who asks."""
        return Admission(self.visitor)

    def staying(self, _admission: Admission, _scope: Any) -> AbstractContextManager[None]:  # noqa: ANN401  # as above
        """Note that somebody is being served."""
        return nullcontext()

    def refuse(self, _scope: Any) -> int:  # noqa: ANN401  # as above
        """Give how many seconds a stranger has to wait before the next attempt."""
        return 0


class Access:
    """Lets those in who have a token of the file, or a session that was begun with one."""

    def __init__(self, path: Path, sessions: Sessions, clock: Clock) -> None:
        """Read the tokens. Raises `SettingsError`."""
        self.sessions = sessions
        self.clock = clock
        self.throttle = Throttle(_time)
        """Who has shown too many wrong tokens."""
        self.strangers = Throttle(_time, MOST_NOTED, NOTED_SECONDS)
        """How many failed logins are noted."""
        self.trouble: str | None = None
        """Why the file's latest version counts for nothing; the one before does."""
        self._inside: dict[int, tuple[Admission, Any]] = {}
        self._path = path
        self._seen = version_of(path)
        self._tokens: Tokens = read_tokens(path)

    def look(self) -> None:
        """Read the tokens anew if the file has changed; cut off who may not stay. Never raises."""
        self._read_anew()
        self.cut_off()

    def cut_off(self, but: Any = None) -> None:  # noqa: ANN401  # a scope of any kind
        """End whatever is being answered to those who may not stay, but for one request."""
        for admission, scope in list(self._inside.values()):
            if scope is not but and not self._may_stay(admission):
                connection_of(scope).abort()

    def token(self, text: str) -> Token | None:
        """Give the token of a text."""
        return self._tokens.find(text)

    def admit(self, scope: Any) -> Admission | None:  # noqa: ANN401  # a scope of any kind
        """Say who asks, None for a stranger. Who shows a token is not looked at further."""
        if any(name == b"authorization" for name, _ in scope["headers"]):
            given = header(scope, b"authorization") or ""
            if not given.lower().startswith(BEARER):
                return None
            token = self.token(given[len(BEARER) :].strip())
            return None if token is None else Admission(token.visitor, token)
        session = self.sessions.find(_cookie(scope, cookie_name(scope)), self.clock.now())
        if session is None:
            return None
        begun = self._begun_with(session)
        return None if begun is None else Admission(begun.visitor, begun, session)

    def refuse(self, scope: Any) -> int:  # noqa: ANN401  # as above
        """Count a wrong token; give how many seconds to wait before the next attempt."""
        if header(scope, b"authorization") is None:
            return 0
        address = address_of(scope)
        wait = self.throttle.wait(address)
        if not wait:
            self.throttle.failed(address)
        return wait

    @contextmanager
    def staying(self, admission: Admission, scope: Any) -> Iterator[None]:  # noqa: ANN401  # as above
        """Note that somebody is being served, for as long as it takes."""
        key = id(scope)
        self._inside[key] = (admission, scope)
        try:
            yield
        finally:
            del self._inside[key]

    def _read_anew(self) -> None:
        seen = version_of(self._path)
        if seen == self._seen:
            return
        self._seen = seen
        try:
            self._tokens = read_tokens(self._path)
        except SettingsError as error:
            self.trouble = error.problem
            log.warning("access_list_not_read", problem=error.problem)
        else:
            self.trouble = None
            log.info("access_list_read", visitors=len(self._tokens))

    def _may_stay(self, admission: Admission) -> bool:
        session, token = admission.session, admission.token
        if token is None or self._tokens.known(token.digest) != token:
            return False
        return session is None or self.sessions.lasts(session, self.clock.now())

    def _begun_with(self, session: Session) -> Token | None:
        return next((one for one in self._tokens if self.sessions.of(session, one.digest)), None)


def _time() -> float:
    return asyncio.get_running_loop().time()


def _cookie(scope: Any, name: str) -> str:  # noqa: ANN401  # a scope of any kind
    for key, value in scope["headers"]:
        if key == b"cookie":
            for each in value.decode("latin-1").split(";"):
                found, _, text = each.strip().partition("=")
                if found == name:
                    return str(text)
    return ""
