from dataclasses import replace
from datetime import timedelta

import pytest
from visiona.domain.access import Role
from visiona.domain.errors import Invalid, NotAllowed, NotFound, TooMany
from visiona.domain.ids import WorkspaceId
from visiona.domain.notices import NoticeKind
from visiona.domain.pairing import PAIRING_TOKEN_TTL
from visiona.domain.tokens import TokenKind, token_hash
from visiona.domain.workspaces import Membership
from visiona.services.exchange_token import exchange
from visiona.services.identify import RevokedToken, identify_session_token
from visiona.services.pair_device import create_pairing_token, list_pairing_tokens, revoke_pairing_token
from visiona.stores.interfaces import Stores

from tests.support.nouns import LATER, NOW, Home, a_home, a_workspace, put


async def notices(stores: Stores) -> list[tuple[NoticeKind, str]]:
    found = await stores.read(lambda tx: tx.notices.after(0, 100))
    return [(notice.kind, notice.subject) for notice in found]


async def test_a_token_lives_fifteen_minutes_in_the_personal_workspace(stores: Stores, home: Home) -> None:
    made = await create_pairing_token(stores, home.actor, NOW)
    assert made.token.expires_at == NOW + PAIRING_TOKEN_TTL
    assert (made.token.workspace_id, made.token.name) == (home.workspace.id, None)
    assert made.token.hash == token_hash(made.text, TokenKind.PAIRING)
    assert made.text[12:] not in repr(made.token)


async def test_an_admin_makes_tokens_for_a_shared_workspace_and_a_member_does_not(
    stores: Stores, home: Home
) -> None:
    shared = a_workspace()
    await put(stores, shared, Membership(shared.id, home.user.id, Role.ADMIN, NOW))
    made = await create_pairing_token(stores, home.actor, NOW, workspace_id=shared.id, name=" Gate ")
    assert (made.token.workspace_id, made.token.name) == (shared.id, "Gate")
    await stores.write(lambda tx: tx.workspaces.set_role(shared.id, home.user.id, Role.MEMBER))
    # What the caller was a moment ago counts for nothing.
    admin = replace(home.actor, workspaces={**home.actor.workspaces, shared.id: Role.ADMIN})
    with pytest.raises(NotAllowed):
        await create_pairing_token(stores, admin, NOW, workspace_id=shared.id)
    with pytest.raises(NotFound):
        await create_pairing_token(stores, home.actor, NOW, workspace_id=WorkspaceId("foreign"))


async def test_a_name_that_nobody_can_read_is_refused(stores: Stores, home: Home) -> None:
    with pytest.raises(Invalid, match="name"):
        await create_pairing_token(stores, home.actor, NOW, name=" ")


async def test_p06_ten_tokens_wait_at_most(stores: Stores, home: Home) -> None:
    made = [await create_pairing_token(stores, home.actor, NOW) for _ in range(10)]
    with pytest.raises(TooMany) as caught:
        await create_pairing_token(stores, home.actor, NOW)
    assert caught.value.retry_after_seconds > 0
    await revoke_pairing_token(stores, home.user.id, made[0].token.id, NOW)
    await create_pairing_token(stores, home.actor, NOW)
    await exchange(stores, made[1].text, NOW)
    await create_pairing_token(stores, home.actor, NOW)
    with pytest.raises(TooMany):
        await create_pairing_token(stores, home.actor, NOW)
    await create_pairing_token(stores, home.actor, NOW + PAIRING_TOKEN_TTL)


async def test_p06_the_limit_is_each_users_own(stores: Stores, home: Home) -> None:
    bob = await a_home(stores, "bob@example.com")
    for _ in range(10):
        await create_pairing_token(stores, home.actor, NOW)
    await create_pairing_token(stores, bob.actor, NOW)


async def test_p08_a_list_tells_what_became_of_each_token_and_never_the_token(
    stores: Stores, home: Home
) -> None:
    bob = await a_home(stores, "bob@example.com")
    await create_pairing_token(stores, bob.actor, NOW)
    used = await create_pairing_token(stores, home.actor, NOW, name="Gate")
    revoked = await create_pairing_token(stores, home.actor, LATER)
    exchanged = await exchange(stores, used.text, NOW + timedelta(seconds=2))
    await revoke_pairing_token(stores, home.user.id, revoked.token.id, NOW + timedelta(seconds=3))
    session, second, first = await list_pairing_tokens(stores, home.user.id)
    assert (first.kind, first.id, first.name, first.token_prefix) == (
        "pairing",
        used.token.id,
        "Gate",
        used.text[:12],
    )
    assert (first.used_at, first.revoked_at) == (NOW + timedelta(seconds=2), None)
    assert (second.used_at, second.revoked_at) == (None, NOW + timedelta(seconds=3))
    assert (session.kind, session.token_prefix) == ("session", exchanged.session_token[:12])
    assert session.device_id == first.device_id == exchanged.device_id
    assert (session.expires_at, session.used_at, session.name) == (exchanged.expires_at, None, None)
    shown = repr([session, second, first])
    for text, kind in (
        (used.text, TokenKind.PAIRING),
        (revoked.text, TokenKind.PAIRING),
        (exchanged.session_token, TokenKind.SESSION),
    ):
        assert text[:13] not in shown
        assert (token_hash(text, kind) or "") not in shown
    assert all(each.id != each.token_prefix for each in (session, second, first))


@pytest.mark.parametrize("by", ["id", "text"])
async def test_a_pairing_token_is_taken_back_by_id_or_text(stores: Stores, home: Home, by: str) -> None:
    made = await create_pairing_token(stores, home.actor, NOW)
    name = made.token.id if by == "id" else made.text
    for now in (NOW, LATER):
        await revoke_pairing_token(stores, home.user.id, name, now)
    (listed,) = await list_pairing_tokens(stores, home.user.id)
    assert listed.revoked_at == NOW
    assert await notices(stores) == []


@pytest.mark.parametrize("by", ["id", "text"])
async def test_a_session_token_is_taken_back_by_id_or_text(stores: Stores, home: Home, by: str) -> None:
    made = await create_pairing_token(stores, home.actor, NOW)
    exchanged = await exchange(stores, made.text, NOW)
    session = next(each for each in await list_pairing_tokens(stores, home.user.id) if each.kind == "session")
    name = session.id if by == "id" else exchanged.session_token
    for now in (NOW, LATER):
        await revoke_pairing_token(stores, home.user.id, name, now)
    assert await identify_session_token(stores, exchanged.session_token, NOW) == RevokedToken()
    assert await notices(stores) == [(NoticeKind.SESSION_TOKEN_REVOKED, session.id)]


async def test_p07_taking_back_a_used_token_takes_back_what_it_became(stores: Stores, home: Home) -> None:
    made = await create_pairing_token(stores, home.actor, NOW)
    exchanged = await exchange(stores, made.text, NOW)
    await revoke_pairing_token(stores, home.user.id, made.token.id, NOW)
    assert await identify_session_token(stores, exchanged.session_token, NOW) == RevokedToken()
    assert [kind for kind, _ in await notices(stores)] == [NoticeKind.SESSION_TOKEN_REVOKED]


async def test_p09_somebody_elses_token_does_not_exist(stores: Stores) -> None:
    home = await a_home(stores)
    bob = await a_home(stores, "bob@example.com")
    made = await create_pairing_token(stores, home.actor, NOW)
    other = await create_pairing_token(stores, home.actor, NOW)
    exchanged = await exchange(stores, other.text, NOW)
    before = await list_pairing_tokens(stores, home.user.id)
    refusals = set()
    for name in (
        *[each.id for each in before],
        made.text,
        exchanged.session_token,
        "none",
        "vAc_" + "0" * 32,
    ):
        with pytest.raises(NotFound) as caught:
            await revoke_pairing_token(stores, bob.user.id, name, NOW)
        refusals.add(str(caught.value))
    assert len(refusals) == 1
    assert await list_pairing_tokens(stores, home.user.id) == before
