"""A page that is moved from one node to another, as a proxy does when a node goes."""

from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
from playwright.async_api import expect

from ringback.simulator.options import Options
from support.browser import Look
from support.cluster import Member, cluster, now
from support.relay import Relay

ROLES = ("listen", "track", "serve", "serve")
ROW = "#callbacks .table-body [role=row]"
FEW = Options(arrivals_per_minute=60, max_live=12, warm_up=timedelta(0), remember=10_000)
"""So few that all of them are on the page at once."""


async def where(member: Member) -> tuple[str, int]:
    """Give where a node serves."""
    found = urlsplit(await member.child.url())
    assert found.hostname is not None
    assert found.port is not None
    return found.hostname, found.port


async def known(member: Member) -> dict[str, str]:
    """Give the states that a node knows of what has not ended."""
    host, port = await where(member)
    async with httpx.AsyncClient(trust_env=False) as web:
        answer = await web.get(f"http://{host}:{port}/api/v1/callbacks")
    callbacks: list[dict[str, Any]] = answer.json()["callbacks"]
    return {each["callbackId"]: each["state"] for each in callbacks}


async def test_a_page_goes_on_at_another_node_where_it_was(tmp_path: Path, look: Look) -> None:
    async with cluster(tmp_path, ROLES, options=FEW) as all_of_it:
        await all_of_it.start()
        await all_of_it.tracked_since(now())
        one, other = all_of_it.of("serve")
        async with Relay(*await where(one)) as relay:
            page = await look.open(f"http://127.0.0.1:{relay.port}/?sort=offers")
            await expect(page.get_by_test_id("freshness")).to_have_text("Live")
            await expect(page.locator(ROW).nth(3)).to_be_attached()
            loads = await page.evaluate("performance.timeOrigin")
            relay.switch(*await where(other))
            await one.kill()
            faults, _ = await all_of_it.verdict()
            assert faults == []
            wanted = await known(other)
            assert wanted
            await expect(page.locator(ROW)).to_have_count(len(wanted))
            for name, state in wanted.items():
                row = page.locator(f"#row-{name} .state")
                await expect(row).to_have_attribute("data-state", state)
            await expect(page.get_by_test_id("freshness")).to_have_text("Live")
            # It is the same page, with what was chosen on it.
            assert await page.evaluate("performance.timeOrigin") == loads
            assert page.url.endswith("/?sort=offers")
            await page.close()
