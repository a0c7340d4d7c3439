"""What holds for every test: same examples every time, nothing left behind, no silent skip."""

import asyncio
import inspect
import os
import threading
from collections.abc import AsyncIterator, Generator, Iterator
from typing import TypeVar

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, settings

# The gate is the same every time; `HYPOTHESIS_PROFILE=explore` looks for new examples.
settings.register_profile(
    "gate",
    derandomize=True,
    database=None,
    deadline=None,  # how long an example takes says how busy the machine is
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("explore", settings.get_profile("gate"), derandomize=False)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "gate"))

NO_SKIPS = bool(os.environ.get("RINGBACK_NO_SKIPS"))
NOT_PERMITTED = "network namespaces are not permitted here"
"""What the machine's owner forbids, nothing that could be installed mends."""
THREAD_GRACE_SECONDS = 5.0

Report = TypeVar("Report", pytest.TestReport, pytest.CollectReport)

before = pytest.StashKey[set[threading.Thread]]()


def pytest_sessionstart() -> None:
    # looptime asks for the current loop even in tests without one; unless told that there is none,
    # asyncio answers with a loop that nobody closes.
    asyncio.set_event_loop(None)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if isinstance(item, pytest.Function) and inspect.iscoroutinefunction(item.obj):
            # First, so that it looks after every other fixture has cleaned up.
            item.fixturenames.insert(0, "no_task_left")


@pytest_asyncio.fixture
async def no_task_left() -> AsyncIterator[None]:
    yield
    left = asyncio.all_tasks() - {asyncio.current_task()}
    assert not left, f"tasks left running: {sorted(task.get_name() for task in left)}"


@pytest.fixture(scope="session")
def nats_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Give the address of a NATS server that tests share: each takes an organisation of its own."""
    from support.engine import shared_server

    with shared_server(tmp_path_factory.mktemp("nats")) as url:
        yield url


@pytest.fixture(scope="session")
def current_nats_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Give the address of another, of the version that users are told to run."""
    from support.engine import shared_server
    from support.nats import Server

    with shared_server(tmp_path_factory.mktemp("nats"), Server.CURRENT) as url:
        yield url


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, None, None]:
    running = set(threading.enumerate())
    item.stash[before] = running
    return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, None, None]:
    result = yield
    known = item.stash[before]
    left = set(threading.enumerate()) - known
    for thread in left:
        thread.join(THREAD_GRACE_SECONDS)
    alive = sorted(thread.name for thread in left if thread.is_alive())
    assert not alive, f"threads left running: {alive}"
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    return _no_skip(report)


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    return _no_skip(report)


def _no_skip(report: Report) -> Report:
    """Turn a skip into a failure where none is accepted."""
    if NO_SKIPS and report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        if NOT_PERMITTED in str(reason):
            return report
        report.outcome = "failed"
        report.longrepr = f"RINGBACK_NO_SKIPS: {reason}"
    return report
