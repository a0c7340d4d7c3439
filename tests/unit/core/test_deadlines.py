from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from ringback.core.deadlines import Deadlines


class Timetable:
    """Deadlines with their truth beside them."""

    def __init__(self) -> None:
        self.truth: dict[str, int] = {}
        self.deadlines = Deadlines(self.truth.get)

    def put(self, key: str, after: int | None) -> None:
        before = self.truth.pop(key, None)
        if after is not None:
            self.truth[key] = after
        self.deadlines.move(key, before, after)

    def take(self, until: int) -> list[str]:
        taken = []
        for key in self.deadlines.due(until):
            self.truth.pop(key)
            taken.append(key)
        return taken


def test_without_any_there_is_no_earliest() -> None:
    table = Timetable()
    assert (table.deadlines.earliest(), len(table.deadlines), table.take(10)) == (None, 0, [])


def test_due_ones_come_earliest_first_and_once() -> None:
    table = Timetable()
    for key, when in (("c", 30), ("a", 10), ("b", 20), ("d", 40)):
        table.put(key, when)
    assert table.deadlines.earliest() == 10
    assert table.take(30) == ["a", "b", "c"]
    assert table.take(30) == []
    assert (table.deadlines.earliest(), len(table.deadlines)) == (40, 1)


def test_a_deadline_that_moved_is_due_at_its_new_time_only() -> None:
    table = Timetable()
    table.put("a", 10)
    table.put("a", 50)
    assert (table.take(49), table.take(50)) == ([], ["a"])


def test_a_deadline_that_came_back_to_its_old_time_is_due_once() -> None:
    table = Timetable()
    for when in (10, 50, 10):
        table.put("a", when)
    assert (table.take(60), len(table.deadlines)) == (["a"], 0)


def test_a_deadline_that_was_taken_away_is_never_due() -> None:
    table = Timetable()
    table.put("a", 10)
    table.put("a", None)
    assert (len(table.deadlines), table.take(99)) == (0, [])


def test_one_that_is_armed_again_while_being_taken_comes_when_it_is_due_again() -> None:
    table = Timetable()
    table.put("a", 10)
    taken = []
    for key in table.deadlines.due(20):
        table.truth.pop(key)
        taken.append(key)
        if len(taken) < 3:
            table.put(key, 10 + len(taken))
    assert taken == ["a", "a", "a"]


def test_many_are_loaded_at_once() -> None:
    table = Timetable()
    table.truth.update(a=3, b=1, c=2)
    table.deadlines.load([(3, "a"), (1, "b")])
    table.deadlines.load([(2, "c")])
    assert len(table.deadlines) == 3
    assert table.take(9) == ["b", "c", "a"]


def test_its_size_stays_in_proportion_however_often_deadlines_move() -> None:
    table = Timetable()
    for turn in range(20_000):
        table.put(f"k{turn % 10}", turn)
    assert len(table.deadlines) == 10
    assert len(table.deadlines._heap) <= 2 * 10 + 1024
    assert table.take(20_000) == [f"k{turn}" for turn in range(10)]


moves = st.lists(
    st.tuples(st.sampled_from("abcdef"), st.one_of(st.none(), st.integers(0, 20))), max_size=40
)


@given(moves, st.integers(0, 20))
def test_it_agrees_with_a_plain_table(changes: list[tuple[str, int | None]], until: int) -> None:
    table = Timetable()
    for key, after in changes:
        table.put(key, after)
    truth = dict(table.truth)
    earliest: Callable[[], int | None] = table.deadlines.earliest
    assert earliest() == min(truth.values(), default=None)
    assert len(table.deadlines) == len(truth)
    taken = table.take(until)
    assert sorted(taken) == sorted(key for key, when in truth.items() if when <= until)
    assert [truth[key] for key in taken] == sorted(truth[key] for key in taken)
