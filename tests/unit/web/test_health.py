import pytest

from ringback.web.health import Check, Status, overall


@pytest.mark.parametrize(
    ("statuses", "worst"),
    [
        ([], Status.OK),
        ([Status.OK, Status.OK], Status.OK),
        ([Status.DEGRADED, Status.OK], Status.DEGRADED),
        ([Status.OK, Status.FAILED, Status.DEGRADED], Status.FAILED),
    ],
)
def test_the_worst_counts(statuses: list[Status], worst: Status) -> None:
    assert overall([Check("part", status) for status in statuses]) is worst
