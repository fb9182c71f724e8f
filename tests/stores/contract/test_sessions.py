from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from visiona.domain.audit import EVERY_ENTRY, EVERYTHING, Deed
from visiona.domain.ids import SessionId, UserId
from visiona.domain.notices import NoticeKind
from visiona.domain.sessions import MAX_SESSIONS_PER_USER, UserSession
from visiona.stores.errors import StoreConflict, StoreUnavailable
from visiona.stores.interfaces import Stores, Tx

from tests.support.engines import ENGINES, EVERYWHERE
from tests.support.nouns import LATER, NOW, Home, a_home, an_entry

NONE = SessionId("none")
TICK = timedelta(microseconds=1)
IDLE_END = NOW + timedelta(hours=8)
END = NOW + timedelta(hours=24)


@pytest.fixture(params=EVERYWHERE)
def engine(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


async def create(stores: Stores, *sessions: UserSession) -> None:
    for session in sessions:
        await stores.sessions.create(session)


async def told(stores: Stores) -> list[str]:
    """Sessions whose end was told, wherever that is told."""
    kept = await stores.read(lambda tx: tx.notices.after(0, 1000))
    notices = [*kept, *(await stores.sessions.ends_after("")).notices]
    assert all(notice.kind is NoticeKind.SESSION_ENDED for notice in notices)
    return [notice.subject for notice in notices]


async def test_a_session_comes_back_as_it_went_in(stores: Stores, home: Home) -> None:
    plain = home.session()
    full = replace(home.session(idp_sid="sid"), id_token="eyJ", user_agent="Büro\N{SNOWMAN}")
    await create(stores, plain, full)
    for session in (plain, full):
        assert await stores.sessions.get_or_none(session.token_hash, NOW) == session
        assert await stores.sessions.by_id_or_none(session.id, NOW) == session
    assert await stores.sessions.get_or_none("none", NOW) is None
    assert await stores.sessions.by_id_or_none(NONE, NOW) is None


@pytest.mark.parametrize("same", ["token_hash", "id"])
async def test_a_session_exists_once(stores: Stores, home: Home, same: str) -> None:
    session = home.session()
    await create(stores, session)
    with pytest.raises(StoreConflict) as caught:
        await create(stores, replace(home.session(), **{same: getattr(session, same)}))
    assert caught.value.about == "session"


async def test_a_session_belongs_to_somebody(stores: Stores, home: Home) -> None:
    with pytest.raises(StoreConflict) as caught:
        await create(stores, replace(home.session(), user_id=UserId("nobody")))
    assert caught.value.about == "reference"


async def found(stores: Stores, session: UserSession, now: datetime) -> list[bool]:
    return [
        await stores.sessions.get_or_none(session.token_hash, now) is not None,
        await stores.sessions.by_id_or_none(session.id, now) is not None,
        session.id in [each.id for each in await stores.sessions.list_of_user(session.user_id, now)],
    ]


async def test_a13_a_session_is_found_until_its_idle_limit_and_not_at_it(stores: Stores, home: Home) -> None:
    session = home.session()
    await create(stores, session)
    assert await found(stores, session, IDLE_END - TICK) == [True] * 3
    assert await found(stores, session, IDLE_END) == [False] * 3


async def test_a13_a_use_begins_the_idle_time_anew_and_the_absolute_limit_stays(
    stores: Stores, home: Home
) -> None:
    session = home.session()
    await create(stores, session)
    for hours in (7, 14, 21):
        at = NOW + timedelta(hours=hours)
        assert await stores.sessions.touch(session.token_hash, at) == replace(session, last_seen_at=at)
        assert (await stores.sessions.get_or_none(session.token_hash, at)) == replace(
            session, last_seen_at=at
        )
    assert await found(stores, session, END - TICK) == [True] * 3
    assert await found(stores, session, END) == [False] * 3


async def test_a13_a_session_that_is_over_is_not_used_back_to_life(stores: Stores, home: Home) -> None:
    session = home.session()
    await create(stores, session)
    assert await stores.sessions.touch(session.token_hash, IDLE_END) is None
    assert await stores.sessions.get_or_none(session.token_hash, NOW) == session
    assert await stores.sessions.touch("none", NOW) is None


async def test_a13_a_use_that_is_noted_late_takes_nothing_away(stores: Stores, home: Home) -> None:
    session = home.session()
    await create(stores, session)
    used = await stores.sessions.touch(session.token_hash, LATER)
    assert await stores.sessions.touch(session.token_hash, NOW) == used
    assert await stores.sessions.get_or_none(session.token_hash, NOW) == used
    assert await found(stores, session, IDLE_END) == [True] * 3


@pytest.mark.parametrize("engine", ENGINES)
async def test_a13_of_two_uses_at_once_the_later_one_counts(stores: Stores, home: Home) -> None:
    """Whichever of them is written last."""
    session = home.session()
    await create(stores, session)
    used = session.touched(LATER)
    assert await stores.write(lambda tx: tx.user_sessions.note_use(used))
    assert await stores.write(lambda tx: tx.user_sessions.note_use(session))
    assert await stores.sessions.get_or_none(session.token_hash, NOW) == used
    assert await found(stores, session, IDLE_END) == [True] * 3
    await stores.sessions.delete(session.id, LATER)
    assert not await stores.write(lambda tx: tx.user_sessions.note_use(used))
    assert await found(stores, session, NOW) == [False] * 3


@pytest.mark.parametrize("engine", ENGINES)
async def test_a_row_is_removed_by_one_caller(stores: Stores, home: Home) -> None:
    one, two, other = home.session(), home.session(), home.session()
    await create(stores, one, two, other)
    assert await stores.write(lambda tx: tx.user_sessions.remove([one.id])) == [one.id]
    assert await stores.write(lambda tx: tx.user_sessions.remove([two.id, NONE, one.id])) == [two.id]
    assert await stores.write(lambda tx: tx.user_sessions.remove([two.id])) == []
    assert await stores.write(lambda tx: tx.user_sessions.remove([])) == []
    assert await found(stores, other, NOW) == [True] * 3


async def test_ending_a_session_is_told_and_is_done_once(stores: Stores, home: Home) -> None:
    one, other = home.session(), home.session()
    await create(stores, one, other)
    assert await stores.sessions.delete(one.id, LATER)
    assert not await stores.sessions.delete(one.id, LATER)
    assert not await stores.sessions.delete(NONE, LATER)
    assert await found(stores, one, NOW) == [False] * 3
    assert await found(stores, other, NOW) == [True] * 3
    assert await told(stores) == [one.id]


async def test_nobody_ends_a_session_of_somebody_else(stores: Stores, home: Home) -> None:
    bob = await a_home(stores, "bob@example.com")
    session = home.session()
    await create(stores, session)
    assert not await stores.sessions.delete(session.id, NOW, bob.user.id)
    assert await told(stores) == []
    assert await stores.sessions.delete(session.id, NOW, home.user.id)


async def test_a_user_sees_the_own_ones_the_most_recently_used_first(stores: Stores, home: Home) -> None:
    bob = await a_home(stores, "bob@example.com")
    first, second = home.session(created_at=NOW), home.session(created_at=LATER)
    await create(stores, first, second, bob.session())
    assert await stores.sessions.list_of_user(home.user.id, LATER) == [second, first]
    used = await stores.sessions.touch(first.token_hash, LATER + TICK)
    assert await stores.sessions.list_of_user(home.user.id, LATER) == [used, second]


async def test_all_of_a_user_end_but_the_one_to_keep(stores: Stores, home: Home) -> None:
    bob = await a_home(stores, "bob@example.com")
    one, two, kept, other = home.session(), home.session(), home.session(), bob.session()
    await create(stores, one, two, kept, other)
    ended = await stores.sessions.delete_of_user(home.user.id, NOW, kept.id)
    assert set(ended) == {one.id, two.id} == set(await told(stores))
    assert await stores.sessions.delete_of_user(home.user.id, NOW) == [kept.id]
    assert await stores.sessions.delete_of_user(home.user.id, NOW) == []
    assert await found(stores, other, NOW) == [True] * 3


async def test_a_provider_ends_by_subject_by_session_or_by_both(stores: Stores, home: Home) -> None:
    at = NOW
    ada, ada_two = home.session(idp_sid="s1"), home.session(idp_sid="s2")
    ada_without = home.session()
    eve = home.session(subject="eve", idp_sid="s3")
    elsewhere = replace(home.session(idp_sid="s1"), issuer="https://other.example")
    await create(stores, ada, ada_two, ada_without, eve, elsewhere)
    issuer = ada.issuer
    assert await stores.sessions.delete_of_idp(issuer, "eve", "s1", at) == []
    assert await stores.sessions.delete_of_idp(issuer, "ada", "s1", at) == [ada.id]
    assert await stores.sessions.delete_of_idp(issuer, None, "s3", at) == [eve.id]
    assert set(await stores.sessions.delete_of_idp(issuer, "ada", None, at)) == {ada_two.id, ada_without.id}
    assert await told(stores) == [ada.id, eve.id, *(await told(stores))[2:]]
    with pytest.raises(ValueError, match="name a subject"):
        await stores.sessions.delete_of_idp(issuer, None, None, at)
    assert await found(stores, elsewhere, NOW) == [True] * 3


async def test_one_session_too_many_ends_the_one_that_was_not_used_for_longest(
    stores: Stores, home: Home
) -> None:
    sessions = [home.session(created_at=NOW + number * TICK) for number in range(MAX_SESSIONS_PER_USER)]
    await create(stores, *sessions)
    await stores.sessions.touch(sessions[0].token_hash, LATER)
    # Even where its clock is behind all others', the newcomer stays.
    newcomer = home.session(created_at=NOW - TICK)
    await create(stores, newcomer)
    assert await told(stores) == [sessions[1].id]
    assert await found(stores, newcomer, NOW) == [True] * 3
    assert len(await stores.sessions.list_of_user(home.user.id, NOW)) == MAX_SESSIONS_PER_USER


async def test_purging_takes_what_is_over_by_either_limit_and_tells_nobody(
    stores: Stores, home: Home
) -> None:
    idle, used, live = home.session(), home.session(), home.session(created_at=END - timedelta(hours=1))
    await create(stores, idle, used, live)
    for hours in (7, 14, 21):
        await stores.sessions.touch(used.token_hash, NOW + timedelta(hours=hours))
    assert await stores.sessions.purge(IDLE_END - TICK, 10) == 0
    assert await stores.sessions.purge(IDLE_END, 10) == 1
    assert await stores.sessions.purge(END - TICK, 10) == 0
    await create(stores, idle)
    assert await stores.sessions.purge(END, 1) == 1
    assert await stores.sessions.purge(END, 1) == 1
    assert await stores.sessions.purge(END, 1) == 0
    assert await told(stores) == []
    assert await found(stores, live, END) == [True] * 3


@pytest.mark.parametrize("engine", ENGINES)
async def test_a_deed_is_undone_whole_when_it_cannot_be_told(
    stores: Stores, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = home.session()
    await create(stores, session)
    notices: list[type] = []
    await stores.read(lambda tx: _class_of_notices(tx, notices))

    async def fail(*_: object) -> None:
        raise RuntimeError("no more")

    with monkeypatch.context() as patch:
        patch.setattr(notices[0], "append", fail)
        with pytest.raises(RuntimeError, match="no more"):
            await stores.sessions.delete(session.id, NOW)
    assert await found(stores, session, NOW) == [True] * 3


async def _class_of_notices(tx: Tx, into: list[type]) -> None:
    into.append(type(tx.notices))


async def test_what_goes_with_an_end_is_done_once_and_only_where_something_ended(
    stores: Stores, home: Home
) -> None:
    seen: list[list[SessionId]] = []

    async def also(tx: Tx, ended: Sequence[SessionId]) -> None:
        seen.append(sorted(ended))
        await tx.audit.append(an_entry(Deed.SESSION_ENDED, subject=ended[0]))

    sessions = [home.session(idp_sid=sid) for sid in ("a", "b", "c", "c")]
    await create(stores, *sessions)
    one, two, *rest = sessions
    assert not await stores.sessions.delete(NONE, NOW, also=also)
    assert not await stores.sessions.delete(one.id, NOW, UserId("somebody else"), also=also)
    assert await stores.sessions.delete(one.id, NOW, also=also)
    assert not await stores.sessions.delete(one.id, NOW, also=also)
    await stores.sessions.delete_of_idp(one.issuer, None, "c", NOW, also=also)
    await stores.sessions.delete_of_user(home.user.id, NOW, also=also)
    await stores.sessions.delete_of_user(home.user.id, NOW, also=also)
    assert seen == [[one.id], sorted(each.id for each in rest), [two.id]]
    entries = await stores.read(lambda tx: tx.audit.list_in(EVERYTHING, EVERY_ENTRY, 10))
    assert len(entries) == 3


async def test_s02_what_cannot_be_written_undoes_an_end_that_is_kept_beside_it_and_no_other(
    stores: Stores, home: Home, engine: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A session that was to end has ended, also where its line is lost with the database: the server's log says so."""
    session = home.session()
    await create(stores, session)

    async def also(tx: Tx, _: Sequence[SessionId]) -> None:
        raise StoreUnavailable("the database broke")

    if engine.endswith("+redis"):
        assert await stores.sessions.delete(session.id, NOW, also=also)
        assert await stores.sessions.by_id_or_none(session.id, NOW) is None
        (record,) = [each for each in caplog.records if "could not be written down" in each.getMessage()]
        assert session.id in getattr(record, "session_ids", "")
    else:
        with pytest.raises(StoreUnavailable):
            await stores.sessions.delete(session.id, NOW, also=also)
        assert await stores.sessions.by_id_or_none(session.id, NOW) == session
