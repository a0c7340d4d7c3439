"""`/login` and `/logout`: a form that takes a token and gives a session. It needs no script."""

import base64
import hashlib
import re
from collections import Counter
from collections.abc import Mapping
from enum import StrEnum
from html import escape
from typing import Any
from urllib.parse import parse_qs

from litestar import Request, Response, get, post

from ringback.ports import Audit
from ringback.web.access.access import Access, Admission, cookie_name
from ringback.web.access.gate import ADMISSION
from ringback.web.heads import address_of
from ringback.web.visitors import EVERYBODY, facts_of, roles, visitor_of

__all__ = ["Login", "Logins", "login_handlers"]


class Login(StrEnum):
    """What came of an attempt to log in."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    THROTTLED = "throttled"


Logins = Counter[Login]

FORM = "application/x-www-form-urlencoded"
HOME = "/"
LOCAL_PATH = re.compile(r"/(?![/\\])[\x21-\x5b\x5d-\x7e]{0,2000}")
"""A path of ours: what begins with two slashes is another host."""
MOST_FIELDS = 4
ANYBODY = ""

STYLE = """
:root { color-scheme: light dark }
body { font: 1rem/1.5 system-ui, sans-serif; display: grid; place-items: center;
  min-height: 90vh; margin: 0 }
main { width: min(24rem, 90vw) }
label, input, button { display: block; width: 100%; box-sizing: border-box; font: inherit }
input { margin: .25rem 0 1rem; padding: .5rem; border: 1px solid; border-radius: .25rem }
button { padding: .5rem; border: 1px solid; border-radius: .25rem; font-weight: 600 }
[role=alert] { border-left: .25rem solid; padding-left: .75rem; font-weight: 600 }
"""
STYLE_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
HEADERS = {
    "content-security-policy": "default-src 'none'; base-uri 'none'; form-action 'self';"
    f" frame-ancestors 'none'; style-src 'sha256-{STYLE_HASH}'",
    # With no-referrer a form says that it comes from nowhere.
    "referrer-policy": "same-origin",
}
PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Ringback: {title}</title>
<style>{style}</style>
<main>
<h1>Ringback</h1>
{content}
</main>
</html>
"""
ASK = """{complaint}<form method="post" action="/login">
<input type="hidden" name="next" value="{following}">
<label for="token">Access token</label>
<input id="token" name="token" type="password" autocomplete="current-password"
 required autofocus maxlength="512">
<button>Log in</button>
</form>"""
KNOWN = """<p>You are logged in as <strong>{name}</strong> ({role}).</p>
<p><a href="{following}">Go on</a></p>
<form method="post" action="/logout">
<button>Log out</button>
</form>"""


def login_handlers(access: Access, audit: Audit, logins: Logins) -> list[Any]:
    """Make the handlers; `logins` counts the attempts."""

    @get("/login", sync_to_thread=False, opt=roles(None))
    def form(request: Request[Any, Any, Any]) -> Response[str]:
        """Ask for a token, or say who is logged in."""
        following = _local(request.query_params.get("next", HOME))
        if _session_of(request) is None:
            return _ask(following)
        visitor = visitor_of(request)
        content = KNOWN.format(
            name=escape(visitor.name), role=visitor.role, following=escape(following)
        )
        return _page("logged in", content)

    async def note_refused(address: str) -> None:
        """Note it, but not so often that others' deeds would have to go for it."""
        if not access.strangers.wait(ANYBODY):
            access.strangers.failed(ANYBODY)
            last = access.strangers.wait(ANYBODY)
            result = "refused; more are only counted for now" if last else "refused"
            await audit.note("", "login", "session", address=address, result=result)

    @post("/login", opt=roles(None))
    async def login(request: Request[Any, Any, Any]) -> Response[Any]:
        """Begin a session."""
        fields = await _fields(request)
        following = _local(fields.get("next", HOME))
        address = address_of(request.scope)
        wait = access.throttle.wait(address)
        if wait:
            logins[Login.THROTTLED] += 1
            return _ask(
                following,
                f"Too many attempts. Try again in {wait} seconds.",
                status=429,
                headers={"retry-after": str(wait)},
            )
        token = access.token(fields.get("token", "").strip())
        if token is None:
            access.throttle.failed(address)
            logins[Login.REFUSED] += 1
            await note_refused(address)
            return _ask(following, "This token is not known.", status=401)
        visitor = token.visitor
        await audit.note(visitor.name, "login", "session", role=visitor.role, address=address)
        logins[Login.ACCEPTED] += 1
        cookie = access.sessions.begin(token.digest, access.clock.now())
        lifetime = int(access.sessions.lifetime.total_seconds())
        return _go(request, following, cookie, lifetime)

    @post("/logout", opt=roles(EVERYBODY))
    async def logout(request: Request[Any, Any, Any]) -> Response[Any]:
        """End the session, wherever its cookie may be."""
        admission = _session_of(request)
        if admission is not None and admission.session is not None:
            await audit.note(visitor_of(request).name, "logout", "session", **facts_of(request))
            await access.sessions.end(admission.session, access.clock.now())
            access.cut_off(but=request.scope)
        return _go(request, "/login", "", 0)

    return [form, login, logout]


def _session_of(request: Request[Any, Any, Any]) -> Admission | None:
    """Give who is logged in, if somebody is."""
    admission: Admission | None = request.scope["state"].get(ADMISSION)
    return None if admission is None or admission.session is None else admission


async def _fields(request: Request[Any, Any, Any]) -> dict[str, str]:
    kind, _ = request.content_type
    if kind != FORM:
        return {}
    try:
        body = (await request.body()).decode("ascii")
        fields = parse_qs(body, max_num_fields=MOST_FIELDS)
    except ValueError:
        return {}
    return {name: values[0] for name, values in fields.items()}


def _local(path: str) -> str:
    """Give a path of ours: nobody is sent elsewhere from here."""
    return path if LOCAL_PATH.fullmatch(path) else HOME


def _ask(
    following: str,
    complaint: str = "",
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> Response[str]:
    said = f'<p role="alert">{escape(complaint)}</p>\n' if complaint else ""
    content = ASK.format(complaint=said, following=escape(following))
    return _page("log in", content, status, headers)


def _page(
    title: str, content: str, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response[str]:
    return Response(
        PAGE.format(title=title, style=STYLE, content=content),
        status_code=status,
        media_type="text/html",
        headers=HEADERS | dict(headers or {}),
    )


def _go(request: Request[Any, Any, Any], where: str, cookie: str, seconds: int) -> Response[Any]:
    scope = request.scope
    secure = "; Secure" if scope["scheme"] == "https" else ""
    # Lax, so that a link from elsewhere finds whoever is logged in; what writes is a POST, and a
    # POST is asked where it comes from.
    set_cookie = (
        f"{cookie_name(scope)}={cookie}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}"
    )
    headers = {"location": where, "set-cookie": set_cookie, "content-length": "0"}
    return Response(b"", status_code=303, headers=headers, media_type="text/plain")
