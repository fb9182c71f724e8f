from datetime import datetime, timedelta

import pytest
from visiona.domain.access import ALL_SCOPES, Via
from visiona.domain.errors import NotFound, NotSignedIn
from visiona.domain.ids import SessionId
from visiona.services.minting import mint_secret
from visiona.services.sessions import (
    end_all_sessions,
    end_session,
    end_sessions_of_idp,
    identify_session,
    list_sessions,
    session_or_none,
)
from visiona.services.sign_in import Claims, SignedIn, sign_in
from visiona.services.users import disable_user, enable_user
from visiona.stores.errors import StoreUnavailable
from visiona.stores.interfaces import Stores

from tests.support.nouns import NOW, Home

MINUTE = timedelta(minutes=1)
TICK = timedelta(microseconds=1)


async def signed_in(stores: Stores, email: str = "ada@example.com", sid: str | None = None) -> SignedIn:
    return await sign_in(stores, Claims("https://id.example", email, email, True, "", sid), NOW)


async def test_the_holder_of_a_session_may_do_whatever_the_person_may(stores: Stores, home: Home) -> None:
    done = await signed_in(stores)
    actor = await identify_session(stores, done.text, NOW)
    assert (actor.user_id, actor.credential_id, actor.via) == (home.user.id, done.session.id, Via.SESSION)
    assert actor.scopes == ALL_SCOPES
    assert actor.expires_at == done.session.idle_expires_at
    assert home.workspace.id in actor.workspaces


@pytest.mark.parametrize("text", ["", "A" * 43, "A" * 44, "A" * 100_000, "vAp_" + "0" * 64])
async def test_whoever_holds_none_is_nobody(stores: Stores, text: str) -> None:
    with pytest.raises(NotSignedIn):
        await identify_session(stores, text, NOW)


async def test_a13_a_use_is_written_down_at_most_once_a_minute(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = await signed_in(stores)
    written: list[datetime] = []
    touch = stores.sessions.touch

    async def noting(token_hash: str, at: datetime) -> object:
        written.append(at)
        return await touch(token_hash, at)

    monkeypatch.setattr(stores.sessions, "touch", noting)
    for second in range(121):
        actor = await identify_session(stores, done.text, NOW + timedelta(seconds=second))
    assert written == [NOW + MINUTE, NOW + 2 * MINUTE]
    assert actor.expires_at == NOW + 2 * MINUTE + timedelta(hours=8)


async def test_a13_the_limits_hold_at_the_very_moment(stores: Stores) -> None:
    done = await signed_in(stores)
    for hours in (7.9, 15.8, 23.6):
        await identify_session(stores, done.text, NOW + timedelta(hours=hours))
    actor = await identify_session(stores, done.text, NOW + timedelta(hours=24) - TICK)
    assert actor.expires_at == NOW + timedelta(hours=24)
    with pytest.raises(NotSignedIn):
        await identify_session(stores, done.text, NOW + timedelta(hours=24))
    idle = await signed_in(stores)
    with pytest.raises(NotSignedIn):
        await identify_session(stores, idle.text, NOW + timedelta(hours=8))


async def test_a_store_that_cannot_be_written_keeps_nobody_out(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = await signed_in(stores)

    async def down(*_: object) -> None:
        raise StoreUnavailable("the disk is full")

    monkeypatch.setattr(stores.sessions, "touch", down)
    assert (await identify_session(stores, done.text, NOW + MINUTE)).credential_id == done.session.id


async def test_a12_a_store_that_cannot_be_read_is_not_the_end_of_the_session(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = await signed_in(stores)

    async def down(*_: object) -> None:
        raise StoreUnavailable("down")

    monkeypatch.setattr(stores.sessions, "get_or_none", down)
    with pytest.raises(StoreUnavailable):
        await identify_session(stores, done.text, NOW)


async def test_a14_a_disabled_users_sessions_are_over_for_good(stores: Stores) -> None:
    done = await signed_in(stores)
    await disable_user(stores, done.user.id, NOW)
    with pytest.raises(NotSignedIn):
        await identify_session(stores, done.text, NOW)
    await enable_user(stores, done.user.id, NOW)
    with pytest.raises(NotSignedIn):
        await identify_session(stores, done.text, NOW)


async def test_a14_a_session_that_outlived_its_user_is_good_for_nothing(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sessions may live in another engine, and be out of reach when the user is disabled."""
    done = await signed_in(stores)

    async def down(*_: object, **__: object) -> None:
        raise StoreUnavailable("down")

    with monkeypatch.context() as patch:
        patch.setattr(stores.sessions, "delete_of_user", down)
        assert (await disable_user(stores, done.user.id, NOW)).changed
        with pytest.raises(StoreUnavailable):
            await enable_user(stores, done.user.id, NOW)
    assert await session_or_none(stores, done.text, NOW) is not None
    with pytest.raises(NotSignedIn):
        await identify_session(stores, done.text, NOW)
    assert await enable_user(stores, done.user.id, NOW)
    assert await session_or_none(stores, done.text, NOW) is None


async def test_a_person_ends_own_sessions_and_no_other(stores: Stores) -> None:
    ada, bob = await signed_in(stores), await signed_in(stores, "bob@example.com")
    with pytest.raises(NotFound):
        await end_session(stores, bob.session.id, NOW, user_id=ada.user.id)
    with pytest.raises(NotFound):
        await end_session(stores, SessionId("no id"), NOW)
    await end_session(stores, ada.session.id, NOW, user_id=ada.user.id)
    with pytest.raises(NotFound):
        await end_session(stores, ada.session.id, NOW, user_id=ada.user.id)
    with pytest.raises(NotSignedIn):
        await identify_session(stores, ada.text, NOW)
    await end_session(stores, bob.session.id, NOW)
    assert await list_sessions(stores, bob.user.id, NOW) == []


async def test_all_other_sessions_of_a_person_can_be_ended(stores: Stores) -> None:
    here, there = await signed_in(stores), await signed_in(stores)
    assert await end_all_sessions(stores, here.user.id, NOW, keep=here.session.id) == [there.session.id]
    assert await list_sessions(stores, here.user.id, NOW) == [here.session]


async def test_a_back_channel_logout_ends_what_it_names(stores: Stores) -> None:
    one, other = await signed_in(stores, sid="1"), await signed_in(stores, sid="2")
    issuer = one.session.issuer
    assert await end_sessions_of_idp(stores, issuer, NOW, idp_sid="1") == [one.session.id]
    assert await end_sessions_of_idp(stores, issuer, NOW, subject=one.session.subject) == [other.session.id]


async def test_a_secret_is_another_one_each_time() -> None:
    assert len({mint_secret() for _ in range(1000)}) == 1000
    assert len(mint_secret()) == 43
