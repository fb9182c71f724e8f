"""What the store of invitations promises; see interfaces.py for what all promise."""

from datetime import datetime
from typing import Protocol

from visiona.domain.ids import InvitationId, UserId, WorkspaceId
from visiona.domain.invitations import Invitation


class InvitationStore(Protocol):
    """Invitations that wait, by their hash. Whoever changes a workspace's holds the workspace."""

    async def add(self, invitation: Invitation) -> None:
        """Raises StoreConflict(about="invitation" | "token" | "reference" | "ttl").

        The first where the workspace has one for the address already, expired or not; a life is 7 days at most.
        """
        ...

    async def get_or_none(self, invitation_id: InvitationId) -> Invitation | None: ...

    async def by_hash_or_none(self, token_hash: str) -> Invitation | None: ...

    async def list_of_workspace(self, workspace_id: WorkspaceId, limit: int) -> list[Invitation]:
        """Also expired ones that were not forgotten yet."""
        ...

    async def remove(self, invitation_id: InvitationId) -> bool:
        """True for exactly one caller, however many there are."""
        ...

    async def remove_of_address(self, workspace_id: WorkspaceId, email: str) -> bool: ...

    async def remove_of_inviter(self, workspace_id: WorkspaceId, user_id: UserId) -> int:
        """Those of the workspace that this user made; says how many."""
        ...

    async def remove_of_workspace(self, workspace_id: WorkspaceId) -> int: ...

    async def purge(self, ended_before: datetime, limit: int) -> int:
        """Forgets those that expired before; says how many."""
        ...
