"""Keys and JWTs of NATS, as its operators make them: made up for tests."""

import json
from base64 import b32encode, urlsafe_b64encode
from binascii import crc_hqx
from hashlib import sha256
from pathlib import Path
from typing import Any

from nacl.signing import SigningKey

__all__ = ["Key", "credentials", "operator_config"]

KINDS = {"operator": 14 << 3, "account": 0, "user": 20 << 3}


class Key:
    """A key pair of an operator, an account or a user: of the same name always the same."""

    def __init__(self, kind: str, name: str) -> None:
        self.name = name
        self._kind = KINDS[kind]
        self._key = SigningKey(sha256(f"{kind} {name}".encode()).digest())

    @property
    def public(self) -> str:
        return _encode(bytes([self._kind]) + bytes(self._key.verify_key))

    @property
    def seed(self) -> str:
        head = bytes([18 << 3 | self._kind >> 5, (self._kind & 31) << 3])
        return _encode(head + bytes(self._key))

    def issue(self, subject: "Key", claims: dict[str, Any]) -> str:
        """Give a JWT about another key."""
        head = {"typ": "JWT", "alg": "ed25519-nkey"}
        body = {
            "jti": subject.public,
            "iat": 1_700_000_000,
            "iss": self.public,
            "name": subject.name,
            "sub": subject.public,
            "nats": claims | {"version": 2},
        }
        said = ".".join(_base64(json.dumps(part).encode()) for part in (head, body))
        return f"{said}.{_base64(self._key.sign(said.encode()).signature)}"


OPERATOR, SYSTEM, ACCOUNT = Key("operator", "o"), Key("account", "system"), Key("account", "a")
NO_LIMIT = {"subs": -1, "data": -1, "payload": -1, "conn": -1, "leaf": -1, "imports": -1}
STORAGE = {"exports": -1, "wildcards": True, "mem_storage": -1, "disk_storage": -1}
STREAMS = {"streams": -1, "consumer": -1}


def operator_config() -> str:
    """Give what a server needs to trust the operator, whose one account has JetStream."""
    limits = NO_LIMIT | STORAGE | STREAMS
    account = OPERATOR.issue(ACCOUNT, {"type": "account", "limits": limits})
    system = OPERATOR.issue(SYSTEM, {"type": "account", "limits": NO_LIMIT})
    operator = OPERATOR.issue(OPERATOR, {"type": "operator", "system_account": SYSTEM.public})
    return f"""
operator: "{operator}"
system_account: "{SYSTEM.public}"
resolver: MEMORY
resolver_preload: {{ {ACCOUNT.public}: "{account}", {SYSTEM.public}: "{system}" }}
"""


def credentials(path: Path, user: Key, signed_by: Key = ACCOUNT) -> Path:
    """Write a user's credentials file."""
    limits = {"subs": -1, "data": -1, "payload": -1}
    jwt = signed_by.issue(user, {"type": "user", **limits})
    path.write_text(f"""-----BEGIN NATS USER JWT-----
{jwt}
------END NATS USER JWT------

************************* IMPORTANT *************************
NKEY Seed printed below can be used to sign and prove identity.

-----BEGIN USER NKEY SEED-----
{user.seed}
------END USER NKEY SEED------
""")
    path.chmod(0o600)
    return path


def _base64(raw: bytes) -> str:
    return urlsafe_b64encode(raw).decode().rstrip("=")


def _encode(raw: bytes) -> str:
    return b32encode(raw + crc_hqx(raw, 0).to_bytes(2, "little")).decode().rstrip("=")
