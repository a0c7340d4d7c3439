"""E-mail: to a mail server of one's own, by SMTP with TLS."""

import asyncio
import hashlib
import ipaddress
import socket
import ssl
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from email.message import EmailMessage
from email.utils import format_datetime
from typing import NamedTuple
from urllib.parse import urlsplit

import aiosmtplib

from ringback.core.watch.messages import Item, Message
from ringback.errors import DeliveryError, DeliveryFault
from ringback.sinks.receivers.targets import connect, refuse_host
from ringback.sinks.receivers.wording import Wording, shortened, worst_of

__all__ = ["Email", "MailServer", "server_of"]

PORTS = {"smtp": 587, "smtps": 465}
MOST_SUBJECT = 200
TEMPORARY = range(400, 500)


class MailServer(NamedTuple):
    """Where mail is handed over."""

    host: str
    port: int
    implicit: bool
    """Whether TLS begins with the connection; else by STARTTLS."""


def server_of(url: str, *, allow_private: bool) -> MailServer:
    """Read `smtp://host:port` or `smtps://host:port`. Raises `ValueError`, without quoting it."""
    allowed = "allowed: an address as smtp://mail.example.org:587 or smtps://mail.example.org:465"
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise ValueError(f"is no address; {allowed}") from None
    if parts.scheme not in PORTS or not host:
        raise ValueError(f"is no smtp:// or smtps:// address; {allowed}")
    if parts.username is not None or parts.path.strip("/") or parts.query or parts.fragment:
        raise ValueError(f"holds more than it should; {allowed}")
    refuse_host(host, allow_private=allow_private)
    return MailServer(host, port or PORTS[parts.scheme], parts.scheme == "smtps")


class Email:
    """Some mailboxes, by way of one server."""

    refresh_seconds: float | None = None

    def __init__(
        self,
        name: str,
        server: MailServer,
        wording: Wording,
        *,
        sender: str,
        to: Sequence[str],
        user: str,
        password: str,
        allow_private: bool,
        timeout: float,
    ) -> None:
        """Without a user nobody logs in. Allow so many seconds for handing a message over."""
        self._name = name
        self._server = server
        self._wording = wording
        self._sender = sender
        self._to = to
        self._user = user
        self._password = password
        self._allow_private = allow_private
        self._timeout = timeout

    async def deliver(self, message: Message) -> None:
        """Return when the server has the message. Raises `DeliveryError`."""
        mail = self.mail_of(message)
        host = self._server.host
        try:
            async with asyncio.timeout(self._timeout):
                await self._hand_over(mail)
        except aiosmtplib.SMTPResponseException as error:
            raise _refused(error, error.code) from None
        except aiosmtplib.SMTPRecipientsRefused as error:
            raise _refused(error, min(each.code for each in error.recipients)) from None
        except TimeoutError:
            problem = f"no answer in {self._timeout:g} s"
            raise DeliveryError(DeliveryFault.TIMED_OUT, problem) from None
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            raise _broken(error, host) from None

    async def refresh(self, items: Iterable[Item]) -> None:
        """Nothing: it was told."""

    async def close(self) -> None:
        """Nothing is kept."""

    def mail_of(self, message: Message) -> EmailMessage:
        """Word a message; the same one gives the same mail."""
        words, domain = self._wording, self._sender.rpartition("@")[2]
        made = int(message.made_at.timestamp() * 1000)
        worst = worst_of(message.items)
        title = " ".join(words.title(message).split())
        mail = EmailMessage()
        mail["From"] = self._sender
        mail["To"] = ", ".join(self._to)
        mail["Subject"] = shortened(f"[{worst}] {title}", MOST_SUBJECT)
        mail["Date"] = format_datetime(message.made_at)
        mail["Message-ID"] = f"<ringback.{self._name}.{message.number}.{made}@{domain}>"
        # Mail programs keep together what refers to the same, be it there or not.
        incidents = dict.fromkeys(item.incident for item in message.items)
        mail["References"] = " ".join(f"<{_digest(one)}@{domain}>" for one in list(incidents)[:10])
        mail["Auto-Submitted"] = "auto-generated"
        mail["Importance"] = "high" if worst == "critical" else "normal"
        mail.set_content("\n".join(_lines(message, words)) + "\n")
        return mail

    async def _hand_over(self, mail: EmailMessage) -> None:
        host, port, implicit = self._server
        link = await connect(host, port, allow_private=self._allow_private)
        try:
            local = is_local(link)
            client = aiosmtplib.SMTP(
                hostname=host,
                port=None,
                sock=link,
                use_tls=implicit,
                start_tls=False,
                timeout=self._timeout,
                tls_context=ssl.create_default_context(),
            )
            await client.connect()
        except BaseException:
            link.close()
            raise
        try:
            await client.ehlo()
            encrypted = implicit
            if not encrypted and not local and client.supports_extension("starttls"):
                await client.starttls(server_hostname=host)
                encrypted = True
            if not (encrypted or local or self._allow_private):
                raise DeliveryError(DeliveryFault.TLS, f"{host} offers no STARTTLS")
            if self._user:
                if not (encrypted or local):
                    raise DeliveryError(DeliveryFault.TLS, "the password would be sent in clear")
                await client.login(self._user, self._password)
            await client.send_message(mail, sender=self._sender, recipients=list(self._to))
        except aiosmtplib.SMTPException:
            await _leave(client)
            raise
        else:
            await _leave(client)
        finally:
            client.close()


async def _leave(client: aiosmtplib.SMTP) -> None:
    """Say goodbye, whatever comes of it."""
    with suppress(aiosmtplib.SMTPException):
        await client.quit()


def is_local(link: socket.socket) -> bool:
    """Whether a connection stays on this machine."""
    return ipaddress.ip_address(link.getpeername()[0]).is_loopback


def _broken(error: Exception, host: str) -> DeliveryError:
    """Say what is wrong with a connection; the library keeps the cause of one that never was."""
    cause = error if isinstance(error, ssl.SSLError) else error.__cause__
    if isinstance(cause, ssl.SSLError):
        reason = ""
        if isinstance(cause, ssl.SSLCertVerificationError):
            reason = f" ({cause.verify_message})"
        return DeliveryError(DeliveryFault.TLS, f"TLS with {host} failed{reason}")
    problem = f"{host} does not speak as a mail server, or broke off"
    return DeliveryError(DeliveryFault.BROKEN_OFF, problem)


def _refused(error: Exception, code: int) -> DeliveryError:
    """Say what a server's code means; its words may hold anything."""
    if code < TEMPORARY.start:
        return DeliveryError(DeliveryFault.GARBAGE, "it does not answer as a mail server does")
    if code in TEMPORARY:
        return DeliveryError(DeliveryFault.SERVER, f"the mail server is in trouble ({code})")
    if isinstance(error, aiosmtplib.SMTPDataError):
        return DeliveryError(DeliveryFault.REFUSED, f"the mail was not accepted ({code})")
    problem = f"it does not let us in ({code}): check user, password, sender and to"
    return DeliveryError(DeliveryFault.DENIED, problem)


def _lines(message: Message, words: Wording) -> Iterator[str]:
    """Give the text, line by line."""
    for part in words.parts(message):
        yield part.title
        for item in part.items:
            yield f"\n- {words.line(item)}"
            yield f"  {words.places.of_callback(item.alert)}"
            platform = words.places.on_platform(item.alert)
            if platform is not None:
                yield f"  {platform}"
        if part.more:
            yield f"\nand {part.more} more: {part.link}"
        yield ""
    if left := words.left_out(message):
        yield f"and {left} more groups: {words.places.dashboard()}/"
    yield "-- "
    yield f"Ringback, {words.places.org}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]
