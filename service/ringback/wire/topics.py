"""The names of notification topics: how they are built, combined, taken apart and understood.

`v2.routing.queues.{id}.conversations` is one name. `v2.routing.queues.{id}?conversations&presence`
combines several of one subject and counts as one subscription; what is delivered names the single
topics again.
"""

from collections.abc import Iterable
from typing import Literal, NamedTuple

__all__ = [
    "CALLBACKS",
    "CONVERSATIONS",
    "LONGEST",
    "Kind",
    "Subject",
    "combine",
    "queue_topic",
    "split",
    "subject",
    "user_topic",
]

LONGEST = 200
"""Characters that a name may have, combined or not."""

CONVERSATIONS = "conversations"
"""All media of a conversation: shows the dialled call too."""
CALLBACKS = "conversations.callbacks"
"""The callback alone."""

Kind = Literal["queue", "user"]

_PREFIXES: dict[Kind, str] = {"queue": "v2.routing.queues.", "user": "v2.users."}


class Subject(NamedTuple):
    """Whom or what a topic is about."""

    kind: Kind
    id: str


def queue_topic(queue_id: str, what: str = CONVERSATIONS) -> str:
    """Give the topic of all conversations, or another `what`, while they are with a queue."""
    return f"{_PREFIXES['queue']}{queue_id}.{what}"


def user_topic(user_id: str, what: str = CONVERSATIONS) -> str:
    """Give the topic of all conversations, or another `what`, that a user takes part in."""
    return f"{_PREFIXES['user']}{user_id}.{what}"


def combine(topics: Iterable[str]) -> list[str]:
    """Give as few names as say the same: one a subject, or more where one would be too long.

    Names without a known subject stay as they are. In the order of first mention, no name twice.
    """
    by_stem: dict[str, list[str]] = {}
    for topic in topics:
        for name in split(topic):
            stem, suffix = _parted(name)
            suffixes = by_stem.setdefault(stem, [])
            if suffix and suffix not in suffixes:
                suffixes.append(suffix)
    return [name for stem, suffixes in by_stem.items() for name in _joined(stem, suffixes)]


def split(topic: str) -> tuple[str, ...]:
    """Give the single topics that a name stands for; for a single topic, itself."""
    stem, mark, rest = topic.partition("?")
    if not mark:
        return (topic,)
    return tuple(f"{stem}.{suffix}" for suffix in rest.split("&") if suffix)


def subject(topic: str) -> Subject | None:
    """Tell whom a topic, single or combined, is about; None for other topics.

    Upper and lower case are one: clients of the platform expect either.
    """
    stem, _ = _parted(topic.lower())
    for kind, prefix in _PREFIXES.items():
        if stem.startswith(prefix) and stem != prefix:
            return Subject(kind, stem.removeprefix(prefix))
    return None


def _parted(topic: str) -> tuple[str, str]:
    """Part a name into what is before and behind its subject's id; the rest is one piece."""
    for prefix in _PREFIXES.values():
        if topic.lower().startswith(prefix):
            id_, _, suffix = topic[len(prefix) :].replace("?", ".", 1).partition(".")
            if id_ and suffix:
                return topic[: len(prefix)] + id_, suffix
    return topic, ""


def _joined(stem: str, suffixes: list[str]) -> list[str]:
    if not suffixes:
        return [stem]
    groups: list[list[str]] = []
    for suffix in suffixes:
        if groups and len(stem) + 1 + len("&".join([*groups[-1], suffix])) <= LONGEST:
            groups[-1].append(suffix)
        else:
            groups.append([suffix])
    return [
        f"{stem}.{group[0]}" if len(group) == 1 else f"{stem}?{'&'.join(group)}" for group in groups
    ]
