from dataclasses import replace
from datetime import timedelta

import pytest
from visiona.domain.ids import DeviceId, TokenId, UserId, WorkspaceId
from visiona.domain.pairing import PAIRING_TOKEN_TTL
from visiona.stores.errors import StoreConflict
from visiona.stores.interfaces import Stores

from tests.support.nouns import LATER, NOW, Home, a_home, put

NONE = TokenId("none")


async def test_a_token_comes_back_as_it_went_in(stores: Stores, home: Home) -> None:
    token = home.pairing_token(name="Gate")
    await put(stores, token)
    assert await stores.read(lambda tx: tx.pairing_tokens.get_or_none(token.id)) == token
    assert await stores.read(lambda tx: tx.pairing_tokens.by_hash_or_none(token.hash)) == token
    assert await stores.read(lambda tx: tx.pairing_tokens.get_or_none(NONE)) is None
    assert await stores.read(lambda tx: tx.pairing_tokens.by_hash_or_none("none")) is None


@pytest.mark.parametrize("same", ["hash", "id"])
async def test_a_token_exists_once(stores: Stores, home: Home, same: str) -> None:
    token, other = home.pairing_token(), home.pairing_token()
    await put(stores, token)
    with pytest.raises(StoreConflict) as caught:
        await put(stores, replace(other, **{same: getattr(token, same)}))
    assert caught.value.about == "token"


@pytest.mark.parametrize("change", [{"user_id": UserId("nobody")}, {"workspace_id": WorkspaceId("none")}])
async def test_a_token_belongs_to_somebody_and_somewhere(
    stores: Stores, home: Home, change: dict[str, str]
) -> None:
    with pytest.raises(StoreConflict) as caught:
        await put(stores, replace(home.pairing_token(), **change))
    assert caught.value.about == "reference"


async def test_no_token_lives_longer_than_fifteen_minutes(stores: Stores, home: Home) -> None:
    await put(stores, home.pairing_token(ttl=PAIRING_TOKEN_TTL))
    for ttl in (PAIRING_TOKEN_TTL + timedelta(microseconds=1), timedelta(0)):
        with pytest.raises(StoreConflict) as caught:
            await put(stores, home.pairing_token(ttl=ttl))
        assert caught.value.about == "ttl"


async def test_a_user_sees_the_own_ones_the_newest_first(stores: Stores, home: Home) -> None:
    bob = await a_home(stores, "bob@example.com")
    old, young = home.pairing_token(created_at=NOW), home.pairing_token(created_at=LATER)
    await put(stores, young, bob.pairing_token(), old)
    assert await stores.read(lambda tx: tx.pairing_tokens.list_of_user(home.user.id, 10)) == [young, old]
    assert await stores.read(lambda tx: tx.pairing_tokens.list_of_user(home.user.id, 1)) == [young]


async def test_p06_only_those_that_could_be_exchanged_count(stores: Stores, home: Home) -> None:
    live, used, revoked = (home.pairing_token() for _ in range(3))
    short = home.pairing_token(ttl=timedelta(seconds=1))
    await put(stores, live, used, revoked, short)
    await stores.write(lambda tx: tx.pairing_tokens.consume(used.hash, NOW, None))
    await stores.write(lambda tx: tx.pairing_tokens.revoke(revoked.id, NOW))
    assert await stores.read(lambda tx: tx.pairing_tokens.count_live(home.user.id, NOW)) == 2
    assert await stores.read(lambda tx: tx.pairing_tokens.count_live(home.user.id, LATER)) == 1
    assert await stores.read(lambda tx: tx.pairing_tokens.count_live(UserId("nobody"), NOW)) == 0


async def test_p01_a_token_is_consumed_once(stores: Stores, home: Home) -> None:
    token = home.pairing_token()
    await put(stores, token)
    assert await stores.write(lambda tx: tx.pairing_tokens.consume(token.hash, LATER, "key"))
    assert not await stores.write(lambda tx: tx.pairing_tokens.consume(token.hash, LATER, "other"))
    found = await stores.read(lambda tx: tx.pairing_tokens.get_or_none(token.id))
    assert found == replace(token, used_at=LATER, replay_hash="key")


@pytest.mark.parametrize(("microseconds", "consumed"), [(-1, True), (0, False), (1, False)])
async def test_p04_a_token_is_not_consumed_after_its_time(
    stores: Stores, home: Home, microseconds: int, consumed: bool
) -> None:
    token = home.pairing_token()
    await put(stores, token)
    now = token.expires_at + timedelta(microseconds=microseconds)
    assert await stores.write(lambda tx: tx.pairing_tokens.consume(token.hash, now, None)) is consumed


async def test_p07_a_revoked_token_is_not_consumed(stores: Stores, home: Home) -> None:
    token = home.pairing_token()
    await put(stores, token)
    assert await stores.write(lambda tx: tx.pairing_tokens.revoke(token.id, NOW))
    assert not await stores.write(lambda tx: tx.pairing_tokens.revoke(token.id, LATER))
    assert not await stores.write(lambda tx: tx.pairing_tokens.revoke(NONE, LATER))
    assert not await stores.write(lambda tx: tx.pairing_tokens.consume(token.hash, NOW, None))
    assert not await stores.write(lambda tx: tx.pairing_tokens.consume("none", NOW, None))


async def test_what_a_token_became_is_noted_and_revoked_with_it(stores: Stores, home: Home) -> None:
    device, other = home.device(), home.device()
    tokens = [home.pairing_token() for _ in range(3)]
    await put(stores, device, other, *tokens)
    for token, became in zip(tokens, (device, device, other), strict=True):
        await stores.write(lambda tx, t=token, d=became: tx.pairing_tokens.set_device(t.id, d.id))
    await stores.write(lambda tx: tx.pairing_tokens.set_device(NONE, device.id))
    await stores.write(lambda tx: tx.pairing_tokens.revoke(tokens[0].id, NOW))
    assert await stores.write(lambda tx: tx.pairing_tokens.revoke_of_device(device.id, LATER)) == 1
    found = await stores.read(lambda tx: tx.pairing_tokens.list_of_user(home.user.id, 10))
    assert {each.id: each.revoked_at for each in found} == {
        tokens[0].id: NOW,
        tokens[1].id: LATER,
        tokens[2].id: None,
    }
    assert {each.device_id for each in found} == {device.id, other.id}


async def test_a_token_became_a_device_that_exists(stores: Stores, home: Home) -> None:
    token = home.pairing_token()
    await put(stores, token)
    with pytest.raises(StoreConflict) as caught:
        await stores.write(lambda tx: tx.pairing_tokens.set_device(token.id, DeviceId("none")))
    assert caught.value.about == "reference"


async def test_old_ones_are_forgotten_and_sessions_made_from_them_live_on(stores: Stores, home: Home) -> None:
    device, old, young = home.device(), home.pairing_token(), home.pairing_token(created_at=LATER)
    session = home.session_token(device, pairing_token_id=old.id)
    await put(stores, device, old, young, session)
    assert await stores.write(lambda tx: tx.pairing_tokens.purge(old.expires_at, 10)) == 0
    assert await stores.write(lambda tx: tx.pairing_tokens.purge(young.expires_at, 10)) == 1
    assert await stores.read(lambda tx: tx.pairing_tokens.list_of_user(home.user.id, 10)) == [young]
    assert await stores.read(lambda tx: tx.pairing_tokens.by_hash_or_none(old.hash)) is None
    found = await stores.read(lambda tx: tx.session_tokens.get_or_none(session.id))
    assert found == replace(session, pairing_token_id=None)


@pytest.mark.parametrize("of_one_user", [False, True])
async def test_what_waits_for_a_workspace_is_revoked_whole_or_of_one_user(
    stores: Stores, home: Home, of_one_user: bool
) -> None:
    bob = await a_home(stores, "bob@example.com")
    mine, used, gone = home.pairing_token(), home.pairing_token(), home.pairing_token()
    his = replace(bob.pairing_token(), workspace_id=home.workspace.id)
    elsewhere = bob.pairing_token()
    await put(stores, mine, used, gone, his, elsewhere)
    await stores.write(lambda tx: tx.pairing_tokens.consume(used.hash, NOW, None))
    await stores.write(lambda tx: tx.pairing_tokens.revoke(gone.id, NOW))
    user_id = home.user.id if of_one_user else None
    revoke = home.workspace.id, LATER, user_id
    assert await stores.write(lambda tx: tx.pairing_tokens.revoke_of_workspace(*revoke)) == 2 - of_one_user
    assert await stores.write(lambda tx: tx.pairing_tokens.revoke_of_workspace(*revoke)) == 0
    tokens = [
        await stores.read(lambda tx, t=t: tx.pairing_tokens.get_or_none(t.id)) for t in (mine, used, gone)
    ]
    assert [token.revoked_at for token in tokens if token is not None] == [LATER, None, NOW]
    others = [
        await stores.read(lambda tx, t=t: tx.pairing_tokens.get_or_none(t.id)) for t in (his, elsewhere)
    ]
    assert [each.revoked_at for each in others if each is not None] == [None if of_one_user else LATER, None]
