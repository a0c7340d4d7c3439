"""The daemon as a child process, as it is installed: waited for by what it says, killed by id."""

import asyncio
import json
import os
import sys
import sysconfig
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

import ringback

__all__ = ["SOON", "Child", "environment", "execute", "ringback_command", "running"]

SOON = 60.0
"""Seconds after which what should have happened will not."""

_PACKAGE = Path(ringback.__file__).parents[1]
_INSTALLED = Path(sysconfig.get_path("purelib")) == _PACKAGE


def ringback_command() -> list[str]:
    """Give the command: isolated if what is tested is installed, else from where it was found."""
    return [sys.executable, *(["-I"] if _INSTALLED else []), "-m", "ringback"]


def environment(**settings: Any) -> dict[str, str]:
    """Give the whole environment of a child: `web__port=0` stands for `RINGBACK_WEB__PORT`."""
    given = {"PATH": os.environ["PATH"], "PYTHONPATH": str(_PACKAGE)}
    return given | {f"RINGBACK_{name.upper()}": str(value) for name, value in settings.items()}


class Child:
    """A running daemon. What it wrote so far is in `out` and `err`, in bytes."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.out = bytearray()
        self.err = bytearray()
        self._news = asyncio.Condition()

    @property
    def log(self) -> list[dict[str, Any]]:
        """Every whole line of the log so far, a text that is no JSON under `text`."""
        whole = self.err[: self.err.rfind(b"\n") + 1]
        return [_entry(line) for line in bytes(whole).splitlines()]

    @property
    def events(self) -> list[dict[str, Any]]:
        """Every whole line of standard output so far."""
        return [json.loads(line) for line in self.lines]

    @property
    def lines(self) -> list[bytes]:
        """The same as bytes; what a kill cut off is left out."""
        return bytes(self.out[: self.out.rfind(b"\n") + 1]).splitlines()

    async def until(self, seen: Callable[[], object]) -> None:
        """Wait until `seen` is true of what was written; at its end, whatever is."""
        async with asyncio.timeout(SOON), self._news:
            await self._news.wait_for(lambda: seen() or self._ended)

    async def says(self, event: str) -> dict[str, Any]:
        """Wait for a line of the log; give it."""
        await self.until(lambda: event.encode() in self.err and self._logged(event))
        found = self._logged(event)
        assert found, f"it never said {event}: {self.err.decode()}"
        return found[-1]

    async def tells(self, kind: str, count: int = 1) -> list[dict[str, Any]]:
        """Wait for `count` events whose type ends so; give them."""
        await self.until(lambda: len(self._told(kind)) >= count)
        found = self._told(kind)
        assert len(found) >= count, f"{count} of {kind}, there are {len(found)}: {self.err!r}"
        return found

    async def url(self) -> str:
        """Give the address that it serves on."""
        said = await self.says("starting")
        return str(said["look_at"]).partition("/readyz")[0]

    async def get(self, path: str) -> httpx.Response:
        """Ask it."""
        async with httpx.AsyncClient(
            base_url=await self.url(), trust_env=False, timeout=SOON
        ) as web:
            return await web.get(path)

    async def ends(self) -> int:
        """Wait for its end; give the exit code, the negative of a signal that killed it."""
        async with asyncio.timeout(SOON):
            code = await self.process.wait()
        await self.until(lambda: False)
        return code

    async def read(self, stream: asyncio.StreamReader, into: bytearray) -> None:
        """Keep what the child writes, to its end."""
        while data := await stream.read(1 << 16):
            async with self._news:
                into += data
                self._news.notify_all()
        async with self._news:
            self._news.notify_all()

    @property
    def _ended(self) -> bool:
        streams = (self.process.stdout, self.process.stderr)
        return all(stream is None or stream.at_eof() for stream in streams)

    def _logged(self, event: str) -> list[dict[str, Any]]:
        return [line for line in self.log if line.get("event") == event]

    def _told(self, kind: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["type"].endswith(f".{kind}.v1")]


@asynccontextmanager
async def running(
    folder: Path,
    *arguments: str,
    stdout: int = PIPE,
    extra: Mapping[str, str] | None = None,
    command: Sequence[str] = (),
    **settings: Any,
) -> AsyncIterator[Child]:
    """Start a daemon in `folder`, on any free port; kill it at the end if it still lives.

    `settings` are Ringback's own variables, see `environment`; `extra` are others. `command` is
    another than the usual one.
    """
    process = await asyncio.create_subprocess_exec(
        *(command or ringback_command()),
        *(arguments or ("run",)),
        cwd=folder,
        env=environment(**({"web__port": 0, "sinks__stdout": "json"} | settings))
        | dict(extra or {}),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=stdout,
        stderr=PIPE,
    )
    child = Child(process)
    readers = [
        asyncio.create_task(child.read(stream, into))
        for stream, into in ((process.stdout, child.out), (process.stderr, child.err))
        if stream is not None
    ]
    try:
        yield child
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        await asyncio.gather(*readers)


async def execute(
    folder: Path, *arguments: str, stdout: int = PIPE, **settings: Any
) -> tuple[int, bytes, str]:
    """Run a command to its end; give exit code, standard output and standard error."""
    async with running(folder, *arguments, stdout=stdout, **settings) as child:
        code = await child.ends()
        return code, bytes(child.out), child.err.decode()


def _entry(line: bytes) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except ValueError:
        return {"text": line.decode()}
    return found if isinstance(found, dict) else {"text": line.decode()}
