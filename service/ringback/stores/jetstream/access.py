"""Who this process is to NATS, and whom it trusts: what the settings say, looked at at once."""

import ssl
from collections.abc import Callable
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from ringback.errors import EngineRefused
from ringback.settings.jetstream import JetStreamSettings
from ringback.stores.jetstream.nkeys import Nkey, credentials_in

__all__ = ["Access", "access", "inbox_of", "shown"]

OTHERS = 0o007
"""Who may not look at a file of secrets; a group may, since that is how containers get them."""


class Access(msgspec.Struct):
    """What a client is given to be let in."""

    encrypted: bool = False
    """Whether nothing may be said in clear."""
    tls: ssl.SSLContext | None = None
    user: str = ""
    password: str = ""
    public_key: str | None = None
    sign: Callable[[str], bytes] | None = None
    """Signs a server's nonce; asked anew at every connection."""
    jwt: Callable[[], bytes] | None = None


def access(settings: JetStreamSettings, servers: str) -> Access:
    """Read what the settings name. Raises `EngineRefused`, which says what to mend."""
    found = Access(user=settings.user, password=settings.password.reveal())
    if settings.nkey:
        try:
            nkey = Nkey(settings.nkey.reveal())
        except ValueError as error:
            raise EngineRefused(
                servers, f"the seed of the nkey: {error}", "jetstream.nkey"
            ) from None
        found.public_key, found.sign = nkey.public, nkey.sign
    if settings.credentials:
        path = Path(settings.credentials)
        _closed(path, "jetstream.credentials", servers)
        try:
            _sign_with(path, "")
        except (OSError, ValueError) as error:
            raise EngineRefused(servers, f"{path}: {error}", "jetstream.credentials") from None
        # Read anew each time: credentials are renewed in place.
        found.sign, found.jwt = partial(_sign_with, path), partial(_jwt_in, path)
    tls = "tls://" in settings.servers
    found.encrypted = tls or bool(settings.tls_ca)
    if found.encrypted or settings.tls_certificate:
        found.tls = _tls(settings, servers)
    return found


def inbox_of(settings: JetStreamSettings) -> str:
    """Give what the subjects begin with on which answers come."""
    return settings.inbox or (f"_INBOX.{settings.user}" if settings.user else "_INBOX")


def shown(server: str) -> str:
    """Give an address without what of it may be a secret."""
    return server.rpartition("@")[2] if "@" in server else urlsplit(server).netloc or server


def _sign_with(path: Path, nonce: str) -> bytes:
    return Nkey(credentials_in(path)[1]).sign(nonce)


def _jwt_in(path: Path) -> bytes:
    return credentials_in(path)[0].encode()


def _tls(settings: JetStreamSettings, servers: str) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=settings.tls_ca or None)
    except OSError as error:
        said = f"{settings.tls_ca}: {error.strerror or error}"
        raise EngineRefused(servers, said, "jetstream.tls_ca") from None
    if settings.tls_certificate:
        if settings.tls_key:
            _closed(Path(settings.tls_key), "jetstream.tls_key", servers)
        try:
            context.load_cert_chain(settings.tls_certificate, settings.tls_key or None)
        except OSError as error:
            said = f"{settings.tls_certificate}: {error.strerror or error}"
            both = "jetstream.tls_certificate and jetstream.tls_key"
            raise EngineRefused(servers, said, both) from None
    return context


def _closed(path: Path, setting: str, servers: str) -> None:
    """Refuse a file of secrets that others may read, or that cannot be read."""
    try:
        mode = path.stat().st_mode
        path.open("rb").close()
    except OSError as error:
        raise EngineRefused(servers, f"{path}: {error.strerror}", setting) from None
    if mode & OTHERS:
        said = f"{path} may be read by others (mode {mode & 0o777:04o})"
        raise EngineRefused(servers, said, f"{setting}: chmod 600 {path}")
