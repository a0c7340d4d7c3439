"""SQLite against memory: whatever is done to both, they cannot be told apart."""

import asyncio
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from ringback.errors import PositionGone
from ringback.ports import Batch, Row, Store
from ringback.stores.memory import MemoryStore
from ringback.stores.sqlite import SqliteStore, writer
from support.store_history import all_rows, at

KEEP = timedelta(seconds=10)

rows = st.builds(
    Row,
    st.sampled_from("abcdef"),
    st.none() | st.binary(max_size=6),
    st.none() | st.integers(0, 2**45),
)


class SameAsMemory(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.directory = tempfile.TemporaryDirectory()
        self.path = Path(self.directory.name) / "store.db"
        self.runner = asyncio.Runner()
        self.slack, writer.SLACK_ROWS = writer.SLACK_ROWS, 2
        self.clock = 0
        self.model = MemoryStore(KEEP)
        self.store = self.runner.run(SqliteStore.open(self.path, KEEP))

    def both(self, act: Any) -> tuple[Any, Any]:
        async def one(store: Store) -> Any:
            try:
                return await act(store)
            except PositionGone as gone:
                return ("gone", gone.oldest)

        return self.runner.run(one(self.store)), self.runner.run(one(self.model))

    @rule(
        changed=st.lists(rows, max_size=6),
        events=st.lists(st.binary(max_size=4), max_size=4),
        cursors=st.dictionaries(st.sampled_from("xy"), st.integers(0, 100), max_size=2),
        passed=st.integers(-2, 6),
    )
    def commit(
        self, changed: list[Row], events: list[bytes], cursors: dict[str, int], passed: int
    ) -> None:
        self.clock += passed
        batch = Batch({row.conversation_id: row for row in changed}, events, cursors)
        got, expected = self.both(lambda store: store.commit(batch, at(self.clock)))
        assert got == expected

    @rule(passed=st.integers(0, 15))
    def prune(self, passed: int) -> None:
        self.clock += passed
        got, expected = self.both(lambda store: store.prune(at(self.clock)))
        assert got == expected

    @rule(after=st.integers(0, 30), limit=st.integers(1, 5))
    def read(self, after: int, limit: int) -> None:
        got, expected = self.both(lambda store: store.read(after, limit))
        assert got == expected

    @rule()
    def load(self) -> None:
        got, expected = self.both(all_rows)
        assert got == expected

    @rule()
    def reopen(self) -> None:
        self.runner.run(self.store.close())
        self.store = self.runner.run(SqliteStore.open(self.path, KEEP))

    @invariant()
    def positions_and_cursors_agree(self) -> None:
        got, expected = self.both(lambda store: store.position())
        assert got == expected
        for reader in "xyz":
            found, known = self.both(lambda store, name=reader: store.cursor(name))
            assert found == known

    def teardown(self) -> None:
        writer.SLACK_ROWS = self.slack
        self.runner.run(self.store.close())
        self.runner.close()
        self.directory.cleanup()


TestSameAsMemory = SameAsMemory.TestCase
TestSameAsMemory.settings = settings(max_examples=40, stateful_step_count=40)
