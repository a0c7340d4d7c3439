"""What the partitions of a process share."""

from collections import Counter
from datetime import timedelta

import msgspec

from ringback.core.policy import Policy
from ringback.core.watch.rules import RuleSet
from ringback.ports import Clock, InputLog, Wants
from ringback.wire.cloudevents import Encoder

__all__ = ["Means"]


class Means(msgspec.Struct):
    """Handed to each of them."""

    inputs: InputLog
    wants: Wants
    encoder: Encoder
    clock: Clock
    """The real one."""
    source: str
    """The name of the source that listeners hear for."""
    policy: Policy
    rules: RuleSet
    """Those in force where none were ever put into the log."""
    keep: timedelta
    """How long steps are kept: what lives longer is written again."""
    counts: Counter[str] = msgspec.field(default_factory=Counter)
    """What happened, all together."""
