"""Invitations in SQL."""

from datetime import datetime

from visiona.domain.access import Role
from visiona.domain.ids import InvitationId, UserId, WorkspaceId
from visiona.domain.invitations import Invitation
from visiona.stores.sql.columns import to_micros, to_moment
from visiona.stores.sql.engine import Row, SqlTransaction

_COLUMNS = "id, token_hash, workspace_id, email, role, invited_by, created_at, expires_at"
_SELECT = f"SELECT {_COLUMNS} FROM invitations"


class SqlInvitations:
    """See invitations.InvitationStore."""

    __slots__ = ("_tx",)

    def __init__(self, tx: SqlTransaction) -> None:
        self._tx = tx

    async def add(self, invitation: Invitation) -> None:
        await self._tx.execute(
            f"INSERT INTO invitations ({_COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
            invitation.id,
            invitation.hash,
            invitation.workspace_id,
            invitation.email,
            invitation.role.value,
            invitation.invited_by,
            to_micros(invitation.created_at),
            to_micros(invitation.expires_at),
        )

    async def get_or_none(self, invitation_id: InvitationId) -> Invitation | None:
        row = await self._tx.fetch_one(f"{_SELECT} WHERE id = $1", invitation_id)
        return _invitation(row) if row is not None else None

    async def by_hash_or_none(self, token_hash: str) -> Invitation | None:
        row = await self._tx.fetch_one(f"{_SELECT} WHERE token_hash = $1", token_hash)
        return _invitation(row) if row is not None else None

    async def list_of_workspace(self, workspace_id: WorkspaceId, limit: int) -> list[Invitation]:
        sql = f"{_SELECT} WHERE workspace_id = $1 ORDER BY created_at DESC, id DESC LIMIT $2"
        return [_invitation(row) for row in await self._tx.fetch_all(sql, workspace_id, limit)]

    async def remove(self, invitation_id: InvitationId) -> bool:
        return await self._tx.execute("DELETE FROM invitations WHERE id = $1", invitation_id) == 1

    async def remove_of_address(self, workspace_id: WorkspaceId, email: str) -> bool:
        sql = "DELETE FROM invitations WHERE workspace_id = $1 AND email = $2"
        return await self._tx.execute(sql, workspace_id, email) == 1

    async def remove_of_inviter(self, workspace_id: WorkspaceId, user_id: UserId) -> int:
        sql = "DELETE FROM invitations WHERE workspace_id = $1 AND invited_by = $2"
        return await self._tx.execute(sql, workspace_id, user_id)

    async def remove_of_workspace(self, workspace_id: WorkspaceId) -> int:
        return await self._tx.execute("DELETE FROM invitations WHERE workspace_id = $1", workspace_id)

    async def purge(self, ended_before: datetime, limit: int) -> int:
        sql = """DELETE FROM invitations WHERE token_hash IN
            (SELECT token_hash FROM invitations WHERE expires_at < $1 LIMIT $2 @what_is_free@)"""
        return await self._tx.execute(sql, to_micros(ended_before), limit)


def _invitation(row: Row) -> Invitation:
    return Invitation(
        id=InvitationId(row[0]),
        hash=row[1],
        workspace_id=WorkspaceId(row[2]),
        email=row[3],
        role=Role(row[4]),
        invited_by=UserId(row[5]),
        created_at=to_moment(row[6]),
        expires_at=to_moment(row[7]),
    )
