"""Partitions that are given up while another process has them already."""

import asyncio

import pytest

from ringback.runtime.cluster.tracking import ROLE
from support.tracked import Logs

pytestmark = pytest.mark.looptime


async def test_what_another_has_is_given_up_at_once() -> None:
    logs = Logs()
    first = await logs.tracked()
    second = await logs.tracked()  # which shuts the first one out
    began = asyncio.get_running_loop().time()
    await first.give(f"{ROLE}.0")
    assert asyncio.get_running_loop().time() - began < 1
    assert not first.partitions
    await asyncio.sleep(60)
    assert not first.partitions
    assert second.partitions[0].loaded
    await second.close()
