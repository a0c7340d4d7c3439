"""The platform's own Python SDK works against the simulated Genesys Cloud as against the real one.

The SDK waits for its answers, so the platform is served from a thread of its own, in real time.
"""

import asyncio
import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import connect

from ringback.runtime.clock import SystemClock
from ringback.simulator.centre import ContactCentre
from ringback.simulator.genesys.limits import Limits
from ringback.simulator.genesys.server import GenesysCloud
from ringback.simulator.options import Options

sdk = pytest.importorskip("PureCloudPlatformClientV2")
rest = pytest.importorskip("PureCloudPlatformClientV2.rest")

BUSY = Options(arrivals_per_minute=240, agents=60, max_live=200, speed=4)
UNKNOWN = "outdated_sdk_version"
MISSING = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def cloud() -> Iterator[GenesysCloud]:
    started = threading.Event()
    made: list[Any] = []

    async def serve() -> None:
        clock = SystemClock()
        centre = ContactCentre(4, clock.now(), BUSY)
        leave = asyncio.Event()
        async with GenesysCloud(centre, clock, limits=Limits(details_lag_seconds=0.5)) as served:
            made.extend([served, asyncio.get_running_loop(), leave])
            started.set()
            await leave.wait()

    thread = threading.Thread(target=asyncio.run, args=[serve()], name="simulated cloud")
    thread.start()
    assert started.wait(20)
    served, loop, leave = made
    yield served
    loop.call_soon_threadsafe(leave.set)
    thread.join(20)
    assert not thread.is_alive()


@pytest.fixture
def client(cloud: GenesysCloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Log in as the SDK does it."""
    # Otherwise the SDK's configuration, of which there is one, leaves a thread that watches a file.
    config = tmp_path / ".genesyscloudpython" / "config"
    config.parent.mkdir()
    config.write_text("[general]\nlive_reload_config = false\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    client = sdk.ApiClient(host=cloud.url)
    return client.get_client_credentials_token(cloud.client.id, cloud.client.secret)


def topics(cloud: GenesysCloud, tail: str = ".conversations") -> list[Any]:
    found = []
    for queue in cloud.centre.queues:
        topic = sdk.ChannelTopic()
        topic.id = f"v2.routing.queues.{queue.id}{tail}"
        found.append(topic)
    return found


def predicate(dimension: str, value: str | None = None, operator: str = "matches") -> Any:
    made = sdk.QueueObservationQueryPredicate()
    made.type, made.dimension, made.operator, made.value = "dimension", dimension, operator, value
    return made


def test_the_wrong_secret_is_refused(client: Any, cloud: GenesysCloud) -> None:
    with pytest.raises(rest.ApiException) as refused:
        sdk.ApiClient(host=cloud.url).get_client_credentials_token(cloud.client.id, "wrong")
    assert refused.value.status == 401


def test_it_tells_who_one_is(client: Any, cloud: GenesysCloud) -> None:
    assert sdk.OrganizationApi(client).get_organizations_me().name
    token = sdk.TokensApi(client).get_tokens_me()
    assert token.o_auth_client.id == cloud.client.id
    sdk.TokensApi(client).head_tokens_me()


def test_channels_live(client: Any, cloud: GenesysCloud) -> None:
    api = sdk.NotificationsApi(client)
    made = api.post_notifications_channels()
    assert made.connect_uri.startswith("ws://127.0.0.1:")
    left = made.expires - datetime.now(UTC)
    assert timedelta(hours=23) < left <= timedelta(hours=24)
    assert made.id in {one.id for one in api.get_notifications_channels().entities}
    assert api.get_notifications_channels(includechannels="oauthclient").entities
    api.head_notifications_channel(made.id)
    with pytest.raises(rest.ApiException) as gone:
        api.head_notifications_channel(MISSING)
    assert gone.value.status == 404


def test_subscriptions_are_added_replaced_and_removed(client: Any, cloud: GenesysCloud) -> None:
    api = sdk.NotificationsApi(client)
    made = api.post_notifications_channels()
    wished = topics(cloud)
    added = api.post_notifications_channel_subscriptions(made.id, wished[:2])
    assert [one.state for one in added.entities] == ["Permitted"] * 2
    api.post_notifications_channel_subscriptions(made.id, wished[2:3])
    held = api.get_notifications_channel_subscriptions(made.id).entities
    assert [one.id for one in held] == [one.id for one in wished[:3]]
    unknown = sdk.ChannelTopic()
    unknown.id = f"v2.routing.queues.{MISSING}.conversations"
    with pytest.raises(rest.ApiException) as refused:
        api.put_notifications_channel_subscriptions(made.id, [wished[3], unknown])
    assert refused.value.status == 400
    replaced = api.put_notifications_channel_subscriptions(
        made.id, [wished[3], unknown], ignore_errors=True
    )
    assert [one.state for one in replaced.entities] == ["Permitted", "Rejected"]
    assert replaced.entities[1].rejection_reason
    api.delete_notifications_channel_subscriptions(made.id)
    assert api.get_notifications_channel_subscriptions(made.id).entities == []


def test_a_channel_brings_notifications_that_the_sdk_understands(
    client: Any, cloud: GenesysCloud
) -> None:
    api = sdk.NotificationsApi(client)
    made = api.post_notifications_channels()
    api.put_notifications_channel_subscriptions(
        made.id, topics(cloud, "?conversations&conversations.callbacks")
    )
    with connect(made.connect_uri, max_size=None) as socket:
        frames = [json.loads(socket.recv(timeout=20)) for _ in range(20)]
    for frame in frames:
        kind = "Callback" if frame["topicName"].endswith(".callbacks") else ""
        name = f"QueueConversation{kind}EventTopic{kind}Conversation"
        event = client._ApiClient__deserialize(frame["eventBody"], name)
        assert event.id == frame["eventBody"]["id"]
        legs = event.participants if kind else event.participants[0].callbacks or []
        assert UNKNOWN not in {leg.state for leg in legs}


def test_available_topics(client: Any) -> None:
    found = sdk.NotificationsApi(client).get_notifications_availabletopics(
        expand=["requiresPermissions", "permissionDetails", "transports"]
    )
    by_id = {one.id: one for one in found.entities}
    queue = by_id["v2.routing.queues.{id}.conversations"]
    assert queue.requires_permissions == ["conversation:communication:view"]
    assert queue.permission_details[0].permissions == queue.requires_permissions
    assert queue.transports
    assert queue.description is None


def test_queues(client: Any, cloud: GenesysCloud) -> None:
    api = sdk.RoutingApi(client)
    page = api.get_routing_queues(page_size=4, page_number=2)
    assert (page.total, page.page_count, len(page.entities)) == (6, 2, 2)
    for queue in cloud.centre.queues:
        shown = api.get_routing_queue(queue.id)
        callback = shown.media_settings.callback
        assert shown.name == queue.name
        assert shown.division.name == queue.division
        assert callback.enable_auto_dial_and_end == (queue.auto_dial_seconds is not None)
        assert callback.alerting_timeout_seconds == 30
        assert callback.mode == ("CustomerFirst" if queue.customer_first else "AgentFirst")
        assert shown.agent_owned_routing.enable_agent_owned_callbacks is False
    assert sdk.AuthorizationApi(client).get_authorization_divisions().entities


def test_observations_lead_to_conversations(client: Any, cloud: GenesysCloud) -> None:
    query = sdk.QueueObservationQuery()
    query.filter = sdk.QueueObservationQueryFilter()
    query.filter.type = "and"
    query.filter.predicates = [predicate("mediaType", "callback")]
    clause = sdk.QueueObservationQueryClause()
    clause.type = "or"
    clause.predicates = [predicate("queueId", queue.id) for queue in cloud.centre.queues]
    query.filter.clauses = [clause]
    query.metrics = query.detail_metrics = ["oWaiting", "oAlerting", "oInteracting"]
    found = sdk.AnalyticsApi(client).post_analytics_queues_observations_query(query)
    observed = [
        one
        for result in found.results
        for data in result.data
        if data.metric == "oInteracting"
        for one in data.observations
    ]
    assert observed
    assert all(one.user_id and one.session_id and one.observation_date for one in observed)
    single = sdk.ConversationsApi(client).get_conversation(observed[0].conversation_id)
    legs = [leg for one in single.participants for leg in one.callbacks or []]
    assert legs
    assert UNKNOWN not in {leg.state for leg in legs}
    assert all(leg.segments is not None for leg in legs)
    flat = sdk.ConversationsApi(client).get_conversations_callback(observed[0].conversation_id)
    purposes = {one.purpose for one in flat.participants}
    assert purposes >= {"customer", "agent"}
    assert not purposes.isdisjoint({"acd", "dialer"})  # a preview comes from the dialer


def test_details_are_paged(client: Any, cloud: GenesysCloud) -> None:
    now = datetime.now(UTC)
    query = sdk.ConversationQuery()
    query.interval = f"{stamp(now - timedelta(days=30))}/{stamp(now + timedelta(hours=1))}"
    query.order, query.order_by = "asc", "conversationStart"
    query.paging = sdk.PagingSpec()
    query.paging.page_size, query.paging.page_number = 10, 1
    segment = sdk.SegmentDetailQueryFilter()
    segment.type = "and"
    segment.predicates = [sdk.SegmentDetailQueryPredicate()]
    segment.predicates[0].type = "dimension"
    segment.predicates[0].dimension = "mediaType"
    segment.predicates[0].value = "callback"
    query.segment_filters = [segment]
    still_open = sdk.ConversationDetailQueryFilter()
    still_open.type = "and"
    still_open.predicates = [sdk.ConversationDetailQueryPredicate()]
    still_open.predicates[0].type = "dimension"
    still_open.predicates[0].dimension = "conversationEnd"
    still_open.predicates[0].operator = "notExists"
    query.conversation_filters = [still_open]
    found = sdk.AnalyticsApi(client).post_analytics_conversations_details_query(query)
    assert found.total_hits > 10
    assert len(found.conversations) == 10
    for one in found.conversations:
        assert one.conversation_end is None
        sessions = [each for participant in one.participants for each in participant.sessions]
        kinds = {segment.segment_type for each in sessions for segment in each.segments}
        assert {each.media_type for each in sessions} <= {"callback", "voice"}
        assert kinds
        assert UNKNOWN not in kinds


def test_callbacks_are_made_moved_and_ended(client: Any, cloud: GenesysCloud) -> None:
    api = sdk.ConversationsApi(client)
    wanted = sdk.CreateCallbackCommand()
    wanted.queue_id = cloud.centre.queues[0].id
    wanted.callback_numbers = ["+15550100"]
    wanted.callback_scheduled_time = datetime.now(UTC) + timedelta(hours=1)
    made = api.post_conversations_callbacks(wanted)
    assert made.callback_identifiers[0].type == "ACD"
    moved = sdk.PatchCallbackRequest()
    moved.conversation_id = made.conversation.id
    moved.callback_scheduled_time = datetime.now(UTC) + timedelta(hours=2)
    assert api.patch_conversations_callbacks(moved).conversation.id == made.conversation.id
    ended = sdk.MediaParticipantRequest()
    ended.state = "disconnected"
    api.patch_conversations_callback(made.conversation.id, ended)
    single = api.get_conversation(made.conversation.id)
    assert single.participants[0].callbacks[0].state == "disconnected"
    assert api.get_conversations_callbacks().entities == []


def test_a_missing_permission_is_named(client: Any, cloud: GenesysCloud) -> None:
    cloud.client.permissions.discard("routing:queue:view")
    try:
        with pytest.raises(rest.ApiException) as refused:
            sdk.RoutingApi(client).get_routing_queues()
    finally:
        cloud.client.permissions.add("routing:queue:view")
    assert refused.value.status == 403
    assert "routing:queue:view" in refused.value.body


def stamp(instant: datetime) -> str:
    return instant.isoformat(timespec="milliseconds").replace("+00:00", "Z")
