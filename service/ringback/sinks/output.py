"""Writing to standard output without ever holding up the event loop.

A pipe whose reader has stalled, or a terminal with Ctrl-S, blocks whoever writes. So a thread of
its own writes, and only the sink waits for it. The thread is a daemon and uses the bare descriptor:
stuck in a write, it keeps neither the process nor the interpreter's own buffers from ending.
"""

import asyncio
import os
import queue
import select
import threading
from typing import Protocol

from ringback.errors import SinkError

__all__ = ["HasDescriptor", "Output"]


class HasDescriptor(Protocol):
    """A real file, such as `sys.stdout`."""

    def fileno(self) -> int:
        """The number of an open file."""


class Output:
    """One stream. Nothing else should be writing to it through a buffer meanwhile."""

    def __init__(self, stream: HasDescriptor) -> None:
        self._descriptor = stream.fileno()
        self._jobs: queue.SimpleQueue[tuple[bytes, asyncio.Future[None] | None] | None] = (
            queue.SimpleQueue()
        )
        self._thread: threading.Thread | None = None

    async def write(self, data: bytes) -> None:
        """Return when `data` is written. Raises `SinkError` when nobody can read it any more."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="stdout", daemon=True)
            self._thread.start()
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._jobs.put((data, done))
        try:
            await done
        except BrokenPipeError:
            raise SinkError(
                "stdout",
                "its reader has gone",
                "keep the reader running, or turn [sinks] stdout off",
            ) from None
        except OSError as error:
            raise SinkError(
                "stdout", f"it cannot be written ({error.strerror})", "check where it is redirected"
            ) from None

    def post(self, data: bytes) -> None:
        """Write `data` when its turn comes; what goes wrong is for the next `write` to find."""
        if self._thread is not None:
            self._jobs.put((data, None))

    def close(self) -> None:
        """Let the thread end once it has written what it was given. Does not wait for it."""
        if self._thread is not None:
            self._jobs.put(None)
            self._thread = None

    def _work(self) -> None:
        while job := self._jobs.get():
            data, done = job
            problem: OSError | None = None
            try:
                self._write_all(data)
            except OSError as error:
                problem = error
            if done is None:
                continue
            try:
                done.get_loop().call_soon_threadsafe(_settle, done, problem)
            except RuntimeError:  # the loop has closed: nobody waits any more
                return

    def _write_all(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            try:
                view = view[os.write(self._descriptor, view) :]
            except BlockingIOError:  # whoever shares a terminal with us may have made it so
                select.select([], [self._descriptor], [])


def _settle(done: asyncio.Future[None], problem: OSError | None) -> None:
    if done.done():  # who waited was cancelled
        return
    if problem is None:
        done.set_result(None)
    else:
        done.set_exception(problem)
