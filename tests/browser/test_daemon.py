"""What a supervisor sees and does, on a real daemon that follows the simulated contact centre."""

import asyncio
import re
import signal
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.async_api import Page, Request, expect

from support.browser import AXE, Look
from support.daemon import SOON, Child, running
from support.gateway import contact_centre, frame, free_port, gateway, to

DUE = "2036-11-22T08:00:00.000Z"
ROW = "#callbacks .table-body [role=row]"
BUSY: dict[str, Any] = {"simulator__callbacks_per_hour": 7200, "simulator__speed": 5}
STUCK_AT_ONCE: dict[str, Any] = BUSY | {"watch__not_dialled_seconds": 1}
THEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")


async def opened(look: Look, child: Child, where: str = "", **how: Any) -> Page:
    """Open the page; wait until it follows and shows rows."""
    page = await look.open(f"{await child.url()}/{where}", **how)
    await expect(page.get_by_test_id("freshness")).to_have_text("Live")
    await expect(page.locator(ROW).first).to_be_attached()
    return page


async def asked(child: Child, path: str) -> Any:
    return (await child.get(f"/api/v1/{path}")).json()


async def test_first_view(tmp_path: Path, look: Look) -> None:
    async with running(tmp_path, **BUSY) as child:
        await child.says("board_loaded")
        page = await look.open("about:blank")
        hosts: set[str] = set()

        def note(request: Request) -> None:
            hosts.add(request.url.split("/")[2])

        page.on("request", note)
        await page.goto(f"{await child.url()}/")
        await expect(page.get_by_test_id("freshness")).to_have_text("Live")
        await expect(page.locator(".chart-plot canvas")).to_have_count(4)
        names = (await asked(child, "session"))["queues"].values()
        queue = page.locator(f"{ROW} [data-column=queue]").first
        assert await queue.inner_text() in names
        counts = page.locator(".tile-number")
        shown = await page.get_by_test_id("shown").inner_text()
        assert await counts.count() == 9
        assert re.fullmatch(r"\d+ callbacks", shown)
        assert hosts == {(await child.url()).removeprefix("http://")}
        assert look.complaints == []


async def test_a_callback_is_followed_as_it_moves(tmp_path: Path, look: Look) -> None:
    async with gateway() as peer, running(tmp_path, **to(peer.url)) as child:
        due = {"state": "scheduled", "connectedTime": None, "callbackScheduledTime": DUE}
        await peer.send(frame("c-1", **due), frame("c-2"))
        page = await opened(look, child)
        row = page.locator("#row-c-1")
        state = row.locator(".state")
        await expect(state).to_have_attribute("data-state", "scheduled")
        await peer.send(frame("c-1", callbackScheduledTime=DUE))
        await expect(state).to_have_attribute("data-state", "waiting")
        await peer.send(frame("c-1", state="disconnected", disconnectedTime=DUE))
        await expect(row).to_have_count(0)
        await expect(page.locator("#row-c-2")).to_be_attached()
        assert look.complaints == []


async def test_a_filter_survives_a_reload(tmp_path: Path, look: Look) -> None:
    async with running(tmp_path, **BUSY) as child:
        page = await opened(look, child)
        queues = page.get_by_role("combobox", name="Queue")
        name = await page.locator(f"{ROW} [data-column=queue]").first.inner_text()
        await queues.select_option(label=name)
        chosen = await queues.input_value()
        await page.get_by_role("button", name=re.compile("Scheduled|Waiting")).nth(1).click()
        await page.get_by_role("button", name="Offers").click()
        assert page.url.endswith(f"/?state=waiting&queue={chosen}&sort=offers")
        await page.reload()
        await expect(page.get_by_test_id("freshness")).to_have_text("Live")
        await expect(queues).to_have_value(chosen)
        await expect(page.get_by_test_id("shown")).to_contain_text(" of ")
        shown = await page.locator(f"{ROW} .state").evaluate_all(
            "states => states.map((state) => state.dataset.state)"
        )
        assert set(shown) <= {"waiting"}
        assert look.complaints == []


def long_lives(child: Child) -> list[str]:
    """Give the callbacks that have ended after more than three states."""
    entered = [
        event["subject"]
        for event in child.events
        if "trigger" in event["data"] or event["type"].endswith("disconnected.v1")
    ]
    ended = [
        event["subject"] for event in child.events if event["type"].endswith("disconnected.v1")
    ]
    return [subject for subject in ended if entered.count(subject) > 3]


async def test_the_drawer_tells_the_whole_life_to_scale(tmp_path: Path, look: Look) -> None:
    async with running(tmp_path, **BUSY) as child:
        page = await opened(look, child, permissions=["clipboard-write", "clipboard-read"])
        await child.until(lambda: long_lives(child))
        life = await asked(child, f"callbacks/{long_lives(child)[0]}")
        assert len(life["states"]) > 3
        callback = life["callback"]
        await page.goto(f"{await child.url()}/?open={callback['callbackId']}")
        drawer = page.get_by_role("dialog")
        await expect(drawer).to_contain_text("Ended:")
        await expect(drawer).to_contain_text("Rests on")
        await expect(drawer.locator(".state-bar")).to_have_count(len(life["states"]))
        drawn = await drawer.locator(".state-bar").evaluate_all(
            "bars => bars.map((bar) => Number(bar.getAttribute('width')))"
        )
        lasted = [state.get("seconds", 0.0) for state in life["states"]]
        longest = lasted.index(max(lasted))
        # What would be too narrow to be seen is drawn a little wider than it lasted.
        assert [wide / drawn[longest] for wide in drawn] == pytest.approx(
            [seconds / lasted[longest] for seconds in lasted], abs=0.01
        )
        await drawer.get_by_role("button", name="Copy").click()
        copied = await page.evaluate("navigator.clipboard.readText()")
        assert copied == callback["conversationId"]
        assert look.complaints == []


async def test_an_operator_acknowledges(tmp_path: Path, look: Look) -> None:
    async with running(tmp_path, **STUCK_AT_ONCE) as child:
        await child.tells("alert.firing")
        page = await opened(look, child)
        shown = page.locator(".alerts", has_text="seen by local")
        for _ in range(5):  # what is acknowledged may be over before that is shown
            await page.locator(".alert-take").first.click()
            with suppress(AssertionError):
                await expect(shown).to_be_visible(timeout=4000)
                break
        await expect(shown).to_be_visible()
        told = (await child.tells("alert.acknowledged"))[0]["data"]
        assert told["by"] == "local"
        alerts = {each["alertId"]: each for each in (await asked(child, "alerts"))["alerts"]}
        if told["alertId"] in alerts:  # else it is over by now
            assert alerts[told["alertId"]]["acknowledged"]["by"] == "local"
        assert look.complaints == []


async def test_an_operator_silences_and_ends_it(tmp_path: Path, look: Look) -> None:
    async with running(tmp_path, **STUCK_AT_ONCE) as child:
        await child.tells("alert.firing")
        page = await opened(look, child)
        await page.locator(".alert-deeds .icon-button").first.click()
        dialog = page.get_by_role("dialog", name="Silence")
        await dialog.get_by_label("everywhere").check()
        await dialog.get_by_label("Why").fill("known")
        await dialog.get_by_role("button", name="Silence").click()
        await expect(dialog).to_have_count(0)
        (silence,) = (await asked(child, "silences"))["silences"]
        assert (silence["by"], silence["comment"]) == ("local", "known")
        await page.keyboard.press("a")
        rules = (await asked(child, "rules"))["rules"]
        await expect(page.locator(".rules tbody tr")).to_have_count(len(rules))
        shown = page.get_by_role("region", name="Silences")
        await expect(shown).to_contain_text("“known”")
        await shown.get_by_role("button", name="End it").click()
        await expect(shown).to_contain_text("Nothing is silenced")
        assert (await asked(child, "silences"))["silences"] == []
        assert look.complaints == []


async def shows_news(page: Page, child: Child, seen: frozenset[str]) -> None:
    """Find a callback on the page that was not known before; some end too soon."""
    async with asyncio.timeout(SOON):
        while True:
            waiting = [
                found
                for one in await child.tells("callback.waiting")
                if (found := one["data"]["callbackId"]) not in seen
            ]
            await page.get_by_role("searchbox").fill(waiting[-1] if waiting else "")
            if waiting and await page.locator(f"[id='row-{waiting[-1]}']").count():
                return
            await page.wait_for_timeout(200)


async def test_killed_and_back_it_leaves_everything_in_its_place(
    tmp_path: Path, look: Look
) -> None:
    port = free_port()
    async with running(tmp_path, web__port=port, **BUSY) as child:
        await child.tells("callback.waiting", 20)
        queue = (await asked(child, "summary"))["queues"][0]["queueId"]
        page = await opened(look, child, f"?queue={queue}")
        await page.evaluate("window.opened_once = true")
        await page.locator(ROW).first.click()
        await page.keyboard.press("Escape")
        selected = await page.locator(f"{ROW}[aria-selected=true]").get_attribute("id")
        child.process.send_signal(signal.SIGKILL)
        await expect(page.get_by_test_id("lost")).to_contain_text("What is shown is of")
        await expect(page.get_by_test_id("freshness")).to_contain_text("Stopped at")
        await expect(page).to_have_title("Not connected: Ringback")
        dimmed = "body => getComputedStyle(body).filter"
        assert await page.locator(".table-body").evaluate(dimmed) == "grayscale(1)"
        ages = page.locator(f"{ROW} [data-column=since]")
        still = await ages.all_inner_texts()
        assert still
        await page.wait_for_timeout(1100)
        assert await ages.all_inner_texts() == still
        await expect(page.locator(".alert-take:enabled")).to_have_count(0)
    async with running(tmp_path, web__port=port, **BUSY) as child:
        await expect(page.get_by_test_id("freshness")).to_have_text("Live", timeout=30_000)
        await expect(page.get_by_test_id("lost")).to_have_count(0)
        assert await page.evaluate("window.opened_once")
        assert page.url.endswith(f"/?queue={queue}")
        assert await page.locator(f"{ROW}[aria-selected=true]").get_attribute("id") == selected
        # What happened since is followed from where the page had been.
        await page.get_by_role("button", name="Clear filters").click()
        seen = frozenset(one["data"].get("callbackId", "") for one in child.events)
        await shows_news(page, child, seen)
        # The browser itself says that nobody answered; the page has nothing to say.
        # The browser itself says that nobody was there, and that the daemon was loading.
        away = ("net::ERR", "503 (Service Unavailable)")
        assert [each for each in look.complaints if not any(one in each for one in away)] == []


async def test_a_blind_source_is_said_and_what_is_in_doubt_is_marked(
    tmp_path: Path, look: Look
) -> None:
    async with (
        contact_centre() as centre,
        running(tmp_path, **to(centre.url, watch__unverified_seconds=1)) as child,
    ):
        await child.tells("callback.waiting", 5)
        page = await opened(look, child)
        centre.refuse_connects(3600)
        await centre.drop_clients()
        await expect(page.get_by_test_id("blind")).to_contain_text("hears nothing since")
        await expect(page.get_by_test_id("freshness")).to_contain_text("Blind since")
        since = (await asked(child, "sources"))["sources"][0]["blindSince"]
        said = await page.evaluate("time => new Date(time).toTimeString().slice(0, 8)", since)
        await expect(page.get_by_test_id("blind")).to_contain_text(said)
        doubtful = page.locator(f"{ROW}[data-unverified=true]")
        await expect(doubtful.first).to_be_attached()
        await page.get_by_role("button", name="Show only these").click()
        # All of them are: nothing has confirmed any.
        await expect(page.get_by_test_id("shown")).to_have_text(re.compile(r"^\d+ callbacks$"))
        centre.refuse_connects(0)
        await child.tells("source.connected", 2)
        await centre.resend_latest()
        await expect(page.get_by_test_id("freshness")).to_have_text("Live")
        await expect(doubtful).to_have_count(0)
        assert look.complaints == []


async def test_by_keyboard_alone(tmp_path: Path, look: Look) -> None:
    async with running(tmp_path, **STUCK_AT_ONCE) as child:
        await child.tells("alert.firing")
        page = await opened(look, child)
        await page.keyboard.press("j")
        await page.keyboard.press("ArrowDown")
        grid = page.get_by_role("grid")
        await expect(grid).to_be_focused()
        await expect(page.locator(f"{ROW}[aria-selected=true]")).to_have_count(1)
        await page.keyboard.press("Enter")
        drawer = page.get_by_role("dialog")
        await expect(drawer).to_contain_text("Rests on")
        await page.keyboard.press("Escape")
        await expect(drawer).to_have_count(0)
        await expect(grid).to_be_focused()
        for _ in range(40):
            await page.keyboard.press("Tab")
            if await page.evaluate("document.activeElement.className") == "alert-take":
                break
        await page.keyboard.press("Enter")
        await child.tells("alert.acknowledged")
        await page.keyboard.press("w")
        await expect(page.get_by_test_id("wall-waiting")).to_be_visible()
        await page.keyboard.press("w")
        await expect(page.get_by_role("grid")).to_be_visible()
        assert look.complaints == []


async def test_axe_finds_nothing_in_any_main_state(tmp_path: Path, look: Look) -> None:
    async with running(tmp_path, **STUCK_AT_ONCE) as child:
        await child.tells("alert.firing")
        # The rule of the page's own policy is for the page, not for the checker.
        page = await opened(look, child, reduced_motion="reduce", bypass_csp=True)
        await page.evaluate(AXE.read_text(encoding="utf-8"))
        await violates_nothing(page, "list")
        await page.locator(ROW).first.click()
        await expect(page.get_by_role("dialog")).to_contain_text("Rests on")
        await violates_nothing(page, "drawer")
        await page.keyboard.press("Escape")
        ended = (await child.tells("callback.disconnected"))[-1]["subject"]
        await page.goto(f"{await child.url()}/?open={ended}")
        await expect(page.get_by_role("dialog")).to_contain_text("Ended:")
        await page.evaluate(AXE.read_text(encoding="utf-8"))
        await violates_nothing(page, "drawer of one that has ended")
        await page.keyboard.press("Escape")
        await page.keyboard.press("?")
        await expect(page.get_by_role("dialog", name="Keyboard")).to_be_visible()
        await violates_nothing(page, "help")
        await page.keyboard.press("Escape")
        await page.get_by_role("searchbox").fill("nobody")
        await expect(page.get_by_test_id("empty")).to_be_visible()
        await violates_nothing(page, "empty")
        await page.get_by_role("button", name="Clear filters").first.click()
        await page.locator("body").press("w")
        await expect(page.get_by_test_id("wall-waiting")).to_be_visible()
        await violates_nothing(page, "wall")
        child.process.send_signal(signal.SIGKILL)
        await expect(page.get_by_test_id("lost")).to_be_visible()
        await violates_nothing(page, "wall, lost")
        await page.locator("body").press("w")
        await violates_nothing(page, "list, lost")


async def violates_nothing(page: Page, state: str) -> None:
    for theme in THEMES:
        await page.emulate_media(color_scheme=theme)
        await expect(page.locator("html")).to_have_attribute("data-theme", theme)
        found = await page.evaluate("axe.run({resultTypes: ['violations']})")
        told = [
            (each["id"], [(node["target"], node["failureSummary"]) for node in each["nodes"]])
            for each in found["violations"]
        ]
        assert told == [], (state, theme)
