"""TLS by files: a certificate with its chain, and its key."""

import ssl
import stat
from pathlib import Path

import structlog

from ringback.errors import SettingsError
from ringback.web.files import version_of

__all__ = ["Certificate"]

log = structlog.get_logger(__name__)


class Certificate:
    """A context for the server. What is renewed on disk counts for connections from then on."""

    def __init__(self, certificate: Path, key: Path) -> None:
        """Read both files. Raises `SettingsError`."""
        self._files = (certificate, key)
        self.trouble: str | None = None
        """Why the files' latest version counts for nothing; the one before does."""
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        self.context.set_alpn_protocols(["http/1.1"])
        self._seen = self._version()
        self._load(self.context)

    def look(self) -> None:
        """Read the files anew if they have changed. Never raises."""
        seen = self._version()
        if seen == self._seen:
            return
        self._seen = seen
        try:
            # First on trial: half of a new pair would spoil the one in use.
            self._load(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))
            self._load(self.context)
        except SettingsError as error:
            self.trouble = error.problem
            log.warning("certificate_not_read", problem=error.problem)
        else:
            self.trouble = None
            log.info("certificate_read")

    def _load(self, context: ssl.SSLContext) -> None:
        certificate, key = self._files
        _check_key(key)
        try:
            # Without the password, a key that has one would be asked for at the terminal.
            context.load_cert_chain(certificate, key, password="")
        except ssl.SSLError as error:
            raise SettingsError(
                "web.tls_certificate",
                f"{certificate} and {key} are no certificate and its key in PEM, without a"
                f" password ({error.reason})",
            ) from None
        except OSError as error:
            missing = next((one for one in self._files if not one.is_file()), certificate)
            raise SettingsError(
                "web.tls_certificate", f"{missing} cannot be read: {error.strerror}"
            ) from None

    def _version(self) -> tuple[object, ...]:
        """Tell one version of the files from another."""
        return tuple(map(version_of, self._files))


def _check_key(key: Path) -> None:
    try:
        mode = key.stat().st_mode
    except OSError as error:
        raise SettingsError("web.tls_key", f"{key} cannot be read: {error.strerror}") from None
    if mode & stat.S_IRWXO:
        raise SettingsError(
            "web.tls_key", f"{key} is open to every user of this machine: chmod 600 {key}"
        )
