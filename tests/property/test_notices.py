"""Whatever happens to alerts, to the receiver and to the process: all is told, and not too much."""

from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta

from hypothesis import event, given, settings
from hypothesis import strategies as st

from ringback.core.events import AlertData, rfc3339
from ringback.core.watch.messages import Phase
from ringback.core.watch.notices import Limits, Notices
from support.alerts import World, an_alert, restarted
from support.callbacks import START

RULES = ("due_not_released", "auto_dial_missed")
SEVERITIES = {"due_not_released": "warning", "auto_dial_missed": "critical"}
LONG = timedelta(hours=3)
MINUTE = timedelta(minutes=1)


class Story:
    """One receiver over time: what fires, what it is told, and what is stored."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.now = START
        self.silent = False
        self.notices = Notices("ops", limits, silent=self._until)
        self.rows: dict[str, bytes] = {}
        self.fires: dict[str, AlertData] = {}
        self.acknowledged: set[str] = set()
        self.fired: set[str] = set()
        self.spared: set[str] = set()
        """Those that were silenced at any time, of which nothing need be said."""
        self.world = World()
        self.attempts: list[datetime] = []
        self.crashes = 0

    def _until(self, alert: AlertData, now: datetime) -> datetime | None:
        return now + LONG if self.silent and alert.rule == RULES[0] else None

    def store(self) -> None:
        for key, row in self.notices.unsaved().items():
            if row is None:
                self.rows.pop(key, None)
            else:
                self.rows[key] = row

    # What happens

    def fire(self, number: int, rule: str) -> None:
        alert = an_alert(len(self.fired) + 1, rule, f"q-{number % 3}", severity=SEVERITIES[rule])
        self.fired.add(alert.alert_id)
        self.fires[alert.alert_id] = alert
        if self.silent and rule == RULES[0]:
            self.spared.add(alert.alert_id)
        self._take(Phase.FIRING, alert)

    def acknowledge(self, number: int) -> None:
        for key in list(self.fires)[number : number + 1]:
            if key not in self.acknowledged:
                self.acknowledged.add(key)
                self._take(Phase.ACKNOWLEDGED, self.fires[key])

    def resolve(self, number: int) -> None:
        for key in list(self.fires)[number : number + 1]:
            self._take(Phase.RESOLVED, self.fires.pop(key))

    def _take(self, phase: Phase, alert: AlertData) -> None:
        self.notices.take(phase, alert, rfc3339(self.now), self.now)
        self.store()

    def silence(self) -> None:
        self.silent = not self.silent
        if self.silent:
            self.spared.update(key for key in self.fired if RULES[0] in key)
        self.notices.recheck(self.now)

    def send(self, outcome: str) -> None:
        """Let the present go on to what is due, and let that come to something."""
        message = self.notices.message
        if message is None:
            message = self.notices.compose(self.now)
            if message is None:
                return
            self.store()
        else:
            self.now = max(self.now, self.notices.may_try_at())
            self.notices.tried(self.now)
        self.attempts.append(self.now)
        if self.world.has(message) and outcome == "is put aside":
            outcome = "arrives"  # or it would be told anew, which nobody can help
        match outcome:
            case "arrives":
                self.world.take(message)
                self.notices.delivered(self.now)
            case "fails":
                pass
            case "is put aside":
                self.notices.give_up("for a test", 3, self.now, again=True)
            case "arrives before a crash":
                self.world.take(message)
                self.crash()
            case _:
                raise AssertionError(outcome)
        self.store()

    def crash(self) -> None:
        self.crashes += 1
        self.notices = restarted(self.notices, self.rows, self.now)
        self.store()

    def wait(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def run_dry(self) -> None:
        """Let all arrive that is to be told."""
        for _ in range(10_000):
            if self.notices.message is None and (at := self.notices.next_at()) is not None:
                self.now = max(self.now, at)
            elif self.notices.message is None:
                return
            if self.now > START + timedelta(days=30):
                return
            self.send("arrives")
        raise AssertionError("it never ends")


Act = Callable[[Story], None]
small = st.integers(0, 7)
fire = st.builds(lambda n, r: lambda s: s.fire(n, r), small, st.sampled_from(RULES))
acts = st.one_of(
    fire,
    fire,
    fire,
    st.builds(lambda n: lambda s: s.resolve(n), small),
    st.builds(lambda n: lambda s: s.acknowledge(n), small),
    st.builds(lambda t: lambda s: s.wait(t), st.sampled_from([0.5, 3, 10, 70])),
    st.builds(
        lambda o: lambda s: s.send(o),
        st.sampled_from(["arrives", "arrives", "fails", "is put aside", "arrives before a crash"]),
    ),
    st.just(Story.crash),
)
silences = st.just(Story.silence)
limits = st.builds(
    Limits,
    gather=st.sampled_from([timedelta(), timedelta(seconds=5)]),
    most=st.sampled_from([0, 1, 3]),
    acknowledged=st.booleans(),
)


def too_many(story: Story) -> int:
    """Give the most attempts that fall into one minute."""
    return max(
        (sum(first <= at < first + MINUTE for at in story.attempts) for first in story.attempts),
        default=0,
    )


def told_wrong(story: Story) -> dict[str, object]:
    """Give every difference of what is known from what is."""
    wanted = {
        key: Phase.ACKNOWLEDGED if key in story.acknowledged else Phase.FIRING
        for key in story.fires
        if not (story.silent and key in story.spared and key not in story.world.open)
    }
    known = dict(story.world.open)
    if not story.limits.acknowledged:
        wanted = dict.fromkeys(wanted, Phase.FIRING)
        known = dict.fromkeys(known, Phase.FIRING)
    return {
        key: (known.get(key), wanted.get(key))
        for key in known.keys() | wanted.keys()
        if known.get(key) != wanted.get(key)
    }


@settings(max_examples=300)
@given(limits, st.lists(st.one_of(acts, acts, silences), min_size=15, max_size=60))
def test_in_the_end_the_receiver_knows_what_fires_and_nothing_else(
    limits: Limits, script: list[Act]
) -> None:
    story = Story(limits)
    for act in script:
        act(story)
    story.run_dry()
    assert told_wrong(story) == {}
    assert set(story.world.incidents) == {
        story.notices._alerts[key].incident for key in story.world.open
    }
    if limits.most and not story.crashes:
        assert too_many(story) <= limits.most
    assert story.notices.waiting == 0
    # Nothing is kept but what is open, or held back by the silence.
    kept = {key.partition("/alert/")[2] for key in story.rows if "/alert/" in key}
    assert kept == story.world.open.keys() | story.notices._waiting.held.keys()
    event(f"{min(len(story.world.messages), 8)} messages")


@settings(max_examples=300)
@given(limits, st.lists(acts, min_size=15, max_size=60))
def test_everything_that_fires_is_told_or_in_a_dead_letter_and_nothing_twice(
    limits: Limits, script: list[Act]
) -> None:
    story = Story(limits)
    for act in script:
        act(story)
    story.run_dry()
    heard = Counter(story.world.heard)
    assert not heard or max(heard.values()) == 1
    aside = {
        (item.alert.alert_id, item.phase)
        for dead in story.notices.dead.values()
        for item in dead.message.items
    }
    assert story.fired <= {key for key, _ in heard.keys() | aside}
    over = {key for key, phase in heard.keys() | aside if phase is Phase.RESOLVED}
    assert over == story.fired - story.fires.keys()


@given(st.lists(acts, min_size=15, max_size=25), st.integers(0, 24))
def test_a_restart_changes_nothing_but_the_time_that_alerts_wait_for_company(
    script: list[Act], when: int
) -> None:
    limits = Limits(gather=timedelta(), most=3, acknowledged=True)
    plain, other = Story(limits), Story(limits)
    for number, act in enumerate(script):
        act(plain)
        act(other)
        if number == when:
            other.crash()
    plain.run_dry()
    other.run_dry()
    assert plain.world.open == other.world.open
    assert {key for key, _ in plain.world.heard} == {key for key, _ in other.world.heard}
