"""Tokens before the judge, on stores in memory. What needs a connection is in test_reception.py."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
import trio
import trio.testing
from visiona.domain.ids import TokenId, UserId
from visiona.relay.admission import MAX_REFUSED_TOKENS, REVOKED_FOR_SECONDS, Admission
from visiona.relay.newcomer import Newcomer
from visiona.relay.refusals import Refusal
from visiona.relay.registry import Registry
from visiona.services import clock
from visiona.services.identify import TunnelSession
from visiona.stores.interfaces import Tx

from tests.relay.test_reception import Counting
from tests.relay.test_registry import FakeTunnel
from tests.support.nouns import a_home
from tests.support.relays import LOOPBACK, Paired, pair

Clock = trio.testing.MockClock


class Court:
    """An admission with everything around it."""

    def __init__(self) -> None:
        self.stores = Counting()
        self.registry = Registry()
        self.alarms: list[str] = []
        self.stopping = False
        self.offset = timedelta(0)
        self.admission = Admission(
            LOOPBACK,
            self.stores,
            self.registry,
            is_stopping=lambda: self.stopping,
            alarm=lambda session, text: self.alarms.append(text),
            now=self.now,
        )

    def now(self) -> datetime:
        return clock.now() + self.offset

    async def device(self, **how: timedelta) -> Paired:
        self.home = await a_home(self.stores)
        return await pair(self.stores, self.home, **how)

    async def judge(
        self, token: str, address: str = "192.0.2.1", instance: str | None = None
    ) -> TunnelSession | Refusal:
        return await self.admission.judge(Newcomer(b"", token, None, instance), address)

    async def status(self, token: str, address: str = "192.0.2.1", instance: str | None = None) -> int:
        verdict = await self.judge(token, address, instance)
        return verdict.status if isinstance(verdict, Refusal) else 101


async def test_a_session_says_whose_device_it_is(autojump_clock: Clock) -> None:
    court = Court()
    paired = await court.device()
    session = await court.judge(paired.token)
    assert isinstance(session, TunnelSession)
    assert (session.device_id, session.user_id, session.workspace_id) == (
        paired.device.id,
        court.home.user.id,
        court.home.workspace.id,
    )


async def test_t46_the_wall_clock_decides_at_the_very_second(autojump_clock: Clock) -> None:
    court = Court()
    paired = await court.device(lives=timedelta(days=1))
    court.offset = timedelta(days=1, seconds=1)
    refusal = await court.judge(paired.token)
    assert isinstance(refusal, Refusal)
    assert refusal.code == "SESSION_TOKEN_EXPIRED"
    # The clock was a day ahead and is set right: what it refused meanwhile was refused for good, by its own word.
    other = await pair(court.stores, court.home)
    court.offset = -timedelta(hours=1)
    assert await court.status(other.token) == 101


async def test_a_refused_token_is_remembered_and_neither_asked_nor_counted_again(
    autojump_clock: Clock,
) -> None:
    court = Court()
    unknown = f"vAs_{1:064x}"
    assert await court.status(unknown) == 401
    reads = court.stores.reads
    assert [await court.status(unknown) for _ in range(100)] == [401] * 100
    assert court.stores.reads == reads
    assert await court.status(f"vAs_{2:064x}") == 401


async def test_a_revoked_token_is_asked_about_again_after_a_short_while(autojump_clock: Clock) -> None:
    court = Court()
    paired = await court.device()
    now = clock.now()
    await court.stores.write(lambda tx: tx.users.set_disabled(UserId(paired.device.user_id), now))
    assert await court.status(paired.token) == 401
    await court.stores.write(lambda tx: tx.users.set_disabled(UserId(paired.device.user_id), None))
    assert await court.status(paired.token) == 401
    await trio.sleep(REVOKED_FOR_SECONDS)
    assert await court.status(paired.token) == 101


async def test_refused_tokens_are_remembered_within_a_bound(
    autojump_clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert MAX_REFUSED_TOKENS > 0
    monkeypatch.setattr("visiona.relay.admission.MAX_REFUSED_TOKENS", 2)
    court = Court()
    for number in range(3):
        await court.status(f"vAs_{number:064x}")
    reads = court.stores.reads
    await court.status(f"vAs_{2:064x}")
    assert court.stores.reads == reads
    await court.status(f"vAs_{0:064x}")
    assert court.stores.reads == reads + 1


async def test_t09_an_ipv6_network_counts_as_one(autojump_clock: Clock) -> None:
    court = Court()
    for number in range(LOOPBACK.failures_per_minute):
        assert await court.status(f"vAs_{number:064x}", f"2001:db8::{number:x}") == 401
    assert await court.status(f"vAs_{99:064x}", "2001:db8::ffff") == 429
    assert await court.status(f"vAs_{99:064x}", "2001:db8:0:1::1") == 401


async def test_t44_few_tokens_are_checked_at_one_time(autojump_clock: Clock) -> None:
    court = Court()
    home = await a_home(court.stores)
    tokens = [(await pair(court.stores, home)).token for _ in range(200)]
    busy, most = 0, 0
    read = court.stores.read

    async def slow(operation: Callable[[Tx], Awaitable[Any]]) -> Any:
        nonlocal busy, most
        busy += 1
        most = max(most, busy)
        await trio.sleep(0.01)
        busy -= 1
        return await read(operation)

    court.stores.read = slow
    verdicts = []

    async def come(token: str) -> None:
        verdicts.append(await court.status(token))

    async with trio.open_nursery() as nursery:
        for token in tokens:
            nursery.start_soon(come, token)
    assert verdicts == [101] * 200
    assert most == LOOPBACK.verifications


async def test_t43_the_same_installation_may_replace_itself_for_ever(autojump_clock: Clock) -> None:
    court = Court()
    paired = await court.device()
    for number in range(30):
        session = await court.judge(paired.token, f"192.0.2.{number}", "i1")
        assert isinstance(session, TunnelSession)
        court.registry.admit(FakeTunnel(), session, peer_address=f"192.0.2.{number}", instance="i1")
        await trio.sleep(4)
    assert court.alarms == []


async def test_t43_while_a_fight_is_held_the_holder_may_come_again(autojump_clock: Clock) -> None:
    court = Court()
    paired = await court.device()
    for number in range(6):
        instance = f"i{number % 2}"
        verdict = await court.judge(paired.token, instance=instance)
        if isinstance(verdict, TunnelSession):
            court.registry.admit(FakeTunnel(), verdict, peer_address="192.0.2.1", instance=instance)
        await trio.sleep(2)
    assert len(court.alarms) == 1
    await trio.sleep(60)
    assert await court.status(paired.token, instance="i1") == 409
    assert await court.status(paired.token, instance="i0") == 101
    await trio.sleep(LOOPBACK.clone_hold_seconds)
    assert await court.status(paired.token, instance="i1") == 101


async def test_a_token_is_still_good_until_it_is_not(autojump_clock: Clock) -> None:
    court = Court()
    paired = await court.device()
    newcomer = Newcomer(b"", paired.token, None, None)
    assert await court.admission.session_now_or_none(newcomer) is not None
    now = clock.now()
    await court.stores.write(lambda tx: tx.session_tokens.revoke(TokenId(paired.token_id), now))
    assert await court.admission.session_now_or_none(newcomer) is None
    court.stores.is_down = True
    assert await court.admission.session_now_or_none(newcomer) is None


async def test_while_stopping_not_even_the_token_is_looked_at(autojump_clock: Clock) -> None:
    court = Court()
    paired = await court.device()
    reads = court.stores.reads
    court.stopping = True
    assert await court.status(paired.token) == 503
    assert court.stores.reads == reads
