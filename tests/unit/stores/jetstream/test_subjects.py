"""Any id fits into a subject and comes back."""

import re
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from ringback.stores.jetstream.subjects import (
    Subjects,
    decode_token,
    encode_token,
    partition_of,
)


@given(st.text())
def test_any_text_fits_into_one_token_and_comes_back(text: str) -> None:
    token = encode_token(text)
    assert re.fullmatch(r"[A-Za-z0-9_~=-]+", token)
    assert decode_token(token) == text


@given(st.text(), st.text())
def test_two_texts_never_share_a_token(one: str, other: str) -> None:
    assert (encode_token(one) == encode_token(other)) == (one == other)


def test_partitions_are_even_and_never_change() -> None:
    assert [partition_of(f"c-{number}", 8) for number in range(6)] == PINNED
    counts = Counter(partition_of(f"c-{number}", 8) for number in range(8000))
    assert all(900 < counts[partition] < 1100 for partition in range(8))


PINNED = [1, 2, 2, 2, 1, 4]


def test_an_organisations_names_are_its_own() -> None:
    subjects = Subjects("ringback", "acme.eu")
    assert subjects.input(3, "a.b") == "ringback.acme=2Eeu.in.3.a=2Eb"
    assert subjects.steps == "ringback-acme_2Eeu-steps"
    assert Subjects("a_2E", "b").leases != Subjects("a.", "b").leases


def test_a_key_that_is_too_long_for_a_subject_is_still_one_of_its_own() -> None:
    subjects = Subjects("ringback", "acme")
    keys = ["x" * 512, "x" * 513, "x" * 100_000, "☎" * 300, "☎" * 301, ""]
    found = [subjects.step(0, key).removeprefix("ringback.acme.st.0.") for key in keys]
    assert len(set(found)) == len(keys)
    assert found[0] == keys[0]
    assert all(len(token) <= 512 and "." not in token for token in found)
    assert subjects.input(0, keys[2]).endswith(found[2])
