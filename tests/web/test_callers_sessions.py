"""Callers who come with the session cookie."""

import pytest
import trio
import trio.testing
from visiona.domain.access import Actor, Via
from visiona.domain.errors import NotAllowed, NotSignedIn
from visiona.domain.notices import Notice, NoticeKind
from visiona.services.sessions import end_session
from visiona.services.users import disable_user
from visiona.stores.errors import StoreUnavailable
from visiona.web.callers import Callers
from visiona.web.cookies import seal
from visiona.web.credentials import Credentials
from visiona.web.cross_site import FOREIGN_PAGE

from tests.web.world import START, Visitor, World


def credentials(visitor: Visitor, foreign: str | None = None) -> Credentials:
    return Credentials(cookie=visitor.cookie.partition("=")[2], foreign=foreign)


async def writes_of(world: World, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is written to the sessions from now on."""
    written: list[str] = []
    touch = world.stores.sessions.touch

    async def noting(token_hash: str, at: object) -> object:
        written.append(str(at))
        return await touch(token_hash, at)

    monkeypatch.setattr(world.stores.sessions, "touch", noting)
    return written


async def test_a_session_is_a_person_and_is_remembered_for_a_while() -> None:
    world = World()
    ada = await world.visitor()
    assert world.callers.known(credentials(ada)) is None
    actor = await world.callers.identify(credentials(ada))
    assert (actor.via, actor.user_id) == (Via.SESSION, ada.done.user.id)
    assert world.callers.known(credentials(ada)) is actor


async def test_a15_a_foreign_request_is_refused_warm_and_cold_and_is_nobodys_before() -> None:
    world = World()
    ada = await world.visitor()
    foreign = credentials(ada, FOREIGN_PAGE)
    with pytest.raises(NotAllowed, match=FOREIGN_PAGE):
        await world.callers.identify(foreign)
    await world.callers.identify(credentials(ada))
    assert world.callers.known(foreign) is None
    with pytest.raises(NotAllowed):
        await world.callers.identify(foreign)
    with pytest.raises(NotSignedIn):
        await world.callers.identify(Credentials(cookie="x", foreign=FOREIGN_PAGE))


async def test_a07_what_is_not_sealed_costs_no_question() -> None:
    class Silent:
        async def read(self, operation: object) -> Actor:
            raise AssertionError("asked")

        @property
        def sessions(self) -> object:
            raise AssertionError("asked")

    world = World()
    ada = await world.visitor()
    text = ada.done.text
    callers = Callers(Silent(), cookie=world.cookie)
    for value in ("", text, f"{text}.", seal(b"x" * 32, text), "A" * 10_000, credentials(ada).cookie + "="):
        with pytest.raises(NotSignedIn):
            await callers.identify(Credentials(cookie=value))
    with pytest.raises(NotSignedIn):
        await Callers(Silent()).identify(credentials(ada))


async def test_a07_a_cookie_s_value_is_no_bearer_token_though_it_is_remembered() -> None:
    world = World()
    ada = await world.visitor()
    await world.callers.identify(credentials(ada))
    bearer = Credentials(bearer=credentials(ada).cookie)
    assert world.callers.known(bearer) is None
    with pytest.raises(NotSignedIn):
        await world.callers.identify(bearer)


@pytest.mark.parametrize("kind", list(NoticeKind))
async def test_a_notice_ends_the_sessions_that_it_touches(kind: NoticeKind) -> None:
    world = World()
    ada, bob = await world.visitor(), await world.visitor("bob@example.com")
    for visitor in (ada, bob):
        await world.callers.identify(credentials(visitor))
    workspace = (await world.callers.identify(credentials(ada))).personal_workspace
    subjects = {
        NoticeKind.SESSION_ENDED: ada.done.session.id,
        NoticeKind.USER_DISABLED: ada.done.user.id,
        NoticeKind.MEMBER_REMOVED: f"{workspace}/{ada.done.user.id}",
    }
    world.callers.forget(Notice(1, kind, subjects.get(kind, "01a1ff8a-2ec5-7eb4-a538-dda8dbd9fb3f"), START))
    assert (world.callers.known(credentials(ada)) is None) == (kind in subjects)
    assert world.callers.known(credentials(bob)) is not None


async def test_a12_a_session_that_its_store_lost_is_over_and_no_memory_stands_in(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """A flushed store writes no notice, so what is remembered is believed for its half minute, and no longer."""
    world = World()
    ada = await world.visitor()
    await world.callers.identify(credentials(ada))
    await world.stores.write(lambda tx: tx.user_sessions.remove([ada.done.session.id]))
    await trio.sleep(30.1)
    with pytest.raises(NotSignedIn):
        await world.callers.identify(credentials(ada))


async def test_a12_a_session_whose_store_is_down_is_neither_good_nor_over(
    autojump_clock: trio.testing.MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World()
    ada = await world.visitor()
    await world.callers.identify(credentials(ada))

    async def down(*_: object) -> None:
        raise StoreUnavailable("down")

    with monkeypatch.context() as patch:
        patch.setattr(world.stores.sessions, "get_or_none", down)
        await trio.sleep(30.1)
        with pytest.raises(StoreUnavailable):
            await world.callers.identify(credentials(ada))
        refused = await ada.ask("GET", "/api/auth/me")
        assert (refused.status, refused.code) == (503, "STORE_UNAVAILABLE")
    assert (await ada.ask("GET", "/api/auth/me")).status == 200


async def test_a12_a_lost_session_is_401_as_json_for_a_script_and_a_program() -> None:
    world = World()
    ada = await world.visitor()
    await end_session(world.stores, ada.done.session.id, world.now())
    for mode in ("cors", "same-origin", "no-cors", "websocket", ""):
        lost = await ada.ask("GET", "/api/devices", headers={"Sec-Fetch-Mode": mode} if mode else {})
        assert (lost.status, lost.code) == (401, "UNAUTHENTICATED")
        assert "Location" not in lost.headers


async def test_a13_pictures_of_a_camera_write_nothing_and_requests_once_a_minute(
    autojump_clock: trio.testing.MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page that shows ten pictures a second asks ten times a second; the store hears of it once a minute."""
    world = World()
    ada = await world.visitor()
    written = await writes_of(world, monkeypatch)
    for _ in range(10 * 181):
        await world.callers.identify(credentials(ada))
        await trio.sleep(0.1)
        world.now.forward(seconds=0.1)
    assert 2 <= len(written) <= 3


async def test_a13_a_session_that_is_remembered_is_over_at_its_limits_all_the_same() -> None:
    world = World()
    ada = await world.visitor()
    await world.callers.identify(credentials(ada))
    world.now.forward(hours=8)
    assert world.callers.known(credentials(ada)) is None
    with pytest.raises(NotSignedIn):
        await world.callers.identify(credentials(ada))


async def test_a14_a_disabled_user_loses_session_and_live_sockets_at_once() -> None:
    world = World()
    ada, bob = await world.visitor(), await world.visitor("bob@example.com")
    causes: list[str] = []
    for visitor in (ada, bob):
        actor = await world.callers.identify(credentials(visitor))
        world.registry.calls.add(
            actor.user_id,
            actor.credential_id,
            None,
            lambda cause, who=actor.email: causes.append(who),
        )
    await disable_user(world.stores, ada.done.user.id, world.now())
    notices = await world.stores.read(lambda tx: tx.notices.after(0, 10))
    assert [notice.kind for notice in notices] == [NoticeKind.USER_DISABLED, NoticeKind.SESSION_ENDED]
    for notice in notices:
        world.revoking.apply(notice)
    assert causes == ["ada@example.com"]
    with pytest.raises(NotSignedIn):
        await world.callers.identify(credentials(ada))
    await world.callers.identify(credentials(bob))


async def test_a12_a_doubted_session_is_asked_about_again_and_a_token_is_not() -> None:
    world = World()
    ada, program = await world.visitor(), await world.person("bob@example.com")
    await world.callers.identify(credentials(ada))
    bearer = Credentials(bearer=program.token)
    known = await world.callers.identify(bearer)
    world.callers.doubt_sessions()
    assert world.callers.known(credentials(ada)) is None
    assert world.callers.known(bearer) is known


async def test_a12_a_session_that_is_lost_while_it_is_looked_up_is_not_believed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World()
    ada = await world.visitor()
    get, asked = world.stores.sessions.get_or_none, 0

    async def lost_meanwhile(*arguments: object) -> object:
        nonlocal asked
        asked += 1
        found = await get(*arguments)
        if asked == 1:
            world.callers.doubt_sessions()
            return found
        return None

    monkeypatch.setattr(world.stores.sessions, "get_or_none", lost_meanwhile)
    with pytest.raises(NotSignedIn):
        await world.callers.identify(credentials(ada))
    assert asked == 2
    assert world.callers.cached_count == 0
