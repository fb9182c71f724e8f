"""Tokens that run out while their tunnel is up."""

from datetime import timedelta

import trio
import trio.testing
from visiona.relay.expiry import expire_tunnels
from visiona.relay.registry import Registry

from tests.relay.test_registry import NOW, FakeTunnel, a_session


async def test_t45_an_expired_tunnel_is_ended_within_ten_seconds(
    autojump_clock: trio.testing.MockClock,
) -> None:
    registry, tunnel = Registry(), FakeTunnel()
    registry.admit(tunnel, a_session(lives=60))
    began = trio.current_time()
    async with trio.open_nursery() as nursery:
        await nursery.start(
            expire_tunnels, registry, lambda: NOW + timedelta(seconds=trio.current_time() - began)
        )
        await trio.sleep(59)
        assert tunnel.is_open
        await trio.sleep(11)
        assert tunnel.closed is not None
        assert tunnel.closed.cause == "expired"
        nursery.cancel_scope.cancel()
