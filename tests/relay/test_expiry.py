"""Tokens that run out while something still goes on."""

from dataclasses import replace
from datetime import timedelta

import pytest
import trio
import trio.testing
from visiona.domain.ids import DeviceId, SessionId, TokenId, UserId
from visiona.relay.expiry import expire_forever
from visiona.relay.registry import Registry
from visiona.stores.errors import StoreUnavailable
from visiona.stores.interfaces import Stores
from visiona.stores.memory.engine import MemoryStores

from tests.relay.test_registry import NOW, FakeTunnel, a_session
from tests.support.nouns import NOW as THEN
from tests.support.nouns import a_home


async def test_t45_an_expired_tunnel_is_ended_within_ten_seconds(
    autojump_clock: trio.testing.MockClock,
) -> None:
    registry, tunnel = Registry(), FakeTunnel()
    registry.admit(tunnel, a_session(lives=60))
    began = trio.current_time()
    async with trio.open_nursery() as nursery:
        await nursery.start(
            expire_forever,
            registry,
            MemoryStores().sessions,
            lambda: NOW + timedelta(seconds=trio.current_time() - began),
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
            expire_forever,
            registry,
            MemoryStores().sessions,
            lambda: NOW + timedelta(seconds=trio.current_time() - began),
        )
        await trio.sleep(59)
        assert ended == []
        await trio.sleep(11)
        assert ended == ["short:expired"]
        assert len(registry.calls) == 2
        nursery.cancel_scope.cancel()


async def watched(stores: Stores, minutes: float, used_after_minutes: float | None) -> list[str]:
    """What became of a picture on a session of eight idle minutes, which was used for something else once."""
    registry, ended = Registry(), list[str]()
    session = replace((await a_home(stores)).session(), idle=timedelta(minutes=8))
    await stores.sessions.create(session)
    registry.calls.add(session.user_id, session.id, DeviceId("d"), ended.append, session.idle_expires_at)
    began = trio.current_time()
    async with trio.open_nursery() as nursery:
        await nursery.start(
            expire_forever,
            registry,
            stores.sessions,
            lambda: THEN + timedelta(seconds=trio.current_time() - began),
        )
        if used_after_minutes is not None:
            await trio.sleep(used_after_minutes * 60)
            await stores.sessions.touch(session.token_hash, THEN + timedelta(minutes=used_after_minutes))
        await trio.sleep_until(began + minutes * 60)
        nursery.cancel_scope.cancel()
    return ended


async def test_h14_a13_what_runs_on_a_session_ends_with_it_at_either_limit(
    autojump_clock: trio.testing.MockClock,
) -> None:
    assert await watched(MemoryStores(), 7.9, None) == []
    assert await watched(MemoryStores(), 8.1, None) == ["expired"]
    assert await watched(MemoryStores(), 14.9, 7) == []
    assert await watched(MemoryStores(), 15.1, 7) == ["expired"]


async def test_h14_what_runs_on_a_session_of_which_nothing_can_be_known_ends_as_it_was_to(
    autojump_clock: trio.testing.MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    stores = MemoryStores()

    async def down(*_: object) -> None:
        raise StoreUnavailable("down")

    monkeypatch.setattr(stores.sessions, "by_id_or_none", down)
    assert await watched(stores, 8.1, 7) == ["expired"]


async def test_s02_a_silent_store_of_sessions_delays_no_other_expiry(
    autojump_clock: trio.testing.MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry, ended, stores = Registry(), list[str](), MemoryStores()
    began = trio.current_time()

    async def silent(*_: object) -> None:
        await trio.sleep(2)
        raise StoreUnavailable("no answer")

    monkeypatch.setattr(stores.sessions, "by_id_or_none", silent)
    for number in range(50):
        until = NOW + timedelta(seconds=60)
        registry.calls.add(UserId("u"), SessionId(f"s{number}"), DeviceId("d"), ended.append, until)
    tunnel = FakeTunnel()
    registry.admit(tunnel, a_session(lives=61))
    async with trio.open_nursery() as nursery:
        await nursery.start(
            expire_forever,
            registry,
            stores.sessions,
            lambda: NOW + timedelta(seconds=trio.current_time() - began),
        )
        await trio.sleep(70)
        nursery.cancel_scope.cancel()
    assert len(ended) == 50
    assert tunnel.closed is not None
