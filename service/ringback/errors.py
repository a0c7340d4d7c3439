"""Every error that Ringback raises on purpose.

    RingbackError
    ├── SettingsError      a setting is unknown, missing or has a value that is not allowed
    ├── FrameError         one frame cannot be understood; it is quarantined, the stream goes on
    ├── RecordingError     one line of a recording cannot be read
    ├── StoreError         the store cannot do what is asked; the daemon stops, a restart restores
    │   ├── StoreLocked    another daemon holds this store
    │   ├── StoreDamaged   the database fails its own integrity check
    │   ├── StoreFull      no space is left for the database
    │   ├── StoreTooNew    written by a newer Ringback than this one
    │   └── PositionGone   a reader asks for journal entries that retention has removed
    ├── SourceError        a source cannot listen and trying again will not help
    ├── SinkError          a sink cannot tell and trying again will not help
    └── TaskDied           a task of the daemon ended although it should not

Each takes the facts and composes its own text: what happened, to what, and what to do about it.
"""

from enum import StrEnum

__all__ = [
    "FrameError",
    "FrameFault",
    "PositionGone",
    "RecordingError",
    "RingbackError",
    "SettingsError",
    "SinkError",
    "SourceError",
    "StoreDamaged",
    "StoreError",
    "StoreFull",
    "StoreLocked",
    "StoreTooNew",
    "TaskDied",
]


class RingbackError(Exception):
    """The base of the tree: catch this to catch everything that Ringback means to raise."""


class SettingsError(RingbackError):
    """A setting is unknown, missing or out of its range.

    `path` is dotted, as in `web.port`; `problem` says what was found and what is allowed.
    """

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(f"{path}: {problem}")
        self.path = path
        self.problem = problem


class FrameFault(StrEnum):
    """Why a frame was quarantined. Each is a label value of the metric, so the set is closed."""

    NOT_JSON = "not_json"
    WRONG_TYPE = "wrong_type"
    TOO_LARGE = "too_large"
    BINARY = "binary"
    TOO_DEEP = "too_deep"
    NO_ID = "no_id"
    UNKNOWN_SHAPE = "unknown_shape"


class FrameError(RingbackError):
    """One frame cannot be understood. `detail` names the place, never the content."""

    def __init__(self, fault: FrameFault, detail: str) -> None:
        super().__init__(f"{fault.value}: {detail}")
        self.fault = fault
        self.detail = detail


class RecordingError(RingbackError):
    """One line of a recording cannot be read. `line` counts from 1."""

    def __init__(self, path: str, line: int, problem: str) -> None:
        super().__init__(f"{path}:{line}: {problem}")
        self.path = path
        self.line = line
        self.problem = problem


class StoreError(RingbackError):
    """The store cannot do what is asked. What was not committed was never told to anyone."""

    def __init__(self, store: str, problem: str, remedy: str) -> None:
        super().__init__(f"store {store}: {problem}; {remedy}")
        self.store = store


class StoreLocked(StoreError):
    """Another process holds the store."""

    def __init__(self, store: str) -> None:
        super().__init__(
            store,
            "another process is using it",
            "stop the other Ringback, or give this one its own [store] path",
        )


class StoreDamaged(StoreError):
    """The database fails its integrity check."""

    def __init__(self, store: str, problem: str) -> None:
        super().__init__(
            store,
            f"the database is damaged ({problem})",
            "move the file away and restore a backup, or start empty: the platform is read again",
        )


class StoreFull(StoreError):
    """No space is left."""

    def __init__(self, store: str) -> None:
        super().__init__(store, "the disk is full", "make room and start again: nothing is lost")


class StoreTooNew(StoreError):
    """The store was written by newer code than this."""

    def __init__(self, store: str, found: int, known: int) -> None:
        super().__init__(
            store,
            f"its schema version is {found}, this Ringback knows {known}",
            "run the newer Ringback, or restore the backup from before the upgrade",
        )


class PositionGone(StoreError):
    """A reader is behind the journal's retention and must begin with a fresh snapshot."""

    def __init__(self, store: str, after: int, oldest: int) -> None:
        super().__init__(
            store,
            f"the journal begins at {oldest}, the reader asked for what follows {after}",
            "read the present state first, then follow from its position",
        )
        self.oldest = oldest


class SourceError(RingbackError):
    """A source cannot listen, and trying again will not help."""

    def __init__(self, source: str, problem: str, remedy: str) -> None:
        super().__init__(f"source {source}: {problem}; {remedy}")
        self.source = source


class SinkError(RingbackError):
    """A sink cannot tell, and trying again will not help."""

    def __init__(self, sink: str, problem: str, remedy: str) -> None:
        super().__init__(f"sink {sink}: {problem}; {remedy}")
        self.sink = sink


class TaskDied(RingbackError):
    """A task of the daemon ended although it should not; the daemon stops."""

    def __init__(self, task: str, reason: BaseException | None) -> None:
        said = "it returned" if reason is None else f"{type(reason).__name__}: {reason}"
        super().__init__(f"task {task} ended: {said}")
        self.task = task
