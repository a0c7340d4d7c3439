"""The network that tests tear apart: who reaches whom, and that nothing is left of it."""

import asyncio
import os
import subprocess
from pathlib import Path

import nats
import pytest

from support.nats import cluster
from support.network import network


def reaches(command: tuple[str, ...], address: str, port: int) -> bool:
    tried = subprocess.run(
        [*command, "timeout", "0.5", "bash", "-c", f"exec 3<>/dev/tcp/{address}/{port}"],
        capture_output=True,
        check=False,
    )
    return tried.returncode == 0


async def test_a_cluster_that_is_parted_goes_on_with_two_of_three(tmp_path: Path) -> None:
    with network() as torn:
        places = [torn.add() for _ in range(3)]
        async with cluster(tmp_path, places=places) as nodes:
            client = await nats.connect(nodes[1].url)
            stream = client.jetstream()
            await stream.add_stream(name="s", subjects=["s.>"], num_replicas=3)
            torn.part(places[0])
            assert not reaches((), places[0].address, nodes[0].port)
            assert not reaches(places[1].command, places[0].address, nodes[0].port)
            assert reaches(places[1].command, places[2].address, nodes[2].port)
            async with asyncio.timeout(30):
                # The one that is away may have been the leader.
                while not await stored(stream):
                    pass
            torn.heal()
            assert reaches(places[1].command, places[0].address, nodes[0].port)
            await client.close()


async def stored(stream: "nats.js.JetStreamContext") -> bool:
    try:
        await stream.publish("s.1", b"", timeout=1, headers={"Nats-Msg-Id": "1"})
    except (nats.errors.Error, TimeoutError):
        return False
    return True


def test_nothing_is_left_of_it_even_after_an_error() -> None:
    ours = Path(f"/sys/class/net/rb{os.getpid()}")
    held: list[Path] = []

    def tear() -> None:
        with network() as torn:
            place = torn.add()
            held.extend(Path(word[6:]) for word in place.command if word.startswith("--net="))
            assert ours.exists()
            assert held[0].exists()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        tear()
    assert held
    assert not ours.exists()
    assert not held[0].exists()
