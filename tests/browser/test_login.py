"""Logging in and out with a browser, on a real daemon over TLS."""

import re
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page, expect

from support.access import TOKENS, tokens_file
from support.browser import AXE, Look
from support.certificates import make_certificate
from support.daemon import Child, running

THEMES = ("light", "dark")


def asking(folder: Path) -> dict[str, Any]:
    """Give the settings of a daemon that asks who is there, over TLS."""
    certificate, key = make_certificate(folder)
    return {
        "web__tokens": tokens_file(folder),
        "web__tls_certificate": certificate,
        "web__tls_key": key,
    }


async def led(look: Look, child: Child, where: str = "/", **how: Any) -> Page:
    """Go somewhere as nobody; give the login page, which is where that leads."""
    page = await look.open(f"{await child.url()}{where}", ignore_https_errors=True, **how)
    assert re.search(r"/login\?next=", page.url), page.url
    return page


async def log_in(page: Page, role: str) -> None:
    await page.get_by_label("Access token").fill(TOKENS[role][1])
    await page.get_by_role("button", name="Log in").click()


async def test_a_browser_is_led_to_the_login_and_back(tmp_path: Path, look: Look) -> None:
    async with running(tmp_path, **asking(tmp_path)) as child:
        await child.says("board_loaded")
        page = await led(look, child, "/?view=wall")
        await page.get_by_label("Access token").fill("this is none")
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("alert")).to_have_text("This token is not known.")
        look.complaints.clear()  # the browser's own, of the 401
        await log_in(page, "operator")
        await expect(page).to_have_url(f"{await child.url()}/?view=wall")
        await expect(page.get_by_test_id("freshness")).to_have_text("Live")
        await page.get_by_role("button", name="Log out").click()
        await expect(page).to_have_url(f"{await child.url()}/login")
        assert look.complaints == []  # nor of a feed that was cut off with the session
        await page.goto(await child.url())
        await expect(page).to_have_url(re.compile(r"/login\?next="))


async def test_the_login_needs_no_script(tmp_path: Path, look: Look) -> None:
    async with running(tmp_path, **asking(tmp_path)) as child:
        await child.says("board_loaded")
        page = await led(look, child, java_script_enabled=False)
        await log_in(page, "viewer")
        await expect(page).to_have_url(f"{await child.url()}/")
        await expect(page.get_by_text("Ringback is loading…")).to_be_visible()


async def test_a_page_whose_token_is_struck_off_asks_anew(tmp_path: Path, look: Look) -> None:
    async with running(tmp_path, **asking(tmp_path)) as child:
        await child.says("board_loaded")
        page = await led(look, child)
        await log_in(page, "viewer")
        await expect(page.get_by_test_id("freshness")).to_have_text("Live")
        tokens = tmp_path / "tokens"
        lines = tokens.read_text().splitlines()
        tokens.write_text("\n".join(line for line in lines if "viewer" not in line))
        await expect(page).to_have_url(re.compile(r"/login\?next="))


@pytest.mark.parametrize("theme", THEMES)
async def test_the_login_can_be_used_by_everybody(tmp_path: Path, look: Look, theme: str) -> None:
    async with running(tmp_path, **asking(tmp_path)) as child:
        await child.says("board_loaded")
        page = await led(look, child, color_scheme=theme, bypass_csp=True)
        await page.get_by_role("button", name="Log in").wait_for()
        await page.get_by_label("Access token").fill("this is none")
        await page.keyboard.press("Enter")
        await page.get_by_role("alert").wait_for()
        await page.add_script_tag(path=AXE)
        found = await page.evaluate("async () => (await axe.run()).violations.map(one => one.id)")
        assert found == []
