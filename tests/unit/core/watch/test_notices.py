from datetime import datetime, timedelta
from typing import Any

from ringback.core.events import AlertData, AlertProof, rfc3339
from ringback.core.watch.messages import Message, Phase, place_of
from ringback.core.watch.notices import MOST_DEAD, MOST_ITEMS, Limits, Notices
from support.alerts import an_alert, restarted
from support.callbacks import START, at

FIRING, ACKNOWLEDGED, RESOLVED = Phase


class Told:
    """Notices that are fed and emptied at named seconds."""

    def __init__(self, **limits: Any) -> None:
        self.names = {"q-1": "Sales"}
        self.notices = Notices(
            "ops",
            Limits(**limits),
            wanted=lambda alert: alert.rule != "unwanted",
            queue_names=lambda: self.names,
        )
        self.rows: dict[str, bytes] = {}

    def say(self, seconds: float, phase: Phase, *alerts: AlertData) -> None:
        for alert in alerts:
            self.notices.take(phase, alert, rfc3339(at(seconds)), at(seconds))

    def message(self, seconds: float) -> Message | None:
        """Give the message that is due, and let it arrive."""
        message = self.notices.compose(at(seconds))
        if message is not None:
            self.notices.delivered(at(seconds))
        for key, row in self.notices.unsaved().items():
            if row is None:
                self.rows.pop(key, None)
            else:
                self.rows[key] = row
        return message

    def groups(self, seconds: float) -> list[str] | None:
        """Give the groups of the message that is due, by queue."""
        message = self.message(seconds)
        if message is None:
            return None
        return list(dict.fromkeys(place_of(one.alert)[1] for one in message.items))


def many(count: int, queue: str = "q-1", first: int = 0, **more: Any) -> list[AlertData]:
    return [an_alert(first + number, queue=queue, **more) for number in range(count)]


def test_thirty_seven_callbacks_of_a_queue_are_one_message() -> None:
    told = Told()
    for number, alert in enumerate(many(37)):
        told.say(number / 10, FIRING, alert)
    assert told.notices.next_at() == at(5)
    assert told.message(4.9) is None
    message = told.message(5)
    assert message is not None
    assert (len(message.items), message.digest) == (37, False)
    assert message.opens == "c-0/due_not_released/1"
    assert told.notices.next_at() is None


def test_what_is_beyond_the_limit_is_one_digest_as_soon_as_there_may_be_another() -> None:
    told = Told(most=3)
    for number in range(2):
        told.say(0, FIRING, an_alert(number, queue=f"q-{number}"))
    assert [told.groups(5), told.groups(5), told.groups(5)] == [["q-0"], ["q-1"], None]
    for number in range(2, 12):
        told.say(10, FIRING, an_alert(number, queue=f"q-{number}"))
    # The third of a minute is kept for what is critical.
    assert told.notices.next_at() == at(5 + 61)
    assert told.groups(60) is None
    assert told.groups(66) == [f"q-{number}" for number in range(2, 12)]


def test_more_groups_than_there_is_room_for_are_a_digest_at_once() -> None:
    told = Told(most=6)
    for number in range(20):
        told.say(0, FIRING, an_alert(number, queue=f"q-{number}"))
    message = told.message(5)
    assert message is not None
    assert (len(message.items), message.digest) == (20, True)
    assert told.message(5) is None


def test_what_is_critical_goes_first_and_has_room_of_its_own() -> None:
    told = Told(most=3)
    told.say(0, FIRING, an_alert(1, queue="q-1"))
    told.say(1, FIRING, an_alert(2, queue="q-2", severity="critical"))
    told.say(2, FIRING, an_alert(3, queue="q-3", severity="info"))
    told.say(2, FIRING, an_alert(4, queue="q-4"))
    # Of four groups, three at the most: one digest, the worst first.
    assert told.groups(7) == ["q-2", "q-1", "q-4", "q-3"]
    told.say(8, FIRING, an_alert(5, queue="q-5"))
    assert told.groups(13) == ["q-5"]
    told.say(14, FIRING, an_alert(6, queue="q-6"))
    assert told.groups(19) is None
    told.say(20, FIRING, an_alert(7, queue="q-7", severity="critical"))
    assert told.groups(25) == ["q-7", "q-6"]
    told.say(26, FIRING, an_alert(8, queue="q-8", severity="critical"))
    assert told.groups(31) is None


def test_without_a_limit_all_that_is_due_is_one_message() -> None:
    told = Told(most=0, gather=timedelta())
    for number in range(9):
        told.say(0, FIRING, an_alert(number, queue=f"q-{number}"))
    assert len(told.groups(0) or ()) == 9


def test_a_message_holds_so_many_and_the_next_the_others() -> None:
    told = Told()
    told.say(0, FIRING, *many(MOST_ITEMS + 7))
    sizes = [len(message.items) for _ in range(2) if (message := told.message(5)) is not None]
    assert sizes == [MOST_ITEMS, 7]


def test_a_clock_that_is_set_back_gives_room_again() -> None:
    told = Told(most=1)
    told.say(7200, FIRING, an_alert(1))
    assert told.groups(7205) == ["q-1"]
    told.say(0, FIRING, an_alert(2))
    assert told.groups(5) == ["q-1"]


def test_a_limit_lasts_over_a_restart() -> None:
    told = Told(most=1)
    told.say(0, FIRING, an_alert(1))
    assert told.groups(5) == ["q-1"]
    told.notices = restarted(told.notices, told.rows, at(6))
    told.say(7, FIRING, an_alert(2))
    assert told.groups(12) is None
    assert told.groups(66) == ["q-1"]


def test_a_queue_keeps_the_name_that_it_had_and_an_alert_what_its_beginning_said() -> None:
    proof = AlertProof(confirmed=True, by="read", time=rfc3339(START))
    told = Told()
    told.say(0, FIRING, an_alert(1, proof=proof, labels={"team": "north"}, late_seconds=3.0))
    first = told.message(5)
    told.names["q-1"] = "Sales and more"
    told.say(60, RESOLVED, an_alert(1, reason="waiting"))
    last = told.message(65)
    assert first is not None
    assert last is not None
    assert (first.items[0].queue, last.items[0].queue) == ("Sales", "Sales")
    alert = last.items[0].alert
    assert (alert.proof, alert.labels, alert.reason) == (proof, {"team": "north"}, "waiting")


def test_an_alert_that_moves_to_another_queue_waits_there() -> None:
    told = Told()
    told.say(0, FIRING, an_alert(1, queue="q-1"))
    told.say(2, ACKNOWLEDGED, an_alert(1, queue="q-2"))
    assert told.groups(5) is None
    assert told.groups(7) == ["q-2"]
    assert told.notices.waiting == 0


def test_what_is_not_its_business_and_what_it_never_heard_of_is_no_news() -> None:
    told = Told()
    told.say(0, FIRING, an_alert(1, rule="unwanted"))
    told.say(0, RESOLVED, an_alert(2))
    assert told.notices.next_at() is None


def test_dead_letters_are_kept_up_to_a_limit_over_restarts() -> None:
    told = Told(most=0, gather=timedelta())
    for number in range(MOST_DEAD + 3):
        told.say(number, FIRING, an_alert(number))
        assert told.notices.compose(at(number)) is not None
        told.notices.give_up("no", 1, at(number), again=False)
        told.message(number)
    dead = restarted(told.notices, told.rows, at(0)).dead
    assert list(dead) == list(range(4, MOST_DEAD + 4))
    assert dead[MOST_DEAD + 3].at == at(MOST_DEAD + 2)
    assert isinstance(dead[4].at, datetime)
