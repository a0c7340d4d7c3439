"""Who is told of what, and what is looked at beforehand."""

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest

from ringback.app.receivers import limits_of, refuse_bad_receivers, wanted_by
from ringback.app.trying import try_receivers
from ringback.errors import SettingsError
from ringback.runtime.clock import SystemClock
from ringback.settings import ReceiverSettings, Secret, Settings, SinkSettings
from ringback.sources.findings import Level
from support.alerts import an_alert
from support.endpoint import Endpoint
from support.gateway import free_port
from support.mail import MailServer

NAMES = {"q-1": "Sales", "q-2": "Sales [North]", "q-3": "Support"}


def receiver(kind: Any = "webhook", url: str = "", **more: Any) -> ReceiverSettings:
    return ReceiverSettings(kind=kind, url=Secret(url), allow_private=True, **more)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({}, [1, 2, 3, 4]),
        ({"severities": "critical, info"}, [2, 4]),
        ({"rules": "due_*"}, [1, 2]),
        ({"rules": "source_blind, auto_dial_missed"}, [3, 4]),
        ({"queues": "sales"}, [1]),
        ({"queues": "Sales*"}, [1, 2]),
        ({"queues": "Sales [North]"}, [2]),
        ({"queues": "id:q-3, sales"}, [1, 3]),
        ({"queues": "*"}, [1, 2, 3]),
        ({"severities": "warning", "queues": "support"}, [3]),
    ],
)
def test_a_receiver_is_told_of_what_it_wants(settings: dict[str, str], told: list[int]) -> None:
    alerts = [
        an_alert(1),
        an_alert(2, queue="q-2", severity="critical"),
        an_alert(3, rule="auto_dial_missed", queue="q-3"),
        an_alert(4, rule="source_blind", queue=None, severity="info"),
    ]
    wanted = wanted_by(receiver(**settings), lambda: NAMES)
    assert [int((one.callback_id or "")[2:]) for one in alerts if wanted(one)] == told


def test_a_queue_that_has_no_name_yet_is_nobodys_by_name() -> None:
    assert not wanted_by(receiver(queues="*"), dict)(an_alert(1))
    assert wanted_by(receiver(queues="id:q-1"), dict)(an_alert(1))


def test_an_alertmanager_groups_by_itself_and_others_are_spared() -> None:
    assert limits_of(receiver("alertmanager")).most == 0
    limits = limits_of(receiver("slack", group_seconds=7.0, most_per_minute=3))
    assert (limits.gather, limits.most, limits.acknowledged) == (timedelta(seconds=7), 3, False)
    assert limits_of(receiver("pagerduty")).acknowledged


@pytest.mark.parametrize(
    ("settings", "path", "words"),
    [
        (receiver("webhook", "ftp://canary"), "url", "is no https:// address"),
        (receiver("webhook", "https://a", secret=Secret("canary")), "secret", "base64"),
        (receiver("pagerduty", secret=Secret("canary")), "secret", "has 32 characters"),
        (receiver("alertmanager", "http://a", secret=Secret("canary\n")), "secret", "line ends"),
        (receiver("email", "https://a", sender="a@b", to="c@d"), "url", "no smtp://"),
        (receiver("email", "smtp://a", sender="a@b", to="c@d, e"), "to", "'e' is no mail address"),
        (receiver("stdout"), "kind", "turn [sinks] stdout off"),
    ],
)
def test_what_can_never_work_is_refused(settings: ReceiverSettings, path: str, words: str) -> None:
    with pytest.raises(SettingsError) as caught:
        refuse_bad_receivers(Settings(receivers={"ops": settings}))
    assert caught.value.path == f"receivers.ops.{path}"
    assert words in caught.value.problem
    assert "canary" not in str(caught.value)


# What is looked at beforehand


@asynccontextmanager
async def receivers() -> AsyncIterator[tuple[dict[str, ReceiverSettings], dict[str, Any]]]:
    """Give a receiver of each kind, and who is at the other end of each."""
    success = b'{"status":"success","message":"Event processed","dedup_key":"x"}'
    async with AsyncExitStack() as stack:
        ends: dict[str, Any] = {
            "hook": await stack.enter_async_context(Endpoint()),
            "manager": await stack.enter_async_context(Endpoint(body=b"{}")),
            "chat": await stack.enter_async_context(Endpoint()),
            "team": await stack.enter_async_context(Endpoint(status=202, body=b"")),
            "night": await stack.enter_async_context(Endpoint(status=202, body=success)),
            "mail": await stack.enter_async_context(MailServer()),
        }
        kinds = ("webhook", "alertmanager", "slack", "teams", "pagerduty")
        made = {
            name: receiver(kind, ends[name].url) for name, kind in zip(ends, kinds, strict=False)
        }
        made["night"] = receiver("pagerduty", ends["night"].url, secret=Secret("k" * 32))
        url = f"smtp://127.0.0.1:{ends['mail'].port}"
        made["mail"] = receiver("email", url, sender="a@example.org", to="b@example.org")
        yield made, ends


async def test_each_is_reached_and_told_nothing() -> None:
    async with receivers() as (made, ends):
        found = await try_receivers(Settings(receivers=made), SystemClock(), send=False)
        assert [(one.about, one.level) for one in found] == [
            (f"receiver {name}", Level.OK) for name in made
        ]
        assert not [end.posted for end in ends.values() if isinstance(end, Endpoint) and end.posted]
        assert not ends["mail"].mails


async def test_each_is_sent_a_test_if_that_is_asked_for_which_leaves_nothing_open() -> None:
    async with receivers() as (made, ends):
        settings = Settings(receivers=made, sinks=SinkSettings(stdout="off"))
        found = await try_receivers(settings, SystemClock(), send=True)
        assert [one.text.partition(": ")[2] for one in found] == ["has taken a test message"] * 6
        (hook,) = ends["hook"].posted
        (alert,) = hook.json["data"]["alerts"]
        assert (alert["status"], alert["first"]) == ("resolved", True)
        deeds = [one.json["event_action"] for one in ends["night"].posted]
        assert deeds == ["trigger", "resolve"]
        (posted,) = ends["manager"].posted[0].json
        assert posted["endsAt"] == posted["startsAt"]
        (mail,) = ends["mail"].mails
        assert "a test by ringback check" in mail["Subject"]
        for name in ("chat", "team"):
            assert "a test by ringback check" in json.dumps(ends[name].posted[0].json)


async def test_what_is_wrong_with_one_is_said_of_that_one() -> None:
    async with Endpoint(status=403) as denied, Endpoint() as good:
        made = {
            "good": receiver("webhook", good.url),
            "denied": receiver("webhook", denied.url),
            "down": receiver("webhook", f"http://127.0.0.1:{free_port()}"),
        }
        settings = Settings(receivers=made)
        found = await try_receivers(settings, SystemClock(), send=False)
        assert [one.level for one in found] == [Level.OK, Level.OK, Level.FAIL]
        assert found[2].text == "webhook: 127.0.0.1 cannot be connected to"
        found = await try_receivers(settings, SystemClock(), send=True)
        assert [one.level for one in found] == [Level.OK, Level.FAIL, Level.FAIL]
        assert found[1].text.startswith("webhook: HTTP 403")
        assert "[receivers.denied]" in (found[1].remedy or "")


async def test_where_there_is_none_that_is_said() -> None:
    (found,) = await try_receivers(Settings(), SystemClock(), send=True)
    assert (found.level, found.text) == (
        Level.OK,
        "none: alerts are shown, and nobody is told of them",
    )
