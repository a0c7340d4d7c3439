"""What a process says of the engine that it shares with others."""

from collections.abc import Iterator

from ringback.stores.jetstream.engine import Engine
from ringback.vitals.measuring import counter, gauge
from ringback.web.health import Check, Status
from ringback.web.metrics import Measure

__all__ = ["checks_of_engine", "measures_of_engine"]


def checks_of_engine(engine: Engine) -> Iterator[Check]:
    """Say what keeps it from storing anything, and what is not as it should be."""
    problem = engine.connection.problem
    yield Check("engine", Status.OK if problem is None else Status.DEGRADED, problem)
    for finding in engine.findings:
        yield Check("engine advice", Status.OK, finding)


def measures_of_engine(engine: Engine) -> Iterator[Measure]:
    """Give what is known of the connection, in numbers."""
    connection = engine.connection
    yield gauge("engine_connected", "1 while a server is connected.", connection.connected)
    yield gauge(
        "engine_away_seconds", "For how long none has been; 0 while one is.", connection.away or 0.0
    )
    yield counter("engine_lost", "How often the connection was lost.", connection.lost)
