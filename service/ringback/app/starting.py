"""What every process begins with, whatever it does: what it refuses, says, and is reached at."""

import os
from pathlib import Path

import structlog
from litestar.types import ASGIApp

from ringback import __version__
from ringback.app.doors import Doors
from ringback.errors import SettingsError
from ringback.runtime.supervision import Budgets
from ringback.settings import Settings
from ringback.settings.describing import listed
from ringback.web.server import WebServer

__all__ = ["budgets_of", "dashboard_at", "greet", "make_web", "refuse_unreadable"]

log = structlog.get_logger(__name__)


def budgets_of(settings: Settings) -> Budgets:
    """Say how long each stage of a stop may take."""
    shutdown = settings.shutdown
    return Budgets(shutdown.intake_seconds, shutdown.drain_seconds, shutdown.close_seconds)


def make_web(settings: Settings, doors: Doors, app: ASGIApp) -> WebServer:
    """Make what serves an application where the settings say."""
    return WebServer(
        app,
        host=settings.web.host,
        port=settings.web.port,
        drain=settings.shutdown.close_seconds,
        tls=doors.tls,
        refusals=doors.refusals,
        trusted=doors.trusts,
    )


def refuse_unreadable(settings: Settings) -> None:
    """Refuse a recording that is not there, before anything is opened or made."""
    path = settings.source.path
    # Not by opening it: a pipe would take that for its reader.
    if settings.source.kind == "recording" and (
        not os.access(path, os.R_OK) or Path(path).is_dir()
    ):
        raise SettingsError("source.path", f"{path} is no file that this user can read")


def greet(settings: Settings, port: int, quarantine: Path) -> None:
    """Say in the first lines what this is and where to look."""
    address = _bound_at(settings, port)
    log.info(
        "starting",
        version=__version__,
        source=settings.source.kind,
        store=settings.store.path if settings.store.kind == "sqlite" else settings.store.kind,
        quarantine=str(quarantine),
        dashboard=f"{address}/",
        look_at=f"{address}/readyz?verbose and /metrics",
    )
    if settings.source.kind == "simulator":
        log.info("simulating", note="following a simulated contact centre")


def dashboard_at(settings: Settings, port: int) -> str:
    """Say where people open the dashboard, without a slash at its end."""
    web = settings.web
    if web.address:
        return web.address.rstrip("/")
    names = listed(web.names)
    if names and web.proxies:
        return f"https://{names[0]}"
    return _bound_at(settings, port, names[0] if names else web.host)


def _bound_at(settings: Settings, port: int, host: str | None = None) -> str:
    scheme = "https" if settings.web.tls_certificate else "http"
    host = host or settings.web.host
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"
