"""What ships for NATS servers, laid out for servers of a test: accounts and passwords."""

import asyncio
import shutil
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from nats.aio.client import Client

from ringback.settings.jetstream import JetStreamSettings
from ringback.stores.jetstream.permissions import USERS, User, account, user_of
from ringback.stores.jetstream.subjects import Subjects, encode_token
from support.debian import require_debian

__all__ = ["DENIED", "SHIPPED", "Visitor", "accounts_of", "lay_out", "password", "visiting"]

SHIPPED = Path(__file__).parents[2] / "deploy" / "nats"
DENIED = "denied"


def password(subjects: Subjects, user: User) -> str:
    """Give the password that `lay_out` has given a user."""
    return f"{subjects.org} {user}'s, for tests"


def passwords(subjects: Subjects) -> str:
    """Write the passwords of an organisation's users."""
    lines = [f'PASSWORD_{user.upper()}: "{password(subjects, user)}"' for user in USERS]
    return "\n".join([*lines, ""])


def accounts_of(folder: Path, orgs: Sequence[str], jetstream: JetStreamSettings) -> str:
    """Write accounts and passwords of some organisations; give what a node's file includes."""
    lines = []
    for name in ("accounts", "secrets"):
        (folder / name).mkdir()
    for org in orgs:
        name = encode_token(org)
        (folder / "accounts" / f"{name}.conf").write_text(account(org, jetstream, "main"))
        secret = folder / "secrets" / f"{name}.passwords.conf"
        secret.write_text(passwords(Subjects(jetstream.prefix, org)))
        lines.append(f'include "../accounts/{name}.conf"')  # seen from the folder of a node
    return "\n".join(["accounts {", *lines, "}"])


def lay_out(folder: Path, *, durable: bool = False) -> tuple[Path, Path]:
    """Copy what ships to a folder, which it then names instead of /etc/nats, with secrets.

    Gives the main file, and the folder of what was made for clients. Debian's server does not know
    what is in durable.conf: that is left out unless it is asked for.
    """
    require_debian("openssl", "openssl")
    shutil.copytree(SHIPPED, folder, ignore=shutil.ignore_patterns("secrets"))
    made = folder / "made"
    script = SHIPPED.parent / "cluster" / "secrets.sh"
    subprocess.run(["sh", script, made], check=True, capture_output=True, timeout=60)
    (made / "nats").rename(folder / "secrets")
    main = folder / "nats.conf"
    text = main.read_text()
    assert "/etc/nats/" in text
    main.write_text(text.replace('"/etc/nats/', f'"{folder}/'))
    if not durable:
        (folder / "durable.conf").write_text("")
    return main, made


class Visitor:
    """A user's connection, and what the server has refused it."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.jetstream = client.jetstream(timeout=5)
        self._refused: asyncio.Queue[str] = asyncio.Queue()

    async def note(self, error: Exception) -> None:
        """Take what the server complains of."""
        self._refused.put_nowait(str(error))

    async def tries(self, work: Callable[["Visitor"], Awaitable[object]]) -> str:
        """Do something; say how it went: what came of it, or `DENIED`.

        What is not allowed is never answered, so whichever is first counts: the complaint of the
        server, or the answer.
        """
        doing = asyncio.ensure_future(work(self))
        refusal = asyncio.ensure_future(self._refused.get())
        await asyncio.wait({doing, refusal}, return_when=asyncio.FIRST_COMPLETED)
        if doing.done():
            await self.client.flush()  # a complaint about what nobody answers comes before this
        denied = refusal.done() or not self._refused.empty()
        if refusal.done():
            assert "permissions violation" in refusal.result()
        for one in (doing, refusal):
            one.cancel()
        done, _ = await asyncio.wait({doing})
        await asyncio.wait({refusal})
        while not self._refused.empty():
            self._refused.get_nowait()
        if denied:
            doing.cancelled() or doing.exception()
            return DENIED
        return f"{done.pop().result()}"


@asynccontextmanager
async def visiting(url: str, user: User, subjects: Subjects) -> AsyncIterator[Visitor]:
    """Connect as a user of an organisation."""
    name = user_of(subjects, user)
    client = Client()
    visitor = Visitor(client)
    await client.connect(
        url,
        user=name,
        password=password(subjects, user),
        inbox_prefix=f"_INBOX.{name}",
        allow_reconnect=False,
        error_cb=visitor.note,
    )
    try:
        yield visitor
    finally:
        await client.close()
