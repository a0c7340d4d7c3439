"""Contact centres for the simulator's own tests."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from ringback.simulator.centre import ContactCentre
from ringback.simulator.kinds import Kind
from ringback.simulator.options import Options

START = datetime(2026, 11, 22, 8, tzinfo=UTC)

Open = Callable[..., ContactCentre]


@pytest.fixture
def start() -> datetime:
    return START


@pytest.fixture
def open_centre() -> Open:
    """Open a centre that plays one kind, or the usual mix, from an empty stage."""

    def opened(kind: Kind | None = None, seed: int = 1, **options: object) -> ContactCentre:
        chosen: dict[str, object] = {"warm_up": timedelta(0), **options}
        if kind is not None:
            chosen = {"mix": {kind: 1.0}, "max_live": 6, "agents": 8, **chosen}
        return ContactCentre(seed, START, Options(**chosen))  # type: ignore[arg-type] # a test's own options

    return opened
