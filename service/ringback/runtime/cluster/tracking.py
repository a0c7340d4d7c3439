"""All partitions that this process has: taken, given up, and taken anew when another had them."""

import asyncio
from collections.abc import Awaitable, Callable

import msgspec
import structlog

from ringback.errors import Fenced, StoreError
from ringback.ports import PartitionStore
from ringback.runtime.cluster.means import Means
from ringback.runtime.cluster.partition import Partition
from ringback.runtime.intake import RESTART
from ringback.runtime.supervision import STALLED
from ringback.wire.inputs import Ruling, encode_deed
from ringback.wire.log import EVERYBODY, Done, encode_message

__all__ = ["COUNTED", "ROLE", "Tracking"]

log = structlog.get_logger(__name__)

ROLE = "track"
"""What the names of its leases begin with: `track.<partition>`."""
COUNTED = (
    "inputs",
    "steps",
    "redelivered",
    "republished",
    "fenced",
    "lost",
    "unknown",
    "broken",
    "in_vain",
    "corrections",
)
"""What is counted of partitions."""
AGAIN = 0.1
"""Seconds after which a partition is loaded anew; each further time twice as long."""
LONGEST = 5.0
CALM = 30.0
"""Seconds after which the next trouble counts as the first."""
HAND_OVER_SECONDS = 5.0


class Tracking:
    """The work of the role: its names are those of leases, one for each partition."""

    def __init__(
        self, means: Means, open_store: Callable[[int], Awaitable[PartitionStore]]
    ) -> None:
        self.means = means
        self.counts = means.counts
        """What happened, by what it was. Counters only grow."""
        self.partitions: dict[int, Partition] = {}
        """Those that are loaded, or about to be."""
        self.problems: dict[int, str] = {}
        """What keeps partitions from being tracked, each with what to do."""
        self._open = open_store
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._giving: set[int] = set()

    async def begin(self, partitions: int, start: str) -> None:
        """Put the rules of this process in force everywhere, as any start does.

        `start` names this start among all there ever are. Where they are in force it makes no
        difference.
        """
        body = encode_message(
            Done(encode_deed(Ruling(RESTART, msgspec.Raw(self.means.rules.packed))))
        )
        for number in range(partitions):
            await self.means.inputs.put(number, EVERYBODY, body, f"rules:{number}:{start}")

    # What ownership calls

    async def take(self, name: str) -> None:
        """Begin to track a partition."""
        number = number_of(name)
        if number not in self._tasks:
            self._tasks[number] = asyncio.create_task(self._hold(number), name=name)

    async def give(self, name: str) -> None:
        """Commit what is decided and note how far that is, so that another goes on at once."""
        number = number_of(name)
        task = self._tasks.get(number)
        if task is None:
            return
        self._giving.add(number)
        task.cancel()
        try:
            await asyncio.wait({task}, timeout=HAND_OVER_SECONDS)
        finally:
            self._giving.discard(number)
        await self.lose(name)

    async def lose(self, name: str) -> None:
        """Cease at once. What is not committed follows from the log, for whoever is next."""
        number = number_of(name)
        task = self._tasks.pop(number, None)
        while task is not None and not task.done():
            task.cancel()
            await asyncio.wait({task}, timeout=AGAIN)
        self.problems.pop(number, None)

    async def close(self) -> None:
        """Give up all there is."""
        names = [f"{ROLE}.{number}" for number in self._tasks]
        await asyncio.gather(*map(self.give, names))

    # How it is

    @property
    def lag(self) -> float:
        """How many seconds the oldest input lies back that is to be dealt with next."""
        return max((self.lag_of(one) for one in self.partitions.values()), default=0.0)

    def lag_of(self, partition: Partition) -> float:
        """Say how far one partition is behind; 0 where nothing more was to be read."""
        if partition.reading.caught_up or not partition.progress.begun:
            return 0.0
        return max(0.0, (self.means.clock.now() - partition.progress.now()).total_seconds())

    @property
    def conversations(self) -> int:
        """How many are known, tombstones included."""
        return sum(len(one.tracker.conversations) for one in self.partitions.values())

    def complaint(self) -> str | None:
        """Say what does not progress; None when all does."""
        now = asyncio.get_running_loop().time()
        for number, partition in self.partitions.items():
            waits = {
                "commit": partition.writing.pending_since,
                "input": partition.ticking.waits_since,
            }
            for what, since in waits.items():
                if since is not None and now - since > STALLED:
                    return f"partition {number}: {what} makes no progress for {now - since:.0f} s"
        return None

    # What it does

    async def _hold(self, number: int) -> None:
        """Track a partition until cancelled, whatever the engine says."""
        loop = asyncio.get_running_loop()
        wait, began = AGAIN, loop.time()
        while True:
            try:
                await self._track(number)
            except Fenced as error:
                self.counts["fenced"] += 1
                log.warning("partition_fenced", partition=number, problem=str(error))
            except StoreError as error:
                self.problems[number] = str(error)
                log.error("partition_broken", partition=number, problem=str(error))  # noqa: TRY400  # it says all
            except Exception as error:
                # Of a timer, maybe: others may have it with another version.
                said = f"an error of Ringback ({type(error).__name__}): look for partition_failed"
                self.problems[number] = f"{said} in the log, and report it"
                log.exception("partition_failed", partition=number)
            if number in self._giving:
                return  # what could not be finished is for whoever is next
            if loop.time() - began > CALM:
                wait = AGAIN
            await asyncio.sleep(wait)
            wait, began = min(LONGEST, 2 * wait), loop.time()

    async def _track(self, number: int) -> None:
        store = await self._open(number)
        partition = self.partitions[number] = Partition(number, store, self.means)
        try:
            await partition.load()
            self.problems.pop(number, None)
            try:
                await partition.run()
            except asyncio.CancelledError:
                if number in self._giving:
                    await partition.hand_over()
                raise
        finally:
            del self.partitions[number]
            await store.close()


def number_of(name: str) -> int:
    """Give the partition of a lease."""
    return int(name.rpartition(".")[2])
