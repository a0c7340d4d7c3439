"""Who is there and who holds what, and this member's own sign of life among them."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import aclosing

import structlog

from ringback.errors import StoreError
from ringback.ports import Claim, Leases
from ringback.wire.members import MEMBER, Member, decode_member, encode_member

__all__ = ["Presence"]

log = structlog.get_logger(__name__)

RENEWALS_A_LEASE = 3
MOST_PAUSE_SECONDS = 10.0
LOOKS_A_LEASE = 12
MOST_LOOK_SECONDS = 1.0
OFTEN = 10.0
"""Seconds between two complaints about the same."""


class Presence:
    """One member among those of a bucket. Instants are on the loop's clock."""

    def __init__(
        self, leases: Leases, member: Member, changed: Callable[[Mapping[str, Claim]], None]
    ) -> None:
        """`changed` is told who holds what, whenever that has changed."""
        self.name = leases.holder
        self.view: Mapping[str, Claim] | None = None
        """Who holds what; None while it is not known."""
        self.known = asyncio.Event()
        """Set once it was known."""
        self.problem: str | None = None
        """What keeps it from taking its part, and what to do; None if nothing does."""
        self.pause = min(MOST_PAUSE_SECONDS, leases.seconds / RENEWALS_A_LEASE)
        """Seconds between two renewals, however long the lease is."""
        self.look = min(MOST_LOOK_SECONDS, leases.seconds / LOOKS_A_LEASE)
        """Seconds after which it is looked at again what could not be done at once."""
        self._leases = leases
        self._said = encode_member(member)
        self._changed = changed
        self._key = MEMBER + leases.holder
        self._claim: Claim | None = None
        self._left = asyncio.Event()
        self._unknown_since: float | None = None
        self._settled_at = 0.0
        """From then on all that live have had the time to say so, after an outage."""
        self._complained_at = -OFTEN

    @property
    def members(self) -> Mapping[str, Member]:
        """Those who are present, by name; none while it is not known."""
        return {
            claim.holder: member
            for name, claim in (self.view or {}).items()
            if name.startswith(MEMBER) and (member := decode_member(claim.said)) is not None
        }

    @property
    def counts(self) -> bool:
        """Whether others count with this member, and it has seen all of them."""
        if self.view is None or self._claim is None or self._key not in self.view:
            return False
        return asyncio.get_running_loop().time() >= self._settled_at

    async def watch_forever(self) -> None:
        """See who holds what, until cancelled."""
        while True:
            try:
                async with aclosing(self._leases.watch()) as views:
                    async for view in views:
                        self._learn(view)
                        self._changed(view)
            except StoreError as error:
                self.view = None
                if self._unknown_since is None:
                    self._unknown_since = asyncio.get_running_loop().time()
                self.complain(error)
            await asyncio.sleep(self.look)

    def _learn(self, view: Mapping[str, Claim]) -> None:
        since, self._unknown_since = self._unknown_since, None
        if since is not None:
            # All renew within a pause, or try to again soon after what kept them from it is over.
            now = asyncio.get_running_loop().time()
            pauses = 3.0 if now - since >= self.pause else 1.5
            self._settled_at = now + min(MOST_PAUSE_SECONDS, pauses * self.pause)
        self.view = view
        self.known.set()

    async def renew(self) -> bool:
        """Say once more that this member lives; whether that could be said."""
        if self._left.is_set():
            return True
        try:
            present = self._claim
            if present is not None:
                present = await self._leases.renew(present)
            if present is None:
                present = await self._leases.claim(self._key, self._said)
        except StoreError as error:
            self.complain(error)
            return False
        self._claim = present
        if present is None:
            self.problem = (
                "another process takes part under the same name, or one has until a moment ago;"
                " give each a jetstream.member of its own, or leave it empty"
            )
            self._say("member_twice", self.problem)
            return False
        if self._left.is_set():
            await self.release(present)
        if self.view is not None:
            self.problem = None
        return True

    async def leave(self) -> None:
        """Be gone for all others."""
        self._left.set()
        if (present := self._claim) is not None:
            self._claim = None
            await self.release(present)

    async def release(self, claim: Claim) -> None:
        """Let others have something; if that cannot be said, it runs out by itself."""
        try:
            await self._leases.release(claim)
        except StoreError as error:
            self.complain(error)

    def complain(self, error: StoreError) -> None:
        """Note that the engine does not do what is asked of it."""
        self.problem = str(error)
        self._say("leases_unknown", self.problem)

    def _say(self, event: str, problem: str) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._complained_at >= OFTEN:
            self._complained_at = now
            log.warning(event, problem=problem)
