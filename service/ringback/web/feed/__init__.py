"""The journal as it grows, for many readers: Server-Sent Events and a websocket."""
