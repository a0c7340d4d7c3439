"""Asks a websocket whether it can be connected to, and no more than that."""

import asyncio

from ringback.sources.socket import REFUSALS, open_socket, refusal

__all__ = ["unreachable"]

MOST_BYTES = 64 * 1024 * 1024
"""Whatever arrives meanwhile is no reason to complain."""


async def unreachable(url: str, seconds: float) -> str | None:
    """Give None if a websocket can be opened within so many seconds, else why not.

    In fixed words: the address may hold a token.
    """
    try:
        async with asyncio.timeout(seconds):
            connection = await open_socket(
                url, max_frame_bytes=MOST_BYTES, open_timeout=seconds, ping_every=seconds
            )
            await connection.close()
    except REFUSALS as error:
        return refusal(error).phrase
    return None
