"""One spelling for the platform's disconnect types.

The platform spells one concept four ways: dotted in events (`transfer.noanswer`), long in REST
(`endpoint.donotdisturb`), upper case in detail events (`NO_ANSWER_TRANSFER`) and camel case in
analytics (`noAnswerTransfer`). The dotted event form is ours; an unknown value stays as it came.
"""

from functools import lru_cache

__all__ = ["FAILURES", "NO_WORD", "normalise"]

FAILURES = frozenset({"error", "transport.failure"})
"""Types that mean that something broke."""

NO_WORD = "unknown"

_TRANSFERS = ("conference", "consult", "dnd", "forward", "noanswer", "notavailable")
_PLAIN = (
    "client",
    "endpoint",
    "error",
    "inactivity",
    "other",
    "peer",
    "spam",
    "system",
    "takeover",
    "timeout",
    "transfer",
    "uncallable",
    "unknown",
)
_CANONICAL = {
    **{name: name for name in _PLAIN},
    **{f"transfer{kind}": f"transfer.{kind}" for kind in _TRANSFERS},
    **{f"{kind}transfer": f"transfer.{kind}" for kind in _TRANSFERS},
    "endpointdnd": "endpoint.dnd",
    "dndendpoint": "endpoint.dnd",
    "endpointdonotdisturb": "endpoint.dnd",
    "transferdonotdisturb": "transfer.dnd",
    "sessionexpired": "session.expired",
    "transportfailure": "transport.failure",
}


@lru_cache(maxsize=256)
def normalise(raw: str) -> str:
    """Give the dotted spelling of a disconnect type in any of the platform's spellings."""
    bare = "".join(letter for letter in raw.lower() if letter.isalnum())
    return _CANONICAL.get(bare, raw)
