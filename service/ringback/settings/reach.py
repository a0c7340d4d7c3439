"""Checks who can reach the web server, and that nobody can who was not meant to."""

import re
from ipaddress import ip_network

from ringback.errors import SettingsError
from ringback.settings.describing import listed
from ringback.settings.platform import loopback, url_problem
from ringback.settings.schema import WebSettings

__all__ = ["check_reach"]

NAME = re.compile(r"(?=.{1,253}$)[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_-]+)*")


def check_reach(web: WebSettings) -> None:
    """Raise `SettingsError` for what is missing or cannot be meant."""
    for name in listed(web.names):
        if not NAME.fullmatch(name):
            raise SettingsError(
                "web.names", f"{name!r} is no host name; allowed: names as ringback.example.org"
            )
    for proxy in listed(web.proxies):
        _check_proxy(proxy)
    if web.address and (problem := url_problem(web.address, secret=False)):
        raise SettingsError("web.address", problem)
    for given, other in (("tls_certificate", "tls_key"), ("tls_key", "tls_certificate")):
        if getattr(web, given) and not getattr(web, other):
            raise SettingsError(f"web.{other}", f"web.{given} is given, so this is needed too")
    if not loopback(web.host):
        _check_open(web)
    elif not web.tokens and (web.names or web.proxies):
        key = "names" if web.names else "proxies"
        raise SettingsError(
            "web.tokens",
            f"web.{key} is given, so this server is passed on to others: a file of tokens is"
            " needed, or each of them is an operator",
        )


def _check_open(web: WebSettings) -> None:
    """Check a server that other machines reach."""
    if not web.tokens:
        raise SettingsError(
            "web.host",
            f"{web.host!r} can be reached from other machines, and nobody would be asked who they"
            " are; give web.tokens, a file of tokens, or bind 127.0.0.1, ::1 or localhost",
        )
    if not web.tls_certificate and not web.proxies:
        raise SettingsError(
            "web.host",
            f"{web.host!r} can be reached from other machines, and tokens would travel in clear;"
            " give web.tls_certificate and web.tls_key, or in web.proxies who speaks TLS for it",
        )


def _check_proxy(text: str) -> None:
    try:
        network = ip_network(text)
    except ValueError as error:
        raise SettingsError(
            "web.proxies", f"{error}; allowed: addresses and networks, as 10.0.0.0/8"
        ) from None
    if network.prefixlen == 0:
        raise SettingsError("web.proxies", f"{text} is everybody: name those that pass requests on")
