"""What one process of several says of itself: its parts' checks and numbers, and the engine's."""

from collections.abc import Callable, Iterable, Iterator, Sequence

from ringback.runtime.cluster.member import Member
from ringback.vitals.measuring import measures_of_checks
from ringback.web.health import Check, Status
from ringback.web.metrics import Measure

__all__ = ["MemberVitals"]


class MemberVitals:
    """Asks the parts that a process has, as they join."""

    def __init__(self, member: Member, starting: Callable[[], str | None]) -> None:
        """`starting` says what is waited for before anything is known."""
        self._member = member
        self._starting = starting
        self._checks: list[Callable[[], Iterable[Check]]] = []
        self._measures: list[Callable[[], Iterable[Measure]]] = []

    def add(
        self,
        checks: Callable[[], Iterable[Check]] = lambda: (),
        measures: Callable[[], Iterable[Measure]] = lambda: (),
    ) -> None:
        """Ask a part, too."""
        self._checks.append(checks)
        self._measures.append(measures)

    def checks(self) -> Sequence[Check]:
        """Say how each part is."""
        if not self._member.restored:
            why = self._starting() or "still reading what there is"
            return (Check("restored", Status.FAILED, why),)
        complaint = self._member.complaint()
        progress = Status.OK if complaint is None else Status.FAILED
        return (
            Check("restored", Status.OK),
            Check("progress", progress, complaint),
            *(check for part in self._checks for check in part()),
        )

    def measures(self) -> Iterator[Measure]:
        """Give every number there is."""
        yield from measures_of_checks(self.checks())
        if self._member.restored:
            for part in self._measures:
                yield from part()
