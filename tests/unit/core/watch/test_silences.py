from datetime import datetime, timedelta

import pytest

from ringback.core.changes import Change
from ringback.core.policy import Policy
from ringback.core.tracker import Tracker
from ringback.core.watch.silences import MOST, Matcher, Silences, Subject
from ringback.errors import SilenceRefused, SilenceUnknown
from support.alerts import an_alert
from support.callbacks import START

HOUR = timedelta(hours=1)
RULE = Matcher("rule", "due_", prefix=True)
ALERT = an_alert(1, severity="warning", labels={"team": "north"})


@pytest.mark.parametrize(
    ("matchers", "applies"),
    [
        ([Matcher("rule", "due_not_released")], True),
        ([Matcher("rule", "due_")], False),
        ([RULE], True),
        ([RULE, Matcher("queue", "q-1")], True),
        ([RULE, Matcher("queue", "q-2")], False),
        ([Matcher("severity", "warning")], True),
        ([Matcher("severity", "critical")], False),
        ([Matcher("callback", "c-1")], True),
        ([Matcher("callback", "c-", prefix=True)], True),
        ([Matcher("source", "main")], False),
        ([Matcher("label.team", "north")], True),
        ([Matcher("label.team", "n", prefix=True)], True),
        ([Matcher("label.other", "n", prefix=True)], False),
    ],
)
def test_a_silence_is_about_what_all_its_matchers_apply_to(
    matchers: list[Matcher], applies: bool
) -> None:
    silences = Silences()
    silence = silences.begin(matchers, START + HOUR, "ada", "", START)
    assert silence.applies(Subject.of(ALERT)) is applies
    assert silences.until(Subject.of(ALERT)) == (START + HOUR if applies else None)


def test_of_two_silences_the_longer_counts() -> None:
    silences = Silences()
    for hours in (2, 3, 1):
        silences.begin([RULE], START + hours * HOUR, "ada", "", START)
    assert silences.until(Subject.of(ALERT)) == START + 3 * HOUR
    assert [silence.until for silence in silences] == [START + n * HOUR for n in (1, 2, 3)]
    assert len({silence.id for silence in silences}) == 3


@pytest.mark.parametrize(
    ("matchers", "until", "words"),
    [
        ([], START + HOUR, "silence everything"),
        ([RULE] * 21, START + HOUR, "more than 20 matchers"),
        ([Matcher("colour", "red")], START + HOUR, "'colour' cannot be matched; allowed: callback"),
        ([Matcher("label.", "x")], START + HOUR, "cannot be matched"),
        ([Matcher("rule", "")], START + HOUR, "the value for rule is empty"),
        ([RULE], START, "over already"),
        ([RULE], START + timedelta(days=367), "more than 366 days"),
    ],
)
def test_a_silence_that_means_nothing_or_too_much_is_refused(
    matchers: list[Matcher], until: datetime, words: str
) -> None:
    with pytest.raises(SilenceRefused, match=words):
        Silences().begin(matchers, until, "ada", "", START)


def test_there_are_only_so_many() -> None:
    silences = Silences()
    for _ in range(MOST):
        silences.begin([RULE], START + HOUR, "ada", "", START)
    with pytest.raises(SilenceRefused, match="end some"):
        silences.begin([RULE], START + HOUR, "ada", "", START)


def rows(changes: list[Change]) -> list[tuple[str, bytes | None]]:
    return [(change.conversation_id, change.state) for change in changes]


def test_a_tracker_ends_them_in_time_and_knows_them_after_a_restart() -> None:
    tracker = Tracker(Policy())
    silence, made = tracker.alerts.silence([RULE], START + HOUR, "ada", "known", START)
    ((key, packed),) = rows(made)
    assert packed is not None
    assert tracker.next_deadline() == START + HOUR
    assert tracker.fire_due(START + HOUR - timedelta(seconds=1)) == []

    again = Tracker(Policy())
    again.restore([(key, packed, None)], START)
    assert list(again.silences) == [silence]
    assert again.next_deadline() == START + HOUR
    assert rows(again.fire_due(START + HOUR)) == [(key, None)]
    assert again.next_deadline() is None

    assert rows(tracker.alerts.end_silence(silence.id)) == [(key, None)]
    with pytest.raises(SilenceUnknown, match=silence.id):
        tracker.alerts.end_silence(silence.id)


def test_one_that_was_given_its_id_elsewhere_is_begun_but_once() -> None:
    tracker = Tracker(Policy())
    silence, made = tracker.alerts.silence(
        [RULE], START + HOUR, "ada", "", START, silence_id="theirs"
    )
    assert (silence.id, rows(made)[0][0]) == ("theirs", "~silence/theirs")
    again = tracker.alerts.silence(
        [RULE], START + 2 * HOUR, "ada", "", START + HOUR, silence_id="theirs"
    )
    assert again == (silence, [])


def test_its_name_is_that_of_its_instant_so_that_a_replay_gives_the_same() -> None:
    names = []
    for _ in range(2):
        silences = Silences()
        for milliseconds in (0, 0, 7):
            now = START + timedelta(milliseconds=milliseconds)
            names.append(silences.begin([RULE], START + HOUR, "ada", "", now).id)
    assert names[:3] == names[3:]
    assert names[:3] == ["20261122T080000000Z", "20261122T080000000Z-2", "20261122T080000007Z"]
