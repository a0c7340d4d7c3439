"""Every option, once: its section, name, default, bounds, unit and meaning.

All else is derived from here: the checks, the names in the environment, `config/ringback.toml`.
An empty text stands for "not given", because TOML has no null.
"""

from typing import Annotated, Literal

import msgspec

from ringback.settings.cleanup import CleanupSettings
from ringback.settings.describing import Secret, between, means
from ringback.settings.jetstream import JetStreamSettings
from ringback.settings.receivers import ReceiverSettings
from ringback.settings.sources import GenesysSettings, SourceSettings

__all__ = [
    "CleanupSettings",
    "GenesysSettings",
    "JetStreamSettings",
    "LogSettings",
    "PrivacySettings",
    "ReceiverSettings",
    "RecordSettings",
    "Settings",
    "ShutdownSettings",
    "SimulatorSettings",
    "SinkSettings",
    "SourceSettings",
    "StoreSettings",
    "WatchSettings",
    "WebSettings",
]


class StoreSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Where records, deadlines, journal and cursors are kept."""

    kind: Annotated[
        Literal["sqlite", "memory", "jetstream"],
        means(
            "A file that survives power loss, this process's memory (a restart forgets "
            "everything), or a NATS JetStream server."
        ),
    ] = "sqlite"
    path: Annotated[
        str, means("The database file, for kind sqlite. On a local disk: never on NFS.")
    ] = "ringback.db"
    keep_ended_hours: Annotated[
        int, between(1, 35 * 24, "Ended callbacks stay visible for so long.")
    ] = 24
    keep_journal_hours: Annotated[
        int, between(1, 366 * 24, "Emitted events can be read again for so long.")
    ] = 168


class WebSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Dashboard, API, feed, health and metrics, and who may see them."""

    host: Annotated[
        str,
        means(
            "The address to bind. Other than loopback it takes tokens, and TLS or a proxy.",
            "127.0.0.1, ::1 or localhost; with tokens any address, as 0.0.0.0",
        ),
    ] = "127.0.0.1"
    port: Annotated[int, between(0, 65535, "The port to bind; 0 takes any free one.")] = 8080
    tokens: Annotated[
        str,
        means(
            "The file of those who may come in, a line each: role name token. Roles: viewer,"
            " operator, metrics. Mode 0600; read anew when it changes. Empty: whoever is on this"
            " machine is an operator."
        ),
    ] = ""
    session_hours: Annotated[
        int, between(1, 720, "A browser that has logged in stays so for so long.")
    ] = 12
    session_key: Annotated[
        Secret,
        means(
            "Signs what browsers log in with. The same for all processes of an organisation that"
            " serve, so that whoever has logged in at one may go on at another. Best in a file."
            " Empty: each process has a key of its own.",
            "at least 32 characters",
        ),
    ] = Secret()
    names: Annotated[
        str,
        means(
            "The names that browsers call this server, separated by commas, as"
            " ringback.example.org. Addresses and localhost need not be named.",
            "host names without port",
        ),
    ] = ""
    address: Annotated[
        str,
        means(
            "Where people open the dashboard, for links in messages. Empty: worked out from names,"
            " host and port.",
            "an http:// or https:// address, as https://ringback.example.org",
        ),
    ] = ""
    tls_certificate: Annotated[
        str,
        means("A PEM file with the certificate and its chain, for https. Read anew on change."),
    ] = ""
    tls_key: Annotated[str, means("A PEM file with the certificate's key. Mode 0600.")] = ""
    proxies: Annotated[
        str,
        means(
            "Those who pass requests on and speak TLS for this server, separated by commas. Their"
            " X-Forwarded-For and X-Forwarded-Proto are believed.",
            "addresses and networks, as 192.0.2.7, 10.0.0.0/8",
        ),
    ] = ""


class RecordSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Recording of all that comes in, for replays. Private files, mode 0600."""

    path: Annotated[
        str,
        means(
            "The file to record into, compressed when it ends in .zst; older parts stand beside it."
            " Empty: nothing is recorded."
        ),
    ] = ""
    most_megabytes: Annotated[
        int,
        between(1, 1_000_000, "The oldest recordings go when all together exceed this."),
    ] = 1024
    most_days: Annotated[int, between(1, 3660, "Recordings older than this go.")] = 7


class PrivacySettings(msgspec.Struct, frozen=True, kw_only=True):
    """What of people may leave the daemon in events."""

    numbers: Annotated[
        bool, means("Emit callers' phone numbers in clear. They are kept then, too.")
    ] = False
    names: Annotated[bool, means("Emit callers' names in clear. They are kept then, too.")] = False
    hash_key: Annotated[
        Secret,
        means(
            "With a key, a keyed hash stands for each number, so that repeated callers are "
            "recognised without being known.",
            "at least 16 characters",
        ),
    ] = Secret()


class WatchSettings(msgspec.Struct, frozen=True, kw_only=True):
    """When a callback counts as stuck."""

    rules: Annotated[
        str,
        means(
            "A TOML file of rules, as config/rules.toml; docs/rules.md says how. Read anew on"
            " SIGHUP. Empty: the built-in rules."
        ),
    ] = ""
    due_grace_seconds: Annotated[
        float,
        between(
            0,
            86_400,
            "A scheduled callback that is not released so long after its time is alerted on.",
        ),
    ] = 120.0
    not_dialled_seconds: Annotated[
        float,
        between(
            1, 86_400, "An agent who has accepted and so long later has not dialled is alerted on."
        ),
    ] = 300.0
    unverified_seconds: Annotated[
        float,
        between(
            1,
            3600,
            "A callback that a gap has touched, and nothing has confirmed for so long since, is "
            "told to be unverified.",
        ),
    ] = 60.0


class SinkSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Who is told of emitted events."""

    stdout: Annotated[
        Literal["auto", "console", "json", "off"],
        means(
            "Emitted events on standard output: readable lines, CloudEvents as JSON lines, or"
            " nothing. auto is console on a terminal and json elsewhere."
        ),
    ] = "auto"


class LogSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The daemon's own log, on standard error. Without personal data and secrets, always."""

    level: Annotated[
        Literal["debug", "info", "warning", "error"], means("The least severe that is logged.")
    ] = "info"
    format: Annotated[
        Literal["auto", "console", "json"],
        means("auto is console on a terminal and json elsewhere."),
    ] = "auto"


class SimulatorSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The contact centre inside the process, for kind simulator."""

    seed: Annotated[int, between(0, 2**32 - 1, "Same seed, same run.")] = 1
    queues: Annotated[int, between(3, 1000, "How many queues there are.")] = 6
    agents: Annotated[int, between(1, 100_000, "How many agents take callbacks.")] = 40
    callbacks_per_hour: Annotated[
        float,
        between(0.001, 10_000_000, "How many callbacks are asked for, on average."),
    ] = 900.0
    speed: Annotated[
        float,
        between(
            0.001, 10_000, "Divides people's pauses; never a timer that the daemon also counts."
        ),
    ] = 1.0


class ShutdownSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How long each stage of a stop may take. Service managers must wait longer than the sum."""

    intake_seconds: Annotated[float, between(0, 600, "To close the sources.")] = 2.0
    drain_seconds: Annotated[
        float, between(0, 600, "To decide on and commit what was already received.")
    ] = 5.0
    close_seconds: Annotated[
        float, between(0, 600, "To tell the sinks, and to close readers and the store.")
    ] = 3.0


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """All sections. Without any configuration: the simulator, tracked on SQLite."""

    source: SourceSettings = SourceSettings()
    genesys: GenesysSettings = GenesysSettings()
    store: StoreSettings = StoreSettings()
    jetstream: JetStreamSettings = JetStreamSettings()
    web: WebSettings = WebSettings()
    record: RecordSettings = RecordSettings()
    privacy: PrivacySettings = PrivacySettings()
    watch: WatchSettings = WatchSettings()
    cleanup: CleanupSettings = CleanupSettings()
    sinks: SinkSettings = SinkSettings()
    log: LogSettings = LogSettings()
    simulator: SimulatorSettings = SimulatorSettings()
    shutdown: ShutdownSettings = ShutdownSettings()
    receivers: dict[str, ReceiverSettings] = {}
    """By name."""
