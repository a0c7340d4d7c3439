"""Passes connections on: to wherever it is told at the moment, or out of a namespace's loopback.

As a program, `relay.py PORT HOST PORT`, it says when it listens, and ends when its input does.
"""

import asyncio
import sys
from contextlib import suppress
from typing import Self

__all__ = ["Relay"]

CHUNK = 1 << 16


class Relay:
    """Listens on loopback. An async context manager."""

    def __init__(self, host: str, port: int, listen: int = 0) -> None:
        """Pass on to `host` and `port`; `listen` 0 takes any free port."""
        self._target = (host, port)
        self._listen = listen
        self._server: asyncio.Server | None = None
        self._passing: set[asyncio.Task[None]] = set()

    @property
    def port(self) -> int:
        """Where it listens."""
        assert self._server is not None
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    def switch(self, host: str, port: int) -> None:
        """Pass on to somebody else from now on, and break off all that goes on."""
        self._target = (host, port)
        for task in self._passing:
            task.cancel()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self._listen)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._passing:
            task.cancel()
        await asyncio.gather(*self._passing, return_exceptions=True)
        await self._server.wait_closed()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._passing.add(task)
        try:
            with suppress(OSError, asyncio.CancelledError):
                await self._pass(reader, writer)
        finally:
            self._passing.discard(task)
            writer.close()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(*self._target)
        ways = [
            asyncio.ensure_future(_one_way(reader, far_writer)),
            asyncio.ensure_future(_one_way(far_reader, writer)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            far_writer.close()


async def _one_way(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(CHUNK):
        writer.write(data)
        await writer.drain()


async def _main(listen: int, host: str, port: int) -> None:
    async with Relay(host, port, listen):
        print("listens", flush=True)  # noqa: T201  # for whoever started it
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(_main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
