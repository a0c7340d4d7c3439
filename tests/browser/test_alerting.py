"""Rules, silences and receivers as a supervisor sees them, on a made-up centre."""

import re
from datetime import datetime

import pytest
from playwright.async_api import expect

from support.board import Centre, instant
from support.browser import AXE, Look
from support.showing import showing, surround

ENTRIES = ".alert-list > section > ul > .alert"


@pytest.mark.parametrize(
    ("what", "fields"),
    [
        ("of callback 00000003", {"rule": "too_old", "callback": "{first}"}),
        ("in Queue 3", {"rule": "too_old", "queue": "queue-3"}),
        ("everywhere", {"rule": "too_old"}),
    ],
)
async def test_an_alert_is_silenced_and_stays_in_sight(
    look: Look, what: str, fields: dict[str, str]
) -> None:
    centre = Centre(9)
    first = list(centre.rows)[3]
    await centre.fire(first, "too_old", severity="critical")
    async with showing(centre) as address:
        page = await look.open(f"{address}/", timezone_id="Europe/Berlin")
        await page.get_by_role("button", name="Silence In one state for hours").click()
        dialog = page.get_by_role("dialog", name="Silence")
        await dialog.get_by_label(what).check()
        await dialog.get_by_label("4 hours").check()
        await dialog.get_by_label("Why").fill("known, being mended")
        await dialog.get_by_role("button", name="Silence").click()
        await expect(dialog).to_have_count(0)
        await expect(page.get_by_test_id("firing")).to_have_text("0")
        await expect(page.locator(".alert-part h3")).to_contain_text("Silenced")
        await expect(page.locator(ENTRIES)).to_contain_text("by local: known, being mended")
        (silence,) = centre.silences
        said = {each["field"]: each["value"] for each in silence["matchers"]}
        assert said == {name: value.format(first=first) for name, value in fields.items()}
        until = datetime.fromisoformat(silence["until"]) - datetime.fromisoformat(instant())
        assert 3.9 < until.total_seconds() / 3600 <= 4
        # Others have ended it.
        centre.silences.clear()
        await page.reload()
        await expect(page.get_by_test_id("firing")).to_have_text("1")
        assert look.complaints == []


async def test_until_tomorrow_is_the_next_morning(look: Look) -> None:
    centre = Centre(9)
    await centre.fire_of_source()
    async with showing(centre) as address:
        page = await look.open(f"{address}/", timezone_id="Europe/Berlin")
        await page.get_by_role("button", name="Silence Source blind").click()
        dialog = page.get_by_role("dialog", name="Silence")
        await dialog.get_by_label("Until tomorrow").check()
        await page.keyboard.press("Enter")
        await expect(dialog).to_have_count(0)
        (silence,) = centre.silences
        assert {"field": "source", "value": "main"} in silence["matchers"]
        local = await page.evaluate(
            "at => new Date(at).toTimeString().slice(0, 5)", silence["until"]
        )
        assert local == "08:00"
        assert silence["until"] > instant()


async def test_who_only_looks_silences_nothing(look: Look) -> None:
    centre = Centre(9, role="viewer")
    surround(centre)
    await centre.fire(next(iter(centre.rows)))
    async with showing(centre) as address:
        page = await look.open(f"{address}/")
        await expect(page.locator(ENTRIES)).to_have_count(1)
        await expect(page.locator(".alert-deeds")).to_have_count(0)
        await page.keyboard.press("a")
        await expect(page.get_by_text("the queue is closed today")).to_be_visible()
        await expect(page.get_by_role("button", name="End it")).to_have_count(0)
        await expect(page.get_by_role("button", name="Let it go")).to_have_count(0)


async def test_a_receiver_that_fails_is_said_and_its_dead_letters_are_let_go(look: Look) -> None:
    centre = Centre(9)
    surround(centre)
    async with showing(centre) as address:
        page = await look.open(f"{address}/")
        warning = page.get_by_test_id("receiver")
        await expect(warning).to_contain_text("Receiver night takes nothing since")
        await expect(warning).to_contain_text("(it answered 500); 4 alerts to be told.")
        await expect(warning).to_contain_text("1 message to it was given up.")
        await warning.get_by_role("button", name="Show").click()
        receivers = page.get_by_role("region", name="Receivers")
        await expect(receivers).to_contain_text("it answered 404")
        await expect(receivers).to_contain_text("Auto-dial missed of 00000004 firing")
        await receivers.get_by_role("button", name="Let it go").click()
        await expect(receivers).not_to_contain_text("it answered 404")
        silences = page.get_by_role("region", name="Silences")
        await expect(silences).to_contain_text("Waiting too long, in Queue 7")
        await expect(silences).to_contain_text("by olga")
        await silences.get_by_role("button", name="End it").click()
        await expect(silences).to_contain_text("Nothing is silenced")
        assert centre.silences == []
        await page.go_back()
        await expect(page.get_by_role("grid")).to_be_visible()
        assert look.complaints == []


async def test_rules_in_force_can_be_read(look: Look) -> None:
    centre = Centre(9)
    surround(centre)
    async with showing(centre) as address:
        page = await look.open(f"{address}/?view=alerting")
        rules = page.get_by_role("region", name="Rules in force")
        await expect(rules.locator("tbody tr")).to_have_count(1)
        row = rules.locator("tbody tr")
        await expect(row).to_contain_text("Gold is late")
        await expect(row).to_contain_text("Critical")
        await expect(row).to_contain_text("after 1 min 30 s, for 1 h more")
        await expect(row).to_contain_text("in Queue 1 · asked for by customers")
        await expect(row).to_contain_text(re.compile("Mon Tue 08:00.18:00 Europe/Berlin"))
        await expect(rules).to_contain_text("not in force: rules.toml: rule 3")


@pytest.mark.parametrize("theme", ["light", "dark"])
async def test_axe_finds_nothing_in_the_dialog(look: Look, theme: str) -> None:
    centre = Centre(9)
    await centre.fire(next(iter(centre.rows)))
    async with showing(centre) as address:
        page = await look.open(
            f"{address}/", color_scheme=theme, reduced_motion="reduce", bypass_csp=True
        )
        await page.locator(".alert-deeds .icon-button").click()
        await expect(page.get_by_role("dialog", name="Silence")).to_be_visible()
        await page.evaluate(AXE.read_text(encoding="utf-8"))
        found = await page.evaluate("axe.run({resultTypes: ['violations']})")
        told = [
            (each["id"], [node["target"] for node in each["nodes"]]) for each in found["violations"]
        ]
        assert told == []
