import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

from ringback.core.watch.messages import Message, Phase
from ringback.errors import DeliveryError, DeliveryFault
from ringback.sinks.receivers import email
from ringback.sinks.receivers.email import Email, MailServer, server_of
from support import mail
from support.alerts import an_alert
from support.certificates import self_signed
from support.messages import message_of, wording

FIRING, _, RESOLVED = Phase
ONE = message_of((FIRING, an_alert(1, severity="critical", queue="q-2")))
STORM = message_of(*((FIRING, an_alert(number, queue=f"q-{number % 20}")) for number in range(400)))


def receiver(there: mail.MailServer, **more: Any) -> Email:
    given: dict[str, Any] = {
        "sender": "ringback@example.org",
        "to": ["ops@example.org", "night@example.org"],
        "user": "",
        "password": "",
        "allow_private": True,
        "timeout": 10.0,
        "server": MailServer("127.0.0.1", there.port, implicit=False),
    }
    given |= more
    return Email("ops", given.pop("server"), wording(), **given)


async def failure(there: mail.MailServer, **more: Any) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        await receiver(there, **more).deliver(ONE)
    return caught.value


async def test_a_mail_holds_all_that_it_takes_to_act() -> None:
    async with mail.MailServer() as there:
        await receiver(there).deliver(ONE)
    (got,) = there.mails
    assert there.to == [["ops@example.org", "night@example.org"]]
    assert got["Subject"] == (
        "[critical] A callback of queue Support & <Service>: due, and not released into the queue"
    )
    assert got["Importance"] == "high"
    assert got["Auto-Submitted"] == "auto-generated"
    text = got.get_content()
    for needed in (
        "c-1",
        "state scheduled since 2026-11-22T08:00:00Z",
        "proof not stated",
        "https://ringback.example.org/?open=c-1",
        "https://apps.example.org/#/interactions/c-1",
    ):
        assert needed in text


async def test_a_message_is_the_same_mail_whenever_it_is_sent_and_its_end_is_kept_with_it() -> None:
    over = message_of((RESOLVED, an_alert(1)), before=(an_alert(1),))
    async with mail.MailServer() as there:
        made = receiver(there)
        for message in (ONE, ONE, over):
            await made.deliver(message)
    first, again, last = there.mails
    assert first["Message-ID"] == again["Message-ID"] != last["Message-ID"]
    assert first.as_string() == again.as_string()
    assert first["References"] == last["References"]
    assert last["Subject"].startswith("[info] Resolved: A callback of queue Sales")


async def test_a_storm_is_one_mail_of_readable_size() -> None:
    async with mail.MailServer() as there:
        await receiver(there).deliver(STORM)
    (got,) = there.mails
    assert got["Subject"] == "[warning] Digest: 400 firing, in 20 groups"
    assert "and 10 more groups: https://ringback.example.org/" in got.get_content()
    assert len(got.get_content()) < 40_000


@pytest.mark.parametrize("implicit", [True, False])
async def test_tls_is_spoken_and_checked(
    implicit: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(email, "is_local", lambda _: False)
    certificate, context = self_signed(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    async with mail.MailServer(context=context, implicit=implicit, password="pass") as there:
        good = MailServer("127.0.0.1", there.port, implicit)
        await receiver(there, server=good, user="me", password="pass").deliver(ONE)
        assert there.encrypted == [True]
        assert there.logins == ["me"]
        error = await failure(there, server=good, user="me", password="canary")
        assert error.fault is DeliveryFault.DENIED
        assert "canary" not in str(error)
        monkeypatch.setenv("SSL_CERT_FILE", os.devnull)
        assert (await failure(there, server=good)).fault is DeliveryFault.TLS
        assert len(there.mails) == 1


async def test_nothing_travels_in_clear_but_where_that_is_allowed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with mail.MailServer(password="pass") as there:
        await receiver(there, user="me", password="pass").deliver(ONE)
        monkeypatch.setattr(email, "is_local", lambda _: False)
        await receiver(there).deliver(ONE)
        assert "in clear" in str(await failure(there, user="me", password="pass"))
        assert len(there.mails) == 2
        assert (await failure(there, allow_private=False)).fault is DeliveryFault.FORBIDDEN_TARGET


@pytest.mark.parametrize(
    ("answers", "fault"),
    [
        ({"RCPT": "550 canary"}, DeliveryFault.DENIED),
        ({"RCPT": "451 canary"}, DeliveryFault.SERVER),
        ({"DATA": "554 canary"}, DeliveryFault.REFUSED),
        ({"DATA": "452 canary"}, DeliveryFault.SERVER),
    ],
)
async def test_what_goes_wrong_has_a_name_and_says_nothing_of_the_answer(
    answers: dict[str, str], fault: DeliveryFault
) -> None:
    async with mail.MailServer(answers) as there:
        error = await failure(there)
    assert error.fault is fault
    assert "canary" not in str(error)


@pytest.mark.parametrize(
    ("greeting", "fault"),
    [
        (b"HTTP/1.1 400 canary\r\n\r\n", DeliveryFault.GARBAGE),
        (b"", DeliveryFault.BROKEN_OFF),
        (None, DeliveryFault.TIMED_OUT),
    ],
)
async def test_what_is_no_mail_server_is_none(greeting: bytes | None, fault: DeliveryFault) -> None:
    held = asyncio.Event()

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if greeting is not None:
            writer.write(greeting)
            await writer.drain()
        else:
            await held.wait()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    there = mail.MailServer()
    error = await failure(there, server=MailServer("127.0.0.1", port, implicit=False), timeout=0.3)
    assert error.fault is fault
    assert "canary" not in str(error)
    server.close()
    held.set()
    await server.wait_closed()


@pytest.mark.parametrize(
    ("url", "private", "words"),
    [
        ("https://mail.example.org", False, "no smtp:// or smtps://"),
        ("smtp://", False, "no smtp:// or smtps://"),
        ("smtp://me:canary@mail.example.org", False, "holds more than it should"),
        ("smtp://mail.example.org/canary", False, "holds more than it should"),
        ("smtp://10.0.0.1", False, "within a private network"),
        ("smtp://169.254.169.254", True, "no message may go to"),
        ("smtp://127.1", True, "neither a name nor an address"),
        ("smtp://mail.example.org:canary", True, "no address"),
    ],
)
def test_a_bad_address_is_refused_without_being_quoted(url: str, private: bool, words: str) -> None:
    with pytest.raises(ValueError, match=words) as caught:
        server_of(url, allow_private=private)
    assert "canary" not in str(caught.value)


def test_the_usual_ports_are_meant() -> None:
    assert server_of("smtp://mail.example.org", allow_private=False) == (
        "mail.example.org",
        587,
        False,
    )
    assert server_of("smtps://mail.example.org/", allow_private=False).port == 465
    assert server_of("smtp://10.0.0.1:25", allow_private=True).port == 25


def test_a_title_never_ends_its_line(monkeypatch: pytest.MonkeyPatch) -> None:
    message: Message = message_of((FIRING, an_alert(1, summary="a\r\nBcc: canary@example.org")))
    made = receiver(mail.MailServer()).mail_of(message)
    assert made["Bcc"] is None
    assert b"\nBcc:" not in made.as_bytes().partition(b"\n\n")[0]
