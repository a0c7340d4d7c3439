"""What a supervisor sees of alerts and does about them, on a made-up centre."""

from playwright.async_api import Page, expect

from support.board import Centre
from support.browser import Look
from support.showing import showing

READ = {"confirmed": True, "by": "read", "time": "2026-11-25T10:31:04.000Z"}
ENTRIES = ".alert-list > section > ul > .alert"


async def names(page: Page) -> list[str]:
    return await page.locator(f"{ENTRIES} .alert-name").all_inner_texts()


async def test_the_worst_comes_first_then_the_oldest_and_what_was_seen_last(look: Look) -> None:
    centre = Centre(9)
    first, second, third, fourth, fifth, *_ = centre.rows
    await centre.fire(first, "too_old", age=900, severity="info")
    await centre.fire(second, "never_offered", age=60, severity="warning")
    await centre.fire(third, "waiting_too_long", age=600, severity="warning")
    await centre.fire(fourth, "ownership_expiring", age=5, severity="critical")
    seen = await centre.fire(fifth, "lost", age=5000, severity="critical")
    centre.alerts[seen]["acknowledged"] = {"by": "olga", "time": centre.alerts[seen]["since"]}
    async with showing(centre) as address:
        page = await look.open(f"{address}/")
        await expect(page.get_by_test_id("firing")).to_have_text("4")
        assert await names(page) == [
            "Ownership expiring",
            "Waiting too long",
            "Never offered",
            "In one state for hours",
            "Lost",
        ]
        heads = await page.locator(".alert-part h3").all_inner_texts()
        assert [head.replace("\n", " ") for head in heads] == [
            "Critical 1",
            "Warning 2",
            "Info 1",
            "Acknowledged 1",
        ]
        # Each severity has a shape of its own.
        drawn = page.locator(".alert-part h3 path")
        shapes = await drawn.evaluate_all("paths => paths.map((path) => path.getAttribute('d'))")
        assert len(set(shapes)) == 4
        await expect(page.locator(ENTRIES).last).to_contain_text("seen by olga")
        # In the row the worst that nobody has seen is named.
        await centre.fire(fifth, "too_old", severity="info")
        row = page.locator(f"[id='row-{fifth}']")
        await expect(row.locator(".mark-name")).to_have_text("for hours")
        await expect(row).to_contain_text("+1")
        assert look.complaints == []


async def test_an_alert_says_what_it_rests_on(look: Look) -> None:
    centre = Centre(9)
    first, second, third, fourth, *_ = centre.rows
    blind = "the source is blind since 2026-11-25T10:31:04.000Z"
    await centre.fire(first, age=40, proof=READ)
    await centre.fire(second, age=30, proof={"confirmed": False, "why": "the source cannot read"})
    await centre.fire(third, age=20, proof={"confirmed": False, "why": blind})
    await centre.fire(fourth, age=10)
    async with showing(centre) as address:
        page = await look.open(f"{address}/", timezone_id="Europe/Berlin")
        rests = page.locator(f"{ENTRIES} .alert-rests")
        await expect(rests).to_have_text(
            [
                "confirmed by a read at 11:31:04",
                "unconfirmed: the source cannot read",
                "unconfirmed: the source is blind since 11:31:04",
                "",
            ]
        )
        cut = "all => all.filter((one) => one.scrollWidth > one.clientWidth).length"
        assert await rests.locator(".proof").evaluate_all(cut) == 0
        assert await page.locator(f"{ENTRIES} .alert-name").evaluate_all(cut) == 0
        assert look.complaints == []


async def test_many_of_one_rule_and_queue_are_one_entry_that_opens(look: Look) -> None:
    centre = Centre(90)
    ids = list(centre.rows)
    for age, each in enumerate(ids[:37]):
        await centre.fire(each, "waiting_too_long", age=age, queueId="queue-2", proof=READ)
    for each in ids[40:43]:
        await centre.fire(each, "waiting_too_long", age=1, queueId="queue-3")
    async with showing(centre) as address:
        page = await look.open(f"{address}/")
        await expect(page.get_by_test_id("firing")).to_have_text("40")
        group = page.locator(ENTRIES).first
        await expect(group).to_contain_text("37 callbacks of Queue 2")
        await expect(group).to_contain_text("Waiting too long · longest")
        await expect(group).to_contain_text("37 of 37 confirmed")
        await expect(page.locator(ENTRIES)).to_have_count(4)  # three are not many
        opener = group.locator(".alert-open[aria-expanded]")
        await opener.click()
        await expect(opener).to_have_attribute("aria-expanded", "true")
        await expect(group.locator(".alert")).to_have_count(37)
        await group.locator(".alert .alert-open").first.click()
        await expect(page.get_by_role("dialog")).to_contain_text(ids[36][:8])
        await page.keyboard.press("Escape")
        await group.get_by_role("button", name="Show in the table").click()
        assert page.url.endswith("/?queue=queue-2&alert=waiting_too_long")
        await group.get_by_role("button", name="Acknowledge all").click()
        await expect(page.get_by_test_id("firing")).to_have_text("3")
        assert sorted(centre.acknowledged) == sorted(
            f"{each}/waiting_too_long/1" for each in ids[:37]
        )
        assert look.complaints == []


async def test_an_alert_about_a_source_is_shown_as_such(look: Look) -> None:
    centre = Centre(9)
    async with showing(centre) as address:
        page = await look.open(f"{address}/")
        await expect(page.get_by_test_id("firing")).to_have_text("0")
        await centre.fire_of_source(severity="critical")
        await expect(page.locator(ENTRIES)).to_contain_text("Source blind")
        await expect(page.locator(ENTRIES)).to_contain_text("source main")
        await expect(page.locator(".table-body .mark")).to_have_count(0)
        await page.get_by_role("button", name="Acknowledge").click()
        await expect(page.locator(ENTRIES)).to_contain_text("seen by local")
        await centre.resolve("source:main/source_blind/1")
        await expect(page.locator(ENTRIES)).to_have_count(0)
        assert look.complaints == []


async def test_what_is_pending_is_among_the_deadlines(look: Look) -> None:
    centre = Centre(9)
    async with showing(centre) as address:
        page = await look.open(f"{address}/?open={next(iter(centre.rows))}")
        pending = page.get_by_role("dialog").locator("tr", has_text="Talking too long")
        await expect(pending).to_contain_text("Critical")
        await expect(pending).to_contain_text("4:5")
        raised = page.get_by_role("dialog").locator("tr", has_text="Auto-dial missed")
        await expect(raised).to_contain_text("confirmed by a read at")
        assert look.complaints == []
