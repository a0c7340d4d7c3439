"""The agents at work, and the callbacks that wait for one of them."""

from collections import defaultdict, deque
from collections.abc import Iterable
from typing import Generic, Protocol, TypeVar

from ringback.simulator.acts import AgentWanted
from ringback.simulator.people import Agent, Queue

__all__ = ["Staff"]


class Waiting(Protocol):
    """Something that waits for an agent."""

    @property
    def over(self) -> bool:
        """Whether it waits no more."""


Waiter = TypeVar("Waiter", bound=Waiting)


class Staff(Generic[Waiter]):
    """Knows who serves a queue, who is free, and who has waited longest for whom."""

    def __init__(self, agents: Iterable[Agent]) -> None:
        """Begin with nobody waiting."""
        self._serving: defaultdict[str, list[Agent]] = defaultdict(list)
        self._by_id: dict[str, Agent] = {}
        self._waiting: defaultdict[str, deque[tuple[int, Waiter]]] = defaultdict(deque)
        """By queue, or by the agent that nobody can stand in for."""
        self._arrivals = 0
        for agent in agents:
            self._by_id[agent.id] = agent
            for queue_id in agent.queue_ids:
                self._serving[queue_id].append(agent)

    def find(self, agent_id: str) -> Agent | None:
        """Give an agent by id."""
        return self._by_id.get(agent_id)

    def serving(self, queue: Queue) -> list[Agent]:
        """Give the agents of a queue, busy or not, always in the same order."""
        return self._serving[queue.id]

    def assign(self, agent: Agent, queue: Queue) -> None:
        """Let an agent serve one more queue."""
        agent.queue_ids |= {queue.id}
        self._serving[queue.id].append(agent)

    def free(self, wish: AgentWanted) -> list[Agent]:
        """Give the agents who would do and are free."""
        if wish.owner_id is not None:
            owner = self._by_id.get(wish.owner_id)
            return [owner] if owner is not None and not owner.busy else []
        return [agent for agent in self._serving[wish.queue.id] if not agent.busy]

    def wait(self, wish: AgentWanted, waiter: Waiter) -> None:
        """Put somebody at the end of those who wait."""
        self._arrivals += 1
        self._waiting[wish.owner_id or wish.queue.id].append((self._arrivals, waiter))

    def next_for(self, agent: Agent) -> Waiter | None:
        """Take out who has waited longest for that agent, if anybody has."""
        lines = [
            line
            for key in (agent.id, *agent.queue_ids)
            if (line := self._waiting.get(key)) and self._some_left(line)
        ]
        if not lines:
            return None
        return min(lines, key=lambda line: line[0][0]).popleft()[1]

    def _some_left(self, line: deque[tuple[int, Waiter]]) -> bool:
        """Drop those at the front who wait no more; say whether somebody is left."""
        while line and line[0][1].over:
            line.popleft()
        return bool(line)
