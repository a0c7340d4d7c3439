"""What a member says of itself with its sign of life: as JSON, which people read as well."""

from collections.abc import Sequence

import msgspec

__all__ = ["MEMBER", "Member", "decode_member", "encode_member", "former_seconds"]

MEMBER = "member."
"""What a sign of life is called by, before the member's name."""
FORMER_SECONDS = 65.0
"""By then nothing counts any more that a process used of the platform's limits which was dead when
its next life began."""
FORMER_MEMBER_SECONDS = 15.0
"""By its sign of life a member is given a share of what is free and of what others can spare, and
nothing that its former life holds. One that lives renews it every ten seconds."""


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


def former_seconds(name: str) -> float:
    """Say how long after a member's next life has found it something is free that it held."""
    return FORMER_MEMBER_SECONDS if name.startswith(MEMBER) else FORMER_SECONDS


def encode_member(member: Member) -> bytes:
    """Write what a member says."""
    return _encode(member)


def decode_member(said: bytes) -> Member | None:
    """Read what a member of any version says; None for what is none of ours."""
    try:
        return _decode(said)
    except msgspec.DecodeError:
        return None
