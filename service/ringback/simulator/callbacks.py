"""One simulated callback: every deed changes the platform's legs and the truth together.

A deed that the platform would show in one frame is one method and publishes once.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from random import Random
from typing import NamedTuple, Protocol

from ringback.simulator.casting import callback_leg, join, voice_leg
from ringback.simulator.conversations import (
    CallbackLeg,
    Conversation,
    Leg,
    Participant,
    Request,
    VoiceLeg,
)
from ringback.simulator.people import Agent, Queue
from ringback.simulator.truths import Ledger, State, Truth

__all__ = ["Callback", "Stage"]


class Stage(Protocol):
    """What a callback needs of the contact centre around it."""

    now: datetime
    random: Random

    def publish(self, conversation: Conversation) -> None:
        """Send out what the conversation looks like now."""

    def when_due(self, instant: datetime, act: Callable[[], None]) -> None:
        """Do something that only the clock brings about; it needs no frame and no person."""

    def free(self, agent: Agent) -> None:
        """Let an agent rest, then take the next callback."""


class Seat(NamedTuple):
    """An agent who has the callback, or is being offered it."""

    participant: Participant
    leg: CallbackLeg
    agent: Agent


class Callback:
    """A callback with its legs, and the truth about it."""

    def __init__(
        self, stage: Stage, conversation: Conversation, ordinal: int, kind: str, request: Request
    ) -> None:
        """Begin with nothing on the wire; `ordinal` counts from 1 within the conversation."""
        suffix = "" if ordinal == 1 else f".{ordinal}"
        self.id = conversation.id + suffix
        self.stage = stage
        self.conversation = conversation
        self.kind = kind
        self.request = request
        self.queue = conversation.queue
        self.customer: Participant | None = None
        self.customer_leg: CallbackLeg | None = None
        self.router_leg: CallbackLeg | None = None
        self.offered: Seat | None = None
        self.desk: Seat | None = None
        self.call: tuple[VoiceLeg, VoiceLeg] | None = None
        """The agent's voice leg and the customer's, while either lives."""
        self.ledger = Ledger()
        self.auto_dial_at: datetime | None = None
        self.auto_dial_due = False
        self.dialled = False
        """A voice leg has appeared for the agent who has it now."""

    # Before an agent has it

    def schedule(self, instant: datetime, onto: Participant | None = None) -> None:
        """Create it for later; `onto` is a customer who is in the conversation already."""
        self.request.schedule(instant, self.stage.now)
        self._create("scheduled", onto)
        self._enter(State.SCHEDULED)

    def enqueue(self, onto: Participant | None = None) -> None:
        """Create it for now: it waits for an agent at once."""
        self.ledger.released = True
        self._create("connected", onto)
        self._enter(State.WAITING)

    def reschedule(self, instant: datetime) -> None:
        """Move it while it is still scheduled."""
        self.request.schedule(instant, self.stage.now)
        self._publish()

    def release(self) -> None:
        """Let the platform put it into the queue."""
        self.ledger.released = True
        for leg in (self.customer_leg, self.router_leg):
            if leg is not None:
                leg.enter("connected", "Interact", self.stage.now)
        self._enter(State.WAITING)

    def store_voicemail(self, status: str) -> None:
        """Finish the upload of the customer's voicemail, well or badly."""
        if self.request.voicemail is not None:
            self.request.voicemail = {**self.request.voicemail, "uploadStatus": status}
        self._publish()

    def offer(self, agent: Agent, state: str = "alerting") -> None:
        """Offer it to an agent: a new participant each time."""
        self.ledger.offers += 1
        agent.busy = True
        leg = self._callback_leg(state)
        leg.alerted_at = self.stage.now if state == "alerting" else None
        leg.enter(state, "Alert", self.stage.now)
        participant = self._join("agent", agent)
        participant.callbacks.append(leg)
        self.offered = Seat(participant, leg, agent)
        self._enter(self._at_desk() if self.desk else State.ALERTING)

    def alert(self) -> None:
        """Let an offer that was being prepared ring."""
        if self.offered:
            self.offered.leg.state = "alerting"
            self.offered.leg.alerted_at = self.stage.now
        self._publish()

    def refuse(self, disconnect_type: str) -> None:
        """End the offer: `system` when nobody answered in time, `client` when declined."""
        self._withdraw_offer(disconnect_type)
        self._enter(self._at_desk() if self.desk else State.WAITING)

    # At an agent's desk

    def accept(self, *, connected_shown: bool = True) -> None:
        """Let the agent who is offered it take it, over from another if one still has it."""
        if self.offered is None:
            return
        if self.desk is not None:
            self._leave_desk("transfer")
        self.desk, self.offered = self.offered, None
        self.desk.leg.enter("connected", "Interact", self.stage.now)
        self.desk.leg.connected_shown = connected_shown
        if self.router_leg is not None:
            self.router_leg.end(self.stage.now, "transfer")
        self.ledger.connected = True
        self._arm(self.desk.leg)
        if self.call is not None:
            self._replace_voice()
        self._enter(self._at_desk())

    def show_connected(self) -> None:
        """Put the `connectedTime` that the first frame lacked into the next."""
        if self.desk:
            self.desk.leg.connected_shown = True
        self._publish()

    def dial(self) -> None:
        """Place a call to the customer: two new voice legs."""
        near = voice_leg(self.stage, "contacting")
        far = voice_leg(self.stage, "dialing")
        near.peer_id, far.peer_id = far.id, near.id
        if self.desk:
            self.desk.participant.calls.append(near)
        self._far_end().calls.append(far)
        self.call = near, far
        self.dialled = self.ledger.dialled = True
        self._enter(self._at_desk())

    def ring(self) -> None:
        """Connect the agent's side of the call; the customer's phone rings."""
        if self.call is not None:
            self.call[0].enter("connected", "Interact", self.stage.now)
            self.call[1].enter("contacting", None, self.stage.now)
        self._publish()

    def answer(self) -> None:
        """Let the customer pick up."""
        if self.call is not None:
            self.call[1].enter("connected", "Interact", self.stage.now)
        self.ledger.answered = True
        self._enter(self._at_desk())

    def hang_up(self, far_type: str = "endpoint", sip_code: int | None = None) -> None:
        """End the call; the agent keeps the callback."""
        self._end_call("peer", far_type, sip_code)
        self._enter(self._at_desk())

    def hold(self, *, near: bool, call: bool) -> None:
        """Hold the callback, or the call: the agent's side of it (`near`) or the customer's."""
        leg: Leg | None = self.desk.leg if self.desk else None
        if call and self.call is not None:
            leg = self.call[0] if near else self.call[1]
        if leg is not None:
            leg.hold(self.stage.now)
        self._enter(State.HELD)

    def retrieve(self) -> None:
        """Take off hold whatever is held."""
        for leg in self._desk_legs():
            if leg.hold_started_at is not None:
                leg.retrieve(self.stage.now)
        self._enter(self._at_desk())

    def transfer(self, queue: Queue) -> None:
        """Hand it to another queue, whose topics carry it from now on."""
        self._end_call("transfer", "transfer", None)
        self._leave_desk("transfer")
        self.conversation.queue = self.queue = queue
        self._route("connected")
        self._enter(State.WAITING)

    def pass_on(self, agent: Agent) -> None:
        """Hand it to another agent, leaving at once; a call that is on stays on."""
        if self.call is not None:
            self.call[0].end(self.stage.now, "transfer")
        self._leave_desk("transfer")
        self.offer(agent)

    def postpone(self, instant: datetime) -> None:
        """Give it back for a later time: it is scheduled again."""
        self._end_call("peer", "system", None)
        self._leave_desk("client")
        self.request.schedule(instant, self.stage.now)
        if self.customer_leg is not None:
            self.customer_leg.connected_at = None
            self.customer_leg.enter("scheduled", "Scheduled", self.stage.now)
        self._route("scheduled")
        self._enter(State.SCHEDULED)

    def finish(self, wrapup_code: str | None = None, *, skipped: bool = False) -> None:
        """End the agent's part; after-call work begins."""
        leg = self.desk.leg if self.desk else None
        self.ledger.skipped = self.ledger.skipped or skipped
        self._end_call("client", "peer", None)
        self._leave_desk("client")
        if leg is not None:
            leg.work_started_at = self.stage.now
            leg.wrapup_code = wrapup_code
        self._enter(State.AFTER_CALL_WORK)

    def wrap_up(self, wrapup_code: str) -> None:
        """End after-call work, which need not be where the callback ends."""
        worked = [
            leg
            for one in self.conversation.participants
            for leg in one.callbacks
            if leg.work_started_at is not None and leg.work_ended_at is None
        ]
        for leg in worked:
            leg.work_ended_at = self.stage.now
            leg.wrapup_code = leg.wrapup_code or wrapup_code
        self._publish()

    # The end

    def close(self, disconnect_type: str = "peer", *, terminated: bool = False) -> None:
        """End every leg that is left: the callback is over."""
        self._end_call(disconnect_type, disconnect_type, None)
        self._withdraw_offer(disconnect_type)
        self._leave_desk(disconnect_type)
        for leg in (self.router_leg, self.customer_leg):
            if leg is not None:
                state = "terminated" if terminated else "disconnected"
                leg.end(self.stage.now, disconnect_type, state)
        self._enter(State.DISCONNECTED)

    def hand_off(self) -> VoiceLeg:
        """Let the platform call the customer first: the callback ends as the dial-out starts."""
        far = voice_leg(self.stage, "contacting")
        if self.customer is not None:
            self.customer.calls.append(far)
        self.ledger.dialled = True
        self.close("peer")
        return far

    def republish(self) -> None:
        """Show the conversation again, changed or not: the platform does."""
        self._publish()

    def truth(self) -> Truth:
        """Tell what is true now. Call it only once something has happened."""
        since, state = self.ledger.visits[-1]
        holds = self.ledger.holds(self.stage.now)
        seat = self.desk or self.offered
        ended_by = self.customer_leg.disconnect_type if self.customer_leg else None
        automated = self.queue.customer_first or self.request.automated_config_id is not None
        over = state is State.DISCONNECTED
        return Truth(
            callback_id=self.id,
            conversation_id=self.conversation.id,
            kind=self.kind,
            state=state,
            state_without_voice=self._at_desk(voice=False) if self.desk else state,
            since=since,
            path=tuple(visited for _, visited in self.ledger.visits),
            offers=self.ledger.offers,
            hold_seconds=sum(holds),
            longest_hold_seconds=max(holds, default=0.0),
            scheduled_at=None if self.request.preview else self.request.scheduled_at,
            auto_dial_at=self.auto_dial_at,
            auto_dial_due=self.auto_dial_due,
            dialled=self.dialled,
            queue_id=self.queue.id,
            user_id=seat.agent.id if seat else None,
            outcome=self.ledger.outcome(ended_by, automated=automated) if over else None,
            disconnect_type=ended_by,
        )

    # What the deeds are made of

    def _publish(self) -> None:
        self.stage.publish(self.conversation)

    def _enter(self, state: State) -> None:
        self.ledger.enter(state, self.stage.now)
        self._publish()

    def _desk_legs(self, *, voice: bool = True) -> list[Leg]:
        callback = [self.desk.leg] if self.desk else []
        return [*callback, *(self.call or ())] if voice else [*callback]

    def _at_desk(self, *, voice: bool = True) -> State:
        """Say what goes on at the desk of the agent who has it."""
        if any(leg.hold_started_at for leg in self._desk_legs(voice=voice)):
            return State.HELD
        if voice and self.call:
            return State.TALKING if self.call[1].state == "connected" else State.DIALING
        if self.auto_dial_due and not (voice and self.dialled):
            return State.AUTO_DIALING
        return State.CONNECTED

    def _create(self, state: str, onto: Participant | None) -> None:
        self.customer = onto or self._join("customer", None)
        self.customer_leg = self._callback_leg(state)
        self.customer_leg.enter(state, _segment_of(state), self.stage.now)
        self.customer.callbacks.append(self.customer_leg)
        self._route(state)

    def _route(self, state: str) -> None:
        """Put it under the care of routing: the dialer for a preview at first, else the ACD."""
        first = self.router_leg is None
        purpose = "dialer" if self.request.preview and first else "acd"
        self.router_leg = self._callback_leg(state)
        self.router_leg.enter(state, _segment_of(state), self.stage.now)
        self._join(purpose, None).callbacks.append(self.router_leg)

    def _join(self, purpose: str, agent: Agent | None) -> Participant:
        queue = None if purpose == "external" else self.queue
        customer = self.request.customer
        return join(
            self.stage, self.conversation, purpose, queue=queue, customer=customer, agent=agent
        )

    def _callback_leg(self, state: str) -> CallbackLeg:
        peer_id = self.customer_leg.id if self.customer_leg else None
        return callback_leg(self.stage, state, self.request, peer_id)

    def _far_end(self) -> Participant:
        if self.conversation.voice_on_customer and self.customer is not None:
            return self.customer
        return self._join("external", None)

    def _replace_voice(self) -> None:
        """Bring the new agent into the call that the customer is still on."""
        if self.call is None or self.desk is None:
            return
        near = voice_leg(self.stage, "contacting")
        near.enter("connected", "Interact", self.stage.now)
        near.peer_id = self.call[1].id
        self.call[0].end(self.stage.now, "transfer")
        self.call[1].peer_id = near.id
        self.desk.participant.calls.append(near)
        self.call = near, self.call[1]
        self.dialled = True

    def _arm(self, leg: CallbackLeg) -> None:
        """Start the auto-dial timer of whoever has just accepted."""
        seconds = self.request.timeout_seconds or self.queue.auto_dial_seconds or 0
        self.auto_dial_at = self.stage.now + timedelta(seconds=seconds) if seconds else None
        self.auto_dial_due = self.dialled = False
        if self.auto_dial_at is None:
            return

        def fall_due() -> None:
            if self.desk and self.desk.leg is leg:
                self.auto_dial_due = True
                self.ledger.enter(self._at_desk(), self.stage.now)

        self.stage.when_due(self.auto_dial_at, fall_due)

    def _end_call(self, near_type: str, far_type: str, sip_code: int | None) -> None:
        if self.call is not None:
            near, far = self.call
            near.end(self.stage.now, near_type)
            far.end(self.stage.now, far_type)
            far.sip_code = sip_code
        self.call = None

    def _withdraw_offer(self, disconnect_type: str) -> None:
        if self.offered:
            self.offered.leg.end(self.stage.now, disconnect_type)
            self.stage.free(self.offered.agent)
        self.offered = None

    def _leave_desk(self, disconnect_type: str) -> None:
        if self.desk:
            self.desk.leg.end(self.stage.now, disconnect_type)
            self.stage.free(self.desk.agent)
        self.desk = self.auto_dial_at = None
        self.auto_dial_due = self.dialled = False


def _segment_of(state: str) -> str:
    return "Scheduled" if state == "scheduled" else "Interact"
