from dataclasses import replace
from datetime import timedelta

import pytest
from visiona.domain.access import ALL_SCOPES, Role, Scope
from visiona.domain.errors import NotSignedIn
from visiona.domain.tokens import SESSION_TOKEN_TTL, TokenKind, token_hash
from visiona.domain.workspaces import Membership
from visiona.services import devices, tokens, users
from visiona.services.identify import (
    ExpiredToken,
    RevokedToken,
    TunnelSession,
    UnknownToken,
    identify_program,
    identify_session_token,
)
from visiona.services.minting import mint_token
from visiona.stores.interfaces import Stores

from tests.support.faults import FailingStores
from tests.support.nouns import LATER, NOW, Home, a_home, a_workspace, put


async def a_session(stores: Stores, home: Home) -> tuple[str, TunnelSession]:
    """A paired device's token, and whom it should be found to be."""
    text = mint_token(TokenKind.SESSION)
    device = home.device()
    token = replace(home.session_token(device), hash=token_hash(text, TokenKind.SESSION) or "")
    await put(stores, device, token)
    return text, TunnelSession(token.id, home.user.id, home.workspace.id, device.id, token.expires_at)


async def test_a_session_token_names_its_user_workspace_and_device(stores: Stores, home: Home) -> None:
    text, session = await a_session(stores, home)
    assert await identify_session_token(stores, text, NOW) == session


@pytest.mark.parametrize(
    "text",
    [
        "",
        "vAs_",
        "vAs_" + "0" * 64,
        "vAc_" + "0" * 32,
        "vAp_" + "0" * 64,
        "x" * 10_000,
        "vAs_" + "\ud800" * 64,
    ],
)
async def test_t05_t06_a_token_that_was_never_given_out_is_unknown(
    stores: Stores, home: Home, text: str
) -> None:
    assert await identify_session_token(stores, text, NOW) == UnknownToken()


async def test_p11_t46_an_expired_token_is_told_so_from_its_very_second(stores: Stores, home: Home) -> None:
    text, session = await a_session(stores, home)
    end = NOW + SESSION_TOKEN_TTL
    assert await identify_session_token(stores, text, end - timedelta(microseconds=1)) == session
    refused = await identify_session_token(stores, text, end)
    assert refused == ExpiredToken(end)
    assert refused.code == "SESSION_TOKEN_EXPIRED"


async def test_t46_a_clock_moved_a_day_ahead_and_back_changes_nothing_on_record(
    stores: Stores, home: Home
) -> None:
    text, session = await a_session(stores, home)
    late = NOW + SESSION_TOKEN_TTL + timedelta(days=1)
    assert isinstance(await identify_session_token(stores, text, late), ExpiredToken)
    assert await identify_session_token(stores, text, NOW - timedelta(hours=1)) == session


async def test_a_revoked_token_is_told_so_even_after_its_time(stores: Stores, home: Home) -> None:
    text, session = await a_session(stores, home)
    await stores.write(lambda tx: tx.session_tokens.revoke(session.token_id, NOW))
    for now in (NOW, NOW + SESSION_TOKEN_TTL):
        assert await identify_session_token(stores, text, now) == RevokedToken()


async def test_the_token_of_a_deleted_device_is_revoked(stores: Stores, home: Home) -> None:
    text, session = await a_session(stores, home)
    await stores.write(lambda tx: tx.devices.delete(session.device_id, NOW))
    assert await identify_session_token(stores, text, NOW) == RevokedToken()


async def test_the_token_of_an_unpaired_device_is_revoked(stores: Stores, home: Home) -> None:
    text, session = await a_session(stores, home)
    await devices.unpair(stores, home.actor, session.device_id, NOW)
    assert await identify_session_token(stores, text, NOW) == RevokedToken()


async def test_t45_the_token_of_a_disabled_users_device_is_revoked(stores: Stores, home: Home) -> None:
    text, session = await a_session(stores, home)
    await users.disable_user(stores, home.user.id, NOW)
    assert await identify_session_token(stores, text, NOW) == RevokedToken()
    await users.enable_user(stores, home.user.id, NOW)
    assert await identify_session_token(stores, text, NOW) == session


async def test_t05_checking_a_session_token_writes_nothing(stores: Stores, home: Home) -> None:
    text, _ = await a_session(stores, home)
    watched = FailingStores(stores, fail_writes=True)
    for each in (text, mint_token(TokenKind.SESSION), "nonsense"):
        await identify_session_token(watched, each, NOW)
    assert watched.writes == 0


async def test_a_program_is_its_user_within_its_scopes(stores: Stores, home: Home) -> None:
    shared = a_workspace()
    await put(stores, shared, Membership(shared.id, home.user.id, Role.ADMIN, NOW))
    made = await tokens.create_access_token(stores, home.user.id, "t", {Scope.PAIRING}, NOW)
    actor = await identify_program(stores, made.text, LATER)
    assert (actor.user_id, actor.email, actor.name) == (home.user.id, home.user.email, home.user.name)
    assert (actor.credential_id, actor.scopes) == (made.token.id, {Scope.PAIRING})
    assert actor.workspaces == {home.workspace.id: Role.OWNER, shared.id: Role.ADMIN}
    assert actor.personal_workspace == home.workspace.id
    assert actor.expires_at == made.token.expires_at


@pytest.mark.parametrize("text", ["", "Bearer", "vAp_" + "0" * 64, "vAs_" + "0" * 64, "x" * 10_000])
async def test_a_token_that_was_never_made_signs_nobody_in(stores: Stores, home: Home, text: str) -> None:
    with pytest.raises(NotSignedIn):
        await identify_program(stores, text, NOW)


async def test_a_token_that_ended_signs_nobody_in(stores: Stores, home: Home) -> None:
    made = await tokens.create_access_token(
        stores, home.user.id, "t", ALL_SCOPES, NOW, ttl=timedelta(seconds=1)
    )
    await identify_program(stores, made.text, NOW)
    with pytest.raises(NotSignedIn):
        await identify_program(stores, made.text, LATER)
    await tokens.revoke_access_token(stores, made.token.id, NOW)
    with pytest.raises(NotSignedIn):
        await identify_program(stores, made.text, NOW)


async def test_a_disabled_user_is_nobody(stores: Stores, home: Home) -> None:
    made = await tokens.create_access_token(stores, home.user.id, "t", ALL_SCOPES, NOW)
    await users.disable_user(stores, home.user.id, NOW)
    with pytest.raises(NotSignedIn):
        await identify_program(stores, made.text, NOW)


async def test_the_last_use_is_written_once_a_minute(stores: Stores, home: Home) -> None:
    made = await tokens.create_access_token(stores, home.user.id, "t", ALL_SCOPES, NOW)
    watched = FailingStores(stores)
    for seconds, writes in ((0, 1), (1, 1), (59, 1), (60, 2), (61, 2)):
        await identify_program(watched, made.text, NOW + timedelta(seconds=seconds))
        assert watched.writes == writes
    (listed,) = await tokens.list_access_tokens(stores, home.user.id)
    assert listed.last_used_at == NOW + timedelta(seconds=60)


async def test_s03_a_full_disk_keeps_nobody_out(stores: Stores, home: Home) -> None:
    made = await tokens.create_access_token(stores, home.user.id, "t", ALL_SCOPES, NOW)
    full = FailingStores(stores, fail_writes=True)
    assert (await identify_program(full, made.text, NOW)).user_id == home.user.id


async def test_h08_two_users_do_not_share_workspaces(stores: Stores, home: Home) -> None:
    bob = await a_home(stores, "bob@example.com")
    made = await tokens.create_access_token(stores, bob.user.id, "t", ALL_SCOPES, NOW)
    actor = await identify_program(stores, made.text, NOW)
    assert home.workspace.id not in actor.workspaces
