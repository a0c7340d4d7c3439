"""`ringback simulate`: the simulated contact centre alone."""

import os
from contextlib import AsyncExitStack
from datetime import datetime
from typing import TextIO

from ringback.errors import SettingsError
from ringback.runtime.clock import SystemClock
from ringback.runtime.signals import stop_requested
from ringback.settings import Settings
from ringback.simulator.centre import ContactCentre
from ringback.simulator.genesys.server import GenesysCloud
from ringback.simulator.options import Options
from ringback.simulator.server import SimulatorServer

__all__ = ["make_centre", "simulate"]


async def simulate(settings: Settings, port: int, out: TextIO) -> None:
    """Run the simulated contact centre alone until asked to stop."""
    async with AsyncExitStack() as stack:
        wished = stack.enter_context(stop_requested())
        clock = SystemClock()
        centre = make_centre(settings, settings.simulator.seed, clock.now())
        cloud = GenesysCloud(centre, clock)
        try:
            server = await stack.enter_async_context(
                SimulatorServer(centre, clock, port=port, beside=[cloud])
            )
        except OSError as error:
            problem = os.strerror(error.errno or 0)
            raise SettingsError(
                "--port",
                f"{port} cannot be bound on 127.0.0.1 ({problem}): choose another, or 0",
            ) from None
        out.write(
            f"A simulated contact centre at http://127.0.0.1:{server.port}\n"
            "Point a daemon at it, as a plain websocket\n\n"
            "    [source]\n"
            '    kind = "websocket"\n'
            f'    url = "{server.url}"\n\n'
            "or as Genesys Cloud\n\n"
            "    [source]\n"
            '    kind = "genesys"\n\n'
            "    [genesys]\n"
            f'    login_url = "{cloud.url}"\n'
            f'    api_url = "{cloud.url}"\n'
            f'    client_id = "{cloud.client.id}"\n'
            f'    client_secret = "{cloud.client.secret}"\n\n'
        )
        out.flush()
        await wished.wait()


def make_centre(settings: Settings, seed: int, start: datetime) -> ContactCentre:
    """Make the contact centre that settings describe, opened at `start`."""
    simulator = settings.simulator
    options = Options(
        arrivals_per_minute=simulator.callbacks_per_hour / 60,
        queues=simulator.queues,
        agents=simulator.agents,
        speed=simulator.speed,
    )
    return ContactCentre(seed, start, options)
