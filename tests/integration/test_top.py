"""`ringback top` in a real terminal, tmux's, against a daemon as a process with its simulator."""

import asyncio
import re
import shlex
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from support.daemon import SOON, environment, execute, ringback_command, running
from support.debian import require_debian
from support.gateway import free_port

WIDTH, HEIGHT = 100, 30


class Terminal:
    """A terminal with a command in it."""

    def __init__(self, tmux: str, socket: Path) -> None:
        self._command = [tmux, "-u", "-S", str(socket), "-f", "/dev/null"]
        self.seen = ""

    async def open(self, folder: Path, command: list[str]) -> None:
        """Start a command in it; how that ends stands there afterwards."""
        shell = f"{shlex.join(command)}; echo ended with $?; exec sleep {2 * SOON}"
        size = ["-x", str(WIDTH), "-y", str(HEIGHT)]
        await self._tmux("new-session", "-d", *size, "-c", str(folder), shell)

    async def press(self, *keys: str) -> None:
        """Press keys, by tmux's names of them. Nothing may come right behind Escape: it is Alt."""
        await self._tmux("send-keys", *keys)

    async def shows(self, wanted: Callable[[str], object]) -> str:
        """Wait until something stands there; give all that does."""
        try:
            async with asyncio.timeout(SOON):
                while True:
                    self.seen = await self._tmux("capture-pane", "-p", "-e")
                    plain = re.sub(r"\x1b\[[0-9;]*m", "", self.seen)
                    if wanted(plain):
                        return plain
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise AssertionError(f"it never came to that:\n{self.seen}") from None

    async def close(self) -> None:
        """End it with all that is in it."""
        await self._tmux("kill-server")

    async def _tmux(self, *arguments: str) -> str:
        process = await asyncio.create_subprocess_exec(
            *self._command,
            *arguments,
            env=environment() | {"LANG": "C.UTF-8", "TERM": "xterm-256color"},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate()
        assert process.returncode == 0, err
        return out.decode()


@asynccontextmanager
async def terminal(folder: Path, *arguments: str) -> AsyncIterator[Terminal]:
    made = Terminal(require_debian("tmux", "tmux"), folder / "tmux")
    await made.open(folder, [*ringback_command(), *arguments])
    try:
        yield made
    finally:
        await made.close()


async def test_callbacks_are_watched_while_the_daemon_comes_and_goes(tmp_path: Path) -> None:
    port = free_port()
    daemon: dict[str, Any] = {"web__port": port, "simulator__seed": 7, "simulator__speed": 20}
    async with running(tmp_path, **daemon) as child:
        await child.tells("talking")
        async with terminal(tmp_path, "top", "--url", f"http://127.0.0.1:{port}") as shown:
            await shown.shows(lambda text: "● Live" in text and "Talking" in text)
            await shown.press("/", "support", "Enter")
            await shown.shows(lambda text: re.search(r"\d+ of \d+ open callbacks? with sup", text))
            await shown.press("Escape")
            await shown.shows(lambda text: re.search(r"\n\d+ open callbacks", text))
            await shown.press("j", "Enter")
            text = await shown.shows(lambda text: "States ──" in text)
            assert "● Live" in text
            await shown.press("Escape")
            await shown.shows(lambda text: "In state▲" in text)
            await shown.press("?")
            await shown.shows(lambda text: "one callback: its timeline" in text)
            await shown.press("Escape")
            await shown.shows(lambda text: "In state▲" in text)
            child.process.kill()
            await child.ends()
            text = await shown.shows(lambda text: "! Not connected" in text)
            assert "Stopped at" in text
            assert "In state▲" in text
            async with running(tmp_path, **daemon):
                await shown.shows(lambda text: "● Live" in text)
                await shown.press("q")
                await shown.shows(lambda text: "ended with 0" in text)


async def test_a_daemon_that_is_not_there_is_one_line_and_a_failure(tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    async with terminal(tmp_path, "top", "--url", url) as shown:
        text = await shown.shows(lambda text: "ended with 1" in text)
    said = " ".join(text.split())
    assert said.startswith(f"ringback: nothing listens at {url}, or it cannot be reached; check")


async def test_without_a_terminal_it_says_that_it_needs_one(tmp_path: Path) -> None:
    code, out, err = await execute(tmp_path, "top")
    assert (code, out) == (2, b"")
    assert err.startswith("ringback: it needs a terminal; scripts ask the API")
