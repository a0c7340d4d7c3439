import re

from ringback.core.diagram import markdown, mermaid
from ringback.core.lifecycle import ENTRIES, MOVES, State, Trigger

ARROW = re.compile(r"^    (\S+) --> (\S+)(?:: (.+))?$")


def test_the_diagram_draws_every_move_and_no_other() -> None:
    drawn = set()
    for line in mermaid().splitlines():
        if match := ARROW.match(line):
            source, target, triggers = match.groups()
            drawn |= {(source, name, target) for name in (triggers or "").split(" / ")}
    wanted = {
        (move.source.value, move.trigger.value, move.target.value)
        for move in MOVES
        if move.trigger is not Trigger.DISCONNECT
    }
    wanted |= {("[*]", trigger.value, state.value) for trigger, state in ENTRIES.items()}
    wanted |= {("any_state", "disconnect", "disconnected"), ("disconnected", "", "[*]")}
    assert drawn == wanted


def test_the_diagram_is_mermaid() -> None:
    assert mermaid().startswith("stateDiagram-v2\n")
    assert mermaid().endswith("\n")


def test_the_table_has_a_row_for_every_move_and_every_beginning() -> None:
    lines = markdown().splitlines()
    assert len(lines) == 2 + len(ENTRIES) + len(MOVES)
    assert all(line.count("|") == 5 for line in lines)
    for state in State:
        assert f"| `{state.value}` | `disconnect` | `disconnected` | ended |" in lines
