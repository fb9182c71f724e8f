"""Pairing: a one-time token becomes a device and its session token.

Who may: anybody for their own workspace, admins for a shared one. Scopes are the routes' business (web/guards.py).
The exchange itself is in services/exchange_token.py.
"""

from dataclasses import dataclass, field
from datetime import datetime

from visiona.domain import labels
from visiona.domain.access import Actor, Role
from visiona.domain.audit import Deed
from visiona.domain.errors import NotFound, TooMany
from visiona.domain.ids import DeviceId, TokenId, UserId, WorkspaceId, is_uuid
from visiona.domain.notices import NoticeKind
from visiona.domain.pairing import MAX_LIVE_PER_USER, PAIRING_TOKEN_TTL, PairingToken
from visiona.domain.tokens import SessionToken, TokenKind, token_hash, token_prefix
from visiona.services.audit import note
from visiona.services.minting import mint_id, mint_token
from visiona.services.workspaces import held_workspace
from visiona.stores.interfaces import MAX_ROWS, Stores, Tx


@dataclass(frozen=True, slots=True)
class NewPairingToken:
    """A pairing token and its text, which exists nowhere else."""

    token: PairingToken
    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class ListedToken:
    """One line of a user's list: a pairing token or a device's session token, never its text or hash."""

    id: TokenId
    token_prefix: str
    kind: str
    name: str | None
    device_id: DeviceId | None
    created_at: datetime
    expires_at: datetime
    used_at: datetime | None
    revoked_at: datetime | None


async def create_pairing_token(
    stores: Stores,
    actor: Actor,
    now: datetime,
    *,
    name: str | None = None,
    workspace_id: WorkspaceId | None = None,
) -> NewPairingToken:
    """Makes a one-time token of 15 minutes.

    Args:
        name: what the device shall be called; the agent's own name for it, if None.
        workspace_id: whose device it becomes; the caller's personal workspace, if None.

    Raises:
        NotFound, NotAllowed: the workspace is none of the caller's, or not the caller's to change.
        Invalid: the name is none.
        TooMany: ten tokens of the user wait to be used.
    """
    workspace = workspace_id or actor.personal_workspace
    text = mint_token(TokenKind.PAIRING)
    token = PairingToken(
        id=TokenId(mint_id(now)),
        hash=token_hash(text, TokenKind.PAIRING) or "",
        prefix=token_prefix(text),
        user_id=actor.user_id,
        workspace_id=workspace,
        name=labels.name(name) if name is not None else None,
        created_at=now,
        expires_at=now + PAIRING_TOKEN_TTL,
    )

    async def add(tx: Tx) -> None:
        await tx.users.lock_or_none(actor.user_id)
        await held_workspace(tx, actor, workspace, Role.ADMIN)
        if await tx.pairing_tokens.count_live(actor.user_id, now) >= MAX_LIVE_PER_USER:
            raise TooMany(
                f"{MAX_LIVE_PER_USER} pairing tokens wait to be used; use or revoke one",
                retry_after_seconds=60,
            )
        await tx.pairing_tokens.add(token)
        await note(
            tx, now, Deed.PAIRING_TOKEN_CREATED, workspace_id=workspace, subject=token.id, name=token.name
        )

    await stores.write(add)
    return NewPairingToken(token, text)


async def list_pairing_tokens(stores: Stores, user_id: UserId) -> list[ListedToken]:
    """A user's pairing and session tokens, also used, revoked and expired ones, the newest first.

    Those for workspaces that they left are not theirs any more.
    """

    async def both(tx: Tx) -> list[ListedToken]:
        here = {workspace.id for workspace, _ in await tx.workspaces.list_of_user(user_id, MAX_ROWS)}
        pairing = await tx.pairing_tokens.list_of_user(user_id, MAX_ROWS)
        session = await tx.session_tokens.list_of_user(user_id, MAX_ROWS)
        return [_listed_pairing(token) for token in pairing if token.workspace_id in here] + [
            _listed_session(token) for token in session if token.workspace_id in here
        ]

    listed = await stores.read(both)
    return sorted(listed, key=lambda token: (token.created_at, token.id), reverse=True)


async def revoke_pairing_token(
    stores: Stores, user_id: UserId, id_or_text: str, now: datetime
) -> list[TokenId]:
    """Takes a pairing token or a session token back, named by its id or by its text.

    Taking back a pairing token that was used takes back what it was exchanged for: whichever of a revocation and an
    exchange comes first, no session outlives the revocation. Revoking again changes nothing.

    Returns:
        The session tokens that ended, so that whoever serves can cut at once what they keep alive.

    Raises:
        NotFound: there is no such token, or it is somebody else's.
    """

    async def revoke(tx: Tx) -> list[TokenId]:
        if (pairing := await _pairing_or_none(tx, id_or_text)) and await _is_theirs(tx, user_id, pairing):
            if await tx.pairing_tokens.revoke(pairing.id, now):
                where = pairing.workspace_id
                await note(tx, now, Deed.PAIRING_TOKEN_REVOKED, workspace_id=where, subject=pairing.id)
            ended = await tx.session_tokens.revoke_of_pairing_token(pairing.id, now)
            await _note_ended(tx, now, ended, pairing.workspace_id, pairing.device_id)
        elif (session := await _session_or_none(tx, id_or_text)) and await _is_theirs(tx, user_id, session):
            ended = [session.id] if await tx.session_tokens.revoke(session.id, now) else []
            await _note_ended(tx, now, ended, session.workspace_id, session.device_id)
        else:
            raise NotFound("there is no such token")
        for token_id in ended:
            await tx.notices.append(NoticeKind.SESSION_TOKEN_REVOKED, token_id, now)
        return ended

    return await stores.write(revoke)


async def _note_ended(
    tx: Tx, now: datetime, ended: list[TokenId], workspace_id: WorkspaceId, device_id: DeviceId | None
) -> None:
    for token_id in ended:
        await note(
            tx,
            now,
            Deed.SESSION_TOKEN_REVOKED,
            workspace_id=workspace_id,
            subject=token_id,
            device_id=device_id,
        )


async def _is_theirs(tx: Tx, user_id: UserId, token: PairingToken | SessionToken) -> bool:
    """Whether the user made it, and is still where it belongs."""
    is_made_by = token.user_id == user_id
    return is_made_by and await tx.workspaces.role_or_none(token.workspace_id, user_id) is not None


async def _pairing_or_none(tx: Tx, id_or_text: str) -> PairingToken | None:
    hashed = token_hash(id_or_text, TokenKind.PAIRING)
    if hashed is not None:
        return await tx.pairing_tokens.by_hash_or_none(hashed)
    return await tx.pairing_tokens.get_or_none(TokenId(id_or_text)) if is_uuid(id_or_text) else None


async def _session_or_none(tx: Tx, id_or_text: str) -> SessionToken | None:
    hashed = token_hash(id_or_text, TokenKind.SESSION)
    if hashed is not None:
        return await tx.session_tokens.by_hash_or_none(hashed)
    return await tx.session_tokens.get_or_none(TokenId(id_or_text)) if is_uuid(id_or_text) else None


def _listed_pairing(token: PairingToken) -> ListedToken:
    return ListedToken(
        id=token.id,
        token_prefix=token.prefix,
        kind="pairing",
        name=token.name,
        device_id=token.device_id,
        created_at=token.created_at,
        expires_at=token.expires_at,
        used_at=token.used_at,
        revoked_at=token.revoked_at,
    )


def _listed_session(token: SessionToken) -> ListedToken:
    return ListedToken(
        id=token.id,
        token_prefix=token.prefix,
        kind="session",
        name=None,
        device_id=token.device_id,
        created_at=token.created_at,
        expires_at=token.expires_at,
        used_at=None,
        revoked_at=token.revoked_at,
    )
