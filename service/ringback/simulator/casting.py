"""Brings new parties and new legs into a conversation. Ids come from the seeded random."""

from datetime import datetime
from random import Random
from typing import Protocol

from ringback.simulator.conversations import (
    CallbackLeg,
    Conversation,
    Participant,
    Request,
    VoiceLeg,
)
from ringback.simulator.people import Agent, Customer, Queue, new_id

__all__ = ["callback_leg", "join", "voice_leg"]


class Scene(Protocol):
    """When it is, and where chance comes from."""

    now: datetime
    random: Random


def join(
    scene: Scene,
    conversation: Conversation,
    purpose: str,
    *,
    queue: Queue | None,
    customer: Customer,
    agent: Agent | None = None,
) -> Participant:
    """Add a party without any communication yet."""
    name = customer.name if purpose in ("customer", "external") else None
    participant = Participant(
        id=new_id(scene.random),
        purpose=purpose,
        joined_at=scene.now,
        queue=queue,
        user_id=agent.id if agent else None,
        name=agent.name if agent else name,
        attributes={} if agent else customer.attributes,
    )
    conversation.participants.append(participant)
    return participant


def callback_leg(scene: Scene, state: str, request: Request, peer_id: str | None) -> CallbackLeg:
    """Make a part in a callback; `peer_id` is the customer's, None on the customer's own."""
    return CallbackLeg(
        id=new_id(scene.random),
        state=state,
        initial_state=state,
        began_at=scene.now,
        peer_id=peer_id,
        request=request,
    )


def voice_leg(scene: Scene, state: str, direction: str = "outbound") -> VoiceLeg:
    """Make a part in a call."""
    leg = VoiceLeg(
        id=new_id(scene.random),
        state=state,
        initial_state=state,
        began_at=scene.now,
        direction=direction,
    )
    leg.enter(state, "Interact" if state == "connected" else "Dialing", scene.now)
    return leg
