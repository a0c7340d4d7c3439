"""What is watched without a file of rules.

Thresholds are such that a healthy centre is quiet: each is beyond what people and platform do when
nothing is wrong. Where the platform calls the customer first, no agent is offered anything, and a
preview is shown to agents whose customer does not wait for it: these have rules of their own.
"""

from datetime import timedelta

import msgspec

from ringback.core.watch.feed_kinds import FEED_KINDS
from ringback.core.watch.kinds import KINDS
from ringback.core.watch.rules import Filter, Rule, RuleSet, Severity

__all__ = ["built_in", "feed_rule_of", "rule_of"]

ASKED_FOR = Filter(preview=False)
"""The customer has asked for it, and waits."""
AGENT_FIRST = Filter(preview=False, automated=False, customer_first=False)
"""An agent is to have it before the customer is called."""
PREVIEW = Filter(preview=True)

OWN: dict[str, dict[str, object]] = {
    "waiting_too_long": {"where": ASKED_FOR},
    "waiting_unusually_long": {"where": ASKED_FOR},
    "never_offered": {"where": AGENT_FIRST},
    "not_offered_again": {"where": ASKED_FOR},
    "connected_not_dialled": {"where": AGENT_FIRST},
    "lost": {"where": AGENT_FIRST},
    "not_reached": {"where": ASKED_FOR, "severity": Severity.INFO},
    "ownership_expiring": {"severity": Severity.CRITICAL},
    "rescheduled_often": {"severity": Severity.INFO},
    "same_number_twice": {"severity": Severity.INFO},
    "unverified_too_long": {"severity": Severity.INFO},
}
"""By kind, what differs from a rule of that kind for everything."""


def rule_of(kind: str, **said: object) -> Rule:
    """Give the built-in rule of a kind, but for what is said."""
    known = KINDS[kind]
    plain = Rule(name=kind, kind=kind, after=known.after, times=known.times, summary=known.summary)
    return msgspec.structs.replace(plain, **(OWN.get(kind, {}) | said))


def feed_rule_of(kind: str) -> Rule:
    """Give the rule of a kind about sources, with its defaults."""
    known = FEED_KINDS[kind]
    return Rule(
        name=kind,
        kind=kind,
        after=known.after,
        times=known.times,
        severity=Severity(known.severity),
        summary=known.summary,
    )


def built_in(due_grace: timedelta, not_dialled: timedelta) -> RuleSet:
    """Give what is watched without a file of rules."""
    set_apart = {"due_not_released": due_grace, "connected_not_dialled": not_dialled}
    rules = [rule_of(kind, after=set_apart.get(kind, KINDS[kind].after)) for kind in KINDS]
    return RuleSet(
        [
            *rules,
            rule_of(
                "waiting_too_long",
                name="preview_waiting_too_long",
                after=timedelta(hours=2),
                severity=Severity.INFO,
                where=PREVIEW,
            ),
            rule_of(
                "connected_not_dialled",
                name="preview_not_dialled",
                after=2 * not_dialled,
                summary="an agent looks at a preview, nothing is dialled and nothing will be",
                where=PREVIEW,
            ),
            *(feed_rule_of(kind) for kind, known in FEED_KINDS.items() if known.built_in),
        ]
    )
