from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import trio
from visiona.domain.access import Actor
from visiona.domain.errors import NotSignedIn
from visiona.domain.notices import Notice, NoticeKind, member_subject
from visiona.services.tokens import create_access_token, revoke_access_token
from visiona.stores.errors import StoreUnavailable
from visiona.stores.interfaces import Stores, Tx
from visiona.web.callers import MAX_CREDENTIAL_CHARACTERS, Callers
from visiona.web.credentials import Credentials

from tests.web.world import START, Person, World


def credentials(person: Person) -> Credentials:
    return Credentials(bearer=person.token)


def notice(kind: NoticeKind, subject: str) -> Notice:
    return Notice(1, kind, subject, START)


async def test_what_was_checked_is_known_without_waiting_for_a_while(
    autojump_clock: trio.testing.MockClock,
) -> None:
    world = World()
    ada = await world.person()
    assert world.callers.known(credentials(ada)) is None
    actor = await world.callers.identify(credentials(ada))
    assert world.callers.known(credentials(ada)) is actor
    await trio.sleep(29.9)
    assert world.callers.known(credentials(ada)) is actor
    await trio.sleep(0.2)
    assert world.callers.known(credentials(ada)) is None
    assert world.callers.cached_count == 0


async def test_expiry_is_looked_at_on_every_use() -> None:
    world = World()
    ada = await world.person()
    await world.callers.identify(credentials(ada))
    world.now.forward(days=90)
    assert world.callers.known(credentials(ada)) is None
    with pytest.raises(NotSignedIn):
        await world.callers.identify(credentials(ada))


@pytest.mark.parametrize("kind", list(NoticeKind))
async def test_a_notice_ends_what_it_touches_and_nothing_else(kind: NoticeKind) -> None:
    world = World()
    ada, bob = await world.person(), await world.person("bob@example.com")
    for person in (ada, bob):
        await world.callers.identify(credentials(person))
    subjects = {
        NoticeKind.TOKEN_REVOKED: ada.token_id,
        NoticeKind.USER_DISABLED: ada.user_id,
        NoticeKind.MEMBER_REMOVED: member_subject((await ada.actor()).personal_workspace, ada.user_id),
    }
    world.callers.forget(notice(kind, subjects.get(kind, "01a1ff8a-2ec5-7eb4-a538-dda8dbd9fb3f")))
    assert (world.callers.known(credentials(ada)) is None) == (kind in subjects)
    assert world.callers.known(credentials(bob)) is not None


async def test_a_notice_during_the_lookup_is_not_lost() -> None:
    """The store answered before the revocation, the answer arrives after its notice."""
    world = World()
    ada = await world.person()
    callers: Callers

    class Late:
        def __init__(self, stores: Stores) -> None:
            self.stores = stores
            self.reads = 0

        async def read(self, operation: Callable[[Tx], Awaitable[Any]]) -> Any:
            self.reads += 1
            found = await self.stores.read(operation)
            if self.reads == 1:
                await revoke_access_token(self.stores, ada.token_id, world.now())
                callers.forget(notice(NoticeKind.TOKEN_REVOKED, ada.token_id))
            return found

        async def write(self, operation: Callable[[Tx], Awaitable[Any]], **options: bool) -> Any:
            return await self.stores.write(operation, **options)

    late = Late(world.stores)
    callers = Callers(late, now=world.now)
    with pytest.raises(NotSignedIn):
        await callers.identify(credentials(ada))
    assert late.reads == 2
    assert callers.cached_count == 0


@pytest.mark.parametrize(
    "bearer", [None, "", "x", "x" * (MAX_CREDENTIAL_CHARACTERS + 1), "vAp_" + "g" * 64, "\ud800" * 68]
)
async def test_t06_what_cannot_be_a_token_costs_no_question(bearer: str | None) -> None:
    class Silent:
        async def read(self, operation: object) -> Actor:
            raise AssertionError("asked")

    callers = Callers(Silent())
    assert callers.known(Credentials(bearer=bearer)) is None
    with pytest.raises(NotSignedIn):
        await callers.identify(Credentials(bearer=bearer))


async def test_t11_a_store_that_is_down_is_not_a_wrong_token() -> None:
    class Down:
        async def read(self, operation: object) -> Actor:
            raise StoreUnavailable("down")

    callers = Callers(Down())
    with pytest.raises(StoreUnavailable):
        await callers.identify(Credentials(bearer="vAp_" + "0" * 64))


async def test_remembered_credentials_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("visiona.web.callers.MAX_CACHED", 2)
    world = World()
    ada = await world.person()
    texts = [ada.token]
    for number in range(2):
        made = await create_access_token(
            world.stores, ada.user_id, f"t{number}", (await ada.actor()).scopes, world.now()
        )
        texts.append(made.text)
    for text in texts:
        await world.callers.identify(Credentials(bearer=text))
    assert [world.callers.known(Credentials(bearer=text)) is not None for text in texts] == [
        False,
        True,
        True,
    ]
