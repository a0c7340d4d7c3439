"""What an alert rests on, in words: the dashboard's own."""

from datetime import datetime, tzinfo

from ringback.terminal.answers import Proof
from ringback.terminal.words import at_second, instants_at

__all__ = ["proof_words"]


def proof_words(proof: Proof | None, now: datetime, zone: tzinfo | None = None) -> str:
    """Say what an alert rests on; nothing for what earlier versions have told."""
    if proof is None:
        return ""
    if not proof.confirmed:
        why = instants_at(proof.why or "nothing has looked again", now, zone)
        return f"unconfirmed: {why}"
    at = f" at {at_second(proof.time, now, zone)}" if proof.time else ""
    return f"confirmed by a {proof.by}{at}"
