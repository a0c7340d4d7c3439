"""Scripts of callbacks that come to an end by themselves, well or badly."""

from datetime import timedelta

from ringback.simulator.acts import (
    AgentWanted,
    Script,
    World,
    accept,
    alert,
    arrive,
    be_released,
    come_due,
    dial,
    find_agent,
    later,
    miss,
    part,
    reach,
    talk,
)
from ringback.simulator.callbacks import Callback
from ringback.simulator.casting import join, voice_leg
from ringback.simulator.people import Agent, new_id

__all__ = [
    "agent_replaced",
    "customer_first",
    "dialled_early",
    "due_while_held",
    "failed",
    "held_call",
    "held_callback",
    "immediate",
    "inside_inbound",
    "not_reached",
    "ownership_expired",
    "preview_auto_dial",
    "preview_skipped",
    "queue_auto_dial",
    "redialled",
    "repeated_offers",
    "rescheduled",
    "rescheduled_after_dial",
    "scheduled",
    "several",
    "torn_down",
    "transferred",
    "transferred_while_held",
    "voicemail",
]

SKIPPED = "ININ-OUTBOUND-PREVIEW-SKIPPED"


def scheduled(world: World, callback: Callback) -> Script:
    """It is scheduled, released, and the customer is reached."""
    yield from come_due(world, callback)
    yield from reach(world, callback)


def immediate(world: World, callback: Callback) -> Script:
    """It waits at once, and the customer is reached."""
    callback.enqueue()
    yield from reach(world, callback)


def preview_auto_dial(world: World, callback: Callback) -> Script:
    """The agent looks at the preview until the platform dials."""
    callback.enqueue()
    yield from find_agent(world, callback)
    yield from dial(world, callback, leave_it_to_the_timer=True)
    yield from talk(world, callback)
    yield from part(world, callback)


def preview_skipped(world: World, callback: Callback) -> Script:
    """The agent looks at the preview and skips it."""
    callback.enqueue()
    yield from find_agent(world, callback)
    yield min(world.habits.thinking(), 6.0)
    callback.finish(SKIPPED, skipped=True)
    yield 0.3
    callback.close("peer")


def queue_auto_dial(world: World, callback: Callback) -> Script:
    """The queue's own timer dials."""
    yield from arrive(world, callback)
    yield from find_agent(world, callback)
    yield from dial(world, callback, leave_it_to_the_timer=True)
    yield from talk(world, callback)
    yield from part(world, callback)


def dialled_early(world: World, callback: Callback) -> Script:
    """The agent dials before the timer, hangs up, and the deadline passes without effect."""
    callback.enqueue()
    yield from find_agent(world, callback)
    yield min(world.habits.thinking(), 4.0)
    callback.dial()
    yield 0.4
    callback.ring()
    yield min(world.habits.ringing(), 5.0)
    callback.hang_up("system", 486)
    yield (callback.auto_dial_at or world.now) + timedelta(seconds=1)
    yield from dial(world, callback)
    yield from talk(world, callback)
    yield from part(world, callback)


def due_while_held(world: World, callback: Callback) -> Script:
    """The deadline passes on hold; the platform dials after the hold."""
    callback.enqueue()
    yield from find_agent(world, callback)
    yield min(world.habits.thinking(), 4.0)
    callback.hold(near=True, call=False)
    yield (callback.auto_dial_at or world.now) + timedelta(seconds=world.random.uniform(1, 6))
    callback.retrieve()
    yield world.random.uniform(0.3, 1.5)
    yield from dial(world, callback, leave_it_to_the_timer=True)
    yield from talk(world, callback)
    yield from part(world, callback)


def customer_first(world: World, callback: Callback) -> Script:
    """The platform calls the customer; an agent is bridged in if that works."""
    yield from arrive(world, callback)
    yield world.habits.pause(3)
    far = callback.hand_off()
    yield world.habits.ringing()
    if world.habits.chance(0.3):
        far.end(world.now, "system")
        callback.republish()
        return
    far.enter("connected", "Interact", world.now)
    callback.republish()
    agent = yield AgentWanted(callback.queue, None)
    if agent is not None:
        yield from bridge(world, callback, agent)
    far.end(world.now, "endpoint")
    callback.republish()


def bridge(world: World, callback: Callback, agent: Agent) -> Script:
    """Let an agent take the call that the platform placed: voice legs only."""
    conversation, customer = callback.conversation, callback.request.customer
    party = join(world, conversation, "agent", queue=callback.queue, customer=customer, agent=agent)
    leg = voice_leg(world, "alerting")
    party.calls.append(leg)
    callback.republish()
    yield world.habits.answering()
    leg.enter("connected", "Interact", world.now)
    callback.republish()
    yield world.habits.talking()
    leg.end(world.now, "peer")
    world.free(agent)


def voicemail(world: World, callback: Callback) -> Script:
    """The recording is uploaded meanwhile, or fails to be."""
    callback.enqueue()
    yield world.habits.pause(2)
    callback.store_voicemail("failed" if world.habits.chance(0.2) else "complete")
    yield from reach(world, callback)


def repeated_offers(world: World, callback: Callback) -> Script:
    """Two or three offers at least come to nothing."""
    yield from arrive(world, callback)
    yield from find_agent(world, callback, refusals=world.random.choice((2, 3)))
    yield from dial(world, callback)
    yield from talk(world, callback)
    yield from part(world, callback)


def not_reached(world: World, callback: Callback) -> Script:
    """The customer is busy or does not answer, and that is that."""
    yield from arrive(world, callback)
    yield from find_agent(world, callback)
    yield from dial(world, callback)
    yield from miss(world, callback)
    yield from part(world, callback)


def redialled(world: World, callback: Callback) -> Script:
    """The customer is not reached at first; the agent tries again."""
    yield from arrive(world, callback)
    yield from find_agent(world, callback)
    for _ in range(world.random.choice((1, 2))):
        yield from dial(world, callback)
        yield from miss(world, callback)
    yield from dial(world, callback)
    yield from talk(world, callback)
    yield from part(world, callback)


def held_callback(world: World, callback: Callback) -> Script:
    """The agent holds the callback itself, before dialling."""
    yield from arrive(world, callback)
    yield from find_agent(world, callback)
    for _ in range(world.random.choice((1, 2))):
        yield world.habits.pause(2)
        callback.hold(near=True, call=False)
        yield world.habits.holding()
        callback.retrieve()
    yield from dial(world, callback)
    yield from talk(world, callback)
    yield from part(world, callback)


def held_call(world: World, callback: Callback) -> Script:
    """The agent holds the call, again and again."""
    yield from arrive(world, callback)
    yield from find_agent(world, callback)
    yield from dial(world, callback)
    yield from talk(world, callback)
    for _ in range(world.random.choice((1, 2, 3))):
        callback.hold(near=world.habits.chance(0.6), call=True)
        yield world.habits.holding()
        callback.retrieve()
        yield world.habits.pause(6)
    yield from part(world, callback)


def transferred(world: World, callback: Callback) -> Script:
    """After a talk it goes to another queue, where another agent calls again."""
    yield from arrive(world, callback)
    yield from find_agent(world, callback)
    yield from dial(world, callback)
    yield from talk(world, callback)
    callback.transfer(world.other_queue(callback.queue))
    yield from reach(world, callback)


def transferred_while_held(world: World, callback: Callback) -> Script:
    """It goes to another queue while the callback or the call is on hold."""
    yield from arrive(world, callback)
    yield from find_agent(world, callback)
    if world.habits.chance(0.5):
        yield from dial(world, callback)
        yield from talk(world, callback)
    else:
        yield world.habits.pause(2)
    callback.hold(near=True, call=world.habits.chance(0.5))
    yield world.habits.holding()
    callback.transfer(world.other_queue(callback.queue))
    yield from reach(world, callback)


def agent_replaced(world: World, callback: Callback) -> Script:
    """A second agent takes over, before the call or during it, with or without a consultation."""
    yield from arrive(world, callback)
    yield from find_agent(world, callback)
    if world.habits.chance(0.5):
        yield from dial(world, callback)
        yield from talk(world, callback)
    other = world.free_agent(callback.queue)
    if other is not None and world.habits.chance(0.5):
        callback.pass_on(other)
    elif other is not None:
        yield from alert(world, callback, other)
    if other is not None:
        yield world.habits.answering()
        yield from accept(world, callback)
    if callback.call is None:
        yield from dial(world, callback)
        callback.answer()
    yield world.habits.talking()
    yield from part(world, callback)


def rescheduled(world: World, callback: Callback) -> Script:
    """The time is moved before it comes."""
    callback.schedule(later(world))
    for _ in range(world.random.choice((1, 2))):
        scheduled_at = callback.request.scheduled_at or world.now
        yield min(world.habits.pause(8), (scheduled_at - world.now).total_seconds() / 2)
        callback.reschedule(scheduled_at + timedelta(seconds=round(world.habits.lead()) + 1))
    yield from be_released(world, callback)
    yield from reach(world, callback)


def rescheduled_after_dial(world: World, callback: Callback) -> Script:
    """The customer is not reached and is to be called later."""
    yield from come_due(world, callback)
    yield from find_agent(world, callback)
    yield from dial(world, callback)
    yield from miss(world, callback)
    callback.postpone(later(world))
    yield from be_released(world, callback)
    yield from reach(world, callback)


def several(world: World, callback: Callback) -> Script:
    """The conversation holds two or three callbacks, one after another."""
    yield from arrive(world, callback)
    yield from reach(world, callback)
    for _ in range(world.random.choice((1, 2))):
        yield world.habits.pause(4)
        callback = world.follow_up(callback)
        yield from come_due(world, callback)
        yield from reach(world, callback)


def inside_inbound(world: World, callback: Callback) -> Script:
    """The customer phones in; during that call a callback is arranged."""
    conversation, customer = callback.conversation, callback.request.customer
    caller = join(world, conversation, "customer", queue=callback.queue, customer=customer)
    helper = join(world, conversation, "agent", queue=callback.queue, customer=customer)
    helper.user_id, helper.name, helper.attributes = new_id(world.random), "Helper", {}
    theirs, ours = (voice_leg(world, "connected", "inbound") for _ in range(2))
    ours.peer_id = theirs.id
    caller.calls.append(theirs)
    helper.calls.append(ours)
    callback.republish()
    yield world.habits.pause(6)
    callback.schedule(later(world), onto=caller)
    yield world.habits.pause(4)
    theirs.end(world.now, "client")
    ours.end(world.now, "peer")
    callback.republish()
    yield from be_released(world, callback)
    yield from reach(world, callback)


def failed(world: World, callback: Callback) -> Script:
    """The platform or the transport fails while an agent has it."""
    yield from arrive(world, callback)
    yield from find_agent(world, callback)
    yield world.habits.thinking()
    callback.close(world.random.choice(("error", "transport.failure")))


def torn_down(world: World, callback: Callback) -> Script:
    """The conversation is disconnected before the callback is due."""
    callback.schedule(later(world) + timedelta(seconds=30))
    yield world.habits.pause(8)
    callback.close("client")


def ownership_expired(world: World, callback: Callback) -> Script:
    """The owner never comes; the platform takes it out of the queue."""
    yield from come_due(world, callback)
    yield world.habits.pause(30)
    callback.close("timeout")
