"""Proves to NATS who this is: nkeys and credentials files.

A seed is base32 of two bytes that say what it is for, 32 bytes of an Ed25519 seed, and a checksum.
The server sends a nonce, and is sent its signature.
"""

import re
from base64 import b32decode, b32encode, b64encode
from binascii import Error as Base32Error
from binascii import crc_hqx
from pathlib import Path

from nacl.signing import SigningKey

__all__ = ["Nkey", "credentials_in", "seed_of_user"]

SEED = 18 << 3
USER = 20 << 3
LENGTH = 36
_BLOCK = re.compile(r"-----BEGIN ([A-Z ]+)-----\s+(\S+)\s+-+END \1-+")


class Nkey:
    """A user's key pair. Raises `ValueError` for what is no user's seed, and never shows it."""

    def __init__(self, seed: str) -> None:
        self._key = SigningKey(seed_of_user(seed))

    @property
    def public(self) -> str:
        """The public key, by which the server knows the user."""
        return _encode(bytes([USER]) + bytes(self._key.verify_key))

    def sign(self, nonce: str) -> bytes:
        """Give a nonce's signature, in base64."""
        return b64encode(self._key.sign(nonce.encode()).signature)


def seed_of_user(text: str) -> bytes:
    """Give what a seed holds. Raises `ValueError` without quoting it."""
    try:
        raw = b32decode(text.strip() + "=" * (-len(text.strip()) % 8))
    except (Base32Error, ValueError):
        raise ValueError("it is not base32") from None
    if len(raw) != LENGTH or crc_hqx(raw[:-2], 0) != int.from_bytes(raw[-2:], "little"):
        raise ValueError("its checksum is wrong: part of it is missing or changed")
    kind = (raw[0] & 7) << 5 | raw[1] >> 3
    if raw[0] & 0xF8 != SEED or kind != USER:
        raise ValueError("it is not the seed of a user (those begin with SU)")
    return raw[2:-2]


def credentials_in(path: Path) -> tuple[str, str]:
    """Give the JWT and the seed of a credentials file. Raises `OSError`, or `ValueError`."""
    blocks = dict(_BLOCK.findall(path.read_text(encoding="ascii", errors="replace")))
    try:
        return blocks["NATS USER JWT"], blocks["USER NKEY SEED"]
    except KeyError as missing:
        raise ValueError(f"it has no {missing.args[0]}") from None


def _encode(raw: bytes) -> str:
    checksum = crc_hqx(raw, 0).to_bytes(2, "little")
    return b32encode(raw + checksum).decode("ascii").rstrip("=")
