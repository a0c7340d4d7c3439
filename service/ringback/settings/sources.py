"""The options of what the daemon listens to."""

from typing import Annotated, Literal

import msgspec

from ringback.settings.describing import A_NAME, NAME, Secret, between, means

__all__ = ["GenesysSettings", "SourceSettings"]


class SourceSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What the daemon listens to."""

    kind: Annotated[
        Literal["simulator", "websocket", "genesys", "recording"],
        means(
            "The contact centre inside the process, any websocket that sends one frame a "
            "message, a Genesys Cloud organisation, or recorded frames. If no kind is given and"
            " genesys.client_id is, the kind is genesys."
        ),
    ] = "simulator"
    name: Annotated[
        str,
        means(
            "Names this source in metrics, gaps and source events. Keep it stable.", A_NAME, NAME
        ),
    ] = "main"
    org: Annotated[
        str, means("The organisation: events carry it as their source, /orgs/<org>.", A_NAME, NAME)
    ] = "local"
    url: Annotated[
        Secret,
        means(
            "Where to listen, for kind websocket. Treated as a secret, because such addresses"
            " often hold a token.",
            "a ws:// or wss:// address",
        ),
    ] = Secret()
    path: Annotated[str, means("The file to read, for kind recording.")] = ""
    speed: Annotated[
        float,
        between(
            0.001, 1_000_000, "Pace of a recording: 1 as it was recorded, 60 a minute in a second."
        ),
    ] = 1.0
    max_frame_bytes: Annotated[
        int,
        between(
            1024,
            64 * 1024 * 1024,
            "Larger frames are quarantined. Conversations with many transfers reach several"
            " hundred kilobytes.",
        ),
    ] = 4 * 1024 * 1024
    watchdog_seconds: Annotated[
        float,
        between(
            1,
            3600,
            "A connection that has shown no traffic of any kind for so long is taken for"
            " dead. Genesys Cloud sends a heartbeat every 30 seconds.",
        ),
    ] = 35.0
    reconnect_first_seconds: Annotated[
        float,
        between(
            0.01,
            3600,
            "Longest wait before the first reconnect; it doubles with every failure, and each"
            " wait is drawn at random below it.",
        ),
    ] = 0.5
    reconnect_most_seconds: Annotated[float, between(0.01, 3600, "Where that doubling ends.")] = (
        30.0
    )


class GenesysSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The organisation to follow, for source kind genesys: region, client_id and client_secret."""

    region: Annotated[
        str,
        means(
            "Where the organisation lives: a region's name (us_east_1, eu_central_1, ...) or its"
            " domain (mypurecloud.de).",
            "one of the 18 regions",
        ),
    ] = ""
    client_id: Annotated[
        str, means("The id of an OAuth client with the grant type Client Credentials.")
    ] = ""
    client_secret: Annotated[Secret, means("That client's secret. Best in a file.", "a text")] = (
        Secret()
    )
    login_url: Annotated[
        str,
        means(
            "Instead of the region's own login host, as https://login.example.org. With api_url,"
            " for a private gateway or the simulator.",
            "an http:// or https:// address",
        ),
    ] = ""
    api_url: Annotated[
        str,
        means(
            "Instead of the region's own API host, as https://api.example.org.",
            "an http:// or https:// address",
        ),
    ] = ""
    queues: Annotated[
        str,
        means(
            "Which queues to follow, separated by commas: names, with * and ? as wildcards, id:<id>"
            " or division:<name>. Empty: all that the client may see."
        ),
    ] = ""
    queues_except: Annotated[str, means("Which of them not to follow, in the same form.")] = ""
    topics: Annotated[
        Literal["conversations", "callbacks", "both"],
        means(
            "conversations shows the dialled call too; callbacks is the smaller feed without it;"
            " both combines them, as one topic each queue."
        ),
    ] = "conversations"
    requests_per_minute: Annotated[
        int,
        between(
            10,
            100_000,
            "REST requests a minute, of the 300 that the platform allows a token by default. Leave"
            " some for whoever else uses the client.",
        ),
    ] = 300
    most_channels: Annotated[
        int,
        between(
            2,
            20,
            "Notification channels to use at the most, of the 20 that the platform allows a"
            " client.",
        ),
    ] = 20
    renew_hours: Annotated[
        float,
        between(
            0.01,
            23.5,
            "A channel is replaced by a new one after so long; the platform ends it after 24"
            " hours.",
        ),
    ] = 20.0
    queues_every_seconds: Annotated[
        float, between(1, 86_400, "How often queues and their settings are read again.")
    ] = 300.0
    reconcile_every_seconds: Annotated[
        float,
        between(1, 86_400, "How often the present state is compared by REST, apart from gaps."),
    ] = 300.0
    quiet_seconds: Annotated[
        float,
        between(
            10,
            86_400,
            "A channel that lives but has brought nothing for so long is suspected, and a"
            " comparison by REST settles it.",
        ),
    ] = 600.0
    timeout_seconds: Annotated[float, between(0.1, 300, "How long one request may take.")] = 15.0
