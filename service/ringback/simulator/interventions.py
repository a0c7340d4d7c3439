"""What is done to the contact centre from outside, as administrators and programs do."""

from collections.abc import Iterable
from datetime import datetime

from ringback.simulator.acts import Script, World, be_released, reach
from ringback.simulator.callbacks import Callback
from ringback.simulator.centre import ContactCentre
from ringback.simulator.conversations import Conversation, Request
from ringback.simulator.kinds import Kind
from ringback.simulator.people import Customer, Queue, draw_customer, new_id
from ringback.simulator.truths import State

__all__ = ["close_queue", "create_callback", "disconnect", "open_queue", "reschedule"]


def create_callback(
    centre: ContactCentre,
    queue: Queue,
    *,
    at: datetime | None = None,
    number: str | None = None,
    name: str | None = None,
) -> Conversation:
    """Ask for a callback, at once or for later; what is not given is drawn."""
    drawn = draw_customer(centre.random)
    customer = Customer(
        name=name or drawn.name, number=number or drawn.number, attributes=drawn.attributes
    )
    request = Request(customer=customer, script_id=new_id(centre.random))

    def play(world: World, callback: Callback) -> Script:
        if at is None:
            callback.enqueue()
        else:
            callback.schedule(at)
            yield from be_released(world, callback)
        yield from reach(world, callback)

    conversation = centre.new_conversation(queue)
    centre.begin(conversation, Kind.SCHEDULED if at else Kind.IMMEDIATE, request, play)
    return conversation


def reschedule(centre: ContactCentre, conversation_id: str, at: datetime) -> bool:
    """Move a callback that is scheduled; say whether there was one."""
    scene = centre.scene(conversation_id)
    if scene is None:
        return False
    scheduled = [one for one in scene.callbacks if one.ledger.state is State.SCHEDULED]
    for callback in scheduled:
        callback.reschedule(at)
        centre.nudge(scene)
    return bool(scheduled)


def disconnect(centre: ContactCentre, conversation_id: str, by: str = "client") -> bool:
    """End a whole conversation; say whether it was live. `by` is how its legs end."""
    scene = centre.scene(conversation_id)
    if scene is None:
        return False
    centre.strike(scene)
    for callback in scene.callbacks:
        if callback.ledger.state not in {None, State.DISCONNECTED}:
            callback.close(by)
    for one in scene.conversation.participants:
        left = [leg for leg in one.legs if leg.live]
        for leg in left:
            leg.end(centre.now, by)
        # Whoever had the callback is free already; who was bridged into a call has only that call.
        agent = centre.staff.find(one.user_id) if left and one.user_id else None
        if agent is not None:
            centre.free(agent)
    centre.publish(scene.conversation)
    return True


def open_queue(
    centre: ContactCentre,
    name: str,
    *,
    agents: int = 5,
    division: str = "Home",
    auto_dial_seconds: int | None = None,
    customer_first: bool = False,
) -> Queue:
    """Add a queue and let some agents serve it; callbacks are asked for there from now on."""
    queue = Queue(
        id=new_id(centre.random),
        name=name,
        auto_dial_seconds=auto_dial_seconds,
        customer_first=customer_first,
        division=division,
    )
    centre.queues.append(queue)
    for agent in centre.random.sample(centre.agents, k=min(agents, len(centre.agents))):
        centre.staff.assign(agent, queue)
    return queue


def close_queue(centre: ContactCentre, queue: Queue) -> None:
    """Take a queue away, and end what is in it."""
    centre.queues.remove(queue)
    for conversation in _in_queue(centre.conversations(ended=False), queue):
        disconnect(centre, conversation.id, "system")


def _in_queue(conversations: Iterable[Conversation], queue: Queue) -> list[Conversation]:
    return [one for one in conversations if one.queue is queue]
