"""Looks at a running daemon: where it is, and who asks."""

import asyncio
import ssl
from collections.abc import Callable, Mapping, Sequence
from io import TextIOWrapper
from pathlib import Path
from typing import TextIO
from urllib.parse import urlsplit

from rich.console import Console

from ringback import settings
from ringback.errors import SettingsError
from ringback.settings.platform import loopback
from ringback.terminal.cleaning import choose, end, look
from ringback.terminal.client import Client
from ringback.terminal.showing import show
from ringback.terminal.words import clean

__all__ = ["client_for", "disconnect", "show_callback", "show_stuck", "watch"]

TOKEN = "RINGBACK_TOKEN"  # noqa: S105  # a variable's name
TOKEN_FILE = f"{TOKEN}_FILE"


def client_for(
    url: str | None,
    token_file: Path | None,
    ca_file: Path | None,
    config: Path | None,
    environ: Mapping[str, str],
) -> Client:
    """Find the daemon, the token to ask it with and whom to trust. Raises `SettingsError`.

    Without a `url` it is the daemon that the settings are of.
    """
    address = _configured(config, environ) if url is None else _checked(url)
    token, parts = _token(token_file, environ), urlsplit(address)
    if token and parts.scheme == "http" and not loopback(parts.hostname or ""):
        raise SettingsError("--url", "the token would be sent in clear: give an https address")
    return Client(address, token, trust=_trust(ca_file))


def show_callback(client: Client, asked: str, output: TextIO, *, raw: bool) -> None:
    """Print one callback's life. Raises `DaemonError`."""

    async def ask() -> None:
        async with client:
            await show(client, asked, Console(file=output), raw=raw)

    if isinstance(output, TextIOWrapper):  # a queue may have any name, whatever can be printed
        output.reconfigure(errors="replace")
    asyncio.run(ask())


def show_stuck(client: Client, output: TextIO, *, raw: bool) -> None:
    """Print what is stuck for sure. Raises `DaemonError`."""

    async def ask() -> None:
        async with client:
            await look(client, Console(file=output), raw=raw)

    asyncio.run(ask())


def disconnect(
    client: Client, chosen: Sequence[str], output: TextIO, confirmed: Callable[[int], bool]
) -> bool:
    """Disconnect what is named and still stuck, if that is confirmed; whether all of it was.

    Raises `DaemonError`.
    """
    console = Console(file=output)

    def tell(said: str) -> None:
        console.print(clean(said), soft_wrap=True, highlight=False, markup=False)

    async def ask() -> bool:
        async with client:
            zombies = await choose(client, chosen, console)
            if not zombies or not confirmed(len(zombies)):
                tell("Nothing was done.")
                return False
            done = await end(client, zombies, tell)
            return done and len(zombies) == len(set(chosen))

    return asyncio.run(ask())


def watch(client: Client) -> None:
    """Show all open callbacks as they move, until somebody ends it. Raises `DaemonError`."""
    from ringback.terminal.top.app import Top  # noqa: PLC0415  # nobody else waits for Textual

    top = Top(client)
    top.run()
    if top.return_value is not None:
        raise top.return_value
    if top.return_code:
        raise SystemExit(top.return_code)


def _configured(config: Path | None, environ: Mapping[str, str]) -> str:
    web = settings.load(config, environ).web
    if web.port == 0:
        raise SettingsError("web.port", "it is 0, any free one: say with --url which it was")
    # What is bound to every address of this machine is reached through the loopback.
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(web.host, web.host)  # noqa: S104
    if not web.tls_certificate:
        return f"http://{f'[{host}]' if ':' in host else host}:{web.port}"
    # A certificate is of a name, if the server has one.
    name = web.names.partition(",")[0].strip() or host
    return f"https://{f'[{name}]' if ':' in name else name}:{web.port}"


def _checked(url: str) -> str:
    wrong = SettingsError("--url", f"{url!r} is no address such as https://ringback.example.org")
    try:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.port == 0:
            raise wrong
    except ValueError:
        raise wrong from None
    if parts.username is not None:
        raise SettingsError("--url", "an address holds no password: give a token with --token-file")
    if parts.query or parts.fragment:
        raise SettingsError("--url", "give the daemon's address alone, without ? and #")
    return url


def _token(file: Path | None, environ: Mapping[str, str]) -> str:
    """Give the token; empty if there is none. It is never in an argument, which anybody may see."""
    place = TOKEN
    if file is not None:
        place, token = "--token-file", _file("--token-file", file)
    elif given := environ.get(TOKEN_FILE):
        if TOKEN in environ:
            raise SettingsError(TOKEN_FILE, f"{TOKEN} is set too; keep one of them")
        place, token = TOKEN_FILE, _file(TOKEN_FILE, Path(given))
    elif TOKEN in environ:
        token = environ[TOKEN].strip()
    else:
        return ""
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise SettingsError(place, "it holds no token: one line of letters, digits and signs")
    return token


def _trust(file: Path | None) -> ssl.SSLContext | None:
    if file is None:
        return None
    try:
        return ssl.create_default_context(cafile=file)
    except ssl.SSLError:  # an OSError too
        raise SettingsError("--ca-file", f"{file} holds no certificate in PEM form") from None
    except OSError as error:
        raise SettingsError("--ca-file", f"{file} cannot be read: {error.strerror}") from None


def _file(place: str, path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise SettingsError(place, f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise SettingsError(place, f"{path} does not hold UTF-8 text") from None
