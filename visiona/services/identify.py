"""Who holds this credential? The answer is true at `now`; notices say when it stops being so."""

import contextlib
from dataclasses import dataclass
from datetime import datetime, timedelta

from visiona.domain.access import Actor, CredentialId, Role, Scope, Via
from visiona.domain.errors import NotSignedIn
from visiona.domain.ids import DeviceId, TokenId, UserId, WorkspaceId
from visiona.domain.tokens import AccessToken, SessionToken, TokenKind, token_hash
from visiona.domain.users import User
from visiona.domain.workspaces import Workspace
from visiona.stores.errors import StoreUnavailable
from visiona.stores.interfaces import MAX_ROWS, Stores, Tx

TOUCH_INTERVAL = timedelta(minutes=1)
"""How exact a token's last use is on record: not worth a write per request."""


@dataclass(frozen=True, slots=True)
class TunnelSession:
    """Whom a device's connection belongs to."""

    token_id: TokenId
    user_id: UserId
    workspace_id: WorkspaceId
    device_id: DeviceId
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class UnknownToken:
    """No such session token was ever given out, or it is long gone."""

    code = "UNAUTHENTICATED"


@dataclass(frozen=True, slots=True)
class ExpiredToken:
    """It was good once; the device must be paired again."""

    at: datetime
    code = "SESSION_TOKEN_EXPIRED"


@dataclass(frozen=True, slots=True)
class RevokedToken:
    """It, its device or its user was taken back."""

    code = "SESSION_TOKEN_REVOKED"


SessionRefusal = UnknownToken | ExpiredToken | RevokedToken


async def identify_session_token(stores: Stores, text: str, now: datetime) -> TunnelSession | SessionRefusal:
    """Checks a device's token. One read, no write; text that is no session token costs not even the read.

    Raises:
        StoreUnavailable: nothing can be said about the token now.
    """
    hashed = token_hash(text, TokenKind.SESSION)
    if hashed is None:
        return UnknownToken()

    async def look_up(tx: Tx) -> TunnelSession | SessionRefusal:
        token = await tx.session_tokens.by_hash_or_none(hashed)
        if token is None:
            return UnknownToken()
        if token.revoked_at is not None:
            return RevokedToken()
        if not token.is_live(now):
            return ExpiredToken(token.expires_at)
        return await _session_of(tx, token)

    return await stores.read(look_up)


async def _session_of(tx: Tx, token: SessionToken) -> TunnelSession | RevokedToken:
    device = await tx.devices.get_or_none(token.device_id)
    user = await tx.users.get_or_none(token.user_id)
    if device is None or device.deleted_at is not None or user is None:
        return RevokedToken()
    # A device stays with its workspace when whoever paired it goes, also if their account is disabled afterwards.
    if (
        user.disabled_at is not None
        and await tx.workspaces.role_or_none(device.workspace_id, user.id) is not None
    ):
        return RevokedToken()
    return TunnelSession(token.id, token.user_id, device.workspace_id, token.device_id, token.expires_at)


async def identify_program(stores: Stores, text: str, now: datetime) -> Actor:
    """Checks a personal access token; notes its use at most once a minute.

    Raises:
        NotSignedIn: unknown, expired or revoked, or its user is disabled: the caller cannot tell which.
        StoreUnavailable: nothing can be said about the token now.
    """
    hashed = token_hash(text, TokenKind.ACCESS)
    if hashed is None:
        raise NotSignedIn("this token is not known here")

    async def look_up(tx: Tx) -> tuple[AccessToken, Actor] | None:
        token = await tx.access_tokens.by_hash_or_none(hashed)
        if token is None or not token.is_live(now):
            return None
        actor = await actor_or_none(tx, token.user_id, token.id, token.scopes, token.expires_at)
        return (token, actor) if actor is not None else None

    found = await stores.read(look_up)
    if found is None:
        raise NotSignedIn("this token is not known here")
    token, actor = found
    if token.last_used_at is None or now - token.last_used_at >= TOUCH_INTERVAL:
        await _touch(stores, token.id, now)
    return actor


async def actor_or_none(
    tx: Tx,
    user_id: UserId,
    credential_id: CredentialId,
    scopes: frozenset[Scope],
    expires_at: datetime | None,
    via: Via = Via.TOKEN,
) -> Actor | None:
    """The actor behind a credential that was found good; None if the user is not."""
    user = await tx.users.get_or_none(user_id)
    if user is None or user.disabled_at is not None:
        return None
    workspaces = await tx.workspaces.list_of_user(user_id, MAX_ROWS)
    return _actor(user, workspaces, credential_id, scopes, expires_at, via)


def _actor(
    user: User,
    workspaces: list[tuple[Workspace, Role]],
    credential_id: CredentialId,
    scopes: frozenset[Scope],
    expires_at: datetime | None,
    via: Via,
) -> Actor:
    personal = next(workspace.id for workspace, _ in workspaces if workspace.personal_of == user.id)
    return Actor(
        user_id=user.id,
        email=user.email,
        name=user.name,
        credential_id=credential_id,
        scopes=scopes,
        workspaces={workspace.id: role for workspace, role in workspaces},
        personal_workspace=personal,
        expires_at=expires_at,
        via=via,
    )


async def _touch(stores: Stores, token_id: TokenId, now: datetime) -> None:
    async def note(tx: Tx) -> None:
        await tx.access_tokens.touch(token_id, now)

    # A store that can be read but not written (a full disk, a lock) must neither keep anybody out nor waiting.
    with contextlib.suppress(StoreUnavailable):
        await stores.write(note, waits=False)
