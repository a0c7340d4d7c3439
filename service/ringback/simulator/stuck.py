"""Scripts of callbacks that stay stuck until an administrator disconnects the conversation.

They stay so for the world's `stuck` time, which no speed shortens, because a tracker's own patience
is not shortened either.
"""

from datetime import timedelta

from ringback.simulator.acts import (
    AgentWanted,
    Script,
    World,
    arrive,
    dial,
    find_agent,
    later,
    talk,
)
from ringback.simulator.callbacks import Callback

__all__ = [
    "left_on_hold",
    "never_answered",
    "never_dialled",
    "never_offered",
    "never_reached",
    "never_released",
    "never_wrapped_up",
]


def be_cleared(world: World, callback: Callback) -> Script:
    """Stay stuck until an administrator disconnects the conversation."""
    yield world.stuck()
    callback.close(world.random.choice(("client", "system")))


def never_released(world: World, callback: Callback) -> Script:
    """It falls due and the platform does not notice."""
    callback.schedule(later(world))
    yield callback.request.scheduled_at or world.now
    yield from be_cleared(world, callback)


def never_offered(world: World, callback: Callback) -> Script:
    """It waits, and no agent is ever offered it."""
    yield from arrive(world, callback)
    yield from be_cleared(world, callback)


def never_answered(world: World, callback: Callback) -> Script:
    """Every offer is missed, with long silences between."""
    yield from arrive(world, callback)
    give_up_at = world.now + timedelta(seconds=world.stuck())
    while world.now < give_up_at:
        agent = yield AgentWanted(callback.queue, None)
        if agent is not None:
            callback.offer(agent)
            yield float(callback.queue.alerting_timeout_seconds)
            callback.refuse("system")
        yield world.random.uniform(2, 60)
    callback.close("system")


def never_dialled(world: World, callback: Callback) -> Script:
    """Also what becomes of an automatic call that never comes."""
    yield from arrive(world, callback)
    yield from find_agent(world, callback)
    yield from be_cleared(world, callback)


def never_reached(world: World, callback: Callback) -> Script:
    """The call is placed and neither answered nor given up."""
    yield from arrive(world, callback)
    yield from find_agent(world, callback)
    yield from dial(world, callback)
    yield from be_cleared(world, callback)


def left_on_hold(world: World, callback: Callback) -> Script:
    """The agent holds the call and forgets it."""
    yield from arrive(world, callback)
    yield from find_agent(world, callback)
    yield from dial(world, callback)
    yield from talk(world, callback)
    callback.hold(near=True, call=True)
    yield from be_cleared(world, callback)


def never_wrapped_up(world: World, callback: Callback) -> Script:
    """The agent's part ends, after-call work does not."""
    yield from arrive(world, callback)
    yield from find_agent(world, callback)
    yield from dial(world, callback)
    yield from talk(world, callback)
    callback.finish()
    yield from be_cleared(world, callback)
