import pytest

from ringback.core.disconnects import normalise

SPELLINGS = {
    "unknown": ("UNKNOWN",),
    "endpoint": ("ENDPOINT",),
    "endpoint.dnd": ("endpoint.donotdisturb", "DND_ENDPOINT", "dndEndpoint"),
    "client": ("CLIENT",),
    "system": ("SYSTEM",),
    "timeout": ("TIMEOUT",),
    "transfer": ("TRANSFER",),
    "transfer.conference": ("CONFERENCE_TRANSFER", "conferenceTransfer"),
    "transfer.consult": ("CONSULT_TRANSFER", "consultTransfer"),
    "transfer.dnd": ("transfer.donotdisturb", "DND_TRANSFER", "dndTransfer"),
    "transfer.forward": ("FORWARD_TRANSFER", "forwardTransfer"),
    "transfer.noanswer": ("NO_ANSWER_TRANSFER", "noAnswerTransfer"),
    "transfer.notavailable": ("NOT_AVAILABLE_TRANSFER", "notAvailableTransfer"),
    "transport.failure": ("TRANSPORT_FAILURE", "transportFailure"),
    "error": ("ERROR",),
    "peer": ("PEER",),
    "other": ("OTHER",),
    "spam": ("SPAM",),
    "uncallable": ("UNCALLABLE",),
    "inactivity": ("INACTIVITY",),
    "session.expired": ("SESSION_EXPIRED", "sessionExpired"),
    "takeover": ("TAKEOVER",),
}


@pytest.mark.parametrize("canonical", SPELLINGS)
def test_all_spellings_of_one_type_become_one(canonical: str) -> None:
    assert {normalise(raw) for raw in (canonical, *SPELLINGS[canonical])} == {canonical}


@pytest.mark.parametrize("raw", ["", "quantum.leap", "Quantum_Leap", "transfer.of.power"])
def test_an_unknown_type_stays_as_it_came(raw: str) -> None:
    assert normalise(raw) == raw
