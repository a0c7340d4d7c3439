"""Settings of the interpreter that suit one busy loop beside one writer thread."""

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["restoring", "tune"]

SWITCH_SECONDS = 0.001
"""How long a thread may have to wait for the interpreter. The writer asks for it many times in a
commit; at the default of 5 ms a busy loop would hold up each of them."""
COLLECT_AFTER = 50_000
"""Allocations between two collections of garbage. The hot path makes hardly any cycles."""


def tune() -> None:
    """Apply them, once, at the start of the daemon."""
    sys.setswitchinterval(SWITCH_SECONDS)
    gc.set_threshold(COLLECT_AFTER, 20, 20)


@contextmanager
def restoring() -> Iterator[None]:
    """Collect no garbage inside, and leave what was made there out of all future collections.

    What is restored lives long and makes no cycles; looking through it again and again took a tenth
    of a restart.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
    gc.collect()
    gc.freeze()
