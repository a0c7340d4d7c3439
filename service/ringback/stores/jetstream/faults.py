"""What can go wrong with the engine, as the adapter itself tells it apart, and in whose words."""

import msgspec

from ringback.errors import EngineRefused, EngineUnreachable, StoreError

__all__ = [
    "CONFLICTS",
    "NO_MESSAGE",
    "NO_STREAM",
    "DeniedError",
    "RefusalError",
    "UnsureError",
    "worded",
]

CONFLICTS = {10071, 10164}
"""The last sequence of a subject is not the expected one."""
NO_STREAM = 10059
NO_MESSAGE = 10037
NO_JETSTREAM = {10039, 10076}


class UnsureError(Exception):
    """No answer came: it is unknown whether it was done."""


class DeniedError(Exception):
    """The server does not allow this client to publish or to listen there."""

    def __init__(self, subject: str, what: str = "publish to") -> None:
        super().__init__(f"no permission to {what} {subject}")


class Refusal(msgspec.Struct, frozen=True):
    """An error as JetStream answers it."""

    code: int = 0
    err_code: int = 0
    description: str = ""


class RefusalError(Exception):
    """JetStream has answered that it does not do it."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(f"{refusal.description} (error {refusal.err_code})")
        self.code = refusal.err_code


def worded(servers: str, error: Exception) -> StoreError:
    """Word a failure for people; `servers` names the engine."""
    match error:
        case StoreError():
            return error
        case DeniedError():
            return EngineRefused(
                servers, str(error), "the permissions of this user (deploy/nats names them all)"
            )
        case RefusalError(code=code) if code in NO_JETSTREAM:
            return EngineUnreachable(servers, f"{error}: JetStream is off, or off for this account")
        case RefusalError():
            return StoreError(servers, f"JetStream refuses: {error}", "mend that on the servers")
        case _:
            return EngineUnreachable(servers, str(error) or type(error).__name__)
