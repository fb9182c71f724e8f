"""Whose things are whose: devices, models and tokens belong to a workspace, people are members of it."""

from dataclasses import dataclass
from datetime import datetime

from visiona.domain.access import Role
from visiona.domain.ids import UserId, WorkspaceId


@dataclass(frozen=True, slots=True)
class Workspace:
    """A place that owns things.

    Attributes:
        personal_of: the user whose personal workspace this is; made with the user, never given away, never deleted.
    """

    id: WorkspaceId
    name: str
    personal_of: UserId | None
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Membership:
    """One user's role in one workspace."""

    workspace_id: WorkspaceId
    user_id: UserId
    role: Role
    created_at: datetime
