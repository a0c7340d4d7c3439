from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringback.wire.callback import Callback
from ringback.wire.conversations import Conversation
from ringback.wire.tolerance import NewFields, pruned


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (None, None),
        ({}, None),
        ([], []),
        ({"a": {"b": {"c": None}}, "d": 0}, {"d": 0}),
        ({"a": [None, {}, {"b": None}, [], [None], False, ""]}, {"a": [[], [], False, ""]}),
    ],
)
def test_pruned(value: Any, kept: Any) -> None:
    assert pruned(value) == kept


@given(
    st.recursive(
        st.none() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_pruning_twice_is_pruning_once(value: Any) -> None:
    assert pruned(pruned(value)) == pruned(value)


def test_names_are_bounded_in_number_and_length() -> None:
    fields = NewFields(limit=3)
    fields.look({"x" * 1000 + str(number): 1 for number in range(10)}, Callback)
    fields.look({f"field{number}": 1 for number in range(10)}, Callback)
    assert len(fields.names) == 3
    assert all(len(name) < 100 for name in fields.names)


def test_values_of_the_wrong_kind_are_passed_over() -> None:
    fields = NewFields()
    fields.look(
        {"participants": [5, None, {"calls": "x", "callbacks": [[{"odd": 1}]]}]}, Conversation
    )
    assert fields.names == {"Callback.odd"}
