"""Who is calling, and what they may do.

An `Actor` is made once per credential by services/identify.py and may be kept for a while: it says what was true
when it was made, and notices (domain/notices.py) say when it no longer is.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from visiona.domain.errors import NotAllowed, NotFound
from visiona.domain.ids import SessionId, TokenId, UserId, WorkspaceId

CredentialId = TokenId | SessionId
"""What ends when it is revoked: a personal access token, or a person's session."""


class Role(Enum):
    """What a member may do in a workspace: members see and use, admins change, owners also give it away."""

    MEMBER = "member"
    ADMIN = "admin"
    OWNER = "owner"

    def is_at_least(self, other: "Role") -> bool:
        """Whether it may do whatever the other may."""
        ranks = list(Role)
        return ranks.index(self) >= ranks.index(other)


class Scope(Enum):
    """What a personal access token may be used for. A person's session has all of them."""

    DEVICES_READ = "devices:read"
    DEVICES_WRITE = "devices:write"
    DEVICES_PROXY = "devices:proxy"
    PAIRING = "pairing"
    MODELS_READ = "models:read"
    MODELS_WRITE = "models:write"
    WORKSPACES = "workspaces"
    ACCOUNT = "account"
    AUDIT_READ = "audit:read"


class Via(Enum):
    """What a caller came with: a browser sends its session by itself, also where another site's page made it."""

    SESSION = "session"
    TOKEN = "token"


ALL_SCOPES = frozenset(Scope)


@dataclass(frozen=True, slots=True)
class Actor:
    """A caller whose credential was checked.

    Attributes:
        credential_id: the personal access token's id or the session's; what ends when that is revoked.
        expires_at: when the credential stops being good by itself; None if never. A session lives on while it is
            used: ask again then.
    """

    user_id: UserId
    email: str
    name: str
    credential_id: CredentialId
    scopes: frozenset[Scope]
    workspaces: Mapping[WorkspaceId, Role]
    personal_workspace: WorkspaceId
    expires_at: datetime | None
    via: Via = Via.TOKEN

    def need(self, scope: Scope) -> None:
        """Raises NotAllowed unless the credential carries the scope."""
        if scope not in self.scopes:
            raise NotAllowed(f"this token lacks the scope {scope.value}")

    def role_in(self, workspace: WorkspaceId) -> Role:
        """The role in a workspace; NotFound where there is none, as if the workspace did not exist."""
        role = self.workspaces.get(workspace)
        if role is None:
            raise NotFound("no such workspace")
        return role

    def need_admin(self, workspace: WorkspaceId) -> None:
        """Raises NotFound for a stranger and NotAllowed for a plain member."""
        if self.role_in(workspace) is Role.MEMBER:
            raise NotAllowed("only an admin or the owner of the workspace may do this")
