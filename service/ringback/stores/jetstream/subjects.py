"""Names of subjects, streams and buckets, and in which partition a conversation is.

<prefix>.<org>.in.<partition>.<key>     the input log
<prefix>.<org>.st.<partition>.<key>     the log of steps; the key is a row's
<prefix>.<org>.wants.<partition>        what is best read now, for whichever listener is free
"""

import hashlib
from functools import cached_property

import msgspec

from ringback.wire.log import EVERYBODY

__all__ = ["EVERYBODY", "Subjects", "decode_token", "encode_token", "partition_of"]

LONGEST = 512
"""Characters of a key in a subject; servers cut off whoever sends a line of more than 4,096."""
_PLAIN = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_~")


def encode_token(text: str) -> str:
    """Write any text as one token of a subject: what is not plain becomes `=XX`, byte by byte.

    NATS parts tokens at dots, and gives `*`, `>` and spaces a meaning.
    """
    if text and _PLAIN.issuperset(text):
        return text
    encoded = text.encode("utf-8", "surrogatepass")
    return "".join(chr(one) if chr(one) in _PLAIN else f"={one:02X}" for one in encoded) or "="


def _key(text: str) -> str:
    """Write a key as a token: one that is too long for a subject by what stands for it."""
    token = encode_token(text)
    if len(token) <= LONGEST:
        return token
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=32)
    return f"=-{digest.hexdigest()}"  # no text is written so


def decode_token(token: str) -> str:
    """Give back what `encode_token` was handed."""
    if "=" not in token:
        return token
    head, *rest = token.split("=")
    parts = [head.encode("ascii")]
    parts += [bytes.fromhex(one[:2]) + one[2:].encode("ascii") for one in rest if one]
    return b"".join(parts).decode("utf-8", "surrogatepass")


def _named(text: str) -> str:
    """Write a text as part of a bucket's name, which may hold less than a subject."""
    return encode_token(text).replace("_", "=5F").replace("~", "=7E").replace("=", "_")


def partition_of(conversation_id: str, partitions: int) -> int:
    """Give the partition of a conversation: the same on every machine and in every version."""
    digest = hashlib.blake2b(
        conversation_id.encode("utf-8", "surrogatepass"), digest_size=8
    ).digest()
    return int.from_bytes(digest, "big") % partitions


class Subjects(msgspec.Struct, frozen=True, dict=True):
    """The names of one organisation's own."""

    prefix: str
    org: str

    @cached_property
    def root(self) -> str:
        """What all of its subjects begin with."""
        return f"{encode_token(self.prefix)}.{encode_token(self.org)}"

    @cached_property
    def _name(self) -> str:
        return f"{_named(self.prefix)}-{_named(self.org)}"

    @property
    def inputs(self) -> str:
        """The stream of the input log."""
        return f"{self._name}-in"

    @property
    def steps(self) -> str:
        """The stream of the log of steps."""
        return f"{self._name}-steps"

    @property
    def leases(self) -> str:
        """The bucket of leases and members."""
        return f"{self._name}-leases"

    @property
    def budgets(self) -> str:
        """The bucket of what listeners share of the platform's limits."""
        return f"{self._name}-budgets"

    def input(self, partition: int, key: str) -> str:
        """Where an input is put."""
        return f"{self.root}.in.{partition}.{_key(key)}"

    def inputs_of(self, partition: int) -> str:
        """All inputs of one partition."""
        return f"{self.root}.in.{partition}.*"

    def step(self, partition: int, key: str) -> str:
        """Where a row's steps are put."""
        return f"{self.root}.st.{partition}.{_key(key)}"

    def steps_of(self, partition: int) -> str:
        """All steps of one partition."""
        return f"{self.root}.st.{partition}.*"

    def wants(self, partition: int) -> str:
        """Where a tracker says what is best read now."""
        return f"{self.root}.wants.{partition}"
