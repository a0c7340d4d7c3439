"""Whether a request comes from a page of ours, from no page at all, or from somebody else's page.

Browsers say so themselves (`Sec-Fetch-Site`, `Origin`), and no page can make them lie.
"""

from typing import Any
from urllib.parse import urlsplit

from ringback.web.heads import bare_host, header

__all__ = ["READING", "Origins"]

READING = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that change nothing."""
OURS = frozenset({"same-origin", "none"})
SECURE = {"https": True, "wss": True, "http": False, "ws": False}


class Origins:
    """Knows what is ours."""

    def __init__(self, hosts: frozenset[str]) -> None:
        """`hosts` are our names besides the one that a request is for, as behind a proxy."""
        self._hosts = hosts

    def foreign(self, scope: Any, *, by_cookie: bool) -> bool:  # noqa: ANN401  # any scope
        """Whether a request must be refused: some other page makes a browser send it.

        Links and bookmarks lead here from anywhere: a page may be gone to, and that is all. With a
        session's cookie whatever does more must say where it comes from, because browsers do.
        """
        site = header(scope, b"sec-fetch-site")
        origin = header(scope, b"origin")
        reads = scope["type"] == "http" and scope["method"] in READING
        if site is not None and site not in OURS:
            return not (reads and header(scope, b"sec-fetch-mode") == "navigate")
        if reads:
            return False
        if origin == "null" or (origin is None and by_cookie):
            # A form on a page that gives no referrer sends null.
            return site not in OURS
        if origin is None:
            return _repeated(scope)
        return not self._ours(origin, scope)

    def _ours(self, origin: str, scope: Any) -> bool:  # noqa: ANN401  # any scope
        try:
            parts = urlsplit(origin)
        except ValueError:
            return False
        if parts.scheme not in ("http", "https"):
            return False
        if SECURE.get(scope["scheme"]) and parts.scheme != "https":
            return False
        here = header(scope, b"host") or ""
        if parts.netloc.lower() == here.lower():
            return True
        return bare_host(parts.netloc) in self._hosts


def _repeated(scope: Any) -> bool:  # noqa: ANN401  # any scope
    """Whether `Origin` is there more than once, which no browser does."""
    return any(name == b"origin" for name, _ in scope["headers"])
