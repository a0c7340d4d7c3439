"""What is measured in more than one way: a daemon's pipeline on a store of its own."""

from datetime import timedelta
from pathlib import Path

from ringback.core.policy import Policy
from ringback.core.tracker import Tracker
from ringback.runtime.clock import SystemClock
from ringback.runtime.logs import configure_logging
from ringback.runtime.pipeline import Pipeline
from ringback.runtime.quarantine import Quarantine
from ringback.runtime.tuning import tune
from ringback.stores.sqlite import SqliteStore
from ringback.wire.cloudevents import Encoder
from ringback.wire.decode import Decoder


async def begin(folder: Path, source: str) -> tuple[Pipeline, SqliteStore]:
    """Begin as the daemon does."""
    configure_logging("error")
    tune()
    store = await SqliteStore.open(folder / "bench.db", timedelta(days=7))
    pipeline = Pipeline(
        tracker=Tracker(Policy()),
        decoder=Decoder(),
        encoder=Encoder("bench"),
        store=store,
        clock=SystemClock(),
        source=source,
        quarantine=Quarantine(lambda _at, _frame: None),
    )
    return pipeline, store
