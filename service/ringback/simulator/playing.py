"""Plays a contact centre by the clock, for whoever shows what it sends."""

import asyncio
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from ringback.ports import Clock
from ringback.simulator.centre import ContactCentre, Emission
from ringback.simulator.faults import Faults

__all__ = ["Play"]

LONGEST_SLEEP_SECONDS = 1.0
"""The wall clock may jump, so it is looked at this often at least."""
LONGEST_STEP = timedelta(seconds=5)
"""How much of the play is given at once."""


class Play:
    """A centre, driven by a clock; what it sends goes through `faults`."""

    def __init__(
        self,
        centre: ContactCentre,
        clock: Clock,
        faults: Faults,
        deliver: Callable[[Iterable[Emission]], None],
    ) -> None:
        """`deliver` is called with what arrives, at every step, be it nothing."""
        self.centre = centre
        self.clock = clock
        self.faults = faults
        self._deliver = deliver

    async def run(self) -> None:
        """Play until cancelled."""
        while True:
            # A step at a time, so that others are served even while the centre is behind.
            step = self.centre.now + LONGEST_STEP
            self._play_up_to(min(self.clock.now(), step))
            moments = [at for at in (self.centre.next_at, self.faults.next_at) if at is not None]
            wait = LONGEST_SLEEP_SECONDS
            if self.centre.now == step:
                wait = 0.0
            elif moments:
                wait = min(wait, (min(moments) - self.clock.now()).total_seconds())
            await asyncio.sleep(max(wait, 0.0))

    def catch_up(self) -> None:
        """Play up to now, at once."""
        self._play_up_to(self.clock.now())

    def flush(self) -> None:
        """Play up to now, and deliver all that is still under way."""
        self.catch_up()
        self._deliver(self.faults.flush())

    def _play_up_to(self, until: datetime) -> None:
        emissions = self.centre.advance(until)
        self._deliver(self.faults.pass_on(emissions, self.centre.now))
