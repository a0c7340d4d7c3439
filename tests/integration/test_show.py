"""`ringback show` as people type it, against a daemon as a process."""

import asyncio
import json
import os
import pty
import subprocess
from functools import partial
from pathlib import Path
from typing import Any

from support.access import TOKENS, tokens_file
from support.certificates import make_certificate
from support.daemon import SOON, Child, environment, execute, ringback_command, running
from support.gateway import NUMBER, Gateway, frame, free_port, gateway, to

SCHEDULED = {"state": "scheduled", "connectedTime": None}
DUE = "2026-11-22T07:58:05.700Z"


async def a_callback(peer: Gateway, child: Child) -> None:
    """Have one that was scheduled, released, and is not the only one."""
    await peer.send(frame("c-11", **SCHEDULED, callbackScheduledTime=DUE), frame("c-11"))
    await peer.send(frame("c-12"), frame("d-13"))
    async with asyncio.timeout(SOON):
        while True:
            if (await child.get("/api/v1/callbacks?q=d-13")).json().get("total") == 1:
                return
            await asyncio.sleep(0.02)


async def test_what_is_written_into_a_pipe_is_plain(tmp_path: Path) -> None:
    async with gateway() as peer, running(tmp_path, **to(peer.url)) as child:
        await a_callback(peer, child)
        url = await child.url()
        code, out, err = await execute(tmp_path, "show", "c-11", "--url", url)
        assert (code, err) == (0, "")
        assert out.isascii()
        assert b"\x1b" not in out
        first, *lines = out.decode().splitlines()
        assert first.startswith("Waiting for ")
        assert max(map(len, lines)) <= 80
        assert any("Scheduled" in each and "frame" in each for each in lines)
        assert any(each.startswith("  ") and "it was scheduled for" in each for each in lines)
        assert "Conversation c-11" in lines


async def test_all_of_it_is_what_the_api_answers(tmp_path: Path) -> None:
    async with gateway() as peer, running(tmp_path, **to(peer.url, privacy__numbers=True)) as child:
        await a_callback(peer, child)
        url = await child.url()
        code, out, err = await execute(tmp_path, "show", "--json", "c-11", "--url", url)
        assert (code, err) == (0, "")
        told = json.loads(out)
        asked = (await child.get("/api/v1/callbacks/c-11")).json()
        assert told.keys() == asked.keys()
        assert told["states"] == asked["states"]
        assert NUMBER.encode() not in out


async def test_a_part_of_the_id_is_enough(tmp_path: Path) -> None:
    async with gateway() as peer, running(tmp_path, **to(peer.url)) as child:
        await a_callback(peer, child)
        url = await child.url()
        code, out, _ = await execute(tmp_path, "show", "d-1", "--url", url)
        assert (code, "Conversation d-13" in out.decode()) == (0, True)
        code, out, err = await execute(tmp_path, "show", "c-1", "--url", url)
        assert (code, out) == (1, b"")
        assert err == (
            "ringback: several callbacks have c-1 in their id; give the whole of one: c-11, c-12\n"
        )
        code, out, err = await execute(tmp_path, "show", "e-1", "--url", url)
        assert (code, out) == (1, b"")
        assert "e-1" in err
        assert err.endswith("one that has ended needs its whole id\n")
        assert err.count("\n") == 1


async def test_it_finds_the_daemon_by_the_settings_in_use(tmp_path: Path) -> None:
    port = free_port()
    code, out, err = await execute(tmp_path, "show", "c-11", web__port=port)
    assert (code, out) == (1, b"")
    assert err.startswith(f"ringback: nothing listens at http://127.0.0.1:{port}, or ")
    assert err.count("\n") == 1
    async with gateway() as peer, running(tmp_path, **to(peer.url, web__port=port)) as child:
        await a_callback(peer, child)
        code, out, _ = await execute(tmp_path, "show", "c-11", web__port=port)
        assert (code, out.startswith(b"Waiting for ")) == (0, True)


async def test_a_daemon_that_asks_for_a_token_over_tls(tmp_path: Path) -> None:
    certificate, key = make_certificate(tmp_path)
    port = free_port()
    web: dict[str, Any] = {
        "web__port": port,
        "web__tokens": tokens_file(tmp_path),
        "web__tls_certificate": certificate,
        "web__tls_key": key,
    }
    _, token = TOKENS["viewer"]
    (tmp_path / "mine").write_text(f"{token}\n")
    async with gateway() as peer, running(tmp_path, **to(peer.url, **web)) as child:
        await peer.send(frame("c-11"))
        await child.tells("waiting")
        asked = ["show", "c-11", "--ca-file", "certificate.pem"]
        code, out, err = await execute(tmp_path, *asked, "--token-file", "mine", **web)
        assert (code, err) == (0, "")
        assert out.startswith(b"Waiting for ")
        code, out, _ = await execute(tmp_path, *asked, **web, token=token)
        assert (code, out.startswith(b"Waiting for ")) == (0, True)
        code, out, err = await execute(tmp_path, *asked, **web)
        assert (code, out) == (1, b"")
        assert err.endswith(
            "does not know who asks; give a token with --token-file or RINGBACK_TOKEN_FILE\n"
        )
        code, out, err = await execute(tmp_path, *asked, **web, token="no-token")
        assert (code, out) == (1, b"")
        assert "this token is not one of the daemon's" in err
        assert "no-token" not in err
        code, out, err = await execute(tmp_path, "show", "c-11", **web, token=token)
        assert (code, out) == (1, b"")
        assert "give the authority that signed its certificate with --ca-file" in err


async def test_on_a_terminal_it_is_drawn_in_colour_unless_one_says_not(tmp_path: Path) -> None:
    async with gateway() as peer, running(tmp_path, **to(peer.url)) as child:
        await a_callback(peer, child)
        command = [*ringback_command(), "show", "c-11", "--url", await child.url()]
        seen = await asyncio.to_thread(on_a_terminal, tmp_path, command, {})
        assert "█" in seen
        assert "\x1b[33m" in seen or "\x1b[1;33m" in seen
        plain = await asyncio.to_thread(on_a_terminal, tmp_path, command, {"NO_COLOR": "1"})
        assert "█" in plain
        assert "\x1b[33m" not in plain
        assert "\x1b[1;33m" not in plain


def read(terminal: int) -> bytes:
    """Give what is there; nothing at its end, of which Linux makes an error."""
    try:
        return os.read(terminal, 65536)
    except OSError:
        return b""


def on_a_terminal(folder: Path, command: list[str], extra: dict[str, str]) -> str:
    """Run a command to its end on a terminal; give what it wrote there."""
    mine, its = pty.openpty()
    try:
        environ = environment() | {"TERM": "xterm", "LANG": "C.UTF-8", "COLUMNS": "100"} | extra
        child = subprocess.Popen(
            command, cwd=folder, env=environ, stdin=its, stdout=its, stderr=its
        )
    finally:
        os.close(its)
    try:
        text = b"".join(iter(partial(read, mine), b"")).decode()
        assert child.wait(SOON) == 0, text
    finally:
        os.close(mine)
    return text
