"""SIGTERM and SIGINT ask for a clean stop; a second one, a moment later, kills.

SIGHUP asks for what may change while the daemon runs to be read anew.
"""

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["reload_requested", "stop_requested"]

SAME_WISH = 1.0
"""Seconds. make and a terminal both pass the first signal on: what comes sooner is the same."""
SIGNALS = (signal.SIGTERM, signal.SIGINT)


@contextmanager
def stop_requested() -> Iterator[asyncio.Event]:
    """Give an event that the first signal sets. For the whole of a process's work, once.

    After a signal the handlers stay to the end of the process: the second copy of the same wish may
    come when all is closed already, and must not make a clean stop look like a kill.
    """
    loop = asyncio.get_running_loop()
    wished = asyncio.Event()
    first_at = 0.0

    def handle(number: int, _frame: FrameType | None = None) -> None:
        nonlocal first_at
        if not wished.is_set():
            first_at = loop.time()
            wished.set()
        elif loop.time() - first_at >= SAME_WISH:
            # The default action, so that the parent sees which signal ended the process.
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)

    for number in SIGNALS:
        loop.add_signal_handler(number, handle, number)
    try:
        yield wished
    finally:
        for number in SIGNALS:
            loop.remove_signal_handler(number)
            if wished.is_set():
                signal.signal(number, handle)


@contextmanager
def reload_requested() -> Iterator[asyncio.Event]:
    """Give an event that SIGHUP sets, for its reader to clear."""
    loop = asyncio.get_running_loop()
    wished = asyncio.Event()
    loop.add_signal_handler(signal.SIGHUP, wished.set)
    try:
        yield wished
    finally:
        loop.remove_signal_handler(signal.SIGHUP)
