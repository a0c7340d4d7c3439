"""Several listeners against a plain model that asks of every second who heard what in it."""

from collections.abc import Collection, Iterable
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import example, given, note, settings
from hypothesis import strategies as st

from ringback.core.entries import NEVER
from ringback.core.gaps import Gap, Ledger
from ringback.core.hearing import SILENT_AFTER, Call, Hearing

START = datetime(2026, 11, 22, tzinfo=UTC)
TOPICS = ["v2.routing.queues.1.conversations", "v2.routing.queues.2.conversations"]
NAMES = ["a", "b", "c"]
SILENT = int(SILENT_AFTER.total_seconds())
FOREVER = 10**9

Report = tuple[str, str, int, int, list[str]]
"""What, who, after how many seconds, since how long before, and of what."""

REPORTS = st.lists(
    st.tuples(
        st.sampled_from(["connected", "disconnected", "alive", "alive", "time"]),
        st.sampled_from(NAMES),
        st.integers(1, 12),
        st.integers(0, 40),
        st.sampled_from([[], [], TOPICS[:1], TOPICS]),
    ),
    max_size=40,
)


def at(second: int) -> datetime:
    return START + timedelta(seconds=second)


class Model:
    """By listener and topic, from when to when it was deaf; None is for all other topics."""

    def __init__(self) -> None:
        self.deaf: dict[str, dict[str | None, list[list[int]]]] = {}
        self.spoke: dict[str, list[int]] = {}

    def report(self, report: Report, now: int) -> None:
        what, who, _, back, topics = report
        if what == "time":
            return
        self.spoke.setdefault(who, []).append(now)
        never = {topic: [[-FOREVER, FOREVER]] for topic in (None, *TOPICS)}
        spans = self.deaf.setdefault(who, never)
        whole = spans[None][-1][1] == FOREVER if spans[None] else False
        for topic in topics or (None, *TOPICS):
            own = spans[topic]
            open_ = bool(own) and own[-1][1] == FOREVER
            if what == "connected" and open_ and not (topics and whole):
                own[-1][1] = now
            elif what == "disconnected" and not open_:
                own.append([max(now - back, own[-1][1] if own else now - back), FOREVER])

    def silences(self, who: str, now: int) -> list[list[int]]:
        times = [*self.spoke[who], FOREVER]
        return [
            [before, after]
            for before, after in pairwise(times)
            if min(after, now) - before >= SILENT
        ]

    def heard(self, topic: str | None, second: float, now: int) -> bool:
        """Whether anybody surely heard it then."""
        return any(
            not any(begin < second < end for begin, end in spans[topic] + self.silences(who, now))
            for who, spans in self.deaf.items()
        )


class Source:
    """A ledger that is told of what several listeners come to."""

    def __init__(self) -> None:
        self.ledger = Ledger()
        self.hearing = Hearing("main", self.ledger)
        self.rows: dict[str, bytes] = {}
        self.told: list[Call] = []

    def report(self, report: Report, now: int) -> None:
        what, who, _, back, topics = report
        if what == "connected":
            calls = self.hearing.connected(who, topics, at(now))
        elif what == "disconnected":
            calls = self.hearing.disconnected(who, "lost", at(now - back), topics, at(now))
        elif what == "alive":
            calls = self.hearing.alive(who, at(now))
        else:
            calls = self.hearing.go_on(at(now))
        self.carry_out(calls, now)

    def carry_out(self, calls: Iterable[Call], now: int) -> None:
        for call in calls:
            self.told.append(call)
            if call.hears:
                self.ledger.connected("main", call.topics, at(now), lambda _: 0)
            else:
                self.ledger.disconnected("main", call.cause, call.since, call.topics, at(now))

    def save(self) -> None:
        for key, packed in self.hearing.unsaved().items():
            if packed is None:
                del self.rows[key]
            else:
                self.rows[key] = packed

    def take_over(self) -> None:
        self.hearing = Hearing("main", self.ledger)
        self.hearing.restore(reversed(self.rows.items()))

    def covered(self, topic: str | None, second: int) -> bool:
        """Whether the ledger says that it may not have been heard from this second to the next."""
        return any(
            gap.since <= at(second)
            and (gap.until is None or at(second + 1) <= gap.until)
            and (not gap.topics or topic in gap.topics)
            for gap in self.ledger.of("main")
        )


def first_heard(reports: list[Report], model: Model) -> tuple[list[tuple[Report, int]], int | None]:
    """Date reports, and say when anybody heard for the first time."""
    now, dated, first = 0, [], None
    for report in reports:
        now += report[2]
        dated.append((report, now))
        model.report(report, now)
        if first is None and report[0] == "connected" and not report[4]:
            first = now
    return dated, first


def _classes(gap: Gap) -> Collection[str | None]:
    return gap.blind if gap.topics else [None]


LONGER_THAN_TOLD: list[Report] = [
    ("connected", "a", 1, 0, []),
    ("alive", "a", 12, 0, []),
    ("alive", "a", 12, 0, []),
    ("connected", "b", 1, 0, []),
    ("disconnected", "a", 11, 0, []),
    ("connected", "b", 4, 0, []),
    ("connected", "a", 1, 0, []),
    ("disconnected", "b", 1, 6, []),
]
WHILE_ALL_IS_BLIND: list[Report] = [
    ("connected", "a", 1, 0, []),
    ("alive", "a", 9, 0, []),
    ("alive", "a", 9, 0, []),
    ("connected", "b", 5, 0, []),
    ("disconnected", "b", 9, 0, []),
    ("disconnected", "a", 1, 16, TOPICS[:1]),
]


@given(REPORTS, st.sets(st.integers(0, 40)))
@example(LONGER_THAN_TOLD, set())
@example(WHILE_ALL_IS_BLIND, set())
@settings(max_examples=200)
def test_a_source_is_blind_when_and_only_when_all_its_listeners_are(
    reports: list[Report], takeovers: set[int]
) -> None:
    note(str(reports))
    model, source = Model(), Source()
    dated, first = first_heard(reports, model)
    for place, (report, now) in enumerate(dated):
        source.report(report, now)
        source.save()
        if place in takeovers:
            source.take_over()
            source.report(report, now)  # what was read before a takeover is read again
            source.save()
    now = dated[-1][1] if dated else 0
    if first is None:
        return
    classes: Collection[str | None] = (None, *TOPICS)
    for topic in classes:
        for second in range(first, now):
            if not model.heard(topic, second + 0.5, now):
                assert source.covered(topic, second), (topic, second)
    for gap in source.ledger.of("main"):
        # None without cause: it begins where somebody surely heard, and nobody did afterwards.
        topic = gap.topics[0] if gap.topics else None
        begin = int((gap.since - START).total_seconds())
        if begin >= first and gap.cause != "no listener":
            assert not model.heard(topic, begin + 0.5, now), gap
    for gap in source.ledger.open_gaps("main"):
        assert all(not model.heard(topic, now + 0.5, now) for topic in _classes(gap))
    for topic in classes:
        lasting = [
            gap for gap in source.ledger.open_gaps("main") if not gap.topics or topic in gap.blind
        ]
        heard = model.heard(topic, now + 0.5, now)
        assert bool(lasting) is not heard, topic
        if topic is None and lasting:
            last = max(second for second in range(first, now + 1) if model.heard(None, second, now))
            begin = int((lasting[-1].since - START).total_seconds())
            assert begin <= last
            assert not any(model.heard(None, second + 0.5, now) for second in range(begin, now))


@given(REPORTS)
def test_what_is_read_again_changes_nothing(reports: list[Report]) -> None:
    source = Source()
    dated, _ = first_heard(reports, Model())
    for report, now in dated:
        source.report(report, now)
    told = list(source.told)
    last = dated[-1][1] if dated else 0
    for report, now in dated:
        if now < last:
            source.report(report, now)
    assert source.told == told


def test_nobody_heard_yet_is_no_gap() -> None:
    source = Source()
    source.carry_out(source.hearing.disconnected("a", "restart", None, (), at(0)), 0)
    assert source.told == []
    source.carry_out(source.hearing.connected("a", (), at(1)), 1)
    assert source.told == [Call(hears=True)]
    assert source.told[0].since == NEVER


def test_who_does_not_have_a_queue_does_not_hear_it() -> None:
    source, topic = Source(), TOPICS[0]
    for name in ("a", "b"):
        source.carry_out(source.hearing.connected(name, (), at(0)), 0)
    source.carry_out(source.hearing.follows("a", ["1", "2"], at(1)), 1)
    source.carry_out(source.hearing.follows("b", ["2"], at(1)), 1)
    assert source.hearing.followed == {"1", "2"}
    lost = source.hearing.disconnected("a", "lost", at(2), TOPICS, at(3))
    source.carry_out(lost, 3)
    assert source.told[1:] == [Call(hears=False, topics=[topic], cause="lost", since=at(2))]
    source.carry_out(source.hearing.follows("b", [], at(4)), 4)
    assert source.told[2:] == [Call(hears=True, topics=[topic])]
    assert source.hearing.followed == frozenset()


def test_a_listener_that_is_gone_for_good_is_forgotten_and_the_row_with_it() -> None:
    source = Source()
    for name in ("a", "b"):
        source.carry_out(source.hearing.connected(name, (), at(0)), 0)
    source.save()
    assert set(source.rows) == {"~hearing", "~hearing/a", "~hearing/b"}
    assert source.hearing.next_deadline() == at(SILENT)
    for second in range(5, 3601, 5):
        source.carry_out(source.hearing.alive("a", at(second)), second)
        source.save()
    assert set(source.rows) == {"~hearing", "~hearing/a"}
    assert source.told == [Call(hears=True)]
    source.carry_out(source.hearing.go_on(at(3600 + SILENT)), 3600 + SILENT)
    assert source.told[1:] == [Call(hears=False, cause="listener silent", since=at(3600))]
    assert source.hearing.next_deadline() is None
