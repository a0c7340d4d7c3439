"""Asks a websocket whether it can be connected to, and no more than that."""

import asyncio
import ssl

from websockets.asyncio.client import connect
from websockets.exceptions import InvalidProxy, InvalidStatus, WebSocketException

from ringback.sources.websocket import MUTE

__all__ = ["unreachable"]


async def unreachable(url: str, seconds: float) -> str | None:
    """Give None if a websocket can be opened within so many seconds, else why not.

    In fixed words: the address may hold a token.
    """
    try:
        async with asyncio.timeout(seconds):
            connection = await connect(url, logger=MUTE, open_timeout=None, close_timeout=1)
            await connection.close()
    except TimeoutError:
        return f"no answer within {seconds:g} seconds"
    except InvalidStatus as error:
        return f"the handshake is rejected with HTTP {error.response.status_code}"
    except (InvalidProxy, ImportError):
        return "the proxy that the environment names cannot be used"
    except ssl.SSLError:
        return "TLS failed"
    except OSError:
        return "no connection: the name, the network, or nobody listening"
    except (WebSocketException, ValueError):
        return "what answers is no websocket"
    return None
