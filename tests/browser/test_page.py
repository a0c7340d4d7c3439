"""What a supervisor sees and does, on a made-up centre that can be brought to any state."""

import re

import pytest
from playwright.async_api import Page, Route, expect

from support.board import Centre
from support.browser import Look
from support.showing import showing

ROW = "#callbacks .table-body [role=row]"
A_MINUTE_AGO = "2026-11-22T08:00:00.000Z"


def row(callback: str) -> str:
    return f"[id='row-{callback}']"


async def test_first_view(look: Look) -> None:
    centre = Centre(45)
    await centre.fire(next(iter(centre.rows)))
    async with showing(centre) as address:
        page = await look.open(f"{address}/")
        await expect(page.get_by_test_id("freshness")).to_have_text("Live")
        await expect(page.get_by_test_id("count-waiting")).to_have_text("5")
        await expect(page.get_by_test_id("shown")).to_have_text("45 callbacks")
        await expect(page.get_by_test_id("firing")).to_have_text("1")
        await expect(page.locator(".chart-plot canvas")).to_have_count(4)
        assert look.complaints == []


async def test_changes_are_seen_as_they_happen(look: Look) -> None:
    centre = Centre(9)
    first = next(iter(centre.rows))
    async with showing(centre) as address:
        page = await look.open(f"{address}/")
        await expect(page.locator(row(first))).to_contain_text("Scheduled")
        await centre.enter(first, "waiting")
        await expect(page.locator(row(first))).to_contain_text("Waiting")
        await expect(page.get_by_test_id("count-waiting")).to_have_text("2")
        await centre.enter("another", "talking")
        await expect(page.locator(row("another"))).to_contain_text("Talking")
        await centre.end("another")
        await expect(page.locator(row("another"))).to_have_count(0)
        assert look.complaints == []


async def test_ages_tick_without_the_server(look: Look) -> None:
    async with showing(Centre(9)) as address:
        page = await look.open(f"{address}/")
        age = page.locator(f"{ROW} [data-column=since]").first
        before = await age.inner_text()
        await expect(age).not_to_have_text(before)


async def test_a_filter_survives_a_reload(look: Look) -> None:
    async with showing(Centre(90)) as address:
        page = await look.open(f"{address}/")
        await page.get_by_role("combobox", name="Queue").select_option("queue-3")
        await page.get_by_role("button", name=re.compile("Waiting")).click()
        await page.get_by_role("button", name="Offers").click()
        shown = await page.get_by_test_id("shown").inner_text()
        assert re.fullmatch(r"\d of 90 callbacks", shown)
        assert page.url.endswith("/?state=waiting&queue=queue-3&sort=offers")
        await page.reload()
        await expect(page.get_by_test_id("shown")).to_have_text(shown)
        await expect(page.get_by_role("combobox", name="Queue")).to_have_value("queue-3")
        await page.get_by_role("button", name="Clear filters").click()
        await expect(page.get_by_test_id("shown")).to_have_text("90 callbacks")


async def test_one_callback_in_the_drawer(look: Look) -> None:
    centre = Centre(18)
    first = next(iter(centre.rows))
    async with showing(centre) as address:
        page = await look.open(f"{address}/", permissions=["clipboard-write", "clipboard-read"])
        await page.locator(row(first)).click()
        drawer = page.get_by_role("dialog")
        await expect(drawer).to_contain_text(centre.rows[first]["conversationId"])
        await expect(drawer.locator(".state-bar").first).to_be_visible()
        await expect(drawer.get_by_role("link", name="Open in Genesys Cloud")).to_have_attribute(
            "href", re.compile("^https://")
        )
        await drawer.get_by_role("button", name="Copy").click()
        await expect(drawer.get_by_role("button", name="Copied")).to_be_visible()
        copied = await page.evaluate("navigator.clipboard.readText()")
        assert copied == centre.rows[first]["conversationId"]
        await page.go_back()
        await expect(drawer).to_have_count(0)
        assert look.complaints == []


async def test_the_bars_of_the_timeline_are_as_long_as_the_states_lasted(look: Look) -> None:
    centre = Centre(9)
    talking = list(centre.rows)[6]
    async with showing(centre) as address:
        page = await look.open(f"{address}/?open={talking}")
        bars = page.locator(".state-bar")
        await expect(bars.first).to_be_visible()
        wide = {
            await bar.get_attribute("data-state"): float(await bar.get_attribute("width") or 0)
            for bar in await bars.all()
        }
        assert wide["waiting"] / wide["alerting"] == pytest.approx(300 / 40, rel=0.1)


async def test_an_operator_acknowledges(look: Look) -> None:
    centre = Centre(18)
    alert = await centre.fire(next(iter(centre.rows)))
    async with showing(centre) as address:
        page = await look.open(f"{address}/")
        await page.get_by_role("button", name="Acknowledge").click()
        await expect(page.locator(".alerts")).to_contain_text("seen by local")
        await expect(page.get_by_test_id("firing")).to_have_text("0")
        assert centre.acknowledged == [alert]
        assert look.complaints == []


async def test_a_viewer_sees_alerts_and_cannot_acknowledge(look: Look) -> None:
    centre = Centre(18, role="viewer")
    await centre.fire(next(iter(centre.rows)))
    async with showing(centre) as address:
        page = await look.open(f"{address}/")
        await expect(page.get_by_test_id("firing")).to_have_text("1")
        await expect(page.get_by_role("button", name="Acknowledge")).to_have_count(0)


async def test_a_blind_source_and_doubtful_rows_are_said(look: Look) -> None:
    centre = Centre(18)
    first = next(iter(centre.rows))
    async with showing(centre) as address:
        page = await look.open(f"{address}/")
        await expect(page.get_by_test_id("freshness")).to_have_text("Live")
        await centre.blind(A_MINUTE_AGO)
        await expect(page.get_by_test_id("blind")).to_contain_text("hears nothing since")
        await expect(page.get_by_test_id("freshness")).to_contain_text("Blind since")
        await centre.doubt(first)
        await expect(page.locator(row(first))).to_have_attribute("data-unverified", "true")
        await page.get_by_role("button", name="Show only these").click()
        await expect(page.get_by_test_id("shown")).to_have_text("1 of 18 callbacks")
        await centre.blind()
        await expect(page.get_by_test_id("blind")).to_have_count(0)
        await expect(page.get_by_test_id("freshness")).to_have_text("Live")


async def test_a_daemon_that_goes_and_comes_leaves_everything_in_its_place(look: Look) -> None:
    centre = Centre(180)
    async with showing(centre) as address:
        page = await look.open(f"{address}/?queue=queue-1,queue-2,queue-3,queue-4")
        await expect(page.get_by_test_id("shown")).to_contain_text("of 180")
        await page.locator("#callbacks").evaluate("box => { box.scrollTop = 400 }")
        await page.get_by_role("row").nth(12).click()
        await page.keyboard.press("Escape")
        place = await _place(page)
    port = int(address.rpartition(":")[2])
    await expect(page.get_by_test_id("lost")).to_contain_text("What is shown is of")
    await expect(page.get_by_test_id("freshness")).to_contain_text("Stopped at")
    await expect(page.locator(".page")).to_have_attribute("data-stale", "true")
    assert await page.locator(ROW).count() > 10
    still = await page.locator(f"{ROW} [data-column=since]").first.inner_text()
    await page.wait_for_timeout(1100)
    assert await page.locator(f"{ROW} [data-column=since]").first.inner_text() == still
    await centre.enter("while-away", "waiting", queueId="queue-1")
    async with showing(centre, port):
        await expect(page.get_by_test_id("freshness")).to_have_text("Live", timeout=20_000)
        assert await _place(page) == place
        await expect(page.get_by_test_id("lost")).to_have_count(0)
        await page.get_by_role("searchbox").fill("while-away")
        await expect(page.locator(row("while-away"))).to_contain_text("Waiting")


async def test_what_happened_meanwhile_is_read_before_it_is_called_live(look: Look) -> None:
    centre = Centre(9)
    async with showing(centre) as address:
        page = await look.open(f"{address}/")
        await expect(page.get_by_test_id("freshness")).to_have_text("Live")
    port = int(address.rpartition(":")[2])
    await expect(page).to_have_title("Not connected: Ringback")
    await centre.enter("while-away", "waiting")
    await centre.fire("while-away")
    centre.beating = False
    async with showing(centre, port):
        await expect(page.get_by_test_id("freshness")).to_contain_text("behind")
        await expect(page.locator(".page")).to_have_attribute("data-stale", "true")
        centre.beating = True
        await centre.wake()
        await expect(page.get_by_test_id("freshness")).to_have_text("Live")
        await expect(page).to_have_title("(1) Ringback")


async def _place(page: Page) -> list[object]:
    selected = await page.locator(f"{ROW}[aria-selected=true]").get_attribute("id")
    top = await page.locator("#callbacks").evaluate("box => box.scrollTop")
    return [page.url, selected, top]


async def test_a_journal_that_lost_its_beginning_means_a_new_snapshot(look: Look) -> None:
    centre = Centre(9)
    async with showing(centre) as address:
        page = await look.open(f"{address}/")
        await expect(page.get_by_test_id("shown")).to_have_text("9 callbacks")
    port = int(address.rpartition(":")[2])
    await expect(page.get_by_test_id("lost")).to_be_visible()
    await centre.enter("while-away", "waiting")
    centre.forget()
    async with showing(centre, port):
        await expect(page.locator(row("while-away"))).to_be_visible(timeout=20_000)
        await expect(page.get_by_test_id("freshness")).to_have_text("Live")


async def test_an_api_that_is_not_ready_is_said_and_asked_again(look: Look) -> None:
    centre = Centre(9)
    centre.failing = 503
    async with showing(centre) as address:
        page = await look.open(f"{address}/")
        await expect(page.get_by_role("alert")).to_contain_text("The board is loading.")
        centre.failing = None
        await page.get_by_role("button", name="Try now").click()
        await expect(page.get_by_test_id("shown")).to_have_text("9 callbacks")


async def test_nothing_open_and_nothing_that_fits(look: Look) -> None:
    centre = Centre()
    async with showing(centre) as address:
        page = await look.open(f"{address}/")
        await expect(page.get_by_test_id("empty")).to_contain_text("No callback is open")
        await centre.enter("one", "waiting")
        await expect(page.get_by_test_id("empty")).to_have_count(0)
        await page.get_by_role("searchbox").fill("nobody")
        await expect(page.get_by_test_id("empty")).to_contain_text("No callback fits")


async def test_by_keyboard_alone(look: Look) -> None:
    centre = Centre(90)
    async with showing(centre) as address:
        page = await look.open(f"{address}/")
        await expect(page.get_by_test_id("shown")).to_have_text("90 callbacks")
        for key in ("j", "ArrowDown", "j", "k"):
            await page.keyboard.press(key)
        selected = page.locator(f"{ROW}[aria-selected=true]")
        await expect(selected).to_have_attribute("aria-rowindex", "3")
        grid = page.get_by_role("grid")
        await expect(grid).to_be_focused()
        active = await selected.get_attribute("id")
        await expect(grid).to_have_attribute("aria-activedescendant", str(active))
        await page.keyboard.press("End")
        await expect(selected).to_have_attribute("aria-rowindex", "91")
        await expect(selected).to_be_in_viewport()
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("dialog")).to_be_visible()
        await page.keyboard.press("Escape")
        await expect(page.get_by_role("dialog")).to_have_count(0)
        await expect(grid).to_be_focused()
        await page.keyboard.press("/")
        await page.keyboard.type("queue 3")
        await page.keyboard.press("Escape")
        await expect(page.get_by_test_id("shown")).to_contain_text("of 90")
        await page.keyboard.press("?")
        await expect(page.get_by_role("dialog", name="Keyboard")).to_be_visible()
        await page.keyboard.press("Escape")
        await expect(page.get_by_role("dialog")).to_have_count(0)
        await page.keyboard.press("w")
        await expect(page.get_by_test_id("wall-waiting")).to_be_visible()
        assert "view=wall" in page.url


async def test_a_page_of_which_a_part_did_not_come_is_loaded_anew(look: Look) -> None:
    async with showing(Centre(9)) as address:
        page = await look.open(address)
        refused: list[str] = []

        async def once(route: Route) -> None:
            if refused:
                await route.continue_()
            else:
                refused.append(route.request.url)
                await route.abort("failed")

        await page.route("**/assets/table.js", once)
        await page.reload()
        await expect(page.locator(".page")).to_have_attribute("data-phase", "live")
        assert len(refused) == 1
