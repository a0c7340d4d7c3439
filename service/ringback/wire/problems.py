"""Error details that the platform hangs on a participant or a call."""

from ringback.wire.values import Wire

__all__ = ["ErrorDetail", "ErrorInfo", "ErrorLimit"]


class ErrorDetail(Wire):
    """One field or entity that an error is about."""

    error_code: str | None = None
    field_name: str | None = None
    entity_id: str | None = None
    entity_name: str | None = None


class ErrorLimit(Wire):
    """The platform limit that was hit."""

    key: str | None = None
    namespace: str | None = None
    """One of some seventy services of the platform; for people to read, so a plain string."""
    value: int | None = None
    documented: bool | None = None


class ErrorInfo(Wire):
    """An error: the union of `ErrorInfo` (REST), `ErrorBody` and `ErrorDetails` (events)."""

    status: int | None = None
    code: str | None = None
    message: str | None = None
    entity_id: str | None = None
    entity_name: str | None = None
    message_with_params: str | None = None
    message_params: dict[str, str] | None = None
    context_id: str | None = None
    uri: str | None = None
    details: list[ErrorDetail] | None = None
    errors: "list[ErrorInfo] | None" = None
    limit: ErrorLimit | None = None
