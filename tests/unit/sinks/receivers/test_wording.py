import pytest
from msgspec import UNSET

from ringback.core.events import AlertData, AlertProof
from ringback.core.watch.messages import Message, Phase
from ringback.sinks.receivers.wording import shortened, worst_of
from support.alerts import an_alert
from support.messages import message_of, wording

FIRING, ACKNOWLEDGED, RESOLVED = Phase
ONE, TWO, THREE = (an_alert(number) for number in (1, 2, 3))
OTHER = an_alert(4, rule="auto_dial_missed", queue="q-2", summary="missed")
FEED = an_alert(
    5,
    rule="source_blind",
    queue=None,
    alert_id="source:main/source_blind/1",
    source="main",
    summary="it hears nothing",
    callback_id=UNSET,
    conversation_id=UNSET,
    state=UNSET,
    state_since=UNSET,
)


@pytest.mark.parametrize(
    ("message", "title"),
    [
        (
            message_of((FIRING, ONE)),
            "A callback of queue Sales: due, and not released into the queue",
        ),
        (
            message_of((FIRING, ONE), (FIRING, TWO), (FIRING, THREE)),
            "3 callbacks of queue Sales: due, and not released into the queue",
        ),
        (
            message_of((RESOLVED, ONE), (RESOLVED, TWO), before=(ONE, TWO)),
            "Resolved: 2 callbacks of queue Sales: due, and not released into the queue",
        ),
        (
            message_of((FIRING, ONE), (RESOLVED, ONE)),
            "Over already: A callback of queue Sales: due, and not released into the queue",
        ),
        (
            message_of((ACKNOWLEDGED, ONE), before=(ONE,)),
            "Acknowledged: A callback of queue Sales: due, and not released into the queue",
        ),
        (
            message_of((RESOLVED, ONE), (FIRING, TWO), (FIRING, THREE), before=(ONE,)),
            "2 firing, 1 resolved: 3 callbacks of queue Sales: " + ONE.summary,
        ),
        (
            message_of((FIRING, ONE), (FIRING, an_alert(2, summary="late"))),
            "2 callbacks of queue Sales: due_not_released",
        ),
        (
            message_of((FIRING, ONE), (FIRING, OTHER), (RESOLVED, TWO), before=(TWO,)),
            "Digest: 2 firing, 1 resolved, in 2 groups",
        ),
    ],
)
def test_a_title_says_in_one_line_what_has_happened(message: Message, title: str) -> None:
    assert wording().title(message) == title


def test_an_alert_about_a_source_is_told_of_it() -> None:
    message = message_of((FIRING, FEED))
    words = wording()
    assert words.title(message) == "Source main: it hears nothing"
    (part,) = words.parts(message)
    assert words.line(part.items[0]) == (
        "Source main: alarming since 2026-11-22T08:00:00Z, proof not stated"
    )
    assert words.places.of_callback(message.items[0].alert) == "https://ringback.example.org/"
    assert words.places.on_platform(message.items[0].alert) is None


def line(alert: AlertData, phase: Phase = FIRING) -> str:
    before = (alert,) if phase is RESOLVED else ()
    return wording().line(message_of((phase, alert), before=before).items[0])


def test_a_line_says_where_it_is_since_when_and_what_that_rests_on() -> None:
    proof = AlertProof(confirmed=False, why="not read in time")
    assert line(an_alert(1, proof=proof)) == (
        "c-1: state scheduled since 2026-11-22T08:00:00Z, alarming since 2026-11-22T08:00:00Z,"
        " proof unconfirmed: not read in time"
    )
    assert line(an_alert(1, reason="waiting", state="waiting"), RESOLVED).startswith(
        "c-1: over since 2026-11-22T08:00:00Z (waiting), state waiting since"
    )


def test_nobody_is_named() -> None:
    alert = an_alert(1, user_id="u-canary", by="canary")
    message = message_of((FIRING, alert), (ACKNOWLEDGED, alert))
    words = wording()
    said = [words.title(message), *map(words.line, message.items)]
    assert "canary" not in "".join(said)


def test_links_go_where_ids_say_whatever_they_hold() -> None:
    alert = an_alert(1, callback_id="a/b?c&d", conversation_id="a/b?c&d")
    places = wording().places
    assert places.of_callback(alert) == "https://ringback.example.org/?open=a%2Fb%3Fc%26d"
    platform = "https://apps.example.org/#/interactions/a%2Fb%3Fc%26d"
    assert places.on_platform(alert) == platform
    assert wording(platform=None).places.on_platform(alert) is None
    group = "https://ringback.example.org/?alert=due_not_released&queue=q-1"
    assert places.of_group(alert) == group


def test_the_worst_that_fires_counts_and_what_is_over_is_information() -> None:
    bad, fair = an_alert(1, severity="critical"), an_alert(2, severity="info")
    assert worst_of(message_of((FIRING, bad), (FIRING, fair)).items) == "critical"
    assert worst_of(message_of((RESOLVED, bad), (FIRING, fair), before=(bad,)).items) == "info"
    assert worst_of(message_of((FIRING, ONE)).items) == "warning"
    assert worst_of(message_of((RESOLVED, bad), before=(bad,)).items) == "info"


def test_a_text_is_kept_to_its_length() -> None:
    assert shortened("abc", 3) == "abc"
    assert shortened("abcd", 3) == "ab…"
