"""How the daemon reaches NATS JetStream, for store kind jetstream."""

from typing import Annotated, Literal

import msgspec

from ringback.settings.describing import A_NAME, NAME, Secret, between, means

__all__ = ["JetStreamSettings"]


class JetStreamSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The engine for several machines, for store kind jetstream."""

    servers: Annotated[
        str, means("Where NATS listens, separated by commas: nats:// or tls:// addresses.")
    ] = "nats://127.0.0.1:4222"
    prefix: Annotated[
        str,
        means(
            "Begins every subject, stream and bucket; the organisation's name follows it.",
            A_NAME,
            NAME,
        ),
    ] = "ringback"
    member: Annotated[
        str,
        means(
            "Names this process among the others. Empty: its host's name and a number of its own."
        ),
    ] = ""
    partitions: Annotated[
        int,
        between(
            1,
            256,
            "Into how many parts the callbacks are divided, each tracked by one process at a time."
            " Of all members the same, and never changed while the streams exist.",
        ),
    ] = 8
    replicas: Annotated[
        Literal[1, 3, 5], means("On how many servers each message is kept before it counts.")
    ] = 3
    lease_seconds: Annotated[
        float,
        between(1, 60, "How long after a member's death others take over what it had."),
    ] = 3.0
    keep_input_hours: Annotated[
        float, between(0.1, 720, "How long what sources said is kept for trackers to read.")
    ] = 24.0
    most_megabytes: Annotated[
        int, between(16, 1_000_000, "Of each stream; the oldest goes first.")
    ] = 4096
    credentials: Annotated[
        str, means("A NATS credentials file (.creds). Mode 0600. Empty: none.")
    ] = ""
    nkey: Annotated[Secret, means("The seed of an nkey. Best in a file.", "a text")] = Secret()
    user: Annotated[str, means("A user's name, where the server asks for one.")] = ""
    password: Annotated[Secret, means("That user's password. Best in a file.", "a text")] = Secret()
    inbox: Annotated[
        str,
        means(
            "Begins the subjects on which answers come, as the account on the server allows."
            " Empty: _INBOX, a dot and the user; without a user _INBOX.",
            "tokens between dots, without * and >",
            r"^([^\s.*>]+(\.[^\s.*>]+)*)?$",
        ),
    ] = ""
    tls_ca: Annotated[
        str,
        means("A PEM file with the authority of the servers' certificates. Empty: the system's."),
    ] = ""
    tls_certificate: Annotated[
        str, means("A PEM file with this client's certificate. Empty: none.")
    ] = ""
    tls_key: Annotated[str, means("A PEM file with that certificate's key. Mode 0600.")] = ""
    monitor: Annotated[
        str,
        means(
            "The address of a server's monitoring port, for what clients are not told:"
            " sync_interval. Empty: not looked at."
        ),
    ] = ""
