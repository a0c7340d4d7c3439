"""Checks what it takes to reach a Genesys Cloud organisation. Region names are the source's own."""

import ipaddress
from urllib.parse import urlsplit

from ringback.errors import SettingsError
from ringback.settings.sources import GenesysSettings

__all__ = ["check_platform", "loopback", "url_problem"]


def check_platform(genesys: GenesysSettings) -> None:
    """Raise `SettingsError` for what is missing or cannot be meant."""
    if not genesys.client_id:
        raise SettingsError(
            "genesys.client_id",
            "source.kind genesys needs the id of an OAuth client: make one under Admin >"
            " Integrations > OAuth, with the grant type Client Credentials",
        )
    if not genesys.client_secret:
        raise SettingsError(
            "genesys.client_secret",
            "source.kind genesys needs the secret of that OAuth client, best in a file that"
            " RINGBACK_GENESYS__CLIENT_SECRET_FILE names",
        )
    for key, text in (
        ("client_id", genesys.client_id),
        ("client_secret", genesys.client_secret.reveal()),
    ):
        if not text.isprintable() or " " in text:
            raise SettingsError(f"genesys.{key}", "holds spaces or line ends: copy it anew")
    if not genesys.region and not (genesys.login_url and genesys.api_url):
        raise SettingsError(
            "genesys.region",
            "source.kind genesys needs a region, as eu_central_1 or mypurecloud.de; or else both"
            " genesys.login_url and genesys.api_url",
        )
    for key, url in (("login_url", genesys.login_url), ("api_url", genesys.api_url)):
        if url and (problem := url_problem(url)):
            raise SettingsError(f"genesys.{key}", problem)


def loopback(host: str) -> bool:
    """Whether a host is this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def url_problem(url: str, *, secret: bool = True) -> str | None:
    """Say what is wrong with an address, without quoting it: it may hold a password.

    `secret` says that one is sent there, which must not travel in clear.
    """
    allowed = "allowed: an address as https://api.example.org, without user, query or fragment"
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return f"is no address; {allowed}"
    if parts.scheme not in {"http", "https"} or not host:
        return f"is no http:// or https:// address; {allowed}"
    if parts.username is not None or parts.query or parts.fragment:
        return f"holds more than it should; {allowed}"
    if secret and parts.scheme == "http" and not loopback(host):
        return (
            f"http:// to {host} would send the secret in clear; allowed: https://, and http:// to"
            " this machine"
        )
    return None
