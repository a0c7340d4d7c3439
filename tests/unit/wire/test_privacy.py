import hashlib
import hmac

from ringback.wire.privacy import Contact, Privacy

NUMBERS = ["+15555550100", " +15555550101 ", "", "  "]


def test_a_hash_is_keyed_and_stable() -> None:
    (first, second) = Contact(Privacy(hash_key=b"k")).emitted(NUMBERS, "Name")
    expected = hmac.new(b"k", b"+15555550100", hashlib.sha256).hexdigest()[:16]
    assert first == f"hmac:{expected}"
    assert first != second
    assert Contact(Privacy(hash_key=b"other")).emitted(NUMBERS, None)[0] != first


def test_numbers_in_clear_win_over_hashes() -> None:
    contact = Contact(Privacy(numbers=True, hash_key=b"k"))
    assert contact.emitted(NUMBERS, None) == ("+15555550100", "+15555550101")


def test_each_leg_gets_its_own() -> None:
    contact = Contact(Privacy(numbers=True, names=True))
    assert contact.emitted(["1"], "a") == ("1", "a")
    assert contact.emitted(["1"], "b") == ("1", "b")
    assert contact.emitted(["2"], "b") == ("2", "b")
    assert contact.emitted(None, None) == ()


def test_nothing_passes_by_default() -> None:
    assert Contact(Privacy()).hidden
    assert not Contact(Privacy(names=True)).hidden


def test_the_key_is_not_shown() -> None:
    assert "secret" not in repr(Privacy(hash_key=b"secret"))
    assert "hashes=True" in repr(Privacy(hash_key=b"secret"))
