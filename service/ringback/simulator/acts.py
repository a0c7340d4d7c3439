"""The pieces that scenarios are made of, and the world in which they are played.

A script is a generator. It waits by yielding a pause in seconds, an instant, or a wish for a free
agent (who is sent back in).
"""

from collections.abc import Generator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from ringback.simulator.callbacks import Callback, Stage
from ringback.simulator.people import Agent, Habits, Queue

__all__ = [
    "AgentWanted",
    "Script",
    "World",
    "accept",
    "alert",
    "arrive",
    "be_released",
    "come_due",
    "dial",
    "find_agent",
    "later",
    "miss",
    "part",
    "reach",
    "talk",
]


@dataclass(frozen=True, slots=True)
class AgentWanted:
    """Wait until an agent of the queue is free; with an owner, until that one is."""

    queue: Queue
    owner_id: str | None


Wish = float | datetime | AgentWanted
Script = Generator[Wish, Agent | None, None]


class World(Stage, Protocol):
    """The contact centre as a script sees it."""

    habits: Habits

    def free_agent(self, queue: Queue) -> Agent | None:
        """Take an agent who is free now, if there is one."""

    def other_queue(self, queue: Queue) -> Queue:
        """Give an agent-first queue to transfer to."""

    def follow_up(self, callback: Callback) -> Callback:
        """Begin the next callback of the same conversation."""

    def stuck(self) -> float:
        """How many seconds what is stuck stays so."""

    def wrapup_code(self) -> str:
        """Give one of the centre's wrap-up codes."""


def come_due(world: World, callback: Callback) -> Script:
    """Schedule it and let it be released."""
    callback.schedule(later(world))
    yield from be_released(world, callback)


def be_released(world: World, callback: Callback) -> Script:
    """Wait for the scheduled time and for the platform to notice."""
    while True:
        due = callback.request.scheduled_at or world.now
        yield due
        if (callback.request.scheduled_at or world.now) > world.now:
            continue  # it was rescheduled meanwhile
        yield world.habits.release_lag()
        if (callback.request.scheduled_at or world.now) <= world.now:
            break
    callback.release()


def later(world: World) -> datetime:
    """Choose a time, to the second as people do."""
    moment = world.now + timedelta(seconds=world.habits.lead())
    return moment.replace(microsecond=0) + timedelta(seconds=1)


def arrive(world: World, callback: Callback) -> Script:
    """Reach the queue either way."""
    if world.habits.chance(0.5):
        yield from come_due(world, callback)
    else:
        callback.enqueue()


def find_agent(world: World, callback: Callback, refusals: int = 0) -> Script:
    """Offer it until an agent accepts; at least `refusals` offers come to nothing."""
    habits, refused = world.habits, 0
    while True:
        yield habits.pause(0.6)
        agent = yield AgentWanted(callback.queue, callback.request.owner_id)
        if agent is None:
            continue
        yield from alert(world, callback, agent)
        if refused >= refusals and not habits.chance(0.1):
            break
        refused += 1
        yield from be_refused(world, callback)
    yield habits.answering()
    yield from accept(world, callback)


def alert(world: World, callback: Callback, agent: Agent) -> Script:
    """Make the offer, which at times is prepared before it rings."""
    if world.habits.chance(0.1):
        callback.offer(agent, "offering")
        yield 0.2
        callback.alert()
    else:
        callback.offer(agent)


def be_refused(world: World, callback: Callback) -> Script:
    """Let the offered agent decline, or miss it."""
    if world.habits.chance(0.4):
        yield world.habits.answering()
        callback.refuse("client")
    else:
        yield float(callback.queue.alerting_timeout_seconds)
        callback.refuse("system")


def accept(world: World, callback: Callback) -> Script:
    """Let the offered agent accept; at times the first frame lacks `connectedTime`."""
    shown = not world.habits.chance(0.1)
    callback.accept(connected_shown=shown)
    if not shown:
        yield 0.3
        callback.show_connected()


def dial(world: World, callback: Callback, *, leave_it_to_the_timer: bool = False) -> Script:
    """Place the call: the agent, or the platform when its timer is up first."""
    yield from set_off(world, callback, leave_it_to_the_timer=leave_it_to_the_timer)
    callback.dial()
    yield 0.4
    callback.ring()
    yield world.habits.ringing()


def set_off(world: World, callback: Callback, *, leave_it_to_the_timer: bool) -> Script:
    """Wait for whichever places the call."""
    thought = world.now + timedelta(seconds=world.habits.thinking())
    if world.habits.chance(0.1):
        yield 0.5
        callback.republish()
    due = callback.auto_dial_at
    if due is not None and (leave_it_to_the_timer or due <= thought):
        yield due
        yield world.random.uniform(0.2, 1.5)
    else:
        yield thought


def talk(world: World, callback: Callback) -> Script:
    """Let the customer answer, and talk."""
    callback.answer()
    yield world.habits.talking()


def miss(world: World, callback: Callback) -> Script:
    """Let the call fail: busy, or not answered."""
    callback.hang_up("system", world.random.choice((486, 480, 603)))
    yield world.habits.pause(2)


def part(world: World, callback: Callback) -> Script:
    """End the call and the agent's part, do the after-call work, and close."""
    habits = world.habits
    if callback.call is not None and habits.chance(0.7):
        callback.hang_up()
        yield habits.pause(1.5)
    callback.finish()
    closes_first = habits.chance(0.3)
    if closes_first:
        yield 0.4
        callback.close("peer")
    yield habits.wrapping_up()
    callback.wrap_up(world.wrapup_code())
    if not closes_first:
        yield 0.3
        callback.close("peer", terminated=habits.chance(0.2))


def reach(world: World, callback: Callback) -> Script:
    """Go all the way from the queue to the end."""
    yield from find_agent(world, callback)
    yield from dial(world, callback)
    yield from talk(world, callback)
    yield from part(world, callback)
