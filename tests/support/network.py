"""A network of its own on this machine, which can be torn apart: namespaces around two switches.

Nothing has a name outside: a namespace lives as long as a process that holds it, and that process
lives as long as its input is open. So all of it is gone with the test, however that ends.
"""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import cache
from itertools import count

import pytest

from support import relay
from support.debian import require_debian
from support.nats import Place

__all__ = ["Network", "forbidden", "network"]

SWITCHES = ("here", "there")
NETWORKS = 254
"""Of 256 addresses each, in 198.18.0.0/15, which is set aside for tests of networks."""
NAME_LENGTH = 15
ENDS_WITHIN = 10.0
ATTEMPT = "ip link add one type bridge && ip link add two type veth peer name three"
"""What must be possible within a namespace."""


class Network:
    """Places that can reach each other and the test itself, as long as they are not parted."""

    def __init__(self, stack: ExitStack, hub: str, base: str) -> None:
        self._stack = stack
        self._hub = hub
        self._base = base
        self._ports: dict[Place, str] = {}
        self._numbers = count(1)

    @property
    def here(self) -> str:
        """The address of the test itself."""
        return f"{self._base}.254"

    def add(self) -> Place:
        """Make a place with an address of its own."""
        number = next(self._numbers)
        port, address = f"p{number}", f"{self._base}.{number}"
        held = self._stack.enter_context(_namespace())
        _ip(self._hub, f"link add {port} type veth peer name eth0 netns {held}")
        _ip(self._hub, f"link set {port} master {SWITCHES[0]} up")
        _ip(held, "link set lo up")
        _ip(held, f"addr add {address}/24 dev eth0")
        _ip(held, "link set eth0 up")
        place = Place(address, _inside(held))
        self._ports[place] = port
        return place

    def bring_in(self, place: Place, port: int) -> None:
        """Let a port of the test itself be found on the place's own loopback, over the network."""
        self._stack.enter_context(_relaying(place, self.here, port))

    def part(self, *places: Place) -> None:
        """Part these from all others, not from one another; what is sent across is lost."""
        for place in places:
            _ip(self._hub, f"link set {self._ports[place]} master {SWITCHES[1]}")

    def heal(self) -> None:
        """Let all reach each other again."""
        for port in self._ports.values():
            _ip(self._hub, f"link set {port} master {SWITCHES[0]}")


@contextmanager
def network() -> Iterator[Network]:
    """Make one, or skip the test where that is not permitted; it is gone afterwards."""
    if why := forbidden():
        pytest.skip(why)
    with ExitStack() as stack:
        hub = stack.enter_context(_namespace())
        for switch in SWITCHES:
            _ip(hub, f"link add {switch} type bridge")
            _ip(hub, f"link set {switch} up")
        ours = f"rb{os.getpid()}"[:NAME_LENGTH]
        base = _free_base()
        _ip("", f"link add {ours} type veth peer name test netns {hub}")
        # It would go with the hub as well, but only a moment later.
        stack.callback(_ip, "", f"link del {ours}")
        _ip(hub, f"link set test master {SWITCHES[0]} up")
        _ip("", f"addr add {base}.254/24 dev {ours}")
        _ip("", f"link set {ours} up")
        yield Network(stack, hub, base)


@cache
def forbidden() -> str:
    """Say why there can be no network; nothing if there can."""
    if os.geteuid() != 0:
        return "network namespaces are not permitted here: only root may make them"
    require_debian("iproute2", "ip")
    tried = subprocess.run(
        ["unshare", "--net", "sh", "-c", ATTEMPT], capture_output=True, check=False
    )
    if tried.returncode == 0:
        return ""
    said = tried.stderr.decode(errors="replace").strip()
    return f"network namespaces are not permitted here: {said}"


@contextmanager
def _namespace() -> Iterator[str]:
    """Hold a namespace by a process; give that process's number."""
    with subprocess.Popen(
        ["unshare", "--net", "sh", "-c", "echo && exec cat"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as holder:
        assert holder.stdin is not None
        assert holder.stdout is not None
        try:
            assert holder.stdout.readline() == b"\n", "the namespace was not made"
            yield str(holder.pid)
        finally:
            holder.stdin.close()
            holder.wait(ENDS_WITHIN)


@contextmanager
def _relaying(place: Place, host: str, port: int) -> Iterator[None]:
    command = [*place.command, sys.executable, "-P", relay.__file__, str(port), host, str(port)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == b"listens\n", "the relay has not begun"
            yield
        finally:
            process.kill()


def _free_base() -> str:
    """Choose a network that nobody else here uses."""
    taken = _ip("", "-o addr show")
    for offset in range(NETWORKS):
        base = f"198.18.{(os.getpid() + offset) % NETWORKS + 1}"
        if f" {base}." not in taken:
            return base
    raise AssertionError("every network of 198.18.0.0/16 is taken")


def _inside(holder: str) -> tuple[str, ...]:
    return ("nsenter", f"--net=/proc/{holder}/ns/net", "--")


def _ip(holder: str, command: str) -> str:
    """Run `ip` in a namespace, or outside of all."""
    prefix: Sequence[str] = _inside(holder) if holder else ()
    done = subprocess.run(
        [*prefix, "ip", *command.split()], capture_output=True, check=False, text=True
    )
    assert done.returncode == 0, f"ip {command}: {done.stderr}"
    return done.stdout
