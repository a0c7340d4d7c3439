"""What of the numbers and the name may leave the frame: decided here, at decode, once."""

import hashlib
import hmac

import msgspec

__all__ = ["Contact", "Privacy"]

HASH_CHARACTERS = 16


class Privacy(msgspec.Struct, frozen=True):
    """Which personal data may pass. By default none does."""

    numbers: bool = False
    """Let callback numbers pass in clear."""
    names: bool = False
    """Let the customer's name pass in clear."""
    hash_key: bytes | None = None
    """Where numbers may not pass in clear: the key for their keyed hashes."""

    def __repr__(self) -> str:
        """Show what passes, never the key."""
        return f"Privacy(numbers={self.numbers}, names={self.names}, hashes={bool(self.hash_key)})"


class Contact:
    """Turns numbers and name into their emitted form.

    A number is `hmac:` with 16 hexadecimal digits of its HMAC-SHA256 when only hashes may pass: the
    same number gives the same hash as long as the key is the same.
    """

    def __init__(self, privacy: Privacy) -> None:
        self._privacy = privacy
        self.hidden = not (privacy.numbers or privacy.names or privacy.hash_key)
        """Nothing may pass: no need to ask."""
        # Every leg of a callback repeats the same numbers; the memory is of one, the latest.
        self._latest: tuple[list[str] | None, str | None] = (None, None)
        self._emitted: tuple[str, ...] = ()
        self.numbers = 0
        """How many of what `emitted` gave last are numbers: the first ones."""

    def emitted(self, numbers: list[str] | None, name: str | None) -> tuple[str, ...]:
        """Give what may pass: the numbers in their order, then the name; empty ones left out."""
        if self._latest != (numbers, name):
            passed = self._numbers(numbers or [])
            self._emitted = (*passed, *self._name(name))
            self.numbers = len(passed)
            self._latest = (numbers, name)
        return self._emitted

    def _numbers(self, numbers: list[str]) -> list[str]:
        given = [number for number in map(str.strip, numbers) if number]
        if self._privacy.numbers:
            return given
        if key := self._privacy.hash_key:
            return [hashed(key, number) for number in given]
        return []

    def _name(self, name: str | None) -> list[str]:
        return [name] if name and self._privacy.names else []


def hashed(key: bytes, number: str) -> str:
    """Give a number's keyed hash."""
    digest = hmac.digest(key, number.encode(), hashlib.sha256)
    return f"hmac:{digest.hex()[:HASH_CHARACTERS]}"
