"""Serves the dashboard's page and what it consists of, from memory."""

from hashlib import sha256
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

import msgspec
from litestar import Request, Response, get
from litestar.exceptions import NotFoundException, ServiceUnavailableException
from litestar.types import ControllerRouterHandler

from ringback.web.heads import names_tag
from ringback.web.visitors import LOOKING, roles

__all__ = ["PAGE_POLICY", "Asset", "load_assets", "pages"]

PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
"""Scripts and styles are files of ours; nothing is written into the page as markup."""

PAGE = "index.html"
MADE_BY_BUILD = "vendor/preact.js"
KINDS = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}


class Asset(msgspec.Struct, frozen=True):
    """One file, as it is answered."""

    body: bytes
    kind: str
    etag: str
    """Of its content: what a browser has stays good over restarts, until a version changes it."""


def load_assets() -> dict[str, Asset]:
    """Read every file of the page; the keys are the paths under `/assets/`."""
    return dict(_walk(files("ringback.web.dashboard") / "assets", ""))


def pages() -> list[ControllerRouterHandler]:
    """Give the handlers of `/` and `/assets/…`.

    A path is looked up among what was read at the start, so none can lead anywhere else.
    """
    assets = load_assets()

    @get("/", sync_to_thread=False, opt=roles(LOOKING))
    def page(request: Request[Any, Any, Any]) -> Response[bytes]:
        """Give the dashboard."""
        if MADE_BY_BUILD not in assets:
            raise ServiceUnavailableException(
                "The dashboard was not built: install the package with `make` or `pip install .`."
            )
        return _answer(request, assets[PAGE])

    @get("/assets/{path:path}", sync_to_thread=False, opt=roles(LOOKING))
    def asset(request: Request[Any, Any, Any]) -> Response[bytes]:
        """Give one file of the dashboard."""
        found = assets.get(request.path_params["path"].removeprefix("/"))
        if found is None:
            raise NotFoundException
        return _answer(request, found)

    return [page, asset]


def _answer(request: Request[Any, Any, Any], asset: Asset) -> Response[bytes]:
    headers = {"etag": asset.etag, "cache-control": "no-cache"}
    if asset.kind.startswith("text/html"):
        headers["content-security-policy"] = PAGE_POLICY
        # With no-referrer its form for logging out would not say where it comes from.
        headers["referrer-policy"] = "same-origin"
    if names_tag(request.headers.get("if-none-match", ""), asset.etag):
        return Response(b"", status_code=304, headers=headers)
    return Response(asset.body, headers=headers | {"content-type": asset.kind})


def _walk(folder: Traversable, prefix: str) -> list[tuple[str, Asset]]:
    found: list[tuple[str, Asset]] = []
    for item in folder.iterdir():
        if item.is_dir():
            found += _walk(item, f"{prefix}{item.name}/")
        elif kind := KINDS.get(item.name[item.name.rfind(".") :]):
            body = item.read_bytes()
            digest = sha256(body).hexdigest()[:32]
            found.append((f"{prefix}{item.name}", Asset(body, kind, f'"{digest}"')))
    return found
