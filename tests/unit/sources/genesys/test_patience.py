import random
from datetime import UTC, datetime

import pytest

from ringback.errors import PlatformError, PlatformFault
from ringback.sources.genesys.patience import Patience, asked_pause

NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)


def error(fault: PlatformFault, status: int = 0) -> PlatformError:
    return PlatformError(fault, "GET /x", "it failed", "try", status)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, 1),
        ("3", 3),
        ("0", 1),
        ("-5", 1),
        ("0.25", 0.25),
        ("86400", 120),
        ("nan", 1),
        ("inf", 120),
        ("soon", 1),
        ("Sun, 22 Nov 2026 08:00:09 GMT", 9),
        ("Sun, 22 Nov 2026 07:00:09 GMT", 1),
    ],
)
def test_a_pause_is_read_within_bounds(header: str | None, seconds: float) -> None:
    assert asked_pause(header, NOW) == seconds


def test_waits_double_and_end() -> None:
    patience = Patience(random.Random(2), repeatable=True)
    ceilings = [0.5, 1, 2]
    for ceiling in ceilings:
        assert 0 <= patience.after(error(PlatformFault.SERVER, 502)) <= ceiling
    with pytest.raises(PlatformError):
        patience.after(error(PlatformFault.SERVER, 502))


@pytest.mark.parametrize(
    ("fault", "status", "repeatable", "again"),
    [
        (PlatformFault.TIMED_OUT, 0, True, True),
        (PlatformFault.UNREACHABLE, 0, True, True),
        (PlatformFault.UNREACHABLE, 0, False, False),
        (PlatformFault.SERVER, 503, False, True),
        (PlatformFault.SERVER, 500, False, False),
        (PlatformFault.TLS, 0, True, False),
        (PlatformFault.NOT_JSON, 200, True, False),
        (PlatformFault.TOO_LARGE, 200, True, False),
    ],
)
def test_only_what_may_pass_is_tried_again(
    fault: PlatformFault, status: int, repeatable: bool, again: bool
) -> None:
    patience = Patience(random.Random(1), repeatable=repeatable)
    if again:
        patience.after(error(fault, status))
        assert patience.retries == 1
    else:
        with pytest.raises(PlatformError):
            patience.after(error(fault, status))
