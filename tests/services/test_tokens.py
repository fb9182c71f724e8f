from datetime import timedelta

import pytest
from visiona.domain.access import ALL_SCOPES, Scope
from visiona.domain.audit import EVERY_ENTRY, EVERYTHING, Deed
from visiona.domain.errors import Conflict, Invalid, NotAllowed, NotFound
from visiona.domain.ids import TokenId, UserId
from visiona.domain.notices import NoticeKind
from visiona.domain.tokens import ACCESS_TOKEN_TTL, TokenKind, token_hash
from visiona.services import tokens, users
from visiona.stores.interfaces import Stores

from tests.services.test_races import ROUNDS, no_circles, outcomes, race
from tests.support.nouns import LATER, NOW, Home, a_home

__all__ = ["no_circles"]


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


async def child_of(
    stores: Stores,
    parent: tokens.NewAccessToken,
    scopes: frozenset[Scope] | None = None,
    **wish: timedelta | None,
) -> tokens.NewAccessToken:
    """A token made with another one, as long-lived as it may be unless another wish is given."""
    of = parent.token
    ttl = of.expires_at - NOW if of.expires_at is not None else None
    return await tokens.create_access_token(
        stores, of.user_id, "child", scopes or of.scopes, NOW, ttl=wish.get("ttl", ttl), made_with=of.id
    )


async def test_a_token_makes_none_that_outlives_it_or_does_more(stores: Stores, home: Home) -> None:
    hour = timedelta(hours=1)
    few = frozenset({Scope.ACCOUNT, Scope.PAIRING})
    parent = await tokens.create_access_token(stores, home.user.id, "t", few, NOW, ttl=hour)
    child = await child_of(stores, parent)
    assert (child.token.expires_at, child.token.made_with) == (parent.token.expires_at, parent.token.id)
    for ttl in (hour + timedelta(microseconds=1), None):
        with pytest.raises(NotAllowed, match="ask for 3600 seconds"):
            await child_of(stores, parent, ttl=ttl)
    with pytest.raises(NotAllowed, match="scopes"):
        await child_of(stores, parent, few | {Scope.DEVICES_READ})
    # Nor has the child a longer arm than its parent.
    with pytest.raises(NotAllowed, match="scopes"):
        await child_of(stores, await child_of(stores, parent, frozenset({Scope.ACCOUNT})), few)


async def test_nothing_is_made_with_a_token_that_is_no_good(stores: Stores, home: Home) -> None:
    bob = await a_home(stores, "bob@example.com")
    ended = await tokens.create_access_token(stores, home.user.id, "t", ALL_SCOPES, NOW)
    await tokens.revoke_access_token(stores, ended.token.id, NOW)
    bobs = await tokens.create_access_token(stores, bob.user.id, "t", ALL_SCOPES, NOW)
    for made_with in (ended.token.id, bobs.token.id, TokenId("none")):
        with pytest.raises(NotAllowed, match="no good"):
            await tokens.create_access_token(stores, home.user.id, "t", ALL_SCOPES, NOW, made_with=made_with)


async def test_with_a_token_go_those_that_were_made_with_it(stores: Stores, home: Home) -> None:
    parent = await tokens.create_access_token(stores, home.user.id, "parent", ALL_SCOPES, NOW)
    first, second = await child_of(stores, parent), await child_of(stores, parent)
    grandchild = await child_of(stores, first)
    other = await tokens.create_access_token(stores, home.user.id, "other", ALL_SCOPES, NOW)
    await tokens.revoke_access_token(stores, second.token.id, NOW)
    ended = await tokens.revoke_access_token(stores, parent.token.id, LATER)
    assert ended[0] == parent.token.id
    assert set(ended) == {parent.token.id, first.token.id, grandchild.token.id}
    listed = {each.id: each.revoked_at for each in await tokens.list_access_tokens(stores, home.user.id)}
    assert {listed[each] for each in ended} == {LATER}
    assert (listed[second.token.id], listed[other.token.id]) == (NOW, None)
    notices = await stores.read(lambda tx: tx.notices.after(0, 10))
    assert {each.subject for each in notices if each.at == LATER} == set(ended)
    entries = await stores.read(lambda tx: tx.audit.list_in(EVERYTHING, EVERY_ENTRY, 20))
    how = {each.subject: each.details.get("how") for each in entries if each.deed == Deed.TOKEN_REVOKED}
    assert (how[parent.token.id], how[grandchild.token.id]) == (None, "made with one that was revoked")


async def test_of_tokens_that_are_made_while_their_parent_is_revoked_none_is_left(
    stores: Stores, home: Home
) -> None:
    for _ in range(ROUNDS):
        parent = await tokens.create_access_token(stores, home.user.id, "parent", ALL_SCOPES, NOW)
        made = await race(
            *[lambda parent=parent: child_of(stores, parent)] * 4,
            lambda parent=parent: tokens.revoke_access_token(stores, parent.token.id, NOW),
            *[lambda parent=parent: child_of(stores, parent)] * 4,
        )
        assert "done" in outcomes(made)
        assert await stores.read(lambda tx: tx.access_tokens.count_live(home.user.id, NOW)) == 0
