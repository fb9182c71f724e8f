"""Accounts, workspaces and memberships in memory."""

from dataclasses import replace
from datetime import datetime

from visiona.domain.access import Role
from visiona.domain.ids import UserId, WorkspaceId
from visiona.domain.users import User
from visiona.domain.workspaces import Membership, Workspace
from visiona.stores.memory.state import State, need_new


class MemoryUsers:
    """See interfaces.UserStore."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._users = state.users

    async def add(self, user: User) -> None:
        need_new(await self.by_email_or_none(user.email) is None, "email")
        self._users.put(user.id, user)

    async def get_or_none(self, user_id: UserId) -> User | None:
        return self._users.get(user_id)

    async def lock_or_none(self, user_id: UserId) -> User | None:
        return self._users.get(user_id)

    async def by_email_or_none(self, email: str) -> User | None:
        wanted = email.lower()
        return next((user for user in self._users.rows() if user.email.lower() == wanted), None)

    async def list_all(self, limit: int, after_email: str = "") -> list[User]:
        users = sorted(self._users.rows(), key=lambda user: user.email.lower())
        return [user for user in users if user.email.lower() > after_email.lower()][:limit]

    async def set_disabled(self, user_id: UserId, at: datetime | None) -> bool:
        user = self._users.get(user_id)
        if user is None or (user.disabled_at is None) == (at is None):
            return False
        self._users.put(user_id, replace(user, disabled_at=at))
        return True

    async def set_password_hash(self, user_id: UserId, password_hash: str | None) -> bool:
        user = self._users.get(user_id)
        if user is None:
            return False
        self._users.put(user_id, replace(user, password_hash=password_hash))
        return True

    async def any_with_password(self) -> bool:
        return any(user.password_hash is not None for user in self._users.rows())


class MemoryWorkspaces:
    """See interfaces.WorkspaceStore."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._workspaces = state.workspaces
        self._memberships = state.memberships

    async def add(self, workspace: Workspace) -> None:
        if workspace.personal_of is not None:
            self._state.need_user(workspace.personal_of)
            owners = {other.personal_of for other in self._workspaces.rows()}
            need_new(workspace.personal_of not in owners, "workspace")
        self._workspaces.put(workspace.id, workspace)

    async def get_or_none(self, workspace_id: WorkspaceId) -> Workspace | None:
        return self._workspaces.get(workspace_id)

    async def lock_or_none(self, workspace_id: WorkspaceId) -> Workspace | None:
        return self._workspaces.get(workspace_id)

    async def list_of_user(self, user_id: UserId, limit: int) -> list[tuple[Workspace, Role]]:
        found = [
            (workspace, membership.role)
            for membership in self._memberships.rows()
            if membership.user_id == user_id
            and (workspace := self._live_or_none(membership.workspace_id)) is not None
        ]
        found.sort(key=lambda each: (each[0].personal_of != user_id, each[0].created_at, each[0].id))
        return found[:limit]

    async def role_or_none(self, workspace_id: WorkspaceId, user_id: UserId) -> Role | None:
        membership = self._memberships.get((workspace_id, user_id))
        if membership is None or self._live_or_none(workspace_id) is None:
            return None
        return membership.role

    async def rename(self, workspace_id: WorkspaceId, name: str, at: datetime) -> bool:
        workspace = self._live_or_none(workspace_id)
        if workspace is None:
            return False
        self._workspaces.put(workspace_id, replace(workspace, name=name, updated_at=at))
        return True

    async def delete(self, workspace_id: WorkspaceId, at: datetime) -> bool:
        workspace = self._live_or_none(workspace_id)
        if workspace is None or workspace.personal_of is not None:
            return False
        self._workspaces.put(workspace_id, replace(workspace, deleted_at=at, updated_at=at))
        return True

    async def add_member(self, membership: Membership) -> None:
        key = (membership.workspace_id, membership.user_id)
        need_new(key not in self._memberships, "member")
        self._state.need_workspace(membership.workspace_id)
        self._state.need_user(membership.user_id)
        self._memberships.put(key, membership)

    async def members(self, workspace_id: WorkspaceId, limit: int) -> list[Membership]:
        found = [each for each in self._memberships.rows() if each.workspace_id == workspace_id]
        return sorted(found, key=lambda each: (each.created_at, each.user_id))[:limit]

    async def people(self, workspace_id: WorkspaceId, limit: int) -> list[tuple[Membership, User]]:
        found = await self.members(workspace_id, limit)
        return [(each, user) for each in found if (user := self._state.users.get(each.user_id)) is not None]

    async def set_role(self, workspace_id: WorkspaceId, user_id: UserId, role: Role) -> bool:
        membership = self._memberships.get((workspace_id, user_id))
        if membership is None:
            return False
        self._memberships.put((workspace_id, user_id), replace(membership, role=role))
        return True

    async def remove_member(self, workspace_id: WorkspaceId, user_id: UserId) -> bool:
        if (workspace_id, user_id) not in self._memberships:
            return False
        self._memberships.remove((workspace_id, user_id))
        return True

    def _live_or_none(self, workspace_id: WorkspaceId) -> Workspace | None:
        workspace = self._workspaces.get(workspace_id)
        return workspace if workspace is not None and workspace.deleted_at is None else None
