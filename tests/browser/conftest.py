"""One Chromium for all tests in here, and a clean context in it for each."""

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from support.browser import Look, browsing, chromium_running
from support.debian import require_debian


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    path = require_debian("chromium", "chromium")
    with chromium_running(path, tmp_path_factory.mktemp("chromium")) as endpoint:
        yield endpoint


@pytest_asyncio.fixture
async def look(chromium: str) -> AsyncIterator[Look]:
    async with browsing(chromium) as look:
        yield look
