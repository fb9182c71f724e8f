from dataclasses import replace
from datetime import timedelta

import pytest
from visiona.domain.ids import DeviceId, TokenId, UserId, WorkspaceId
from visiona.domain.tokens import SESSION_TOKEN_TTL
from visiona.stores.errors import StoreConflict
from visiona.stores.interfaces import Stores

from tests.support.nouns import LATER, NOW, Home, a_home, put

NONE = TokenId("none")


async def test_a_token_comes_back_as_it_went_in(stores: Stores, home: Home) -> None:
    device, pairing = home.device(), home.pairing_token()
    token = home.session_token(device, pairing_token_id=pairing.id)
    await put(stores, device, pairing, token)
    assert await stores.read(lambda tx: tx.session_tokens.get_or_none(token.id)) == token
    assert await stores.read(lambda tx: tx.session_tokens.by_hash_or_none(token.hash)) == token
    assert await stores.read(lambda tx: tx.session_tokens.get_or_none(NONE)) is None
    assert await stores.read(lambda tx: tx.session_tokens.by_hash_or_none("none")) is None


@pytest.mark.parametrize("same", ["hash", "id"])
async def test_a_token_exists_once(stores: Stores, home: Home, same: str) -> None:
    device = home.device()
    token, other = home.session_token(device), home.session_token(device)
    await put(stores, device, token)
    with pytest.raises(StoreConflict) as caught:
        await put(stores, replace(other, **{same: getattr(token, same)}))
    assert caught.value.about == "token"


@pytest.mark.parametrize(
    "change",
    [{"user_id": UserId("nobody")}, {"workspace_id": WorkspaceId("none")}, {"device_id": DeviceId("none")}],
)
async def test_what_a_token_refers_to_exists(stores: Stores, home: Home, change: dict[str, str]) -> None:
    device = home.device()
    await put(stores, device)
    with pytest.raises(StoreConflict) as caught:
        await put(stores, replace(home.session_token(device), **change))
    assert caught.value.about == "reference"


async def test_no_token_lives_longer_than_ninety_days(stores: Stores, home: Home) -> None:
    device = home.device()
    await put(stores, device, home.session_token(device, ttl=SESSION_TOKEN_TTL))
    for ttl in (SESSION_TOKEN_TTL + timedelta(microseconds=1), timedelta(0)):
        with pytest.raises(StoreConflict) as caught:
            await put(stores, home.session_token(device, ttl=ttl))
        assert caught.value.about == "ttl"


async def test_they_are_listed_by_user_and_by_device_the_newest_first(stores: Stores, home: Home) -> None:
    bob = await a_home(stores, "bob@example.com")
    device, other, foreign = home.device(), home.device(), bob.device()
    old, young = home.session_token(device, created_at=NOW), home.session_token(device, created_at=LATER)
    elsewhere = home.session_token(other, created_at=NOW - timedelta(days=1))
    await put(stores, device, other, foreign, young, old, elsewhere, bob.session_token(foreign))
    by_user = await stores.read(lambda tx: tx.session_tokens.list_of_user(home.user.id, 10))
    assert by_user == [young, old, elsewhere]
    assert await stores.read(lambda tx: tx.session_tokens.list_of_device(device.id, 10)) == [young, old]
    assert await stores.read(lambda tx: tx.session_tokens.list_of_device(device.id, 1)) == [young]


async def test_revoking_happens_once(stores: Stores, home: Home) -> None:
    device = home.device()
    token = home.session_token(device)
    await put(stores, device, token)
    assert await stores.write(lambda tx: tx.session_tokens.revoke(token.id, NOW))
    assert not await stores.write(lambda tx: tx.session_tokens.revoke(token.id, LATER))
    assert not await stores.write(lambda tx: tx.session_tokens.revoke(NONE, NOW))
    found = await stores.read(lambda tx: tx.session_tokens.get_or_none(token.id))
    assert found == replace(token, revoked_at=NOW)


async def test_all_of_a_device_are_revoked_and_named(stores: Stores, home: Home) -> None:
    device, other = home.device(), home.device()
    tokens = [home.session_token(device) for _ in range(3)]
    await put(stores, device, other, *tokens, home.session_token(other))
    await stores.write(lambda tx: tx.session_tokens.revoke(tokens[0].id, NOW))
    revoked = await stores.write(lambda tx: tx.session_tokens.revoke_of_device(device.id, LATER))
    assert set(revoked) == {tokens[1].id, tokens[2].id}
    assert await stores.write(lambda tx: tx.session_tokens.revoke_of_device(device.id, LATER)) == []
    (untouched,) = await stores.read(lambda tx: tx.session_tokens.list_of_device(other.id, 10))
    assert untouched.revoked_at is None


async def test_all_of_a_pairing_token_are_revoked_and_named(stores: Stores, home: Home) -> None:
    device, pairing = home.device(), home.pairing_token()
    made, unrelated = home.session_token(device, pairing_token_id=pairing.id), home.session_token(device)
    await put(stores, device, pairing, made, unrelated)
    assert await stores.write(lambda tx: tx.session_tokens.revoke_of_pairing_token(pairing.id, NOW)) == [
        made.id
    ]
    assert await stores.write(lambda tx: tx.session_tokens.revoke_of_pairing_token(pairing.id, NOW)) == []


async def test_old_ones_are_forgotten_in_batches(stores: Stores, home: Home) -> None:
    device = home.device()
    old = [home.session_token(device) for _ in range(3)]
    young = home.session_token(device, created_at=LATER)
    await put(stores, device, *old, young)
    assert await stores.write(lambda tx: tx.session_tokens.purge(young.expires_at, 2)) == 2
    assert await stores.write(lambda tx: tx.session_tokens.purge(young.expires_at, 2)) == 1
    assert await stores.read(lambda tx: tx.session_tokens.list_of_device(device.id, 10)) == [young]


async def test_those_of_a_device_move_with_it(stores: Stores, home: Home) -> None:
    bob = await a_home(stores, "bob@example.com")
    device, other = home.device(), home.device()
    pairing = home.pairing_token()
    token, stays = home.session_token(device, pairing_token_id=pairing.id), home.session_token(other)
    await put(stores, device, other, pairing, token, stays)
    await stores.write(lambda tx: tx.session_tokens.move_of_device(device.id, bob.workspace.id, bob.user.id))
    found = await stores.read(lambda tx: tx.session_tokens.by_hash_or_none(token.hash))
    there = {"workspace_id": bob.workspace.id, "user_id": bob.user.id, "pairing_token_id": None}
    assert found == replace(token, **there)
    assert await stores.read(lambda tx: tx.session_tokens.by_hash_or_none(stays.hash)) == stays
