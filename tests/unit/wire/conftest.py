from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ringback.core.snapshots import Snapshot
from ringback.wire.decode import Decoder

FRAMES = Path(__file__).parents[2] / "data" / "frames"

Sample = Callable[[str], bytes]
See = Callable[[Any], Snapshot]


@pytest.fixture
def sample() -> Sample:
    """Gives the bytes of one sample payload by its name."""
    return lambda name: (FRAMES / f"{name}.json").read_bytes()


@pytest.fixture
def see() -> See:
    """Gives the snapshot of one frame, written as what its JSON holds."""

    def snapshot(frame: Any) -> Snapshot:
        result = Decoder().decode(msgspec.json.encode(frame))
        assert isinstance(result, Snapshot)
        return result

    return snapshot
