from ringback.core.snapshots import Medium, Role, Sighting
from support.callbacks import Follower, agent, at, bare, call, customer, queue, reasons


def flat(participant: str, role: Role, state: str, **said: object) -> Sighting:
    """Show a leg as the flat shape does: without its communication id."""
    return Sighting(participant, None, role, Medium.CALLBACK, state, **said)  # type: ignore[arg-type] # a test's own facts


def legs(follower: Follower, callback: int = 0) -> list[tuple[str, str | None]]:
    found = follower.conversation.callbacks[callback].legs
    return [(leg.participant_id, leg.communication_id) for leg in found]


def test_a_read_after_flat_frames_finds_the_same_legs() -> None:
    follower = Follower()
    follower.follow(0, flat("p-customer", Role.CUSTOMER, "connected"), voice=False)
    follower.follow(1, customer(state="connected"), agent(state="alerting"), read_at=1)
    assert legs(follower) == [("p-customer", "k-customer"), ("p-agent-1", "k-agent-1")]
    follower.follow(2, flat("p-agent-1", Role.AGENT, "disconnected"), voice=False)
    assert len(legs(follower)) == 2
    assert not follower.callback.legs[1].live


def test_a_flat_participant_is_its_latest_callback_leg() -> None:
    follower = Follower()
    again = Sighting("p-agent-1", "k-again", Role.AGENT, Medium.CALLBACK, "alerting")
    follower.follow(0, customer(connected_at=0), agent(ended_at=5), again)
    follower.follow(1, flat("p-agent-1", Role.AGENT, "connected"), voice=False)
    assert follower.state == "connected"
    assert len(legs(follower)) == 3


def test_of_a_participant_with_several_legs_the_flat_one_was_the_latest() -> None:
    follower = Follower()
    follower.follow(0, customer(connected_at=0), flat("p-agent-1", Role.AGENT, "alerting"))
    again = Sighting("p-agent-1", "k-again", Role.AGENT, Medium.CALLBACK, "alerting")
    follower.follow(1, customer(connected_at=0), agent(ended_at=5), again)
    assert legs(follower)[1:] == [("p-agent-1", "k-again"), ("p-agent-1", "k-agent-1")]
    assert follower.state == "alerting"


def test_the_voice_leg_of_a_participant_is_another_leg_than_its_callback_leg() -> None:
    follower = Follower()
    follower.follow(0, customer(connected_at=0), call(state="dialing"), agent(connected_at=0))
    assert ("p-customer", "v-1") in legs(follower)
    assert ("p-customer", "k-customer") in legs(follower)


def test_a_new_customer_leg_starts_the_next_callback_of_the_conversation() -> None:
    follower = Follower()
    follower.follow(0, customer(connected_at=0))
    events = follower.follow(1, customer(connected_at=0), customer(2, state="scheduled"))
    assert [event.subject for event in events] == ["c-1.2"]
    assert [event.id for event in events] == ["c-1.2/1"]


def test_a_customer_who_has_a_second_communication_starts_the_next_callback_too() -> None:
    follower = Follower()
    follower.follow(0, customer(connected_at=0, ended_at=5))
    again = Sighting("p-customer", "k-again", Role.CUSTOMER, Medium.CALLBACK, "scheduled")
    events = follower.follow(9, customer(connected_at=0, ended_at=5), again)
    assert [event.subject for event in events] == ["c-1.2"]


def test_two_callbacks_in_the_first_frame_are_two() -> None:
    follower = Follower()
    events = follower.follow(0, customer(connected_at=0, ended_at=1), customer(2, connected_at=2))
    assert [event.id for event in events] == ["c-1/1", "c-1.2/1"]


def test_other_legs_join_by_their_peer() -> None:
    follower = Follower()
    follower.follow(0, customer(connected_at=0), customer(2, connected_at=0))
    follower.follow(1, agent(state="alerting", peer_id="k-customer"))
    follower.follow(2, agent(2, state="alerting", peer_id="k-customer-2"))
    assert [("p-agent-1" in str(legs(follower, n))) for n in (0, 1)] == [True, False]
    assert [("p-agent-2" in str(legs(follower, n))) for n in (0, 1)] == [False, True]


def test_without_a_peer_they_join_the_callback_that_is_open() -> None:
    follower = Follower()
    follower.follow(0, customer(connected_at=0, ended_at=1), customer(2, connected_at=2))
    follower.follow(3, agent(state="alerting", peer_id=None))
    assert ("p-agent-1", "k-agent-1") in legs(follower, 1)


def test_a_call_of_a_known_participant_joins_that_participants_callback() -> None:
    follower = Follower()
    follower.follow(0, customer(connected_at=0), customer(2, connected_at=0))
    follower.follow(1, call(state="dialing"))
    assert ("p-customer", "v-1") in legs(follower, 0)


def test_an_agent_listed_before_the_customer_joins_the_right_callback() -> None:
    follower = Follower()
    over = (customer(connected_at=0, ended_at=5), agent(connected_at=0, ended_at=4))
    follower.follow(5, *over)
    second = agent(2, connected_at=20, peer_id="k-customer-2")
    events = follower.follow(20, second, *over, customer(2, connected_at=18))
    assert [event.subject for event in events] == ["c-1.2"]
    assert follower.state == "connected"
    assert not follower.conversation.callbacks[0].anomalous


def test_legs_seen_before_the_customers_are_of_the_same_callback() -> None:
    follower = Follower()
    follower.follow(0, agent(state="alerting"))
    follower.follow(1, agent(state="alerting"), customer(connected_at=0))
    assert len(follower.conversation.callbacks) == 1
    assert len(legs(follower)) == 2


def test_the_callback_leg_of_somebody_outside_is_the_customers() -> None:
    follower = Follower()
    follower.follow(0, Sighting("p-x", "k-x", Role.EXTERNAL, Medium.CALLBACK, "scheduled"))
    assert follower.state == "scheduled"
    assert follower.callback.legs[0].role is Role.CUSTOMER


def test_a_second_one_outside_is_nobody_special() -> None:
    follower = Follower()
    follower.follow(0, customer(connected_at=0))
    follower.follow(1, Sighting("p-x", "k-x", Role.EXTERNAL, Medium.CALLBACK, "connected"))
    assert len(follower.conversation.callbacks) == 1
    assert follower.callback.legs[1].role is Role.EXTERNAL


def test_a_bare_callback_is_keyed_by_its_own_id() -> None:
    follower = Follower()
    events = follower.follow(0, bare(state="scheduled", scheduled_at=60))
    assert [event.id for event in events] == ["c-1/1"]


def test_a_conversation_without_a_callback_is_none_of_ours() -> None:
    follower = Follower()
    assert follower.follow(0, call(state="connected")) == []
    assert len(follower.tracker.conversations) == 0
    assert follower.tracker.dropped["no_callback"] == 1


def test_a_call_whose_callback_is_forgotten_starts_nothing() -> None:
    follower = Follower()
    follower.follow(0, customer(connected_at=-9, ended_at=0))
    follower.wait(25 * 3600)
    assert follower.follow(26 * 3600, call(state="connected")) == []
    nobody = Sighting("p-9", "v-9", Role.AGENT, Medium.VOICE, "connected")
    assert follower.follow(26 * 3600, nobody) == []
    stranger = agent(9, state="connected", peer_id=None)
    assert follower.follow(26 * 3600, stranger) == []
    assert follower.tracker.dropped["tombstone"] == 3
    assert follower.conversation.callbacks == []


def test_old_legs_do_not_join_the_callback_that_follows_a_forgotten_one() -> None:
    follower = Follower()
    over = (
        customer(connected_at=0, ended_at=9),
        queue(connected_at=0, ended_at=2),
        agent(connected_at=2, ended_at=9),
        call(connected_at=3, ended_at=8),
    )
    follower.follow(9, *over)
    later = 25.0 * 3600
    follower.wait(later)
    second = (customer(2, connected_at=later), queue(2, connected_at=later, peer_id="k-customer-2"))
    events = follower.follow(later, *over, *second)
    follower.follow(later + 1, *over, *second)
    assert [event.id for event in events] == ["c-1.2/1"]
    assert [leg.participant_id for leg in follower.callback.legs] == [
        "p-customer-2",
        "p-queue-2",
    ]
    assert (follower.state, follower.callback.offers) == ("waiting", 0)


def test_a_second_offer_while_an_agent_has_it_is_an_update() -> None:
    follower = Follower()
    follower.follow(0, customer(connected_at=0), agent(connected_at=0))
    events = follower.follow(1, customer(connected_at=0), agent(2, state="alerting"))
    assert reasons(events) == ["offered"]
    assert follower.callback.first_seen_at == at(0)


def test_a_leg_without_a_peer_joins_the_open_callback_even_if_a_later_one_has_ended() -> None:
    follower = Follower()
    follower.follow(0, customer(connected_at=0), customer(2, connected_at=0, ended_at=1))
    follower.follow(3, agent(state="alerting", peer_id=None))
    assert ("p-agent-1", "k-agent-1") in legs(follower, 0)
