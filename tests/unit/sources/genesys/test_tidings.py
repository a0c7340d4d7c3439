"""What a shard tells of its topics; each thing once."""

from ringback.sources.genesys.tidings import Tidings
from support.callbacks import START
from support.fleet import Hearing
from support.virtual import run_virtually


def topics(letters: str) -> frozenset[str]:
    return frozenset(letters)


def tell(*steps: tuple[str, ...], everybody: str = "abcd") -> list[tuple[object, ...]]:
    """Take steps; what was said, without the instants."""
    hearing = Hearing()

    async def play() -> None:
        tidings = Tidings(hearing, everybody.__contains__)
        for step in steps:
            match step:
                case ("lost", letters):
                    tidings.lost("cut", START, topics(letters))
                case ("again", heard, wanted):
                    tidings.heard_again(topics(heard), topics(wanted))
                case ("changed", before, heard, wanted):
                    tidings.changed(topics(before), topics(heard), topics(wanted), "why")
                case _:
                    tidings.over()

    run_virtually(play())
    return [(what, "".join(rest[-1])) for what, *rest in hearing.said]


def test_a_gap_is_told_once_and_ends() -> None:
    assert tell(("lost", "ab"), ("lost", "ab"), ("again", "ab", "ab")) == [
        ("blind", "ab"),
        ("heard", "ab"),
    ]


def test_what_joins_a_gap_is_told_as_well() -> None:
    assert tell(("lost", "ab"), ("lost", "abc"), ("again", "abc", "abc")) == [
        ("blind", "ab"),
        ("blind", "c"),
        ("heard", "abc"),
    ]


def test_what_is_rejected_now_has_a_gap_of_its_own() -> None:
    assert tell(("lost", "ab"), ("again", "a", "ab"), ("changed", "a", "ab", "ab")) == [
        ("blind", "ab"),
        ("heard", "ab"),
        ("blind", "b"),
        ("heard", "b"),
    ]


def test_what_was_never_heard_has_none() -> None:
    assert tell(("again", "a", "ab"), ("changed", "a", "a", "ab")) == [("heard", "a")]


def test_changes_without_a_gap() -> None:
    assert tell(
        ("again", "ab", "ab"),
        ("changed", "ab", "abc", "abc"),
        ("changed", "abc", "bc", "bc"),
        ("changed", "bc", "b", "bc"),
        ("changed", "b", "b", "bc"),
    ) == [("heard", "ab"), ("heard", "c"), ("blind", "c")]


def test_gaps_that_nobody_minds_end() -> None:
    assert tell(("lost", "abx"), ("again", "ab", "ab")) == [("blind", "abx"), ("heard", "abx")]
    assert tell(("lost", "ax"), ("over",)) == [("blind", "ax"), ("heard", "x")]
    assert tell(("lost", "a"), ("over",)) == [("blind", "a")]
