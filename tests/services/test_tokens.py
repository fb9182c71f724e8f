from datetime import timedelta

import pytest
from visiona.domain.access import ALL_SCOPES, Scope
from visiona.domain.errors import Conflict, Invalid, NotFound
from visiona.domain.ids import TokenId, UserId
from visiona.domain.notices import NoticeKind
from visiona.domain.tokens import ACCESS_TOKEN_TTL, TokenKind, token_hash
from visiona.services import tokens, users
from visiona.stores.interfaces import Stores

from tests.support.nouns import LATER, NOW, Home, a_home


async def test_a_token_is_shown_once_and_only_its_hash_is_kept(stores: Stores, home: Home) -> None:
    made = await tokens.create_access_token(stores, home.user.id, " CI ", {Scope.PAIRING}, NOW)
    assert made.token.hash == token_hash(made.text, TokenKind.ACCESS)
    assert made.token.prefix == made.text[:12]
    (listed,) = await tokens.list_access_tokens(stores, home.user.id)
    assert listed == made.token
    assert (listed.name, listed.scopes, listed.expires_at) == ("CI", {Scope.PAIRING}, NOW + ACCESS_TOKEN_TTL)
    assert made.text[12:] not in repr((made, listed))
    assert listed.hash not in repr(listed)


async def test_a_token_may_be_asked_to_live_longer_or_for_ever(stores: Stores, home: Home) -> None:
    for ttl, expires_at in (
        (timedelta(seconds=1), LATER),
        (tokens.MAX_TTL, NOW + tokens.MAX_TTL),
        (None, None),
    ):
        made = await tokens.create_access_token(stores, home.user.id, "t", ALL_SCOPES, NOW, ttl=ttl)
        assert made.token.expires_at == expires_at


@pytest.mark.parametrize("ttl", [timedelta(0), timedelta(seconds=-1), tokens.MAX_TTL + timedelta(seconds=1)])
async def test_a_life_out_of_bounds_is_refused(stores: Stores, home: Home, ttl: timedelta) -> None:
    with pytest.raises(Invalid, match="ttl"):
        await tokens.create_access_token(stores, home.user.id, "t", ALL_SCOPES, NOW, ttl=ttl)


async def test_a_token_without_a_name_or_a_scope_is_refused(stores: Stores, home: Home) -> None:
    with pytest.raises(Invalid, match="name"):
        await tokens.create_access_token(stores, home.user.id, " ", ALL_SCOPES, NOW)
    with pytest.raises(Invalid, match="devices:read"):
        await tokens.create_access_token(stores, home.user.id, "t", [], NOW)


async def test_nobody_gets_no_token(stores: Stores, home: Home) -> None:
    with pytest.raises(NotFound):
        await tokens.create_access_token(stores, UserId("nobody"), "t", ALL_SCOPES, NOW)
    await users.disable_user(stores, home.user.id, NOW)
    with pytest.raises(NotFound):
        await tokens.create_access_token(stores, home.user.id, "t", ALL_SCOPES, NOW)


async def test_a_user_has_at_most_a_hundred_live_ones(
    stores: Stores, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokens, "MAX_LIVE_PER_USER", 2)
    made = [await tokens.create_access_token(stores, home.user.id, "t", ALL_SCOPES, NOW) for _ in range(2)]
    with pytest.raises(Conflict, match="revoke one"):
        await tokens.create_access_token(stores, home.user.id, "t", ALL_SCOPES, NOW)
    await tokens.revoke_access_token(stores, made[0].token.id, NOW)
    await tokens.create_access_token(stores, home.user.id, "t", ALL_SCOPES, NOW)


async def test_revoking_tells_whoever_serves_once(stores: Stores, home: Home) -> None:
    made = await tokens.create_access_token(stores, home.user.id, "t", ALL_SCOPES, NOW)
    assert await tokens.revoke_access_token(stores, made.token.id, LATER, user_id=home.user.id)
    assert not await tokens.revoke_access_token(stores, made.token.id, LATER)
    (notice,) = await stores.read(lambda tx: tx.notices.after(0, 10))
    assert (notice.kind, notice.subject, notice.at) == (NoticeKind.TOKEN_REVOKED, made.token.id, LATER)


async def test_somebody_elses_token_does_not_exist(stores: Stores) -> None:
    home = await a_home(stores)
    bob = await a_home(stores, "bob@example.com")
    made = await tokens.create_access_token(stores, home.user.id, "t", ALL_SCOPES, NOW)
    refusals = []
    for token_id in (made.token.id, TokenId("none"), TokenId("\ud800")):
        with pytest.raises(NotFound) as caught:
            await tokens.revoke_access_token(stores, token_id, NOW, user_id=bob.user.id)
        refusals.append(str(caught.value))
    assert len(set(refusals)) == 1
    assert (await tokens.list_access_tokens(stores, home.user.id))[0].revoked_at is None
