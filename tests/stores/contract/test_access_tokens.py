from dataclasses import replace
from datetime import timedelta
from enum import Enum
from typing import cast

import pytest
from visiona.domain.access import Scope
from visiona.domain.ids import TokenId, UserId
from visiona.stores.errors import StoreConflict
from visiona.stores.interfaces import Stores

from tests.support.nouns import LATER, NOW, Home, a_home, put

NONE = TokenId("none")


async def test_a_token_comes_back_as_it_went_in(stores: Stores, home: Home) -> None:
    token = replace(
        home.access_token(expires_at=NOW + timedelta(days=90, microseconds=1)),
        scopes=frozenset({Scope.PAIRING, Scope.DEVICES_READ}),
    )
    await put(stores, token)
    assert await stores.read(lambda tx: tx.access_tokens.get_or_none(token.id)) == token
    assert await stores.read(lambda tx: tx.access_tokens.by_hash_or_none(token.hash)) == token
    assert await stores.read(lambda tx: tx.access_tokens.get_or_none(NONE)) is None
    assert await stores.read(lambda tx: tx.access_tokens.by_hash_or_none("none")) is None


@pytest.mark.parametrize("same", ["hash", "id"])
async def test_a_token_exists_once(stores: Stores, home: Home, same: str) -> None:
    token, other = home.access_token(), home.access_token()
    await put(stores, token)
    with pytest.raises(StoreConflict) as caught:
        await put(stores, replace(other, **{same: getattr(token, same)}))
    assert caught.value.about == "token"


async def test_a_token_belongs_to_somebody(stores: Stores, home: Home) -> None:
    with pytest.raises(StoreConflict) as caught:
        await put(stores, replace(home.access_token(), user_id=UserId("nobody")))
    assert caught.value.about == "reference"


async def test_a_life_that_is_over_before_it_begins_is_refused(stores: Stores, home: Home) -> None:
    with pytest.raises(StoreConflict) as caught:
        await put(stores, home.access_token(expires_at=NOW))
    assert caught.value.about == "ttl"


async def test_a_user_sees_the_own_ones_the_newest_first(stores: Stores, home: Home) -> None:
    bob = await a_home(stores, "bob@example.com")
    old, young = home.access_token(created_at=NOW), home.access_token(created_at=LATER)
    await put(stores, young, bob.access_token(), old)
    assert await stores.read(lambda tx: tx.access_tokens.list_of_user(home.user.id, 10)) == [young, old]
    assert await stores.read(lambda tx: tx.access_tokens.list_of_user(home.user.id, 1)) == [young]


async def test_those_made_with_one_are_known_as_its(stores: Stores, home: Home) -> None:
    bob = await a_home(stores, "bob@example.com")
    parent = home.access_token()
    old, young, ended = [
        replace(home.access_token(created_at=at), made_with=parent.id) for at in (NOW, LATER, LATER)
    ]
    await put(stores, parent, young, old, ended, home.access_token())
    await put(stores, replace(bob.access_token(), made_with=parent.id))
    await stores.write(lambda tx: tx.access_tokens.revoke(ended.id, LATER))
    about = home.user.id, parent.id
    assert await stores.read(lambda tx: tx.access_tokens.list_made_with(*about, 10)) == [young, old]
    assert await stores.read(lambda tx: tx.access_tokens.list_made_with(*about, 1)) == [young]
    assert await stores.read(lambda tx: tx.access_tokens.list_made_with(home.user.id, young.id, 10)) == []


async def test_only_live_ones_count(stores: Stores, home: Home) -> None:
    ended, endless, revoked = home.access_token(expires_at=LATER), home.access_token(), home.access_token()
    await put(stores, ended, endless, revoked)
    await stores.write(lambda tx: tx.access_tokens.revoke(revoked.id, NOW))
    assert await stores.read(lambda tx: tx.access_tokens.count_live(home.user.id, NOW)) == 2
    assert await stores.read(lambda tx: tx.access_tokens.count_live(home.user.id, LATER)) == 1
    assert await stores.read(lambda tx: tx.access_tokens.count_live(UserId("nobody"), NOW)) == 0


async def test_revoking_happens_once(stores: Stores, home: Home) -> None:
    token = home.access_token()
    await put(stores, token)
    assert await stores.write(lambda tx: tx.access_tokens.revoke(token.id, NOW))
    assert not await stores.write(lambda tx: tx.access_tokens.revoke(token.id, LATER))
    assert not await stores.write(lambda tx: tx.access_tokens.revoke(NONE, NOW))
    found = await stores.read(lambda tx: tx.access_tokens.get_or_none(token.id))
    assert found == replace(token, revoked_at=NOW)


async def test_the_last_use_is_noted(stores: Stores, home: Home) -> None:
    token = home.access_token()
    await put(stores, token)
    await stores.write(lambda tx: tx.access_tokens.touch(token.id, LATER))
    await stores.write(lambda tx: tx.access_tokens.touch(NONE, LATER))
    found = await stores.read(lambda tx: tx.access_tokens.get_or_none(token.id))
    assert found == replace(token, last_used_at=LATER)


async def test_ended_ones_are_forgotten_in_batches(stores: Stores, home: Home) -> None:
    expired = [home.access_token(expires_at=LATER) for _ in range(3)]
    revoked, live = home.access_token(), home.access_token()
    await put(stores, *expired, revoked, live)
    await stores.write(lambda tx: tx.access_tokens.revoke(revoked.id, LATER))
    assert await stores.write(lambda tx: tx.access_tokens.purge(LATER, 10)) == 0
    end = LATER + timedelta(microseconds=1)
    assert await stores.write(lambda tx: tx.access_tokens.purge(end, 3)) == 3
    assert await stores.write(lambda tx: tx.access_tokens.purge(end, 3)) == 1
    assert await stores.read(lambda tx: tx.access_tokens.list_of_user(home.user.id, 10)) == [live]


class NewerScope(Enum):
    """What a later version may allow."""

    BREW = "coffee:brew"


async def test_a_scope_that_only_a_newer_server_knows_takes_no_other_away(stores: Stores, home: Home) -> None:
    """After a rollback, a token of the newer version is still good for what this one knows."""
    newer = cast("Scope", NewerScope.BREW)
    token = replace(home.access_token(), scopes=frozenset({Scope.ACCOUNT, newer}))
    await put(stores, token)
    found = await stores.read(lambda tx: tx.access_tokens.by_hash_or_none(token.hash))
    assert found is not None
    assert Scope.ACCOUNT in found.scopes
    assert Scope.WORKSPACES not in found.scopes
