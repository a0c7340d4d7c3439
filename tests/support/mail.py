"""A mail server in the loop of the test, by aiosmtpd."""

import asyncio
import email
import email.policy
import ssl
from email.message import EmailMessage
from typing import Any, Self

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

__all__ = ["MailServer"]


class MailServer:
    """Takes mail for anybody, or answers as `answers` says: by command, as `RCPT`."""

    def __init__(
        self,
        answers: dict[str, str] | None = None,
        *,
        context: ssl.SSLContext | None = None,
        implicit: bool = False,
        password: str | None = None,
    ) -> None:
        self.answers = answers or {}
        self.mails: list[EmailMessage] = []
        self.to: list[list[str]] = []
        self.encrypted: list[bool] = []
        self.logins: list[str] = []
        self.port = 0
        self._context = context
        self._implicit = implicit
        self._password = password
        self._server: asyncio.Server | None = None
        self._sessions: list[SMTP] = []

    async def __aenter__(self) -> Self:
        self._server = await asyncio.get_running_loop().create_server(
            self._make, "127.0.0.1", 0, ssl=self._context if self._implicit else None
        )
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()
        sessions = [one._handler_coroutine for one in self._sessions if one._handler_coroutine]
        for session in sessions:
            session.cancel()
        await asyncio.gather(*sessions, return_exceptions=True)

    def _make(self) -> SMTP:
        session = SMTP(
            self,
            loop=asyncio.get_running_loop(),
            hostname="mail.example.org",
            tls_context=None if self._implicit else self._context,
            authenticator=self._authenticate if self._password else None,
            auth_require_tls=False,
        )
        self._sessions.append(session)
        return session

    def _authenticate(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any
    ) -> AuthResult:
        assert isinstance(data, LoginPassword)
        self.logins.append(data.login.decode())
        good = self._password is not None and data.password == self._password.encode()
        return AuthResult(success=good, handled=False)

    # What aiosmtpd calls, by these names.

    async def handle_RCPT(  # noqa: N802
        self,
        server: SMTP,
        session: Session,
        envelope: Envelope,
        address: str,
        options: list[str],
    ) -> str:
        if "RCPT" in self.answers:
            return self.answers["RCPT"]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        if "DATA" in self.answers:
            return self.answers["DATA"]
        assert isinstance(envelope.content, bytes)
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        assert isinstance(mail, EmailMessage)
        self.mails.append(mail)
        self.to.append(list(envelope.rcpt_tos))
        self.encrypted.append(session.ssl is not None or self._implicit)
        return "250 OK"
