"""S-02: each way in which a Redis can be of no use, on a real one."""

import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from functools import partial

import pytest
import trio
from visiona.stores.interfaces import Stores

from tests.stores.redis.beside import beside, keys, refusal, seconds_until_answered
from tests.support.lateness import within
from tests.support.nouns import LATER, NOW, Home, a_home, new_hash
from tests.support.servers.processes import free_port
from tests.support.servers.redis import RedisServer
from tests.support.toxics import ToxicRelay, before
from tests.support.waiting import until

AT_ONCE_SECONDS = 0.5
"""For an answer that waits for nobody."""


SECONDS = 1.0
"""What a question may take, as it is by default."""


@pytest.fixture
async def stores(server: RedisServer) -> AsyncIterator[Stores]:
    async with beside(server, timeout_seconds=SECONDS) as opened:
        yield opened


def asking(stores: Stores) -> Callable[[], Awaitable[object]]:
    return lambda: stores.sessions.get_or_none(new_hash(), NOW)


async def refused_within(stores: Stores, seconds: float = AT_ONCE_SECONDS) -> None:
    with within(seconds):
        await refusal(asking(stores))


async def test_s02_a_redis_that_is_down_at_the_start_is_refused_at_once_and_works_when_it_comes() -> None:
    with RedisServer(starts=False) as server:
        async with beside(server, timeout_seconds=SECONDS) as stores:
            home = await a_home(stores)
            assert (await refusal(asking(stores))).retry_after_seconds == 2
            await refused_within(stores)
            assert str(await refusal(stores.pings["redis"])) == "Redis cannot be reached"
            await stores.ping()
            server.start()
            await seconds_until_answered(asking(stores))
            await stores.sessions.create(home.session())


async def test_s02_a_restart_is_got_over_within_seconds_and_every_connection_with_it(
    server: RedisServer, stores: Stores
) -> None:
    async with trio.open_nursery() as nursery:
        for _ in range(20):
            nursery.start_soon(asking(stores))
    server.kill()
    await refused_within(stores)
    server.start()
    await seconds_until_answered(asking(stores))
    # No connection of before is left in the pool to fail the next one.
    async with trio.open_nursery() as nursery:
        for _ in range(20):
            nursery.start_soon(asking(stores))


async def test_s02_a_black_hole_costs_two_callers_their_patience_and_the_others_nothing(
    server: RedisServer, stores: Stores
) -> None:
    await asking(stores)()
    server.freeze()
    # Nobody waits any longer than until it counts as out.
    with within(1.5):
        async with trio.open_nursery() as nursery:
            for _ in range(30):
                nursery.start_soon(partial(refusal, asking(stores)))
    for _ in range(10):
        await refused_within(stores)
    # Also the one probe a second keeps nobody waiting.
    await trio.sleep(1.1)
    await refused_within(stores)
    server.thaw()
    await seconds_until_answered(asking(stores))


async def test_s02_who_waits_for_a_redis_that_counts_as_out_waits_no_longer(
    server: RedisServer, stores: Stores
) -> None:
    await asking(stores)()
    server.freeze()
    async with trio.open_nursery() as nursery:
        for _ in range(2):
            nursery.start_soon(partial(refusal, asking(stores)))
        await trio.sleep(0.7)
        await refused_within(stores, 0.6)
    server.thaw()


@pytest.fixture
def way(server: RedisServer) -> Iterator[ToxicRelay]:
    with before(server.port) as relay:
        yield relay


@pytest.mark.parametrize(
    "spoil", [ToxicRelay.swallow, ToxicRelay.vanish, ToxicRelay.refuse, ToxicRelay.reset]
)
async def test_s02_whatever_becomes_of_the_way_to_it_is_over_when_the_way_is_well(
    way: ToxicRelay, spoil: Callable[[ToxicRelay], None]
) -> None:
    async with beside(f"redis://127.0.0.1:{way.port}", timeout_seconds=0.3) as stores:
        await asking(stores)()
        spoil(way)
        for _ in range(5):
            with within(2.5):
                if spoil is not ToxicRelay.reset:
                    await refusal(asking(stores))
        way.heal()
        await seconds_until_answered(asking(stores))
        await trio.testing.wait_all_tasks_blocked()
        assert way.connections <= 9


async def test_s02_a_slow_redis_is_waited_for_as_long_as_is_set_and_no_longer(way: ToxicRelay) -> None:
    async with beside(f"redis://127.0.0.1:{way.port}", timeout_seconds=0.5) as stores:
        await asking(stores)()
        way.delay(0.1)
        await asking(stores)()
        way.delay(0.6)
        began = trio.current_time()
        await refused_within(stores, 1.5)
        assert trio.current_time() - began > 0.4
        way.heal()
        await seconds_until_answered(asking(stores))


async def test_s02_an_answer_in_pieces_is_an_answer(way: ToxicRelay, server: RedisServer) -> None:
    async with beside(f"redis://127.0.0.1:{way.port}", timeout_seconds=SECONDS) as stores:
        way.slice(1)
        home = await a_home(stores)
        session = home.session()
        await stores.sessions.create(session)
        assert await stores.sessions.list_of_user(home.user.id, NOW) == [session]


async def test_s02_one_slow_question_is_no_outage(server: RedisServer, stores: Stores) -> None:
    server.freeze()
    await refusal(asking(stores))
    server.thaw()
    await asking(stores)()


async def test_s02_a_redis_that_still_loads_is_waited_for() -> None:
    options = {
        "enable-debug-command": "local",
        "key-load-delay": "2000",
        "loading-process-events-interval-bytes": "1024",
    }
    with RedisServer(options=options) as server:
        server.command("DEBUG", "POPULATE", "1000")
        server.command("SAVE")
        server.kill()
        async with beside(server, timeout_seconds=SECONDS) as stores:
            server.start(waits=False)
            said = set()
            with trio.fail_after(10):
                while "Redis is still loading its data" not in said:
                    said.add(str(await refusal(asking(stores))))
            assert said <= {"Redis is still loading its data", "Redis cannot be reached"}
            await seconds_until_answered(asking(stores))


async def test_s02_a_full_redis_takes_no_new_session_keeps_the_old_and_lets_people_sign_out(
    server: RedisServer, stores: Stores, home: Home
) -> None:
    session, other = home.session(), home.session()
    await stores.sessions.create(session)
    await stores.sessions.create(other)
    await stores.pings["redis"]()
    server.command("CONFIG", "SET", "maxmemory", "1")
    error = await refusal(lambda: stores.sessions.create(home.session()))
    assert str(error) == "the memory of Redis is full"
    assert error.retry_after_seconds == 30
    await refusal(lambda: stores.sessions.touch(session.token_hash, LATER))
    assert str(await refusal(stores.pings["redis"])) == "the memory of Redis is full"
    assert await stores.sessions.get_or_none(session.token_hash, NOW) == session
    assert await stores.sessions.delete(session.id, LATER)
    assert [end.subject for end in (await stores.sessions.ends_after("")).notices] == [session.id]
    server.command("CONFIG", "SET", "maxmemory", "0")
    await stores.pings["redis"]()
    await stores.sessions.create(home.session())


async def test_s02_a_replica_is_refused_for_questions_too_until_it_is_the_primary(
    server: RedisServer, stores: Stores, home: Home
) -> None:
    session = home.session()
    await stores.sessions.create(session)
    server.command("REPLICAOF", "127.0.0.1", str(free_port()))
    error = await refusal(lambda: stores.sessions.touch(session.token_hash, LATER))
    assert "is a replica" in str(error)
    # What it knows may be old: a session that was ended on the new primary must not live on here.
    await refusal(lambda: stores.sessions.get_or_none(session.token_hash, NOW))
    server.command("REPLICAOF", "NO", "ONE")
    await seconds_until_answered(asking(stores))
    assert await stores.sessions.get_or_none(session.token_hash, NOW) == session


async def test_s02_a_server_that_becomes_a_replica_is_found_out_by_the_next_check(
    server: RedisServer, stores: Stores
) -> None:
    await stores.pings["redis"]()
    server.command("REPLICAOF", "127.0.0.1", str(free_port()))
    assert "is a replica" in str(await refusal(stores.pings["redis"]))
    await refusal(asking(stores))


async def test_s02_a_redis_that_cannot_write_its_snapshot_keeps_what_it_has() -> None:
    with RedisServer(options={"save": "3600 1"}) as server:
        async with beside(server, timeout_seconds=SECONDS) as stores:
            home = await a_home(stores)
            session = home.session()
            await stores.sessions.create(session)
            shutil.rmtree(server.folder)
            server.command("BGSAVE")
            await until(lambda: b"rdb_last_bgsave_status:err" in server.command("INFO", "persistence"))
            error = await refusal(lambda: stores.sessions.create(home.session()))
            assert "cannot write its data to the disk" in str(error)
            assert "cannot write its data" in str(await refusal(stores.pings["redis"]))
            assert await stores.sessions.get_or_none(session.token_hash, NOW) == session
            server.command("CONFIG", "SET", "stop-writes-on-bgsave-error", "no")
            await stores.pings["redis"]()


@pytest.mark.parametrize("credentials", ["", ":wrong@", "nobody:secret@"])
async def test_s02_a_wrong_password_is_told_without_saying_it(
    credentials: str, caplog: pytest.LogCaptureFixture
) -> None:
    with RedisServer(password="secret") as server:
        async with beside(f"redis://{credentials}127.0.0.1:{server.port}") as stores:
            error = await refusal(asking(stores))
            assert str(error) == "Redis refuses the name or password in redis.url"
            assert error.retry_after_seconds == 30
        async with beside(server, timeout_seconds=SECONDS) as stores:
            await asking(stores)()
    shown = "".join(str(vars(record)) for record in caplog.records)
    assert "wrong" not in shown.replace("WRONGPASS", "").replace("wrong password", "")
    assert "secret" not in shown


async def test_s02_a_password_that_is_changed_is_no_longer_believed(server: RedisServer) -> None:
    async with beside(server, timeout_seconds=SECONDS) as stores:
        await asking(stores)()
        server.command("CONFIG", "SET", "requirepass", "hush")
        server.kill()
        server.start(waits=False)
        await seconds_until_answered(asking(stores))


async def test_s02_a_user_who_may_not_is_told(server: RedisServer) -> None:
    server.command("ACL", "SETUSER", "ann", "on", ">pass", "~visiona:*", "+@all", "-eval", "-evalsha")
    async with beside(f"redis://ann:pass@127.0.0.1:{server.port}") as stores:
        assert "may not do" in str(await refusal(asking(stores)))


async def test_s02_a_user_who_may_what_is_documented_may_everything(server: RedisServer) -> None:
    server.command(
        "ACL", "SETUSER", "ann", "on", ">pass", "~visiona:*", "-@all", "+@read", "+@write", "+@connection",
        "+eval", "+evalsha", "+info", "+time",
    )  # fmt: skip
    async with beside(f"redis://ann:pass@127.0.0.1:{server.port}/0") as stores:
        home = await a_home(stores)
        session = home.session()
        await stores.sessions.create(session)
        await stores.sessions.delete(session.id, LATER)
        assert (await stores.sessions.ends_after("")).notices
        assert await stores.pings["redis"]() is None


@pytest.mark.parametrize("policy", ["allkeys-lru", "volatile-ttl"])
async def test_s02_a_redis_that_may_drop_sessions_is_told_once_in_the_log_and_at_each_check(
    server: RedisServer, stores: Stores, caplog: pytest.LogCaptureFixture, policy: str
) -> None:
    server.command("CONFIG", "SET", "maxmemory-policy", policy)
    assert await stores.pings["redis"]() is None
    server.command("CONFIG", "SET", "maxmemory", "100mb")
    for _ in range(3):
        advice = await stores.pings["redis"]()
        assert advice is not None
        assert policy in advice
    assert [record.message for record in caplog.records if policy in record.message] == [advice]
    server.command("CONFIG", "SET", "maxmemory-policy", "noeviction")
    assert await stores.pings["redis"]() is None


async def test_s02_what_is_no_redis_is_told() -> None:
    async def greet(stream: trio.SocketStream) -> None:
        await stream.receive_some()
        await stream.send_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async with trio.open_nursery() as nursery:
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(trio.serve_listeners, greet, [listener])
        async with beside(f"redis://127.0.0.1:{listener.socket.getsockname()[1]}") as stores:
            assert str(await refusal(asking(stores))) == "what answers at redis.url is no Redis"
        nursery.cancel_scope.cancel()


async def test_s02_a_database_that_is_not_there_is_told(server: RedisServer) -> None:
    async with beside(f"{server.url()[:-1]}9999") as stores:
        assert "does the database that redis.url names exist?" in str(await refusal(asking(stores)))


async def test_a12_what_a_flush_takes_is_not_found_any_more_and_is_known_to_be_lost(
    server: RedisServer, stores: Stores, home: Home, caplog: pytest.LogCaptureFixture
) -> None:
    session = home.session()
    await stores.sessions.create(session)
    await stores.sessions.delete(session.id, NOW)
    await stores.sessions.create(session)
    known = await stores.sessions.ends_after((await stores.sessions.ends_after("")).position)
    assert not known.are_doubtful
    server.command("FLUSHALL")
    assert keys(server) == set()
    assert await stores.sessions.get_or_none(session.token_hash, NOW) is None
    lost = await stores.sessions.ends_after(known.position)
    assert lost.are_doubtful
    # As long as nobody has signed in since, nobody can be signed in.
    assert (await stores.sessions.ends_after(lost.position)).are_doubtful
    await stores.sessions.create(session)
    await stores.sessions.delete(session.id, NOW)
    assert [record.message for record in caplog.records if "lost the sessions" in record.message] == [
        "Redis has lost the sessions that it held; everybody signs in again"
    ]
    later = await stores.sessions.ends_after(lost.position)
    assert [end.subject for end in later.notices] == [session.id]
