"""What only Redis does with sessions; what every engine does is in the contract."""

from dataclasses import replace
from datetime import timedelta

import pytest
import trio
from visiona.domain.sessions import MAX_SESSIONS_PER_USER, UserSession
from visiona.stores.interfaces import Stores
from visiona.stores.redis import sessions as redis_sessions

from tests.stores.redis.beside import beside, keys, milliseconds_left
from tests.support.nouns import LATER, NOW, Home, a_home
from tests.support.servers.redis import RedisServer
from tests.support.waiting import until

HOUR = 3_600_000
SLACK = 20_000
"""Milliseconds that a busy machine may take between two questions."""


def key_of(session: UserSession) -> str:
    return f"session:{session.id}"


async def test_a13_both_limits_are_in_the_time_that_redis_lets_it_live(
    server: RedisServer, stores: Stores, home: Home
) -> None:
    session = home.session()
    await stores.sessions.create(session)
    assert 8 * HOUR - SLACK < milliseconds_left(server, key_of(session)) <= 8 * HOUR
    await stores.sessions.touch(session.token_hash, NOW + timedelta(hours=7))
    assert 8 * HOUR - SLACK < milliseconds_left(server, key_of(session)) <= 8 * HOUR
    await stores.sessions.touch(session.token_hash, NOW + timedelta(hours=14))
    await stores.sessions.touch(session.token_hash, NOW + timedelta(hours=21))
    assert 3 * HOUR - SLACK < milliseconds_left(server, key_of(session)) <= 3 * HOUR


async def test_everything_about_a_session_ends_with_it(
    server: RedisServer, stores: Stores, home: Home
) -> None:
    brief = replace(home.session(idp_sid="s"), idle=timedelta(seconds=0.2))
    await stores.sessions.create(brief)
    # The mark of this memory is all that has no end; what it says outlives its sessions.
    assert len(keys(server)) == 7
    await until(lambda: keys(server) == {"generation"})


async def test_a_session_that_is_ended_leaves_nothing_but_the_word_of_its_end(
    server: RedisServer, stores: Stores, home: Home
) -> None:
    for _ in range(2):
        session = home.session(idp_sid="s")
        await stores.sessions.create(session)
        await stores.sessions.delete(session.id, NOW)
        assert keys(server) == {"generation", "ended"}


async def test_an_index_lives_as_long_as_its_last_session(
    server: RedisServer, stores: Stores, home: Home
) -> None:
    brief, long = replace(home.session(), idle=timedelta(seconds=0.2)), home.session()
    await stores.sessions.create(long)
    await stores.sessions.create(brief)
    await until(lambda: key_of(brief) not in keys(server))
    assert await stores.sessions.list_of_user(home.user.id, NOW) == [long]
    index = f"sessions-of-user:{home.user.id}"
    assert server.command("ZCARD", f"visiona:{index}") == b":1\r\n"
    assert 8 * HOUR - SLACK < milliseconds_left(server, index) <= 8 * HOUR


async def test_what_ended_by_itself_leaves_no_trace_in_any_index(
    server: RedisServer, stores: Stores, home: Home
) -> None:
    await stores.sessions.create(home.session())
    briefs = [replace(home.session(), idle=timedelta(seconds=0.05)) for _ in range(5)]
    for brief in briefs:
        await stores.sessions.create(brief)
    await until(lambda: not {key_of(brief) for brief in briefs} & keys(server))
    await stores.sessions.create(home.session())
    for key in keys(server):
        if key.startswith("sessions-of-"):
            assert server.command("ZCARD", f"visiona:{key}") == b":2\r\n"
    assert await stores.sessions.purge(LATER, 10) == 5
    assert server.command("ZCARD", "visiona:session-ends") == b":2\r\n"


async def test_keys_name_nobody_and_hold_no_secret(server: RedisServer, stores: Stores, home: Home) -> None:
    session = home.session(idp_sid="provider's sid")
    await stores.sessions.create(session)
    shown = " ".join(keys(server))
    for word in (session.issuer, session.subject, "provider's sid", home.user.email):
        assert word not in shown


async def test_a16_a_user_s_sessions_are_capped_whoever_races(stores: Stores, home: Home) -> None:
    async with trio.open_nursery() as nursery:
        for _ in range(MAX_SESSIONS_PER_USER + 30):
            nursery.start_soon(stores.sessions.create, home.session())
    assert len(await stores.sessions.list_of_user(home.user.id, NOW)) == MAX_SESSIONS_PER_USER
    assert len((await stores.sessions.ends_after("")).notices) == 30


async def test_of_thirty_that_end_a_session_one_has_ended_it(stores: Stores, home: Home) -> None:
    session = home.session()
    await stores.sessions.create(session)
    done = list[bool]()

    async def end() -> None:
        done.append(await stores.sessions.delete(session.id, NOW))

    async with trio.open_nursery() as nursery:
        for _ in range(30):
            nursery.start_soon(end)
    assert sorted(done) == [False] * 29 + [True]
    assert len((await stores.sessions.ends_after("")).notices) == 1


async def test_ends_are_told_once_and_in_order_from_where_one_stood(stores: Stores, home: Home) -> None:
    first = [home.session() for _ in range(3)]
    for session in first:
        await stores.sessions.create(session)
        await stores.sessions.delete(session.id, LATER)
    told = await stores.sessions.ends_after("")
    assert [end.subject for end in told.notices] == [session.id for session in first]
    assert [end.at for end in told.notices] == [LATER] * 3
    assert sorted(told.notices, key=lambda end: end.id) == list(told.notices)
    assert (await stores.sessions.ends_after(told.position)).notices == []
    last = home.session()
    await stores.sessions.create(last)
    await stores.sessions.delete(last.id, LATER)
    later = await stores.sessions.ends_after(told.position)
    assert [end.subject for end in later.notices] == [last.id]
    assert not later.are_doubtful


async def test_many_ends_come_in_pieces(stores: Stores, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redis_sessions, "_BATCH", 30)
    for _ in range(2):
        async with trio.open_nursery() as nursery:
            for _ in range(MAX_SESSIONS_PER_USER):
                nursery.start_soon(stores.sessions.create, home.session())
        await stores.sessions.delete_of_user(home.user.id, NOW)
    seen, ends = 0, await stores.sessions.ends_after("")
    while ends.has_more:
        seen += len(ends.notices)
        ends = await stores.sessions.ends_after(ends.position)
    assert seen + len(ends.notices) == 2 * MAX_SESSIONS_PER_USER


async def test_the_ends_on_record_are_capped(server: RedisServer, stores: Stores, home: Home) -> None:
    for _ in range(105):
        await stores.sessions.create(home.session())
    add = "for _ = 1, 20000 do redis.call('XADD', KEYS[1], '*', 'session', 'x', 'at', 1) end"
    server.command("EVAL", add, "1", "visiona:ended")
    await stores.sessions.delete_of_user(home.user.id, NOW)
    # Cut to whole nodes of a hundred.
    assert 10_000 <= int(server.command("XLEN", "visiona:ended")[1:]) <= 10_100


async def test_two_servers_with_two_prefixes_know_nothing_of_each_other(server: RedisServer) -> None:
    async with beside(server) as one, beside(server, prefix="other:") as other:
        home = await a_home(one)
        session = home.session()
        await one.sessions.create(session)
        assert await other.sessions.get_or_none(session.token_hash, NOW) is None
        assert await other.sessions.delete_of_user(home.user.id, NOW) == []
        assert await one.sessions.get_or_none(session.token_hash, NOW) == session


async def test_a_script_that_redis_has_forgotten_is_told_again(
    server: RedisServer, stores: Stores, home: Home
) -> None:
    session = home.session()
    await stores.sessions.create(session)
    server.command("SCRIPT", "FLUSH")
    assert await stores.sessions.get_or_none(session.token_hash, NOW) == session
