"""The platform's REST answers, as far as they are read here. Conversations are in `wire.decode`.

As everywhere in `wire`: unknown fields are skipped, and `null` and `{}` mean the same as absent.
Token, address and id of a channel let anybody in who has them, so their structs do not show them.
"""

from typing import TypeVar

import msgspec

from ringback.errors import FrameError, FrameFault
from ringback.wire.inputs import Queue
from ringback.wire.problems import ErrorInfo
from ringback.wire.tolerance import pruned
from ringback.wire.values import Reference, Time, Wire

__all__ = [
    "AvailableTopic",
    "AvailableTopics",
    "Channel",
    "ChannelTopic",
    "Channels",
    "Paged",
    "PermissionDetails",
    "QueuePage",
    "Subscriptions",
    "TokenAnswer",
    "TokenInfo",
    "decode",
    "entities",
    "problem",
]

T = TypeVar("T", bound=msgspec.Struct)


class TokenAnswer(msgspec.Struct, frozen=True, omit_defaults=True):
    """`POST /oauth/token`: a token, or why there is none. Names are those of OAuth."""

    access_token: str | None = None
    """A secret."""
    token_type: str | None = None
    expires_in: int | None = None
    """Seconds; typically 86,400."""
    error: str | None = None
    """`invalid_client`, for example."""
    error_description: str | None = None
    description: str | None = None
    """Where the platform says it instead."""

    def __repr__(self) -> str:
        return f"TokenAnswer(expires_in={self.expires_in}, error={self.error!r})"


class TokenInfo(Wire):
    """`GET /api/v2/tokens/me`: whose token it is."""

    organization: Reference | None = None
    oauth_client: Reference | None = msgspec.field(default=None, name="OAuthClient")


class Channel(Wire):
    """`POST /api/v2/notifications/channels`, and each entity of the list."""

    id: str | None = None
    """A secret: who knows it may listen."""
    connect_uri: str | None = None
    """A secret, too. Where to listen, as `wss://.../channels/{id}`."""
    expires: Time = None

    def __repr__(self) -> str:
        return f"Channel(expires={self.expires!r})"


class Channels(Wire):
    """`GET /api/v2/notifications/channels`. Of other tokens' channels only the number is told."""

    entities: list[Channel] = msgspec.field(default_factory=list)


class ChannelTopic(Wire):
    """One topic of a channel's subscriptions."""

    id: str | None = None
    """The topic's name."""
    state: str | None = None
    """`Permitted` or `Rejected`."""
    rejection_reason: str | None = None
    missing_permissions: list[str] | None = None

    @property
    def rejected(self) -> bool:
        """Whether it is not heard."""
        return (self.state or "").lower() == "rejected"


class Subscriptions(Wire):
    """`GET`, `POST` and `PUT /api/v2/notifications/channels/{id}/subscriptions`."""

    entities: list[ChannelTopic] = msgspec.field(default_factory=list)


class PermissionDetails(Wire):
    """One way to be permitted to hear a topic."""

    type: str | None = None
    permissions: list[str] | None = None
    allows_current_user: bool | None = None
    enforced: bool | None = None


class AvailableTopic(Wire):
    """One entity of `GET /api/v2/notifications/availabletopics`; its id is a pattern."""

    id: str | None = None
    """As `v2.routing.queues.{id}.conversations`."""
    description: str | None = None
    requires_permissions: list[str] | None = None
    requires_division_permissions: bool | None = None
    requires_any_validator: bool | None = None
    requires_current_user: bool | None = None
    requires_current_user_or_permission: bool | None = None
    permission_details: list[PermissionDetails] | None = None
    enforced: bool | None = None
    visibility: str | None = None
    transports: list[str] | None = None


class AvailableTopics(Wire):
    """`GET /api/v2/notifications/availabletopics`."""

    entities: list[AvailableTopic] = msgspec.field(default_factory=list)


class Paged(Wire):
    """What every page of a listing says of itself."""

    page_size: int | None = None
    page_number: int | None = None
    """From 1."""
    total: int | None = None
    page_count: int | None = None
    next_uri: str | None = None


class QueuePage(Paged):
    """`GET /api/v2/routing/queues?pageSize=&pageNumber=`."""

    entities: list[Queue] | None = None
    """None if the page does not say, which is not the same as none."""


class _Listing(msgspec.Struct):
    entities: list[msgspec.Raw] | None = None


_listing = msgspec.json.Decoder(_Listing).decode


def decode(body: bytes, kind: type[T]) -> T:
    """Read an answer. Raises `FrameError`."""
    try:
        found = msgspec.json.decode(body)
        # An answer that says nothing is one with all its fields absent.
        return msgspec.convert(pruned(found) or ({} if isinstance(found, dict) else found), kind)
    except msgspec.ValidationError as error:
        raise FrameError(FrameFault.WRONG_TYPE, str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise FrameError(FrameFault.NOT_JSON, str(error)) from None
    except RecursionError:
        raise FrameError(FrameFault.TOO_DEEP, "nested too deeply") from None


def entities(body: bytes) -> int:
    """Count what a listing holds, such included as say nothing. Raises `FrameError`."""
    try:
        return len(_listing(body).entities or ())
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise FrameError(FrameFault.WRONG_TYPE, str(error)) from None


def problem(body: bytes) -> ErrorInfo | None:
    """Read the platform's account of an error; None if it is something else."""
    try:
        return decode(body, ErrorInfo)
    except FrameError:
        return None
