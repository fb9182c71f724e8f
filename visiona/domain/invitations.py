"""Invitations: somebody who belongs to a workspace asks a person, by their e-mail address, to join it.

Nobody is in a workspace unasked: an invitation changes nothing until its person accepts it. Its text (`vAi_…`, see
tokens.py) exists only where it was shown; here lives its hash. One that was accepted or withdrawn is no more.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from visiona.domain.access import Role
from visiona.domain.ids import InvitationId, UserId, WorkspaceId

INVITATION_TTL = timedelta(days=7)
"""Over a weekend and a short absence; who comes later is asked again."""

MAX_PEOPLE_PER_WORKSPACE = 200
"""Members and invitations together: one page shows them all, and removing them is one short transaction."""

INVITABLE = frozenset({Role.MEMBER, Role.ADMIN})
"""A workspace is given away to somebody who is there, and not to an address."""


@dataclass(frozen=True, slots=True)
class Invitation:
    """One invitation, which waits.

    Attributes:
        email: whom it is for, as `normalised_email` spells it.
        role: what they become.
        invited_by: whose word it is; it goes when they go.
    """

    id: InvitationId
    hash: str = field(repr=False)
    workspace_id: WorkspaceId
    email: str
    role: Role
    invited_by: UserId
    created_at: datetime
    expires_at: datetime

    def is_live(self, now: datetime) -> bool:
        """Whether it can be accepted, its person aside."""
        return now < self.expires_at
