"""Who may do what on the server: an account for each organisation, in it a user for each role.

Accounts see nothing of one another. Within one, no user may do more than its role needs, and none
may delete or purge a stream: what is stored goes by its age alone. Whoever may make a consumer may
have its messages delivered anywhere in the account, though: users keep apart roles that err, or
that run on machines one trusts less; accounts keep apart organisations.
"""

from collections.abc import Iterator, Mapping
from typing import Literal, get_args

import msgspec

from ringback.core.gaps import SOURCE
from ringback.settings.jetstream import JetStreamSettings
from ringback.stores.jetstream.subjects import Subjects, encode_token

__all__ = ["USERS", "Rights", "User", "account", "rights_of", "user_of"]

User = Literal["listen", "track", "serve", "alert", "all", "status", "setup"]
"""A role; `all` of them in one process; who only looks; who makes streams and buckets."""
USERS: tuple[User, ...] = get_args(User)

MOST_CONSUMERS = 10_000
BUCKETS_BYTES = 8 * 1024 * 1024
MEGABYTE = 1024 * 1024


class Rights(msgspec.Struct, frozen=True):
    """Subjects that a user may publish to, and those that it may subscribe to."""

    publish: tuple[str, ...]
    subscribe: tuple[str, ...]


def user_of(subjects: Subjects, user: User) -> str:
    """Give a user's name, which no other organisation's user has."""
    return f"{encode_token(subjects.org)}-{user}"


def rights_of(user: User, subjects: Subjects, partitions: int, source: str) -> Rights:
    """Give what a user may do.

    `partitions` are those of the trackers; alerts have one more. `source` is what listeners hear
    for, by its name.
    """
    publish = dict.fromkeys(_publishes(user, subjects, partitions, source))
    subscribe = [f"_INBOX.{user_of(subjects, user)}.>"]
    if user in {"listen", "all", "setup"}:
        subscribe.append(f"{subjects.root}.wants.*")
    return Rights(tuple(publish), tuple(subscribe))


def _publishes(user: User, subjects: Subjects, partitions: int, source: str) -> Iterator[str]:
    """Give what a user may publish to; what a role needs is said here, and nowhere else."""
    leases, budgets = f"KV_{subjects.leases}", f"KV_{subjects.budgets}"
    inputs, steps = f"{subjects.root}.in.*.*", f"{subjects.root}.st"
    yield "$JS.API.INFO"
    for stream in (subjects.inputs, subjects.steps, leases, budgets):
        yield f"$JS.API.STREAM.INFO.{stream}"
    yield from _reads(leases)
    if user != "status":
        yield f"$KV.{subjects.leases}.member.*"
    match user:
        case "listen":
            yield inputs
            # When the source was last heard, and of the steps no more.
            heard = subjects.step(0, f"{SOURCE}{source}")
            yield f"$JS.API.DIRECT.GET.{subjects.steps}.{heard}"
            yield from _reads(budgets)
            yield f"$KV.{subjects.budgets}.>"
        case "track":
            yield inputs  # of ticks
            yield f"{steps}.*.*"
            yield f"{subjects.root}.wants.*"
            yield f"$KV.{subjects.leases}.track.*"
            yield from _reads(subjects.inputs)
            yield from _reads(subjects.steps)
        case "serve":
            yield inputs  # of what people do
            yield from _reads(subjects.steps)
        case "alert":
            yield f"{steps}.{partitions}.*"
            yield f"$KV.{subjects.leases}.alert"
            yield from _reads(subjects.steps)
        case "all":
            for role in ("listen", "track", "serve", "alert"):
                yield from _publishes(role, subjects, partitions, source)
        case "status":
            yield f"$JS.API.STREAM.MSG.GET.{subjects.inputs}"  # to see how far behind it is
            yield from _reads(subjects.steps)
            yield from _reads(budgets)
        case "setup":
            yield from _publishes("all", subjects, partitions, source)
            for stream in (subjects.inputs, subjects.steps, leases, budgets):
                yield f"$JS.API.STREAM.CREATE.{stream}"
                yield f"$JS.API.STREAM.UPDATE.{stream}"


def _reads(stream: str) -> Iterator[str]:
    """Give what reading a stream takes: single messages, and consumers of one's own."""
    yield f"$JS.API.STREAM.MSG.GET.{stream}"
    yield f"$JS.API.DIRECT.GET.{stream}"
    yield f"$JS.API.DIRECT.GET.{stream}.>"
    yield f"$JS.API.CONSUMER.CREATE.{stream}"
    yield f"$JS.API.CONSUMER.CREATE.{stream}.>"
    yield f"$JS.API.CONSUMER.INFO.{stream}.*"
    yield f"$JS.API.CONSUMER.DELETE.{stream}.*"
    yield f"$JS.API.CONSUMER.MSG.NEXT.{stream}.*"
    yield f"$JS.ACK.{stream}.>"
    yield f"$JS.FC.{stream}.>"


def account(org: str, jetstream: JetStreamSettings, source: str) -> str:
    """Write the account of an organisation, as nats-server reads it between `accounts {` and `}`.

    The passwords are in a file among the secrets, a line each: `PASSWORD_LISTEN: "…"`. With nkeys
    instead, `user` and `password` become `nkey`, the public half.
    """
    subjects = Subjects(jetstream.prefix, org)
    about = f'source "{source}", prefix "{jetstream.prefix}", {jetstream.partitions} partitions'
    lines = [
        f'# The organisation "{org}", {about}.',
        "# Written by `ringback account`: rather write it anew than change it.",
        f'"{subjects.root}": {{',
        *(f"  {line}" for line in _limits(jetstream)),
        f'  include "../secrets/{encode_token(org)}.passwords.conf"',
        "  users: [",
    ]
    for user in USERS:
        rights = rights_of(user, subjects, jetstream.partitions, source)
        lines += [
            "    {",
            f'      user: "{user_of(subjects, user)}"',
            f"      password: $PASSWORD_{user.upper()}",
            "      permissions: {",
            *(f"        {line}" for line in _allow("publish", rights.publish)),
            *(f"        {line}" for line in _allow("subscribe", rights.subscribe)),
            "      }",
            "    }",
        ]
    return "\n".join([*lines, "  ]", "}", ""])


def _allow(verb: str, allowed: tuple[str, ...]) -> Iterator[str]:
    yield f"{verb}: {{ allow: ["
    yield from (f'  "{subject}"' for subject in allowed)
    yield "] }"


def _limits(jetstream: JetStreamSettings) -> Iterator[str]:
    """Bound what one organisation may take from the others: its replicas count each."""
    streams = 2 * jetstream.most_megabytes * MEGABYTE
    limits: Mapping[str, int] = {
        "max_memory": BUCKETS_BYTES * jetstream.replicas,
        "max_file": (streams + BUCKETS_BYTES) * jetstream.replicas,
        "max_streams": 4,
        "max_consumers": MOST_CONSUMERS,
    }
    yield "jetstream: {"
    yield from (f"  {name}: {value}" for name, value in limits.items())
    yield "}"
