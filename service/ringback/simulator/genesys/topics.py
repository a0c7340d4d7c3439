"""Which notification topics there are, what they need, and what becomes of those asked for."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from ringback.simulator.genesys.tokens import OAuthClient

__all__ = ["CATALOGUE", "Judge", "TopicKind", "Verdict", "expand"]

SYSTEM = ("v2.system.", "channel.metadata")
VIEW = "conversation:communication:view"


@dataclass(frozen=True, slots=True)
class TopicKind:
    """A topic with `{id}` for what it is about."""

    template: str
    description: str
    permissions: tuple[str, ...]
    subject: str
    """What the id means: `queues` or `users`."""
    transports: tuple[str, ...] = ("All",)

    def shown(self) -> dict[str, object]:
        """Give it as `availabletopics` does, with everything expanded."""
        about_users = self.subject == "users"
        return {
            "id": self.template,
            "description": self.description,
            "permissionDetails": [
                {
                    "type": "requiresCurrentUserOrPermission"
                    if about_users
                    else "requiresPermission",
                    "permissions": list(self.permissions),
                    "allowsCurrentUser": about_users,
                    "enforced": True,
                }
            ],
            "requiresPermissions": list(self.permissions),
            "requiresDivisionPermissions": not about_users,
            "requiresAnyValidator": False,
            "enforced": True,
            "visibility": "Public",
            "schema": {"type": "object"},
            "requiresCurrentUser": False,
            "requiresCurrentUserOrPermission": about_users,
            "transports": list(self.transports),
            "publicApiTemplateUriPaths": [
                "/api/v2/users/{userId}" if about_users else "/api/v2/routing/queues/{queueId}"
            ],
            "topicParameters": ["id"],
        }


CATALOGUE = tuple(
    TopicKind(template, description, permissions, subject)
    for template, description, permissions, subject in (
        ("v2.routing.queues.{id}.conversations", "Conversations of a queue", (VIEW,), "queues"),
        (
            "v2.routing.queues.{id}.conversations.callbacks",
            "Callbacks of a queue",
            (VIEW,),
            "queues",
        ),
        ("v2.routing.queues.{id}.conversations.calls", "Calls of a queue", (VIEW,), "queues"),
        ("v2.users.{id}.conversations", "Conversations of a user", (VIEW,), "users"),
        ("v2.users.{id}.conversations.callbacks", "Callbacks of a user", (VIEW,), "users"),
        ("v2.users.{id}.conversations.calls", "Calls of a user", (VIEW,), "users"),
        ("v2.users.{id}.conversationsummary", "A user's conversations by number", (VIEW,), "users"),
        (
            "v2.analytics.queues.{id}.observations",
            "Figures of a queue",
            ("analytics:queueObservation:view",),
            "queues",
        ),
    )
)
_PATTERNS = [
    (re.compile(re.escape(kind.template).replace(r"\{id\}", "([^.?&]+)")), kind)
    for kind in CATALOGUE
]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one topic, combined or not, that was asked for."""

    topic: str
    reason: str | None = None
    """Why it was rejected; None when it is permitted."""
    missing: tuple[str, ...] = ()
    """The permissions that the client lacks for it."""

    @property
    def permitted(self) -> bool:
        """Whether it is delivered."""
        return self.reason is None


def expand(topic: str) -> list[str]:
    """Split a combined topic, `prefix?one&other`, into those that are delivered."""
    prefix, mark, tails = topic.partition("?")
    return [f"{prefix}.{tail}" for tail in tails.split("&")] if mark else [topic]


class Judge:
    """Decides on topics."""

    def __init__(self, exists: Callable[[str, str], bool], most_characters: int) -> None:
        """`exists` tells of a subject (`queues`, `users`) and an id whether there is such one."""
        self._exists = exists
        self._most = most_characters

    def judge(self, client: OAuthClient, topic: str) -> Verdict:
        """Say whether that client may have that topic; of a combined one, all of it or nothing."""
        if len(topic) > self._most:
            return Verdict(topic, f"The topic is longer than {self._most} characters.")
        if topic.startswith(SYSTEM):
            return Verdict(topic, "The topic cannot be subscribed to.")
        for each in expand(topic):
            verdict = self._judge(client, topic, each)
            if not verdict.permitted:
                return verdict
        return Verdict(topic)

    def _judge(self, client: OAuthClient, topic: str, each: str) -> Verdict:
        found = _find_kind(each)
        if found is None:
            return Verdict(topic, "The topic is not available.")
        kind, about = found
        missing = tuple(one for one in kind.permissions if one not in client.permissions)
        if missing:
            return Verdict(topic, "The client lacks permissions for the topic.", missing)
        if not self._exists(kind.subject, about) or about in client.hidden_queues:
            return Verdict(topic, "What the topic is about does not exist or may not be seen.")
        return Verdict(topic)


def _find_kind(topic: str) -> tuple[TopicKind, str] | None:
    """Give a single topic's kind and the id in it."""
    for pattern, kind in _PATTERNS:
        match = pattern.fullmatch(topic)
        if match:
            return kind, match[1]
    return None
