"""Tokens that run out while something still goes on."""

from datetime import timedelta

import trio
import trio.testing
from visiona.domain.ids import DeviceId, TokenId, UserId
from visiona.relay.expiry import expire_forever
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
            expire_forever, registry, lambda: NOW + timedelta(seconds=trio.current_time() - began)
        )
        await trio.sleep(59)
        assert tunnel.is_open
        await trio.sleep(11)
        assert tunnel.closed is not None
        assert tunnel.closed.cause == "expired"
        nursery.cancel_scope.cancel()


async def test_h14_what_runs_on_an_expired_credential_is_ended_within_ten_seconds(
    autojump_clock: trio.testing.MockClock,
) -> None:
    registry, ended = Registry(), list[str]()
    began = trio.current_time()

    def enter(name: str, seconds: float | None) -> None:
        expires_at = NOW + timedelta(seconds=seconds) if seconds is not None else None
        registry.calls.add(
            UserId("u"),
            TokenId(name),
            DeviceId("d"),
            lambda cause: ended.append(f"{name}:{cause}"),
            expires_at,
        )

    enter("short", 60)
    enter("long", 3600)
    enter("endless", None)
    async with trio.open_nursery() as nursery:
        await nursery.start(
            expire_forever, registry, lambda: NOW + timedelta(seconds=trio.current_time() - began)
        )
        await trio.sleep(59)
        assert ended == []
        await trio.sleep(11)
        assert ended == ["short:expired"]
        assert len(registry.calls) == 2
        nursery.cancel_scope.cancel()
