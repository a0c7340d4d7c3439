"""The calls that change something: callbacks asked for, moved and ended."""

from collections.abc import Callable, Iterator
from datetime import datetime

import msgspec
from aiohttp import web

from ringback.simulator.centre import ContactCentre
from ringback.simulator.conversations import Conversation
from ringback.simulator.genesys.problems import Problem, bad_request, not_found
from ringback.simulator.genesys.requests import TOKEN, answer, read_body
from ringback.simulator.interventions import create_callback, disconnect, reschedule
from ringback.simulator.people import Queue

__all__ = ["CommandCalls"]

CALLBACKS = "/api/v2/conversations/callbacks"
CREATE = "conversation:callback:create"
EDIT = "conversation:callback:edit"
DISCONNECT = "conversation:communication:disconnect"


class RoutingData(msgspec.Struct, rename="camel"):
    """Where a callback is to go."""

    queue_id: str


class CreateCommand(msgspec.Struct, rename="camel"):
    """A callback that is asked for."""

    callback_numbers: list[str]
    queue_id: str | None = None
    routing_data: RoutingData | None = None
    callback_user_name: str | None = None
    callback_scheduled_time: datetime | None = None


class PatchCommand(msgspec.Struct, rename="camel"):
    """A callback that is to be changed."""

    conversation_id: str
    callback_scheduled_time: datetime | None = None


class PatchMany(msgspec.Struct, rename="camel"):
    """Several of them."""

    patch_callback_requests: list[PatchCommand]


class CallbackNamed(msgspec.Struct, rename="camel"):
    """One callback of a conversation."""

    conversation_id: str
    callback_id: str


class DisconnectMany(msgspec.Struct, rename="camel"):
    """Scheduled callbacks to be ended."""

    callback_disconnect_identifiers: list[CallbackNamed]


class StateCommand(msgspec.Struct):
    """What a conversation is to become."""

    state: str


class CommandCalls:
    """Does to the centre what it is told."""

    def __init__(self, centre: ContactCentre, catch_up: Callable[[], None]) -> None:
        """`catch_up` plays the centre up to now, and sends what there is to send."""
        self._centre = centre
        self._catch_up = catch_up

    def routes(self) -> Iterator[web.RouteDef]:
        """Give the calls and where they are."""
        yield web.post(CALLBACKS, self._create)
        yield web.patch(CALLBACKS, self._patch)
        yield web.post(f"{CALLBACKS}/bulk/update", self._patch_many)
        yield web.post(f"{CALLBACKS}/bulk/disconnect", self._disconnect_many)
        yield web.patch(f"{CALLBACKS}/{{id}}", self._set_state)
        yield web.post("/api/v2/conversations/{id}/disconnect", self._tear_down)
        yield web.delete("/api/v2/conversations/{id}", self._tear_down)

    async def _create(self, request: web.Request) -> web.Response:
        request[TOKEN].need(CREATE)
        command = await read_body(request, CreateCommand)
        if not command.callback_numbers:
            raise bad_request("callbackNumbers must hold at least one number.")
        queue_id = command.queue_id or (command.routing_data and command.routing_data.queue_id)
        self._catch_up()
        conversation = create_callback(
            self._centre,
            self._queue(queue_id or ""),
            at=_aware(command.callback_scheduled_time),
            number=command.callback_numbers[0],
            name=command.callback_user_name,
        )
        self._catch_up()
        return answer(_identified(conversation))

    async def _patch(self, request: web.Request) -> web.Response:
        request[TOKEN].need(EDIT)
        return answer(self._move(await read_body(request, PatchCommand)))

    async def _patch_many(self, request: web.Request) -> web.Response:
        request[TOKEN].need(EDIT)
        commands = (await read_body(request, PatchMany)).patch_callback_requests
        results: list[dict[str, object]] = []
        failed = []
        for number, command in enumerate(commands):
            try:
                done = {"success": True, "entity": self._move(command)["conversation"]}
            except Problem as problem:
                failed.append(number)
                done = {"success": False, "id": command.conversation_id, "error": _short(problem)}
            results.append(done)
        return answer({"results": results, "errorCount": len(failed), "errorIndexes": failed})

    async def _disconnect_many(self, request: web.Request) -> web.Response:
        request[TOKEN].need(DISCONNECT)
        named = (await read_body(request, DisconnectMany)).callback_disconnect_identifiers
        self._catch_up()
        for one in named:
            if self._scheduled(one):
                disconnect(self._centre, one.conversation_id)
        self._catch_up()
        return web.Response(status=202)

    async def _set_state(self, request: web.Request) -> web.Response:
        request[TOKEN].need(DISCONNECT)
        command = await read_body(request, StateCommand)
        if command.state != "disconnected":
            raise bad_request("The state {state} cannot be set.", state=command.state)
        self._end(request.match_info["id"])
        return answer({})

    async def _tear_down(self, request: web.Request) -> web.Response:
        request[TOKEN].need(DISCONNECT)
        self._end(request.match_info["id"])
        return web.Response(status=202)

    # What these are made of

    def _queue(self, queue_id: str) -> Queue:
        for queue in self._centre.queues:
            if queue.id == queue_id:
                return queue
        raise bad_request("The queue {id} does not exist.", id=queue_id)

    def _move(self, command: PatchCommand) -> dict[str, object]:
        at = _aware(command.callback_scheduled_time)
        if at is None:
            raise bad_request("callbackScheduledTime is required.")
        self._catch_up()
        moved = reschedule(self._centre, command.conversation_id, at)
        scene = self._centre.scene(command.conversation_id)
        if not moved or scene is None:
            raise not_found("scheduled callback", command.conversation_id)
        self._catch_up()
        return _identified(scene.conversation)

    def _scheduled(self, named: CallbackNamed) -> bool:
        scene = self._centre.scene(named.conversation_id)
        return scene is not None and any(
            leg.id == named.callback_id and leg.state == "scheduled"
            for one in scene.conversation.participants
            for leg in one.callbacks
        )

    def _end(self, conversation_id: str) -> None:
        self._catch_up()
        if not disconnect(self._centre, conversation_id):
            raise not_found("conversation", conversation_id)
        self._catch_up()


def _identified(conversation: Conversation) -> dict[str, object]:
    """Name a conversation and its callbacks."""
    legs = [leg for one in conversation.participants for leg in one.callbacks]
    return {
        "conversation": {
            "id": conversation.id,
            "selfUri": f"/api/v2/conversations/{conversation.id}",
        },
        "callbackIdentifiers": [{"type": "ACD", "id": leg.id} for leg in legs[:1]],
    }


def _short(problem: Problem) -> dict[str, object]:
    return {"message": str(problem), "code": problem.code, "status": problem.status}


def _aware(instant: datetime | None) -> datetime | None:
    if instant is not None and instant.tzinfo is None:
        raise bad_request("callbackScheduledTime needs an offset, such as Z.")
    return instant
