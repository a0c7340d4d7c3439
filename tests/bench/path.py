"""The whole path against a bare receive loop: frames a second, over a real websocket.

A process of its own sends the same frames as fast as they are taken. A fresh process each time
receives them: either a bare `websockets` loop that decodes each with msgspec into the same structs,
or the daemon's source, decoder, tracker, group commit and SQLite journal. In turns, three times.
"""

import asyncio
import json
import random
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve

from bench import frames
from bench.parts import begin
from bench.result import Figure
from ringback.sources.websocket import WebsocketSource
from ringback.wire.conversations import CallbackNotification, ConversationNotification

COUNT = 40_000
ROUNDS = 3


async def send() -> None:
    """Serve the frames to whoever connects; the port is told on standard output."""
    stream = [frame.decode() for frame in frames.stream(COUNT)]

    async def serve_frames(connection: ServerConnection) -> None:
        for frame in stream:
            await connection.send(frame)
        await connection.wait_closed()

    async with serve(serve_frames, "127.0.0.1", 0, compression=None, ping_interval=None) as server:
        print(next(iter(server.sockets)).getsockname()[1], flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


async def bare(url: str) -> float:
    """Receive and decode, nothing else; seconds from the first frame to the last."""
    generic = msgspec.json.Decoder(ConversationNotification).decode
    flat = msgspec.json.Decoder(CallbackNotification).decode
    loop = asyncio.get_running_loop()
    async with connect(url, compression=None, max_size=None) as connection:
        first = await connection.recv(decode=False)
        began = loop.time()
        for _ in range(COUNT - 1):
            frame = await connection.recv(decode=False)
            (flat if b".callbacks" in frame[:160] else generic)(frame)
        assert first
        return loop.time() - began


async def whole(url: str, folder: Path) -> float:
    """Receive, decode, track, commit; seconds from the first frame to the last commit."""
    pipeline, store = await begin(folder, "bench")
    source = WebsocketSource(
        "bench",
        url,
        max_frame_bytes=1 << 22,
        watchdog=60,
        first_wait=1,
        most_wait=1,
        chance=random.Random(0),
    )
    loop = asyncio.get_running_loop()
    tasks = [loop.create_task(source.run(pipeline)), loop.create_task(pipeline.commit_forever())]
    began = 0.0
    while (received := sum(pipeline.frames.values())) < COUNT:
        if not began and received:
            began = loop.time()
        await asyncio.sleep(0.001 if not began else 0.01)
    await pipeline.commit()
    took = loop.time() - began
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await store.close()
    return took


def measure() -> Iterator[Figure]:
    """Give the ratio of the two rates."""
    here = [sys.executable, "-P", "-m", "bench.path"]
    with subprocess.Popen([*here, "send"], stdin=-1, stdout=-1, text=True) as sender:
        assert sender.stdout is not None
        url = f"ws://127.0.0.1:{sender.stdout.readline().strip()}/"
        took: dict[str, list[float]] = {"bare": [], "whole": []}
        for _ in range(ROUNDS):
            for kind, times in took.items():
                with tempfile.TemporaryDirectory() as folder:
                    told = subprocess.run(
                        [*here, kind, url, folder], stdout=-1, check=True, text=True
                    )
                times.append(json.loads(told.stdout))
        assert sender.stdin is not None
        sender.stdin.close()
    pairs = [bare / whole for bare, whole in zip(took["bare"], took["whole"], strict=True)]
    rates = {kind: COUNT / statistics.median(times) for kind, times in took.items()}
    yield Figure(
        "the whole path, durable, against a bare receive loop",
        statistics.median(pairs),
        "of its frame rate",
        0.5,
        at_least=True,
        detail=f"{rates['whole']:.0f}/s against {rates['bare']:.0f}/s"
        f" ({min(pairs):.2f} to {max(pairs):.2f})",
    )


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["send"]:
            asyncio.run(send())
        case ["bare", address, _]:
            print(asyncio.run(bare(address)))
        case ["whole", address, place]:
            print(asyncio.run(whole(address, Path(place))))
        case _:
            sys.exit("usage: bench.path send | bare URL FOLDER | whole URL FOLDER")
