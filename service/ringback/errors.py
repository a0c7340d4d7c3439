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
    │   ├── PositionGone   a reader asks for journal entries that retention has removed
    │   ├── EngineUnreachable no server of the engine answers
    │   ├── EngineRefused  credentials or permissions of the engine do not do
    │   ├── EngineForeign  a stream of that name is somebody else's, or is not as it has to be
    │   ├── StepTooLarge   the engine does not take messages of that size
    │   └── Fenced         somebody else has gone on with what this process was at
    ├── EngineSilent       the engine does not answer somebody who waits
    ├── SourceError        a source cannot listen and trying again will not help
    ├── PlatformError      one request to Genesys Cloud failed for good
    ├── AlertError         what is asked of an alert cannot be done
    │   ├── AlertUnknown   there never was one, or it is not kept any more
    │   └── AlertOver      it is not firing any more
    ├── SilenceError       what is asked of a silence cannot be done
    │   ├── SilenceRefused it would mean nothing, or too much
    │   └── SilenceUnknown there is none of that name any more
    ├── AuditError         what somebody is about to do cannot be noted, so it must not be done
    ├── DeliveryError      a receiver did not take a message
    ├── SinkError          a sink cannot tell and trying again will not help
    ├── DaemonError        a running daemon does not answer what it is asked
    └── TaskDied           a task of the daemon ended although it should not

Each takes the facts and composes its own text: what happened, to what, and what to do about it.
"""

from enum import StrEnum

__all__ = [
    "AlertError",
    "AlertOver",
    "AlertUnknown",
    "AuditError",
    "DaemonError",
    "DaemonFault",
    "DeliveryError",
    "DeliveryFault",
    "EngineForeign",
    "EngineRefused",
    "EngineSilent",
    "EngineUnreachable",
    "Fenced",
    "FrameError",
    "FrameFault",
    "PlatformError",
    "PlatformFault",
    "PositionGone",
    "RecordingError",
    "RingbackError",
    "SettingsError",
    "SilenceError",
    "SilenceRefused",
    "SilenceUnknown",
    "SinkError",
    "SourceError",
    "StepTooLarge",
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


class Fenced(StoreError):
    """Another process has written to a partition since this one has read it, and has it now.

    Nothing is lost: what was refused follows from the input log, for whoever has the partition.
    """

    def __init__(self, store: str, partition: int) -> None:
        super().__init__(
            store,
            f"partition {partition} has gone on without this process",
            "load it anew before going on with it",
        )
        self.partition = partition


class PositionGone(StoreError):
    """A reader is behind the journal's retention and must begin with a fresh snapshot."""

    def __init__(self, store: str, after: int, oldest: int) -> None:
        super().__init__(
            store,
            f"the journal begins at {oldest}, the reader asked for what follows {after}",
            "read the present state first, then follow from its position",
        )
        self.oldest = oldest


class EngineUnreachable(StoreError):
    """No server of the engine answers. Trying again helps once one does."""

    def __init__(self, servers: str, problem: str) -> None:
        super().__init__(
            servers,
            f"NATS does not answer ({problem})",
            "check that it runs, with JetStream and room on its disk, where jetstream.servers says",
        )


class EngineRefused(StoreError):
    """The engine answers, and does not let this process do what it has to.

    `setting` is what is to be looked at.
    """

    def __init__(self, servers: str, problem: str, setting: str) -> None:
        super().__init__(servers, f"NATS refuses: {problem}", f"check {setting}")


class EngineForeign(StoreError):
    """What has the name of a stream or bucket of Ringback's is not what it has to be."""


class StepTooLarge(StoreError):
    """The engine does not take a message of that size."""

    def __init__(self, store: str, size: int, most: int) -> None:
        super().__init__(
            store,
            f"a message of {size} bytes is larger than its servers take ({most})",
            "raise max_payload in the configuration of the NATS servers, and start again",
        )


class EngineSilent(RingbackError):
    """The engine does not answer in time somebody who waits. `what` says what that means."""

    def __init__(self, what: str) -> None:
        super().__init__(f"the engine does not answer: {what}; see /readyz")


class SourceError(RingbackError):
    """A source cannot listen, and trying again will not help."""

    def __init__(self, source: str, problem: str, remedy: str) -> None:
        super().__init__(f"source {source}: {problem}; {remedy}")
        self.source = source


class PlatformFault(StrEnum):
    """Why a request to Genesys Cloud failed. Each is a label value of a metric: a closed set."""

    CREDENTIALS = "credentials"
    """The OAuth client is not known, or its secret is wrong."""
    UNAUTHORIZED = "unauthorized"
    """A token that was good is refused, and so is a fresh one: the client may be revoked."""
    FORBIDDEN = "forbidden"
    """A permission is missing."""
    NOT_FOUND = "not_found"
    REFUSED = "refused"
    """The request itself is not accepted: 400 and its kin."""
    THROTTLED = "throttled"
    """Still 429 after waiting as asked."""
    SERVER = "server"
    """5xx, again and again."""
    UNREACHABLE = "unreachable"
    """No connection: the name, the network, or nobody listening."""
    TLS = "tls"
    TIMED_OUT = "timed_out"
    NOT_JSON = "not_json"
    """Something else answered: a proxy's page, for example."""
    WRONG_SHAPE = "wrong_shape"
    """JSON that is not what the platform documents."""
    TOO_LARGE = "too_large"


class PlatformError(RingbackError):
    """One request to Genesys Cloud failed, and trying again now will not help.

    `request` is method and path without ids or query; `problem` never holds a secret.
    """

    def __init__(
        self, fault: PlatformFault, request: str, problem: str, remedy: str, status: int = 0
    ) -> None:
        super().__init__(f"{request}: {problem}; {remedy}")
        self.fault = fault
        self.request = request
        self.problem = problem
        self.remedy = remedy
        self.status = status
        """The HTTP status; 0 when there was no answer."""


class AlertError(RingbackError):
    """What is asked of an alert cannot be done."""


class AlertUnknown(AlertError):
    """There never was such an alert, or it is not kept any more."""

    def __init__(self, alert_id: str) -> None:
        super().__init__(f"there is no alert {alert_id}; list the alerts that are firing")


class AlertOver(AlertError):
    """An alert is not firing any more."""

    def __init__(self, alert_id: str) -> None:
        super().__init__(f"alert {alert_id} is over; there is nothing left to do about it")


class SilenceError(RingbackError):
    """What is asked of a silence cannot be done."""


class SilenceRefused(SilenceError):
    """It would mean nothing, or too much. `problem` says what to give instead."""


class SilenceUnknown(SilenceError):
    """There is no such silence, or it has ended."""

    def __init__(self, silence_id: str) -> None:
        super().__init__(f"there is no silence {silence_id}; list those that are in force")


class AuditError(RingbackError):
    """What somebody is about to do cannot be noted, so it must not be done."""

    def __init__(self, problem: str) -> None:
        super().__init__(f"the audit trail cannot be written: {problem}; make room or mend it")
        self.problem = problem


class DeliveryFault(StrEnum):
    """Why a receiver did not take a message. Each is a label value of a metric: a closed set."""

    UNREACHABLE = "unreachable"
    """No connection: the name, the network, or nobody listening."""
    BROKEN_OFF = "broken_off"
    """The connection ended before the answer was there: the message may have arrived."""
    FORBIDDEN_TARGET = "forbidden_target"
    """Its address is none that messages may go to."""
    TLS = "tls"
    TIMED_OUT = "timed_out"
    THROTTLED = "throttled"
    """429."""
    SERVER = "server"
    """5xx, and what a mail server calls temporary."""
    DENIED = "denied"
    """The address, the key or the password is not accepted: somebody has to mend that."""
    REFUSED = "refused"
    """The message itself is not accepted, and would not be another time."""
    GARBAGE = "garbage"
    """An answer that is none of that receiver's: a proxy's page, for example."""


class DeliveryError(RingbackError):
    """A receiver did not take a message.

    `problem` never holds a secret, nor what the receiver has answered; `after` is for how many
    seconds it asks to be left alone.
    """

    def __init__(self, fault: DeliveryFault, problem: str, after: float = 0.0) -> None:
        super().__init__(problem)
        self.fault = fault
        self.problem = problem
        self.after = after


class SinkError(RingbackError):
    """A sink cannot tell, and trying again will not help."""

    def __init__(self, sink: str, problem: str, remedy: str) -> None:
        super().__init__(f"sink {sink}: {problem}; {remedy}")
        self.sink = sink


class DaemonFault(StrEnum):
    """Why a running daemon does not answer what it is asked."""

    UNREACHABLE = "unreachable"
    TLS = "tls"
    TIMED_OUT = "timed_out"
    UNAUTHORIZED = "unauthorized"
    """No token, or one that it does not know."""
    FORBIDDEN = "forbidden"
    """The token is good, and not for this."""
    NOT_FOUND = "not_found"
    REFUSED = "refused"
    """The request itself is not accepted: 400 and its kin."""
    NOT_READY = "not_ready"
    """It starts or stops, or has more to do than it can."""
    FAILED = "failed"
    """An error of its own."""
    NOT_RINGBACK = "not_ringback"
    """Something else answered: a proxy's page, for example."""


class DaemonError(RingbackError):
    """A running daemon does not answer what it is asked. `problem` never holds a secret."""

    def __init__(self, fault: DaemonFault, problem: str, remedy: str) -> None:
        super().__init__(f"{problem}; {remedy}")
        self.fault = fault
        self.problem = problem
        self.remedy = remedy


class TaskDied(RingbackError):
    """A task of the daemon ended although it should not; the daemon stops."""

    def __init__(self, task: str, reason: BaseException | None) -> None:
        said = "it returned" if reason is None else f"{type(reason).__name__}: {reason}"
        super().__init__(f"task {task} ended: {said}")
        self.task = task
