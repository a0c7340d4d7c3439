"""The file of rules: what loads, what is refused and in which words, and what ships."""

import re
from datetime import date, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringback.core.policy import Policy
from ringback.core.watch.defaults import built_in
from ringback.core.watch.hours import Hours
from ringback.core.watch.rules import Filter, Rule, RuleSet
from ringback.errors import SettingsError
from ringback.settings.rules import load_rules, rules_example
from ringback.settings.rules.durations import MOST, parse_duration, write_duration

ROOT = Path(__file__).parents[3]
SHIPPED = ROOT / "config" / "rules.toml"
BUILT_IN = built_in(Policy().due_grace, Policy().not_dialled)
OFFICE = """
[hours.office]
days = ["mon", "fri"]
from = "08:00"
until = "24:00"
time_zone = "Europe/Berlin"
closed = [2026-12-25, "2027-01-01"]
"""


def loaded(folder: Path, text: str) -> RuleSet:
    path = folder / "rules.toml"
    path.write_text(text, encoding="utf-8")
    return load_rules(path, BUILT_IN)


def rule(folder: Path, text: str) -> Rule:
    """Load a file of one rule of its own."""
    (found,) = loaded(folder, f"built_in = false\n{text}").rules
    return found


def refusal(folder: Path, text: str) -> str:
    with pytest.raises(SettingsError) as caught:
        loaded(folder, text)
    said = str(caught.value)
    assert said.startswith(f"{folder / 'rules.toml'}: ")
    return said.removeprefix(f"{folder / 'rules.toml'}: ")


def test_the_shipped_file_is_current_and_loads_to_what_is_built_in() -> None:
    assert SHIPPED.read_text(encoding="utf-8") == rules_example(BUILT_IN)
    assert load_rules(SHIPPED, BUILT_IN).rules == BUILT_IN.rules


def test_the_shipped_file_gives_the_defaults_of_every_kind(tmp_path: Path) -> None:
    text = rules_example(BUILT_IN)
    begin = text.index("[[rule]]")
    uncommented = re.sub(r"^# (?=\w+ = )", "", text[begin:], flags=re.MULTILINE)
    assert uncommented.count("\nafter = ") == len(BUILT_IN.rules)
    assert loaded(tmp_path, f"built_in = false\n{uncommented}").rules == BUILT_IN.rules


def test_the_examples_of_the_documentation_load(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "rules.md").read_text(encoding="utf-8")
    examples = re.findall(r"^```toml\n(.*?)^```$", text, flags=re.DOTALL | re.MULTILINE)
    assert len(examples) >= 4
    for example in examples:
        assert loaded(tmp_path, example).rules != BUILT_IN.rules


def test_what_the_file_does_not_name_stays_built_in(tmp_path: Path) -> None:
    found = loaded(tmp_path, '[[rule]]\nname = "due_not_released"\nafter = "1h30m"\n')
    assert found.rules[1:] == BUILT_IN.rules[1:]
    assert found.rules[0].after == timedelta(minutes=90)
    assert found.rules[0].summary == BUILT_IN.rules[0].summary


def test_a_rule_may_be_switched_off_or_stand_alone(tmp_path: Path) -> None:
    off = loaded(tmp_path, '[[rule]]\nname = "due_not_released"\nenabled = false\n')
    assert off.rules == BUILT_IN.rules[1:]
    assert loaded(tmp_path, "built_in = false").rules == ()


def test_every_key_arrives(tmp_path: Path) -> None:
    found = rule(
        tmp_path,
        OFFICE
        + """
[[rule]]
name = "vip"
kind = "due_not_released"
after = "90s"
for = "1m"
times = 3
severity = "critical"
summary = "an important one is late"
labels = { team = "gold" }
hours = "office"
proof = false
while_blind = "mark"
damping = "5m"
lasts = "2h"
[rule.where]
queues = ["q-1", "q-2"]
divisions = ["d-1"]
campaigns = ["m-1"]
automated = false
preview = false
customer_first = true
voicemail = true
""",
    )
    assert found == Rule(
        name="vip",
        kind="due_not_released",
        after=timedelta(seconds=90),
        sustained=timedelta(minutes=1),
        times=3,
        severity=found.severity.CRITICAL,
        summary="an important one is late",
        labels={"team": "gold"},
        where=Filter(
            queues=frozenset({"q-1", "q-2"}),
            divisions=frozenset({"d-1"}),
            campaigns=frozenset({"m-1"}),
            automated=False,
            preview=False,
            customer_first=True,
            voicemail=True,
        ),
        hours=Hours(
            days=frozenset({0, 4}),
            opens=time(8),
            closes=time(0),
            zone=ZoneInfo("Europe/Berlin"),
            closed=frozenset({date(2026, 12, 25), date(2027, 1, 1)}),
        ),
        proof=False,
        while_blind="mark",
        damping=timedelta(minutes=5),
        lasts=timedelta(hours=2),
    )


RULE = '[[rule]]\nname = "due_not_released"\n'
DURATION = "a time with its unit (ms, s, m, h, d, w), as 90s, 2m or 1h30m, up to a year"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("rules = []", "rules: there is no such key; did you mean rule?"),
        ("built_in = 1", "built_in: 1 is not allowed; allowed: true or false"),
        ("rule = 1", "rule: is a list of tables: write each as [[rule]]"),
        ("hours = 1", "hours: is a table: write it as [hours.<name>]"),
        ("rule = [1]", "rule 1: 1 is not allowed; allowed: a table"),
        ("[[rule]]\nafter = '1m'", "rule 1: it has no name; allowed: 1 to 64 letters"),
        ("[[rule]]\nname = 'a/b'", "rule 'a/b': name: 'a/b' is not allowed; allowed: 1 to 64"),
        ("[[rule]]\nname = 'x'", "rule 'x': kind: it is missing, and no kind is called 'x'; all"),
    ],
)
def test_what_is_wrong_in_the_file_is_told_with_its_place_and_what_is_allowed(
    tmp_path: Path, text: str, words: str
) -> None:
    assert refusal(tmp_path, text).startswith(words)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("kind = 'y'", "kind: 'y' cannot be watched; allowed: a"),
        (RULE, "there are two of that name, the 1. and the 2."),
        ("afer = '1m'", "afer: there is no such key; did you mean after?"),
        ("after = 120", f"after: 120 is not allowed; allowed: {DURATION}"),
        ("after = '2 m'", f"after: '2 m' is not allowed; allowed: {DURATION}"),
        ("for = '400d'", f"for: '400d' is not allowed; allowed: {DURATION}"),
        ("times = 0", "times: 0 is not allowed; allowed: a number more than 0"),
        ("times = nan", "times: nan is not allowed; allowed: a number more than 0"),
        ("severity = 'bad'", "severity: 'bad' is not allowed; allowed: info, warning, critical"),
        ('summary = "a\\nb"', r"summary: 'a\nb' is not allowed; allowed: one line of 1 to 200"),
        ("labels = { '1' = 'x' }", "labels: {'1': 'x'} is not allowed; allowed: up to 20 names"),
        ("labels = { org = 'x' }", "labels: org: every alert has that one; allowed: other names"),
        ("hours = 'x'", "hours: there are no hours 'x'; allowed: none: write a table [hours.x]"),
        ("where = 1", "where: 1 is not allowed; allowed: a table"),
        ("where.queues = []", "where: queues: [] is not allowed; allowed: a list of ids"),
        ("where.queue = 'x'", "where: queue: there is no such key; did you mean queues?"),
    ],
)
def test_what_is_wrong_in_a_rule_is_told_with_rule_key_and_what_is_allowed(
    tmp_path: Path, line: str, words: str
) -> None:
    said = refusal(tmp_path, RULE + line)
    assert said.startswith("rule 'due_not_released': ")
    assert said.removeprefix("rule 'due_not_released': ").startswith(words)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("mon", "Mon", "days: ['Mon', 'fri'] is not allowed; allowed: a list of mon, tue"),
        ("08:00", "8:00", "from: '8:00' is not allowed; allowed: a time of day, as 08:30"),
        ("24:00", "24:01", "until: '24:01' is not allowed; allowed: a time of day, as 08:30, or 2"),
        ("Berlin", "Berlinn", "time_zone: 'Europe/Berlinn' is not known; did you mean Europe/Be"),
        (
            "Europe/Berlin",
            "../etc",
            "time_zone: '../etc' is not known; allowed: a name of the IANA",
        ),
        ("Europe/Berlin", "Europe", "time_zone: 'Europe' is not known; "),
        ("until =", "untill =", "untill: there is no such key; did you mean until?"),
        ('from = "08:00"', "", "from: it is missing; allowed: a time of day, as 08:30"),
        ("01-01", "02-30", "closed: [datetime.date(2026, 12, 25), '2027-02-30'] is not allowed"),
    ],
)
def test_what_is_wrong_in_hours_is_told_with_their_name_and_key(
    tmp_path: Path, old: str, new: str, words: str
) -> None:
    said = refusal(tmp_path, OFFICE.replace(old, new))
    assert said.startswith("hours 'office': ")
    assert said.removeprefix("hours 'office': ").startswith(words)


def test_a_file_that_cannot_be_read_is_told_as_the_setting_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"^watch.rules: .*none.toml cannot be read: No such"):
        load_rules(tmp_path / "none.toml", BUILT_IN)
    bad = tmp_path / "bad.toml"
    bad.write_text("[[rule", encoding="utf-8")
    with pytest.raises(SettingsError, match=r"^watch.rules: .*bad.toml is not TOML: Expected"):
        load_rules(bad, BUILT_IN)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("2m", 120), ("1h30m", 5400), ("0s", 0), ("500ms", 0.5), ("1w2d", 777_600)],
)
def test_durations_are_written_as_for_prometheus(text: str, seconds: float) -> None:
    assert parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "1", "m", "1m1m", "1s1m", "-1s", "1.5h", "1 m", "1M", "367d"])
def test_what_is_no_duration_is_not_taken_for_one(text: str) -> None:
    assert parse_duration(text) is None


@given(st.timedeltas(timedelta(), MOST).map(lambda d: d - d % timedelta(milliseconds=1)))
def test_durations_are_read_as_they_are_written(duration: timedelta) -> None:
    assert parse_duration(write_duration(duration)) == duration
