"""Numbers and names as anybody may see them: enough to recognise, too little to call or to tell."""

from collections.abc import Iterable

import msgspec

from ringback.core.events import CallbackData, Event

__all__ = ["masked", "masked_body"]

DIGITS_SHOWN = 2
HASHED = "hmac:"
"""Begins what already stands for a number."""


def masked(contact: Iterable[str]) -> tuple[str, ...]:
    """Mask the numbers and names of a contact, each on its own."""
    return tuple(map(_mask, contact))


def masked_body(body: bytes, event: Event) -> bytes | None:
    """Mask what is personal in a CloudEvent; None if nothing is."""
    if not isinstance(event.data, CallbackData) or not event.data.contact:
        return None
    envelope = msgspec.json.decode(body)
    envelope["data"]["contact"] = masked(event.data.contact)
    return msgspec.json.encode(envelope)


def _mask(text: str) -> str:
    if text.startswith(HASHED):
        return text
    digits = [each for each in text if each.isdigit()]
    if digits:
        return f"…{''.join(digits[-DIGITS_SHOWN:])}" if len(digits) > DIGITS_SHOWN else "…"
    return " ".join(f"{word[0]}." for word in text.split()) or "…"
