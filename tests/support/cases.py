"""For each rule a callback that gets stuck its way: what happens, for how long, and what ends it.

A script stays stuck for `stay` seconds, from the instant that it marks; where a rule counts, one
too few happen unless `enough`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from ringback.simulator.acts import AgentWanted, Script, World
from ringback.simulator.callbacks import Callback
from ringback.simulator.centre import ContactCentre
from ringback.simulator.conversations import Request
from ringback.simulator.kinds import Kind
from ringback.simulator.people import Customer, draw_customer, new_id

__all__ = ["CASES", "Case", "Stuck", "plant", "waiting"]

UPLOADING = {"id": "voicemail", "uploadStatus": "pending"}
PREVIEW: dict[str, object] = {"id": "preview", "campaignId": "campaign"}


@dataclass
class Stuck:
    """How one callback is to be stuck, and since when it is."""

    stay: float
    enough: bool = True
    since: datetime | None = None


Play = Callable[[World, Callback, Stuck], Script]


@dataclass(frozen=True)
class Case:
    """A way to be stuck, and what ends it."""

    play: Play
    reason: str
    preview: bool = False
    voicemail: bool = False
    auto_dial: bool = False
    """Whether its queue dials by itself."""
    usual_wait: int = 0
    """How many seconds callbacks of its queue have waited before."""
    owned_hours: int | None = None
    """For how long its queue lets a callback wait for its owner."""
    beside: frozenset[str] = frozenset()
    """Other rules that may find it as well."""


def plant(centre: ContactCentre, case: Case, stuck: Stuck, customer: Customer | None = None) -> str:
    """Begin a callback that gets stuck; give its id."""
    queue = next(
        one
        for one in centre.queues
        if not one.customer_first and (one.auto_dial_seconds is not None) is case.auto_dial
    )
    queue.owned_hours = case.owned_hours or queue.owned_hours
    request = Request(
        customer=customer or draw_customer(centre.random),
        script_id=new_id(centre.random),
        preview=dict(PREVIEW) if case.preview else None,
        voicemail=dict(UPLOADING) if case.voicemail else None,
        owner_id=centre.staff.serving(queue)[0].id if case.owned_hours else None,
    )
    conversation = centre.new_conversation(queue)
    centre.begin(
        conversation, Kind.IMMEDIATE, request, lambda world, one: case.play(world, one, stuck)
    )
    return conversation.id


def offered(world: World, callback: Callback) -> Script:
    agent = None
    while agent is None:
        agent = yield AgentWanted(callback.queue, None)
    callback.offer(agent)


def accepted(world: World, callback: Callback) -> Script:
    callback.enqueue()
    yield 5.0
    yield from offered(world, callback)
    yield 3.0
    callback.accept()


def talking(world: World, callback: Callback) -> Script:
    yield from accepted(world, callback)
    yield 5.0
    callback.dial()
    yield 5.0
    callback.answer()


def end(world: World, callback: Callback) -> Script:
    yield 2.0
    callback.close()


def taken(world: World, callback: Callback) -> Script:
    """Let the agent who is offered it next accept at once."""
    yield from offered(world, callback)
    callback.accept()
    yield from end(world, callback)


def due_not_released(world: World, callback: Callback, stuck: Stuck) -> Script:
    stuck.since = world.now + timedelta(seconds=60)
    callback.schedule(stuck.since)
    yield 60 + stuck.stay
    callback.release()
    yield from taken(world, callback)


def waiting(world: World, callback: Callback, stuck: Stuck) -> Script:
    callback.enqueue()
    stuck.since = world.now
    yield stuck.stay
    yield from taken(world, callback)


def waiting_though_offered(world: World, callback: Callback, stuck: Stuck) -> Script:
    """Wait, but be offered soon and every quarter of an hour."""
    callback.enqueue()
    stuck.since = world.now
    until = world.now + timedelta(seconds=stuck.stay)
    while (until - world.now).total_seconds() > 900:
        yield 870.0
        yield from offered(world, callback)
        yield 10.0
        callback.refuse("client")
    yield until
    yield from taken(world, callback)


def unanswered(world: World, callback: Callback, stuck: Stuck) -> Script:
    callback.enqueue()
    for _ in range(5 if stuck.enough else 4):
        yield 60.0
        yield from offered(world, callback)
        yield 30.0
        callback.refuse("system")
        stuck.since = world.now
    yield 60.0
    yield from offered(world, callback)
    yield 3.0
    callback.accept()
    yield from end(world, callback)


def not_offered_again(world: World, callback: Callback, stuck: Stuck) -> Script:
    callback.enqueue()
    yield 60.0
    yield from offered(world, callback)
    yield 30.0
    callback.refuse("system")
    stuck.since = world.now
    yield stuck.stay
    yield from offered(world, callback)
    yield 3.0
    callback.accept()
    yield from end(world, callback)


def alerting_too_long(world: World, callback: Callback, stuck: Stuck) -> Script:
    callback.enqueue()
    yield 60.0
    yield from offered(world, callback)
    timeout = callback.queue.alerting_timeout_seconds
    stuck.since = world.now + timedelta(seconds=timeout)
    yield timeout + stuck.stay
    callback.refuse("system")
    yield 30.0
    yield from taken(world, callback)


def not_dialled(world: World, callback: Callback, stuck: Stuck) -> Script:
    yield from accepted(world, callback)
    stuck.since = world.now
    yield stuck.stay
    callback.dial()
    yield 5.0
    callback.answer()
    yield from end(world, callback)


def auto_dial_missed(world: World, callback: Callback, stuck: Stuck) -> Script:
    yield from accepted(world, callback)
    stuck.since = (callback.auto_dial_at or world.now) + timedelta(seconds=15)
    yield stuck.since + timedelta(seconds=stuck.stay)
    callback.dial()
    yield 5.0
    callback.answer()
    yield from end(world, callback)


def dialing_too_long(world: World, callback: Callback, stuck: Stuck) -> Script:
    yield from accepted(world, callback)
    yield 5.0
    callback.dial()
    stuck.since = world.now
    yield stuck.stay
    callback.answer()
    yield from end(world, callback)


def held_too_long(world: World, callback: Callback, stuck: Stuck) -> Script:
    yield from talking(world, callback)
    yield 30.0
    callback.hold(near=True, call=True)
    stuck.since = world.now
    yield stuck.stay
    callback.retrieve()
    yield from end(world, callback)


def held_in_total(world: World, callback: Callback, stuck: Stuck) -> Script:
    """Hold again and again, never for long."""
    yield from talking(world, callback)
    held = 0.0
    while held < stuck.stay:
        yield 30.0
        callback.hold(near=True, call=True)
        stuck.since = world.now - timedelta(seconds=held)
        spell = min(480.0, stuck.stay - held)
        yield spell
        held += spell
        callback.retrieve()
    yield 60.0
    callback.finish()
    yield from end(world, callback)


def talking_too_long(world: World, callback: Callback, stuck: Stuck) -> Script:
    """Talk for long, with a hold in between."""
    yield from talking(world, callback)
    stuck.since = world.now
    yield stuck.stay - 60
    callback.hold(near=True, call=True)
    yield 60.0
    callback.finish()
    yield from end(world, callback)


def after_call_work_too_long(world: World, callback: Callback, stuck: Stuck) -> Script:
    yield from talking(world, callback)
    yield 60.0
    callback.finish()
    stuck.since = world.now
    yield stuck.stay
    callback.close()


def lost(world: World, callback: Callback, stuck: Stuck) -> Script:
    """End in the queue, or before it ever got there."""
    if stuck.enough:
        callback.enqueue()
    else:
        callback.schedule(world.now + timedelta(hours=1))
    yield 60.0
    callback.close("system")
    stuck.since = world.now


def not_reached(world: World, callback: Callback, stuck: Stuck) -> Script:
    """Another callback is begun for the same customer, but late."""
    yield from accepted(world, callback)
    yield 5.0
    callback.dial()
    yield 30.0
    callback.hang_up("system", 486)
    callback.finish()
    yield 5.0
    callback.close()
    stuck.since = world.now
    yield stuck.stay
    again = world.follow_up(callback)
    yield from talking(world, again)
    yield from end(world, again)


def too_old(world: World, callback: Callback, stuck: Stuck) -> Script:
    yield from talking(world, callback)
    callback.finish()
    stuck.since = world.now
    yield stuck.stay
    callback.close()


def rescheduled_often(world: World, callback: Callback, stuck: Stuck) -> Script:
    callback.schedule(world.now + timedelta(seconds=600))
    for number in range(5 if stuck.enough else 4):
        yield 30.0
        callback.reschedule(world.now + timedelta(seconds=600 + number))
        stuck.since = world.now
    yield 60.0
    callback.release()
    yield from taken(world, callback)


def voicemail_pending(world: World, callback: Callback, stuck: Stuck) -> Script:
    callback.enqueue()
    stuck.since = world.now
    yield stuck.stay
    callback.store_voicemail("complete")
    yield from taken(world, callback)


def ownership_expiring(world: World, callback: Callback, stuck: Stuck) -> Script:
    """Wait for the owner, who comes in the end."""
    callback.enqueue()
    stuck.since = world.now + timedelta(hours=2)
    yield stuck.since + timedelta(seconds=stuck.stay)
    yield from taken(world, callback)


LONG_WAIT = frozenset({"never_offered", "waiting_too_long", "waiting_unusually_long"})
CASES: Mapping[str, Case] = {
    "due_not_released": Case(due_not_released, "waiting"),
    "waiting_too_long": Case(
        waiting_though_offered,
        "connected",
        beside=frozenset({"waiting_unusually_long"}),
    ),
    "waiting_unusually_long": Case(
        waiting_though_offered, "connected", usual_wait=300, beside=frozenset({"waiting_too_long"})
    ),
    "never_offered": Case(waiting, "alerting", beside=LONG_WAIT - {"never_offered"}),
    "unanswered": Case(unanswered, "connected"),
    "not_offered_again": Case(
        not_offered_again,
        "alerting",
        beside=frozenset({"waiting_unusually_long", "waiting_too_long"}),
    ),
    "alerting_too_long": Case(alerting_too_long, "waiting"),
    "ownership_expiring": Case(ownership_expiring, "connected", owned_hours=2, beside=LONG_WAIT),
    "connected_not_dialled": Case(not_dialled, "dialing"),
    "preview_not_dialled": Case(not_dialled, "dialing", preview=True),
    "preview_waiting_too_long": Case(waiting, "connected", preview=True),
    "auto_dial_missed": Case(auto_dial_missed, "dialing", auto_dial=True),
    "dialing_too_long": Case(dialing_too_long, "talking"),
    "held_too_long": Case(held_too_long, "talking"),
    "held_in_total": Case(held_in_total, "after_call_work"),
    "talking_too_long": Case(talking_too_long, "after_call_work"),
    "after_call_work_too_long": Case(after_call_work_too_long, "ended: completed"),
    "lost": Case(lost, "told for long enough"),
    "not_reached": Case(not_reached, "called again"),
    "too_old": Case(too_old, "ended: completed", beside=frozenset({"after_call_work_too_long"})),
    "rescheduled_often": Case(rescheduled_often, "ended: unknown"),
    "voicemail_unplayable": Case(voicemail_pending, "playable", voicemail=True),
}
"""By the rule that finds it."""
