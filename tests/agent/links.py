"""Two tunnels joined in memory: the agent's end and the relay's."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio
import trio.testing
from visiona.tunnel.pipe import StreamPipe
from visiona.tunnel.session import Tunnel, open_tunnel
from visiona.tunnel.transport import WebSocketTransport
from visiona.wire.yamux.limits import Limits, Role


@asynccontextmanager
async def joined_tunnels() -> AsyncIterator[tuple[Tunnel, Tunnel]]:
    """(agent's, relay's)"""
    near, far = trio.testing.memory_stream_pair()
    agent_side = WebSocketTransport(StreamPipe(near), is_client=True)
    relay_side = WebSocketTransport(StreamPipe(far), is_client=False)
    async with (
        open_tunnel(agent_side, Role.CLIENT, limits=Limits(remote_may_open=True)) as agent,
        open_tunnel(relay_side, Role.SERVER) as relay,
    ):
        yield agent, relay
