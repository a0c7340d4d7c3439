"""The contact centre itself: a seeded discrete-event simulation, without a clock of its own.

`advance(until)` plays everything up to an instant and gives what the platform sent meanwhile. The
same seed, start and options give the same run, byte for byte, however finely it is advanced.
"""

import heapq
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import count
from random import Random

from msgspec import Raw

from ringback.core.snapshots import QueueSettings
from ringback.simulator import frames
from ringback.simulator.acts import AgentWanted, Script, World
from ringback.simulator.callbacks import Callback
from ringback.simulator.conversations import Conversation, Request
from ringback.simulator.kinds import Kind, Profile
from ringback.simulator.options import Options
from ringback.simulator.people import Agent, Habits, Queue, chance, make_agents, make_queues, new_id
from ringback.simulator.requests import draw_request
from ringback.simulator.scenarios import SCENARIOS
from ringback.simulator.staff import Staff
from ringback.simulator.truths import Truth

__all__ = ["ContactCentre", "Emission"]

SHORTEST_ARRIVAL_SECONDS = 0.001
"""From one customer to the next: time goes on however many are said to come."""


@dataclass(frozen=True, slots=True)
class Emission:
    """One frame, and when it is sent."""

    at: datetime
    conversation_id: str
    topic: str
    frame: bytes
    binary: bool = False
    """To be sent as a binary websocket message: only damage does that."""


@dataclass(order=True, slots=True)
class Appointment:
    """Something that will happen."""

    at: datetime
    order: int
    act: Callable[[], None] = field(compare=False)
    by_clock: bool = field(compare=False, default=False)
    """The clock alone brings it about, whatever people and platform do."""


@dataclass(slots=True, eq=False)
class Scene:
    """One conversation on stage."""

    conversation: Conversation
    callbacks: list[Callback]
    kind: Kind
    script: Script
    turn: int = 0
    """How often the script was told to go on; only the last time counts."""
    over: bool = False
    ended_at: datetime | None = None


class ContactCentre:
    """Queues, agents and customers, what the platform sends about them, and the truth."""

    def __init__(self, seed: int, start: datetime, options: Options | None = None) -> None:
        """Open at `start` (aware, UTC), after the options' warm-up."""
        self.options = options or Options()
        self.random = Random(seed)
        self.habits = Habits(self.random, self.options.speed)
        self.clocks = frames.Clocks(self.options.cloud_skew, self.options.provider_skew)
        self.queues = make_queues(self.random, self.options.queues)
        self.agents = make_agents(self.random, self.options.agents, self.queues)
        self.staff = Staff[Scene](self.agents)
        self.codes = [new_id(self.random) for _ in range(5)]
        self.halted = False
        self.wanted: Callable[[str], bool] | None = None
        """Asked of every topic whether anybody listens, if there is anyone to ask: then nothing is
        made for other topics. Otherwise the options say which topics there are."""
        start = start.replace(microsecond=start.microsecond // 1000 * 1000)
        self.now = start - self.options.warm_up
        self._order = count()
        self._agenda: list[Appointment] = []
        self._live: dict[str, Scene] = {}
        self._ended: dict[str, Scene] = {}
        self._emitted: list[Emission] = []
        self._arrive()
        self._warm_up(start)

    # What others ask of it

    @property
    def next_at(self) -> datetime | None:
        """When something happens next; None when nothing ever will."""
        if self._emitted:
            return self._emitted[0].at
        return self._agenda[0].at if self._agenda else None

    def advance(self, until: datetime) -> list[Emission]:
        """Play all that happens up to and including `until`; give what was sent, in order."""
        while self._agenda and self._agenda[0].at <= until:
            appointment = heapq.heappop(self._agenda)
            self.now = appointment.at
            appointment.act()
        self.now = max(self.now, until)
        emitted, self._emitted = self._emitted, []
        return emitted

    def truth(self) -> dict[str, Truth]:
        """Tell what is true at `now` of every callback that is live or remembered."""
        return {
            callback.id: callback.truth()
            for scene in self._scenes()
            for callback in scene.callbacks
            if callback.ledger.visits
        }

    def latest_frames(self, *, ended: bool = True) -> list[Emission]:
        """Show every conversation that is live, or remembered though ended, as it is now."""
        scenes = self._scenes() if ended else self._live.values()
        return [one for scene in scenes for one in self._show(scene.conversation, None)]

    @property
    def live(self) -> int:
        """How many conversations are live."""
        return len(self._live)

    def conversations(
        self, *, ended: bool = True, ended_after: datetime | None = None
    ) -> list[Conversation]:
        """Give every conversation that is live; and with `ended`, those that are remembered.

        `ended_after` leaves out those that had ended by then.
        """
        found = [scene.conversation for scene in self._live.values()]
        for scene in reversed(self._ended.values()) if ended else ():
            if ended_after and scene.ended_at and scene.ended_at <= ended_after:
                break
            found.append(scene.conversation)
        return found

    def rest_conversation(self, conversation_id: str) -> bytes | None:
        """Read a conversation as `GET /api/v2/conversations/{id}` does; None: there is none."""
        scene = self._recall(conversation_id)
        return None if scene is None else frames.rest_conversation(scene.conversation, self.clocks)

    def rest_callbacks(self, conversation_id: str) -> bytes | None:
        """Read it as `GET /api/v2/conversations/callbacks/{id}` does; None: there is none."""
        scene = self._recall(conversation_id)
        if scene is None or not scene.conversation.has_callback:
            return None
        return frames.rest_callbacks(scene.conversation, self.clocks)

    def bare_callbacks(self) -> list[bytes]:
        """Show the customer's leg of every callback as the SDK's bare `Callback`."""
        return [
            frames.bare_callback(callback.customer_leg, self.clocks)
            for scene in self._scenes()
            for callback in scene.callbacks
            if callback.customer_leg is not None
        ]

    def queue_settings(self) -> list[QueueSettings]:
        """Give what a tracker must know of the queues, for it is not in the frames."""
        return [
            QueueSettings(
                queue.id,
                queue.auto_dial_seconds,
                queue.customer_first,
                queue.alerting_timeout_seconds,
                queue.owned_hours,
                name=queue.name,
            )
            for queue in self.queues
        ]

    def halt(self) -> None:
        """Let nobody do anything any more; only the clock goes on, and what it alone brings."""
        self.halted = True
        self._agenda = [one for one in self._agenda if one.by_clock]
        heapq.heapify(self._agenda)

    # What scripts and callbacks ask of it

    def publish(self, conversation: Conversation) -> None:
        """Send the whole conversation out."""
        conversation.revision += 1
        conversation.changed_at = self.now
        self._emitted.extend(self._show(conversation, self.wanted))

    def when_due(self, instant: datetime, act: Callable[[], None]) -> None:
        """Do something that only the clock brings about."""
        self._appoint(instant, act, by_clock=True)

    def free(self, agent: Agent) -> None:
        """Let an agent rest, then take what has waited longest."""
        self._appoint(self._in(self.habits.pause(4)), lambda: self._return(agent))

    def free_agent(self, queue: Queue) -> Agent | None:
        """Take an agent who is free now, if there is one."""
        agents = self.staff.free(AgentWanted(queue, None))
        agent = self.random.choice(agents) if agents else None
        if agent is not None:
            agent.busy = True
        return agent

    def other_queue(self, queue: Queue) -> Queue:
        """Give an agent-first queue, another one if there is one."""
        others = [one for one in self.queues if not one.customer_first and one is not queue]
        return self.random.choice(others or [queue])

    def follow_up(self, callback: Callback) -> Callback:
        """Begin the next callback of the same conversation, for the same customer."""
        scene = self._live[callback.conversation.id]
        request = replace(callback.request, scheduled_at=None, moves=[])
        following = Callback(
            self, scene.conversation, len(scene.callbacks) + 1, scene.kind, request
        )
        scene.callbacks.append(following)
        return following

    def stuck(self) -> float:
        """How many seconds what is stuck stays so."""
        return self.options.stuck_seconds * self.random.uniform(0.6, 1.4)

    def wrapup_code(self) -> str:
        """Give one of the centre's wrap-up codes."""
        return self.random.choice(self.codes)

    # What interventions are made of

    def scene(self, conversation_id: str) -> Scene | None:
        """Give a conversation on stage."""
        return self._live.get(conversation_id)

    def new_conversation(self, queue: Queue) -> Conversation:
        """Make one with nobody in it yet."""
        return Conversation(
            id=new_id(self.random),
            started_at=self.now,
            queue=queue,
            voice_on_customer=chance(self.random, 0.5),
        )

    def begin(
        self,
        conversation: Conversation,
        kind: Kind,
        request: Request,
        play: Callable[[World, Callback], Script],
    ) -> None:
        """Put a conversation on stage."""
        callback = Callback(self, conversation, 1, kind, request)
        scene = Scene(conversation, [callback], kind, play(self, callback))
        self._live[conversation.id] = scene
        self._resume(scene, None)

    def nudge(self, scene: Scene) -> None:
        """Let a script that waits for an instant look again."""
        self._go_on(scene, self.now)

    def strike(self, scene: Scene) -> None:
        """Break a script off; what it has left of the conversation stays as it is."""
        scene.script.close()
        self._lower_curtain(scene)

    # How it goes on

    def _scenes(self) -> Iterable[Scene]:
        return [*self._ended.values(), *self._live.values()]

    def _recall(self, conversation_id: str) -> Scene | None:
        return self._live.get(conversation_id) or self._ended.get(conversation_id)

    def _warm_up(self, start: datetime) -> None:
        """Play the time before the start unseen; what lives at the start is shown then."""
        self.advance(start)
        self._ended.clear()
        for scene in self._live.values():
            self.publish(scene.conversation)

    def _in(self, seconds: float) -> datetime:
        return self.now + timedelta(seconds=seconds)

    def _appoint(self, at: datetime, act: Callable[[], None], *, by_clock: bool = False) -> None:
        if by_clock or not self.halted:
            # Upwards to the millisecond: no earlier than asked, and as exact as what is shown.
            at += timedelta(microseconds=-at.microsecond % 1000)
            entry = Appointment(max(at, self.now), next(self._order), act, by_clock)
            heapq.heappush(self._agenda, entry)

    def _arrive(self) -> None:
        """Let the next customer ask for a callback."""
        if len(self._live) < self.options.max_live:
            self._raise_curtain()
        rate = self.options.arrivals_per_minute * self.options.speed / 60
        wait = max(self.random.expovariate(rate), SHORTEST_ARRIVAL_SECONDS)
        self._appoint(self._in(wait), self._arrive)

    def _raise_curtain(self) -> None:
        mix = self.options.mix or {kind: one.weight for kind, one in SCENARIOS.items()}
        kind = Kind(self.random.choices(list(mix), list(mix.values()))[0])
        scenario = SCENARIOS[kind]
        fitting = [one for one in self.queues if _fits(one, scenario.profile)]
        if not fitting:
            return
        queue = self.random.choice(fitting)
        conversation = self.new_conversation(queue)
        request = draw_request(self.random, kind, self.staff.serving(queue))
        self.begin(conversation, kind, request, scenario.play)

    def _resume(self, scene: Scene, agent: Agent | None) -> None:
        """Let a script go on until it waits again."""
        try:
            wish = scene.script.send(agent)
        except StopIteration:
            self._lower_curtain(scene)
            return
        match wish:
            case AgentWanted():
                agents = self.staff.free(wish)
                if agents:
                    self._assign(scene, self.random.choice(agents))
                else:
                    self.staff.wait(wish, scene)
            case datetime():
                self._go_on(scene, wish)
            case seconds:
                self._go_on(scene, self._in(seconds))

    def _return(self, agent: Agent) -> None:
        """Give an agent who is free again to whoever has waited longest."""
        agent.busy = False
        scene = self.staff.next_for(agent)
        if scene is not None:
            self._assign(scene, agent)

    def _assign(self, scene: Scene, agent: Agent) -> None:
        agent.busy = True
        self._go_on(scene, self.now, agent)

    def _go_on(self, scene: Scene, at: datetime, agent: Agent | None = None) -> None:
        """Let a script go on at an instant, unless it was told otherwise by then."""
        scene.turn += 1
        turn = scene.turn

        def resume() -> None:
            if turn == scene.turn and not scene.over:
                self._resume(scene, agent)
            elif agent is not None:
                self.free(agent)

        self._appoint(at, resume)

    def _lower_curtain(self, scene: Scene) -> None:
        scene.over, scene.ended_at = True, self.now
        del self._live[scene.conversation.id]
        self._ended[scene.conversation.id] = scene
        while len(self._ended) > self.options.remember:
            del self._ended[next(iter(self._ended))]

    def _show(
        self, conversation: Conversation, wanted: Callable[[str], bool] | None
    ) -> Iterable[Emission]:
        options = self.options
        prefixes = [f"v2.routing.queues.{conversation.queue.id}"]
        if options.user_topics or wanted is not None:
            prefixes += [f"v2.users.{user_id}" for user_id in conversation.user_ids]
        generic = flat = None
        for prefix in prefixes:
            topic = f"{prefix}.conversations"
            if options.generic if wanted is None else wanted(topic):
                generic = generic or frames.generic_body(conversation, self.clocks)
                yield self._emission(conversation, topic, generic)
            topic = f"{prefix}.conversations.callbacks"
            if conversation.has_callback and (options.flat if wanted is None else wanted(topic)):
                flat = flat or frames.flat_body(conversation, self.clocks)
                yield self._emission(conversation, topic, flat)

    def _emission(self, conversation: Conversation, topic: str, body: Raw) -> Emission:
        frame = frames.envelope(conversation, topic, body)
        return Emission(self.now, conversation.id, topic, frame)


def _fits(queue: Queue, profile: Profile) -> bool:
    match profile:
        case Profile.CUSTOMER_FIRST:
            return queue.customer_first
        case Profile.AUTO_DIAL:
            return queue.auto_dial_seconds is not None
        case Profile.PLAIN:
            return not queue.customer_first and queue.auto_dial_seconds is None
