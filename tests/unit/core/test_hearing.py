from ringback.core.hearing import Hearing
from support.callbacks import at, kind, told


def test_a_source_begins_deaf_and_tells_when_it_hears() -> None:
    hearing = Hearing("feed", at(0))
    events = hearing.connected(at(5))
    assert [kind(event) for event in events] == ["source.connected"]
    assert (events[0].subject, events[0].time) == ("feed", "2026-11-22T08:00:05.000Z")
    assert events[0].sequence is None
    assert hearing.deaf_since is None


def test_hearing_twice_is_told_once() -> None:
    hearing = Hearing("feed", at(0))
    hearing.connected(at(5))
    assert hearing.connected(at(6)) == []


def test_going_deaf_opens_a_gap_and_hearing_again_closes_it() -> None:
    hearing = Hearing("feed", at(0))
    hearing.connected(at(5))
    lost = hearing.disconnected("reset", at(10))
    again = hearing.connected(at(70))
    assert [kind(event) for event in lost] == ["source.disconnected", "source.gap_opened"]
    assert [kind(event) for event in again] == ["source.connected", "source.gap_closed"]
    assert told(lost[1])["blindFrom"] == "2026-11-22T08:00:10.000Z"
    assert told(again[1]) == {
        "sourceName": "feed",
        "cause": "reset",
        "blindFrom": "2026-11-22T08:00:10.000Z",
        "blindUntil": "2026-11-22T08:01:10.000Z",
        "observedTime": "2026-11-22T08:01:10.000Z",
    }


def test_failing_again_while_deaf_is_the_same_gap() -> None:
    hearing = Hearing("feed", at(0))
    hearing.connected(at(5))
    hearing.disconnected("reset", at(10))
    assert hearing.disconnected("refused", at(20)) == []
    assert hearing.deaf_since == at(10)


def test_failing_at_the_start_opens_the_gap_that_was_there_all_along() -> None:
    hearing = Hearing("feed", at(0))
    events = hearing.disconnected("refused", at(3))
    assert [kind(event) for event in events] == ["source.gap_opened"]
    assert told(events[0])["blindFrom"] == "2026-11-22T08:00:00.000Z"


def test_event_ids_differ_between_gaps_and_are_the_same_in_a_replay() -> None:
    def play() -> list[str]:
        hearing = Hearing("feed", at(0))
        events = hearing.connected(at(1))
        for second in (10, 20):
            events += hearing.disconnected("reset", at(second))
            events += hearing.connected(at(second + 5))
        return [event.id for event in events]

    assert play() == play()
    assert len(set(play())) == 9
