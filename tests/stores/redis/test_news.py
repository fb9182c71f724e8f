from datetime import UTC, datetime

import pytest
import trio
from visiona.domain.notices import NoticeKind
from visiona.stores.errors import StoreUnavailable
from visiona.stores.interfaces import Stores, Tx
from visiona.stores.redis import news

from tests.stores.redis.beside import beside, seconds_until_answered
from tests.support.lateness import Lateness, within
from tests.support.nouns import NOW, a_home
from tests.support.servers.redis import RedisServer
from tests.support.waiting import until

PATIENCE = 10.0


async def append(stores: Stores) -> None:
    await stores.write(lambda tx: tx.notices.append(NoticeKind.TOKEN_REVOKED, "t", NOW))


async def waited_seconds(stores: Stores, after: object) -> float:
    """How long a wait for notices takes while something is done; what the machine adds is not counted."""
    began = trio.current_time()
    with Lateness() as lateness:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(after)
            await stores.wait_notice(PATIENCE)
    return trio.current_time() - began - lateness.seconds


async def listening(server: RedisServer, processes: int = 2) -> None:
    await until(lambda: server.command("CLIENT", "LIST").count(b"cmd=xread") == processes)


async def test_who_waits_is_woken_by_what_another_process_wrote(server: RedisServer) -> None:
    async with beside(server) as one, beside(server, is_server=False) as other:
        await listening(server, 1)
        for _ in range(3):
            assert await waited_seconds(one, lambda: append(other)) < 1


async def test_and_by_a_session_that_ended(server: RedisServer) -> None:
    async with beside(server) as one, beside(server) as other:
        home = await a_home(other)
        session = home.session()
        await other.sessions.create(session)
        await listening(server)
        assert await waited_seconds(one, lambda: other.sessions.delete(session.id, NOW)) < 1


async def test_what_this_process_wrote_wakes_it_without_redis(server: RedisServer) -> None:
    async with beside(server) as stores:
        server.kill()
        assert await waited_seconds(stores, lambda: append(stores)) < 1


async def test_what_tells_nothing_wakes_nobody(server: RedisServer) -> None:
    async with beside(server) as one, beside(server) as other:
        await listening(server)

        async def read_and_write() -> None:
            await a_home(other)
            await other.read(lambda tx: tx.notices.last_id())
            with pytest.raises(LookupError):
                await other.write(_told_and_undone)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(read_and_write)
            with trio.move_on_after(0.3) as scope:
                await one.wait_notice(PATIENCE)
        assert scope.cancelled_caught


async def _told_and_undone(tx: Tx) -> None:
    await tx.notices.append(NoticeKind.TOKEN_REVOKED, "t", datetime.now(UTC))
    raise LookupError


async def test_a_wait_ends_by_itself() -> None:
    with RedisServer(starts=False) as server:
        async with beside(server) as stores:
            with within(2):
                await stores.wait_notice(0.05)


async def test_a_command_tells_before_it_ends(server: RedisServer) -> None:
    async with beside(server) as one:
        await listening(server, 1)

        async def command() -> None:
            async with beside(server, is_server=False) as other:
                await append(other)

        assert await waited_seconds(one, command) < 1


async def test_s02_a_command_is_not_held_up_by_a_silent_redis(
    server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(news, "FAREWELL_SECONDS", 0.1)
    with within(2):
        async with beside(server, is_server=False, timeout_seconds=1.0) as stores:
            server.freeze()
            await append(stores)
    server.thaw()


async def test_s02_it_listens_again_after_an_outage(
    server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(news, "AGAIN_SECONDS", 0.05)
    async with beside(server) as one, beside(server) as other:
        await listening(server)
        server.kill()
        server.start()
        await seconds_until_answered(other.pings["redis"])
        await listening(server)
        assert await waited_seconds(one, lambda: append(other)) < 1


async def test_any_number_of_tellings_become_one_message_while_one_is_on_its_way() -> None:
    told = 0
    go_on = trio.Event()

    class Slow:
        async def run(self, *_: object) -> None:
            nonlocal told
            told += 1
            await go_on.wait()

    async def never(*_: object) -> dict[str, str]:
        raise StoreUnavailable("x")

    clock = news.News(Slow(), never)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(clock.tell_forever)
        for _ in range(100):
            clock.tell()
            await trio.lowlevel.checkpoint()
        go_on.set()
        await trio.testing.wait_all_tasks_blocked()
        assert told == 2
        nursery.cancel_scope.cancel()


async def test_an_alarm_clock_that_meets_a_bug_is_told_of_and_ends_nothing(
    server: RedisServer, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(news, "AGAIN_SECONDS", 0.01)
    server.command("SET", "visiona:ended", "no stream")
    async with beside(server) as stores:
        await until(lambda: any("WRONGTYPE" in str(vars(record)) for record in caplog.records))
        server.command("DEL", "visiona:ended")
        await listening(server, 1)
        assert await stores.pings["redis"]() is None
