"""How the page looks: to a checker of accessibility, dark and light, on small and large screens."""

import pytest
from playwright.async_api import expect

from support.board import Centre
from support.browser import AXE, Look
from support.showing import showing, surround

ROW = "#callbacks .table-body [role=row]"
A_MINUTE_AGO = "2026-11-22T08:00:00.000Z"
PROOF = {"confirmed": True, "by": "read", "time": A_MINUTE_AGO}
UNPROVED = {"confirmed": False, "why": "the source cannot read"}
STUCK = {
    "scheduled": "due_not_released",
    "connected": "connected_not_dialled",
    "auto_dialing": "auto_dial_missed",
}


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("where", ["", "?open={first}", "?view=wall", "?view=alerting"])
async def test_axe_finds_nothing(look: Look, theme: str, where: str) -> None:
    centre = Centre(45)
    ids = list(centre.rows)
    for number, each in enumerate(ids[:9]):
        await centre.fire(each, severity=("critical", "warning", "info")[number % 3], proof=PROOF)
    for each in ids[9:18]:
        await centre.fire(each, "waiting_too_long", queueId="queue-1", proof=UNPROVED)
    await centre.fire_of_source()
    await centre.doubt(ids[5])
    await centre.blind(A_MINUTE_AGO)
    surround(centre)
    async with showing(centre) as address:
        page = await look.open(
            f"{address}/{where.format(first=ids[0])}",
            color_scheme=theme,
            reduced_motion="reduce",
            bypass_csp=True,  # for the checker, not for the page
        )
        await expect(page.get_by_test_id("freshness")).to_contain_text("Blind")
        if not where:
            await page.locator(".alert-open[aria-expanded]").click()
        if "alerting" in where:
            await expect(page.get_by_text("it answered 404")).to_be_visible()
            await expect(page.get_by_text("Gold is late")).to_be_visible()
        if "open" in where:
            await expect(page.locator(".state-bar").first).to_be_visible()
        await page.evaluate(AXE.read_text(encoding="utf-8"))
        found = await page.evaluate("axe.run({resultTypes: ['violations']})")
        told = [
            (each["id"], [(node["target"], node["failureSummary"]) for node in each["nodes"]])
            for each in found["violations"]
        ]
        assert told == []


async def test_dark_and_light_by_the_system_and_by_hand(look: Look) -> None:
    async with showing(Centre(9)) as address:
        page = await look.open(f"{address}/", color_scheme="dark")
        root = page.locator("html")
        await expect(root).to_have_attribute("data-theme", "dark")
        await page.emulate_media(color_scheme="light")
        await expect(root).to_have_attribute("data-theme", "light")
        await page.get_by_role("button", name="Switch to dark").click()
        await expect(root).to_have_attribute("data-theme", "dark")
        await page.reload()
        await expect(root).to_have_attribute("data-theme", "dark")
        assert look.complaints == []


INKED = """canvas => {
    const { width, height } = canvas;
    const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
    const spread = (rgb) => Math.max(...rgb) - Math.min(...rgb);
    const found = [];
    for (let x = 0; x < width; x += 1) {
        for (let y = 0; y < height; y += 1) {
            const at = (y * width + x) * 4;
            if (data[at + 3] > 200 && spread(data.slice(at, at + 3)) > 40) {
                found.push(x / width);
                break;
            }
        }
    }
    return found;
}"""


@pytest.mark.parametrize(("minutes", "from_"), [(1, 0.9), (3, 0.9), (120, 0.5), (240, 0.1)])
async def test_charts_span_the_last_hours_however_little_is_known(
    look: Look, minutes: int, from_: float
) -> None:
    centre = Centre(9)
    centre.minutes = minutes
    async with showing(centre) as address:
        page = await look.open(f"{address}/")
        canvas = page.locator(".chart-plot canvas").first
        await expect(canvas).to_be_visible()
        inked = await canvas.evaluate(INKED)
        assert from_ < min(inked) < from_ + 0.15
        assert max(inked) < 0.99


async def test_many_alerts_scroll_in_their_panel_and_leave_the_page_as_it_is(look: Look) -> None:
    centre = Centre(90)
    for callback, facts in centre.rows.items():
        if rule := STUCK.get(facts["state"]):
            await centre.fire(callback, rule)
    async with showing(centre) as address:
        page = await look.open(f"{address}/?alert=any")
        await expect(page.get_by_test_id("firing")).to_have_text("30")
        assert await page.evaluate("document.documentElement.scrollHeight") == 768
        # A row says in whole words what is wrong with it.
        names = page.locator(f"{ROW} .mark-name")
        assert await names.count() > 10
        cut = "names => names.filter((name) => name.scrollWidth > name.clientWidth).length"
        assert await names.evaluate_all(cut) == 0


async def test_warnings_take_their_room_from_the_rest(look: Look) -> None:
    centre = Centre(90)
    first, second, *_ = centre.rows
    async with showing(centre) as address:
        page = await look.open(f"{address}/")
        await expect(page.locator(".chart-plot canvas")).to_have_count(4)
        await centre.blind(A_MINUTE_AGO)
        await centre.doubt(first)
        await centre.fire(second)
        await expect(page.locator(".warning")).to_have_count(2)
        await expect(page.get_by_test_id("firing")).to_have_text("1")
        assert await page.evaluate("document.documentElement.scrollHeight") == 768


@pytest.mark.parametrize(("wide", "high"), [(1366, 768), (1920, 1080), (3840, 2160), (800, 1000)])
@pytest.mark.parametrize("where", ["", "?view=wall", "?view=alerting"])
async def test_the_page_fits_the_screen(look: Look, wide: int, high: int, where: str) -> None:
    async with showing(Centre(90)) as address:
        page = await look.open(f"{address}/{where}", wide=wide, high=high)
        await expect(page.locator(".page")).to_have_attribute("data-phase", "live")
        size = await page.evaluate(
            "[document.documentElement.scrollWidth, document.documentElement.scrollHeight]"
        )
        assert size == [wide, high]
