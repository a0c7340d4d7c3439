"""What a customer asks for, as the scenario needs it."""

from random import Random

from ringback.simulator.conversations import Request
from ringback.simulator.kinds import Kind
from ringback.simulator.people import Agent, chance, draw_customer, new_id

__all__ = ["draw_request"]

PREVIEWS = {Kind.PREVIEW_AUTO_DIAL, Kind.PREVIEW_MANUAL, Kind.PREVIEW_SKIPPED}
OWNED = {Kind.AGENT_OWNED, Kind.OWNERSHIP_EXPIRED}


def draw_request(random: Random, kind: Kind, owners: list[Agent]) -> Request:
    """Draw a request for a callback; `owners` are the agents of its queue."""
    request = Request(
        customer=draw_customer(random),
        script_id=new_id(random),
        skip_enabled=chance(random, 0.8),
        owner_id=random.choice(owners).id if kind in OWNED else None,
        voicemail={"id": new_id(random), "uploadStatus": "pending"}
        if kind is Kind.VOICEMAIL
        else None,
    )
    if kind in PREVIEWS:
        request.preview = {
            "id": new_id(random),
            "contactId": new_id(random),
            "contactListId": new_id(random),
            "campaignId": new_id(random),
            "phoneNumberColumns": [
                {"columnName": "Mobile", "type": "cell"},
                {"columnName": "Home", "type": "home"},
            ],
        }
    if kind is Kind.PREVIEW_AUTO_DIAL:
        request.timeout_seconds = random.choice((8, 12, 20))
    if kind is Kind.CUSTOMER_FIRST and chance(random, 0.5):
        request.automated_config_id = new_id(random)
    return request
