"""Who is in the contact centre: its queues, agents and customers, and how long people take.

All chance comes from the one `random.Random` handed in, so that a seed decides everything.
"""

import math
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

__all__ = [
    "Agent",
    "Customer",
    "Habits",
    "Queue",
    "chance",
    "draw_customer",
    "make_agents",
    "make_queues",
    "new_id",
]

FIRST_NAMES = (
    "Ada", "Bao", "Chidi", "Dana", "Elif", "Farid", "Greta", "Hana", "Ivo", "Jun", "Kofi", "Lea",
    "Mira", "Nils", "Oya", "Pia", "Quim", "Rosa", "Sven", "Tala", "Uma", "Vera", "Wim", "Yara",
)  # fmt: skip
LAST_NAMES = (
    "Abara", "Brandt", "Castillo", "Dubois", "Eriksen", "Fontaine", "Garcia", "Hughes", "Ito",
    "Jansen", "Kowalski", "Lindqvist", "Moreau", "Novak", "Okafor", "Petrov", "Rossi", "Schmidt",
    "Tanaka", "Usman", "Vogel", "Weber", "Yilmaz", "Zieliński",
)  # fmt: skip
QUEUE_NAMES = ("Sales", "Support", "Claims", "Billing", "Returns", "Onboarding", "Loans", "Travel")
TOPICS = ("invoice", "delivery", "new contract", "complaint", "password", "appointment")


@dataclass(slots=True, eq=False)
class Queue:
    """A routing queue with what matters to callbacks. None of it but its id is on the wire.

    Its settings may be changed at any time.
    """

    id: str
    name: str
    auto_dial_seconds: int | None = None
    """`autoDialDelaySeconds` when `enableAutoDialAndEnd` is on, else None."""
    customer_first: bool = False
    alerting_timeout_seconds: int = 30
    division: str = "Home"
    owned_hours: int | None = None
    """`maxOwnedCallbackHours` when agents may own callbacks, else None."""


@dataclass(slots=True, eq=False)
class Agent:
    """A member of one or more queues. Handles one callback at a time."""

    id: str
    name: str
    queue_ids: frozenset[str]
    busy: bool = False


@dataclass(frozen=True, slots=True)
class Customer:
    """Who asked to be called back."""

    name: str
    number: str
    """E.164, of the range kept for fiction."""
    attributes: dict[str, str]


def chance(random: Random, probability: float) -> bool:
    """Decide by chance."""
    return random.random() < probability


def new_id(random: Random) -> str:
    """Draw a UUID of version 4."""
    return str(uuid.UUID(int=random.getrandbits(128), version=4))


def make_queues(random: Random, count: int) -> list[Queue]:
    """Make queues in turn: agent first, auto-dial, customer first, agent first, and so on."""

    def settings() -> Iterator[tuple[int | None, bool]]:
        while True:
            yield None, False
            yield random.choice((12, 20)), False
            yield None, True
            yield None, False

    return [
        Queue(
            id=new_id(random),
            name=f"{QUEUE_NAMES[number % len(QUEUE_NAMES)]} {number // len(QUEUE_NAMES) + 1}",
            auto_dial_seconds=auto_dial_seconds,
            customer_first=customer_first,
        )
        for number, (auto_dial_seconds, customer_first) in zip(
            range(count), settings(), strict=False
        )
    ]


def make_agents(random: Random, count: int, queues: list[Queue]) -> list[Agent]:
    """Make agents who serve three queues each, every queue being served by someone."""
    return [
        Agent(
            id=new_id(random),
            name=draw_name(random),
            # One agent must be able to serve alone, so the first serves every queue.
            queue_ids=frozenset(queue.id for queue in queues)
            if number == 0
            else frozenset(queue.id for queue in random.sample(queues, k=min(3, len(queues)))),
        )
        for number in range(count)
    ]


def draw_name(random: Random) -> str:
    """Draw a person's name."""
    return f"{random.choice(FIRST_NAMES)} {random.choice(LAST_NAMES)}"


def draw_customer(random: Random) -> Customer:
    """Draw a customer with a fictional number and some attributes."""
    number = f"+1555555{random.randrange(10_000):04d}"
    possible = {
        "topic": random.choice(TOPICS),
        "customerNumber": str(random.randrange(10**6, 10**7)),
        "note": "Rückruf, 折り返し",
    }
    attributes = {
        "number": number,
        "pcEnvironment": "simulated.invalid",
        **{key: value for key, value in possible.items() if chance(random, 0.5)},
    }
    return Customer(name=draw_name(random), number=number, attributes=attributes)


@dataclass(frozen=True, slots=True)
class Habits:
    """How long people take. Every pause is in seconds, log-normal, and shortened by `speed`."""

    random: Random
    speed: float = 1.0

    def pause(self, median: float, spread: float = 0.4) -> float:
        """Draw a pause of about `median` seconds: two in three lie within one `spread` (log)."""
        drawn = self.random.lognormvariate(math.log(median), spread)
        return min(drawn, 8 * median) / self.speed

    def chance(self, probability: float) -> bool:
        """Decide by chance."""
        return chance(self.random, probability)

    def answering(self) -> float:
        """How long an agent lets a callback alert before accepting, below any alerting timeout."""
        return min(self.pause(4), 25.0)

    def thinking(self) -> float:
        """How long an agent reads before acting."""
        return self.pause(5)

    def ringing(self) -> float:
        """How long a customer lets the phone ring."""
        return self.pause(5)

    def talking(self) -> float:
        """How long they talk without an interruption."""
        return self.pause(18)

    def holding(self) -> float:
        """How long an agent keeps something on hold."""
        return self.pause(7)

    def wrapping_up(self) -> float:
        """How long after-call work takes."""
        return self.pause(8)

    def lead(self) -> float:
        """How far ahead a callback is scheduled."""
        return self.random.uniform(10, 150) / self.speed

    def release_lag(self) -> float:
        """How long the platform takes from due to release: a habit of its own, never scaled."""
        if self.chance(0.85):
            return self.random.uniform(0.9, 1.3)
        return self.random.uniform(1.3, 60.0)
