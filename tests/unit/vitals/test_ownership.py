import asyncio
from contextlib import suppress

import pytest

from ringback.runtime.cluster.duties import Duty
from ringback.runtime.cluster.ownership import Ownership
from ringback.stores.memory_leases import LeaseTable
from ringback.vitals.ownership import (
    checks_of_ownership,
    measures_of_members,
    measures_of_ownership,
)
from ringback.web.health import Status
from ringback.wire.members import Member

pytestmark = pytest.mark.looptime


class Idle:
    """No work at all."""

    async def take(self, name: str) -> None:
        """Begin nothing."""

    async def give(self, name: str) -> None:
        """Finish nothing."""

    async def lose(self, name: str) -> None:
        """End nothing."""


async def test_what_is_owned_and_what_is_wrong_is_told() -> None:
    leases = LeaseTable(3.0).leases("ann")
    duties = [Duty("track", ["track.0", "track.1"], Idle()), Duty("alert", ["alert"], Idle(), 2.0)]
    ownership = Ownership(leases, Member(["track", "alert"]), duties)

    def measured() -> dict[tuple[str, str], object]:
        return {
            (one.name, one.labels.get("role", "")): one.value
            for one in (*measures_of_members(ownership), *measures_of_ownership(ownership))
        }

    task = asyncio.create_task(ownership.run())
    try:
        await asyncio.sleep(1)
        assert measured() == {
            ("ringback_members", ""): 1,
            ("ringback_owned", "track"): 2,
            ("ringback_ownership_taken", "track"): 2,
            ("ringback_ownership_handed_over", "track"): 0,
            ("ringback_ownership_lost", "track"): 0,
            ("ringback_owned", "alert"): 1,
            ("ringback_ownership_taken", "alert"): 1,
            ("ringback_ownership_handed_over", "alert"): 0,
            ("ringback_ownership_lost", "alert"): 0,
        }
        assert [check.status for check in checks_of_ownership(ownership)] == [Status.OK]
        leases.cut = True
        await asyncio.sleep(10)
        (check,) = checks_of_ownership(ownership)
        assert check.status is Status.DEGRADED
        assert "cannot be reached" in (check.reason or "")
        assert measured()["ringback_members", ""] == 0
        assert measured()["ringback_owned", "track"] == 2
        assert measured()["ringback_ownership_lost", "alert"] == 1
        leases.cut = False
        await asyncio.sleep(3)
        await ownership.leave()
        assert measured()["ringback_ownership_handed_over", "track"] == 2
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
