"""Invitations in memory."""

from collections.abc import Iterable
from datetime import datetime

from visiona.domain.ids import InvitationId, UserId, WorkspaceId
from visiona.domain.invitations import INVITATION_TTL, Invitation
from visiona.stores.memory.state import State, need_new, need_ttl


class MemoryInvitations:
    """See invitations.InvitationStore."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._invitations = state.invitations

    async def add(self, invitation: Invitation) -> None:
        rows = list(self._invitations.rows())
        need_new(all(invitation.hash != each.hash and invitation.id != each.id for each in rows), "token")
        about = (invitation.workspace_id, invitation.email)
        need_new(all((each.workspace_id, each.email) != about for each in rows), "invitation")
        need_ttl(invitation.created_at, invitation.expires_at, INVITATION_TTL)
        self._state.need_workspace(invitation.workspace_id)
        self._state.need_user(invitation.invited_by)
        self._invitations.put(invitation.id, invitation)

    async def get_or_none(self, invitation_id: InvitationId) -> Invitation | None:
        return self._invitations.get(invitation_id)

    async def by_hash_or_none(self, token_hash: str) -> Invitation | None:
        return next((each for each in self._invitations.rows() if each.hash == token_hash), None)

    async def list_of_workspace(self, workspace_id: WorkspaceId, limit: int) -> list[Invitation]:
        found = [each for each in self._invitations.rows() if each.workspace_id == workspace_id]
        return sorted(found, key=lambda each: (each.created_at, each.id), reverse=True)[:limit]

    async def remove(self, invitation_id: InvitationId) -> bool:
        return self._remove([invitation_id] if invitation_id in self._invitations else []) == 1

    async def remove_of_address(self, workspace_id: WorkspaceId, email: str) -> bool:
        about = (workspace_id, email)
        found = [each.id for each in self._invitations.rows() if (each.workspace_id, each.email) == about]
        return self._remove(found) == 1

    async def remove_of_inviter(self, workspace_id: WorkspaceId, user_id: UserId) -> int:
        about = (workspace_id, user_id)
        return self._remove(
            [each.id for each in self._invitations.rows() if (each.workspace_id, each.invited_by) == about]
        )

    async def remove_of_workspace(self, workspace_id: WorkspaceId) -> int:
        return self._remove(
            [each.id for each in self._invitations.rows() if each.workspace_id == workspace_id]
        )

    async def purge(self, ended_before: datetime, limit: int) -> int:
        over = [each.id for each in self._invitations.rows() if each.expires_at < ended_before]
        return self._remove(over[:limit])

    def _remove(self, gone: Iterable[InvitationId]) -> int:
        ids = list(gone)
        for invitation_id in ids:
            self._invitations.remove(invitation_id)
        return len(ids)
