"""What a member says of itself with its sign of life: as JSON, which people read as well."""

from collections.abc import Sequence

import msgspec

__all__ = ["MEMBER", "Member", "decode_member", "encode_member"]

MEMBER = "member."
"""What a sign of life is called by, before the member's name."""


class Member(msgspec.Struct, frozen=True, omit_defaults=True):
    """Fields may be appended, with a default; members of two versions read one another."""

    roles: Sequence[str]
    version: str = ""
    address: str = ""
    """Where its dashboard and API are; empty if nowhere."""
    since: str = ""
    """When it began, RFC 3339."""


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Member).decode


def encode_member(member: Member) -> bytes:
    """Write what a member says."""
    return _encode(member)


def decode_member(said: bytes) -> Member | None:
    """Read what a member of any version says; None for what is none of ours."""
    try:
        return _decode(said)
    except msgspec.DecodeError:
        return None
