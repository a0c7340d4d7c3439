from ringback.runtime.cluster.naming import WINDOW, Naming


class Time:
    def __init__(self) -> None:
        self.at = 1_000.0

    def __call__(self) -> float:
        return self.at


def old(life: str = "a", *, most: int = 100_000) -> tuple[Naming, Time]:
    """One that has been there for long."""
    time = Time()
    naming = Naming(time, life, most)
    time.at += WINDOW
    return naming, time


def test_listeners_give_the_same_name_to_the_same_snapshot() -> None:
    (first, _), (second, _) = old("a"), old("b")
    for body in (b"one", b"two", b"three"):
        name = first.again("c", body)
        assert name is not None
        assert name == second.again("c", body)


def test_what_returns_to_the_same_content_has_a_name_of_its_own() -> None:
    naming, _ = old()
    names = [naming.again("c", body) for body in (b"talks", b"held", b"talks", b"held again")]
    assert len(set(names)) == 4
    assert None not in names


def test_what_is_repeated_is_not_put_again_within_a_while_and_then_by_the_same_name() -> None:
    naming, time = old()
    name = naming.again("c", b"one")
    time.at += 59
    assert naming.again("c", b"one") is None
    time.at += 2
    assert naming.again("c", b"one") == name
    assert naming.again("c", b"one") is None


def test_conversations_do_not_mix() -> None:
    naming, _ = old()
    naming.again("c", b"one")
    naming.again("d", b"another")
    other, _ = old()
    other.again("c", b"one")
    assert naming.again("c", b"two") == other.again("c", b"two")


def test_a_young_process_takes_nothing_for_what_another_put() -> None:
    lives = [Naming(Time(), "a/1"), Naming(Time(), "a/2")]
    names = [each.again("c", b"one") for each in lives]
    assert names[0] != names[1]
    # What follows has a predecessor that all know.
    names = [each.again("c", b"two") for each in lives]
    assert names[0] == names[1]


def test_the_conversation_heard_of_longest_ago_is_forgotten_first() -> None:
    naming, _ = old(most=2)
    other, _ = old()
    for about in ("c", "d", "c", "e"):
        naming.again(about, b"one")
        other.again(about, b"one")
    assert len(naming) == 2
    assert naming.again("c", b"two") == other.again("c", b"two")
    assert naming.again("d", b"two") != other.again("d", b"two")


def test_what_is_a_listeners_own_is_named_once() -> None:
    first, second = Naming(Time(), "a/1"), Naming(Time(), "a/2")
    names = [each.once() for each in (first, second) for _ in range(3)]
    assert len(set(names)) == 6
