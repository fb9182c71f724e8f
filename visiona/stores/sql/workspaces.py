"""Workspaces and memberships in SQL."""

from datetime import datetime

from visiona.domain.access import Role
from visiona.domain.ids import UserId, WorkspaceId
from visiona.domain.users import User
from visiona.domain.workspaces import Membership, Workspace
from visiona.stores.sql.columns import to_micros, to_micros_or_none, to_moment, to_moment_or_none
from visiona.stores.sql.engine import Row, SqlTransaction
from visiona.stores.sql.users import user_of

_COLUMNS = "id, name, personal_of, created_at, updated_at, deleted_at"


class SqlWorkspaces:
    """See interfaces.WorkspaceStore."""

    __slots__ = ("_tx",)

    def __init__(self, tx: SqlTransaction) -> None:
        self._tx = tx

    async def add(self, workspace: Workspace) -> None:
        await self._tx.execute(
            f"INSERT INTO workspaces ({_COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6)",
            workspace.id,
            workspace.name,
            workspace.personal_of,
            to_micros(workspace.created_at),
            to_micros(workspace.updated_at),
            to_micros_or_none(workspace.deleted_at),
        )

    async def get_or_none(self, workspace_id: WorkspaceId) -> Workspace | None:
        row = await self._tx.fetch_one(f"SELECT {_COLUMNS} FROM workspaces WHERE id = $1", workspace_id)
        return _workspace(row) if row is not None else None

    async def lock_or_none(self, workspace_id: WorkspaceId) -> Workspace | None:
        sql = f"SELECT {_COLUMNS} FROM workspaces WHERE id = $1 @for_update@"
        row = await self._tx.fetch_one(sql, workspace_id)
        return _workspace(row) if row is not None else None

    async def list_of_user(self, user_id: UserId, limit: int) -> list[tuple[Workspace, Role]]:
        rows = await self._tx.fetch_all(
            """SELECT w.id, w.name, w.personal_of, w.created_at, w.updated_at, w.deleted_at, m.role
            FROM memberships m JOIN workspaces w ON w.id = m.workspace_id
            WHERE m.user_id = $1 AND w.deleted_at IS NULL
            ORDER BY CASE WHEN w.personal_of = $1 THEN 0 ELSE 1 END, w.created_at, w.id LIMIT $2""",
            user_id,
            limit,
        )
        return [(_workspace(row[:6]), Role(row[6])) for row in rows]

    async def role_or_none(self, workspace_id: WorkspaceId, user_id: UserId) -> Role | None:
        row = await self._tx.fetch_one(
            """SELECT m.role FROM memberships m JOIN workspaces w ON w.id = m.workspace_id
            WHERE m.workspace_id = $1 AND m.user_id = $2 AND w.deleted_at IS NULL""",
            workspace_id,
            user_id,
        )
        return Role(row[0]) if row is not None else None

    async def rename(self, workspace_id: WorkspaceId, name: str, at: datetime) -> bool:
        sql = "UPDATE workspaces SET name = $2, updated_at = $3 WHERE id = $1 AND deleted_at IS NULL"
        return await self._tx.execute(sql, workspace_id, name, to_micros(at)) == 1

    async def delete(self, workspace_id: WorkspaceId, at: datetime) -> bool:
        sql = """UPDATE workspaces SET deleted_at = $2, updated_at = $2
            WHERE id = $1 AND deleted_at IS NULL AND personal_of IS NULL"""
        return await self._tx.execute(sql, workspace_id, to_micros(at)) == 1

    async def add_member(self, membership: Membership) -> None:
        await self._tx.execute(
            "INSERT INTO memberships (workspace_id, user_id, role, created_at) VALUES ($1, $2, $3, $4)",
            membership.workspace_id,
            membership.user_id,
            membership.role.value,
            to_micros(membership.created_at),
        )

    async def members(self, workspace_id: WorkspaceId, limit: int) -> list[Membership]:
        rows = await self._tx.fetch_all(
            """SELECT workspace_id, user_id, role, created_at FROM memberships
            WHERE workspace_id = $1 ORDER BY created_at, user_id LIMIT $2""",
            workspace_id,
            limit,
        )
        return [_membership(row) for row in rows]

    async def people(self, workspace_id: WorkspaceId, limit: int) -> list[tuple[Membership, User]]:
        rows = await self._tx.fetch_all(
            """SELECT m.workspace_id, m.user_id, m.role, m.created_at,
            u.id, u.email, u.name, u.password_hash, u.is_admin, u.created_at, u.disabled_at
            FROM memberships m JOIN users u ON u.id = m.user_id
            WHERE m.workspace_id = $1 ORDER BY m.created_at, m.user_id LIMIT $2""",
            workspace_id,
            limit,
        )
        return [(_membership(row[:4]), user_of(row[4:])) for row in rows]

    async def set_role(self, workspace_id: WorkspaceId, user_id: UserId, role: Role) -> bool:
        sql = "UPDATE memberships SET role = $3 WHERE workspace_id = $1 AND user_id = $2"
        return await self._tx.execute(sql, workspace_id, user_id, role.value) == 1

    async def remove_member(self, workspace_id: WorkspaceId, user_id: UserId) -> bool:
        sql = "DELETE FROM memberships WHERE workspace_id = $1 AND user_id = $2"
        return await self._tx.execute(sql, workspace_id, user_id) == 1


def _membership(row: Row) -> Membership:
    workspace_id, user_id, role, created_at = row
    return Membership(WorkspaceId(workspace_id), UserId(user_id), Role(role), to_moment(created_at))


def _workspace(row: Row) -> Workspace:
    workspace_id, name, personal_of, created_at, updated_at, deleted_at = row
    return Workspace(
        WorkspaceId(workspace_id),
        name,
        UserId(personal_of) if personal_of is not None else None,
        to_moment(created_at),
        to_moment(updated_at),
        to_moment_or_none(deleted_at),
    )
