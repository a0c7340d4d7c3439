"""Debian's Chromium, started once for all tests, and pages that tell what they complain of."""

import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, Page, async_playwright, expect
from playwright.async_api import Error as PlaywrightError

__all__ = ["AXE", "Look", "browsing", "chromium_running"]

AXE = Path(sys.prefix) / "share" / "axe-core" / "axe.min.js"
"""Laid there by the Makefile."""

START_SECONDS = 60.0
NETWORK = "net::ERR_NETWORK_CHANGED"
"""Other tests tear networks apart: Chromium then breaks off what it fetches."""
PATIENCE_MS = 20_000
"""The machine may be busy with other tests."""
expect.set_options(timeout=PATIENCE_MS)
FLAGS = (
    "--headless=new",
    "--remote-debugging-port=0",
    "--no-sandbox",  # tests run as root in continuous integration
    "--no-first-run",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--enable-precise-memory-info",
    "--js-flags=--expose-gc",
)


@contextmanager
def chromium_running(path: str, folder: Path) -> Iterator[str]:
    """Start it; give the address that it is driven at."""
    with (folder / "chromium.log").open("wb") as log:
        process = subprocess.Popen(
            [path, *FLAGS, f"--user-data-dir={folder / 'profile'}", "about:blank"],
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
        )
        try:
            yield f"http://127.0.0.1:{_port(process, folder)}"
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _port(process: "subprocess.Popen[bytes]", folder: Path) -> int:
    written = folder / "profile" / "DevToolsActivePort"
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        if written.exists() and (lines := written.read_text().split()):
            return int(lines[0])
        time.sleep(0.05)
    raise AssertionError((folder / "chromium.log").read_text(errors="replace"))


class Look:
    """Pages of one test. Whatever a page complains of is in `complaints`."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self.complaints: list[str] = []

    async def open(self, address: str, *, wide: int = 1366, high: int = 768, **how: Any) -> Page:
        """Open an address in a context of its own."""
        context = await self._browser.new_context(
            viewport={"width": wide, "height": high}, locale="en-GB", **how
        )
        context.set_default_timeout(PATIENCE_MS)
        page = await context.new_page()
        page.on(
            "console",
            lambda said: (
                self.complaints.append(f"{said.text} ({said.location.get('url')})")
                if said.type in {"error", "warning"} and NETWORK not in said.text
                else None
            ),
        )
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        try:
            await page.goto(address)
        except PlaywrightError as error:
            if NETWORK not in error.message:
                raise
            await page.goto(address)
        return page


@asynccontextmanager
async def browsing(endpoint: str) -> AsyncIterator[Look]:
    """Drive the running Chromium for one test."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.connect_over_cdp(endpoint)
        look = Look(browser)
        try:
            yield look
        finally:
            # Shown only of a test that has failed.
            sys.stdout.write(f"the pages complained of: {look.complaints}\n")
            for context in browser.contexts:
                await context.close()
            await browser.close()
