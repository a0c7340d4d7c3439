"""The login page and the sessions that it gives, as a browser uses them."""

import re
from pathlib import Path
from typing import Any

import httpx
import pytest

from ringback.web.access.throttle import MOST_FAILURES
from support.access import TOKENS, bearer
from support.gateway import frame
from support.house import House, living_in

SAME = {"sec-fetch-site": "same-origin", "origin": "http://localhost"}
ELSEWHERE = {"sec-fetch-site": "cross-site", "origin": "https://evil.example"}


async def log_in(web: httpx.AsyncClient, role: str = "operator", **fields: str) -> httpx.Response:
    given = {"token": TOKENS[role][1], "next": "/?view=wall"} | fields
    return await web.post("/login", data=given, headers=SAME)


async def test_a_login_lets_a_browser_in_until_it_logs_out(tmp_path: Path) -> None:
    async with living_in(tmp_path, frame()) as house, house.web() as web:
        answer = await log_in(web)
        assert (answer.status_code, answer.headers["location"]) == (303, "/?view=wall")
        cookie = answer.headers["set-cookie"]
        assert re.fullmatch(
            r"ringback=[\w.-]+; Path=/; Max-Age=43200; HttpOnly; SameSite=Lax", cookie
        )
        session = (await web.get("/api/v1/session")).json()
        assert (session["name"], session["role"], session["loggedIn"]) == ("olga", "operator", True)
        assert "logged in as <strong>olga</strong>" in (await web.get("/login")).text
        kept = dict(web.cookies)
        gone = await web.post("/logout", headers=SAME)
        assert (gone.status_code, gone.headers["location"]) == (303, "/login")
        assert "Max-Age=0" in gone.headers["set-cookie"]
        again = await web.get("/api/v1/session", headers={"cookie": f"ringback={kept['ringback']}"})
        assert again.status_code == 401
        deeds = await house.doors.audit.deeds(None, 9, lambda _: True)
        assert [(deed.who, deed.action, deed.address) for deed in deeds] == [
            ("olga", "logout", "192.0.2.1"),
            ("olga", "login", "192.0.2.1"),
        ]


async def test_a_session_outlives_a_restart_and_ends_by_itself(tmp_path: Path) -> None:
    async with living_in(tmp_path) as house, house.web() as web:
        await log_in(web)
        cookie = {"cookie": f"ringback={web.cookies['ringback']}"}
    async with living_in(tmp_path) as house, house.web() as web:
        assert (await web.get("/api/v1/session", headers=cookie)).status_code == 200
        house.seconds = 12 * 3600 + 1
        assert (await web.get("/api/v1/session", headers=cookie)).status_code == 401


async def test_a_session_goes_with_its_token(tmp_path: Path) -> None:
    async with living_in(tmp_path) as house, house.web() as web:
        await log_in(web)
        lines = house.tokens.read_text().splitlines()
        house.tokens.write_text("\n".join(line for line in lines if "olga" not in line))
        house.doors.look()
        assert (await web.get("/api/v1/session")).status_code == 401


def forged(cookie: str) -> list[str]:
    content, _, signature = cookie.partition(".")
    return [
        "",
        ".",
        content,
        f"{content}.",
        f"{content}.{signature[::-1]}",
        f"{content[:-4]}AAAA.{signature}",
        f"{cookie}x",
        "x" * 600,
        "é.é",
    ]


async def test_a_forged_cookie_is_nobodys(tmp_path: Path) -> None:
    async with living_in(tmp_path) as house, house.web() as web:
        await log_in(web)
        cookies = forged(web.cookies["ringback"])
        async with house.web() as other:
            for cookie in cookies:
                given = {b"cookie": b"ringback=" + cookie.encode()}
                assert (await other.get("/api/v1/session", headers=given)).status_code == 401


async def test_over_tls_the_cookie_is_for_this_host_alone(tmp_path: Path) -> None:
    async with living_in(tmp_path) as house, house.web("https") as web:
        given = SAME | {"origin": "https://localhost"}
        answer = await web.post("/login", data={"token": TOKENS["viewer"][1]}, headers=given)
        assert answer.headers["set-cookie"].startswith("__Host-ringback=")
        assert answer.headers["set-cookie"].endswith("; SameSite=Lax; Secure")
        assert (await web.get("/api/v1/session")).status_code == 200


async def test_behind_a_proxy_the_cookie_is_secure_and_the_address_the_visitors(
    tmp_path: Path,
) -> None:
    async with (
        living_in(tmp_path, proxies="192.0.2.0/24", names="ringback.example") as house,
        house.web() as web,
    ):
        given = {
            "host": "ringback.example",
            "origin": "https://ringback.example",
            "x-forwarded-proto": "https",
            "x-forwarded-for": "198.51.100.7",
        }
        answer = await web.post("/login", data={"token": TOKENS["viewer"][1]}, headers=given)
        assert answer.headers["set-cookie"].startswith("__Host-ringback=")
        (deed,) = await house.doors.audit.deeds(None, 9, lambda _: True)
        assert deed.address == "198.51.100.7"
        plain = given | {"origin": "http://ringback.example"}
        refused = await web.post("/login", data={"token": TOKENS["viewer"][1]}, headers=plain)
        assert refused.status_code == 403
        async with house.web(address="203.0.113.1") as past:
            answer = await past.post(
                "/login",
                data={"token": TOKENS["viewer"][1]},
                headers=given | {"origin": "http://ringback.example"},
            )
            assert answer.headers["set-cookie"].startswith("ringback=")


@pytest.mark.parametrize(
    "following",
    ["//evil.example", "/\\evil.example", "https://evil.example", "evil", "", "/\x01", "/%\n"],
)
async def test_nobody_is_sent_elsewhere(tmp_path: Path, following: str) -> None:
    async with living_in(tmp_path) as house, house.web() as web:
        answer = await log_in(web, next=following)
        assert answer.headers["location"] == "/"


async def test_the_page_needs_no_script_and_quotes_what_it_is_given(tmp_path: Path) -> None:
    async with living_in(tmp_path) as house, house.web() as web:
        answer = await web.get('/login?next=/"><script>alert(1)</script>')
        assert "<script" not in answer.text
        assert answer.headers["content-type"].startswith("text/html")
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "form-action 'self'" in policy
        assert answer.headers["cache-control"] == "no-store"


async def test_who_tries_too_often_has_to_wait(tmp_path: Path) -> None:
    async with living_in(tmp_path) as house, house.web() as web:
        for _ in range(MOST_FAILURES):
            answer = await log_in(web, token="wrong")  # it is none
            assert answer.status_code == 401
            assert "This token is not known." in answer.text
        answer = await log_in(web)
        assert answer.status_code == 429
        assert int(answer.headers["retry-after"]) > 0
        async with house.web(address="192.0.2.2") as other:
            assert (await log_in(other)).status_code == 303
        # A right token is let in all the same; a wrong one is not even looked at for long.
        assert (await web.get("/api/v1/session", headers=bearer("viewer"))).status_code == 200
        wrong = {"authorization": "Bearer wrong"}
        assert (await web.get("/api/v1/session", headers=wrong)).status_code == 429
        refused = await house.doors.audit.deeds(None, 99, lambda deed: bool(deed.result))
        assert len(refused) == MOST_FAILURES
        assert {deed.who for deed in refused} == {""}
        assert not any("wrong" in line for line in house.doors.audit.path.read_text().split())


async def test_a_flood_of_failures_does_not_fill_the_trail(tmp_path: Path) -> None:
    async with living_in(tmp_path) as house:
        for number in range(120):
            async with house.web(address=f"198.51.100.{number}") as web:
                await log_in(web, token="wrong")  # it is none
        deeds = await house.doors.audit.deeds(None, 999, lambda _: True)
        assert len(deeds) == 100
        assert deeds[0].result == "refused; more are only counted for now"


@pytest.mark.parametrize(
    "headers",
    [
        ELSEWHERE,
        {"origin": "https://evil.example"},
        {"origin": "http://localhost:9999"},
        {"origin": "null"},
        {"sec-fetch-site": "same-site"},
        {},
    ],
)
async def test_no_page_from_elsewhere_acts_with_a_session(
    tmp_path: Path, headers: dict[str, str]
) -> None:
    async with living_in(tmp_path, frame()) as house, house.web() as web:
        await log_in(web)
        revealed = await web.post("/api/v1/callbacks/c-1/reveal", headers=headers)
        assert revealed.status_code == 403
        assert revealed.headers["content-type"] == "application/problem+json"
        cookie = {"cookie": f"ringback={web.cookies['ringback']}"}
        assert (await house.begins("WEBSOCKET", "/api/v1/feed", cookie | headers))[0] == 403
        assert [one for one in await acted(house) if one != "login"] == []


async def acted(house: House) -> list[str]:
    return [deed.action for deed in await house.doors.audit.deeds(None, 99, lambda _: True)]


async def test_a_page_of_ours_acts_with_a_session(tmp_path: Path) -> None:
    async with living_in(tmp_path, frame()) as house, house.web() as web:
        await log_in(web)
        answer = await web.post("/api/v1/callbacks/c-1/reveal", headers=SAME)
        assert answer.status_code == 200
        given = SAME | {"cookie": f"ringback={web.cookies['ringback']}"}
        assert (await house.begins("WEBSOCKET", "/api/v1/feed", given))[0] == 101


@pytest.mark.parametrize(("mode", "status"), [("navigate", 200), ("no-cors", 403), ("cors", 403)])
async def test_a_link_from_elsewhere_leads_here_and_nothing_else_does(
    tmp_path: Path, mode: str, status: int
) -> None:
    async with living_in(tmp_path) as house, house.web() as web:
        await log_in(web)
        given = {"sec-fetch-site": "cross-site", "sec-fetch-mode": mode}
        assert (await web.get("/api/v1/callbacks", headers=given)).status_code == status


@pytest.mark.parametrize(
    "headers",
    [
        [("authorization", "Basic b2xnYTp4")],
        [("authorization", f"Bearer {TOKENS['viewer'][1]}")] * 2,
        [("authorization", f"bearer {TOKENS['viewer'][1]}x")],
        [("authorization", "Bearer")],
        [("authorization", "")],
    ],
)
async def test_a_bad_token_is_not_made_good_by_a_cookie(
    tmp_path: Path, headers: list[tuple[str, Any]]
) -> None:
    async with living_in(tmp_path) as house, house.web() as web:
        await log_in(web)
        given: Any = headers
        assert (await web.get("/api/v1/session", headers=given)).status_code == 401
