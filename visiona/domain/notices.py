"""Notices: what was taken away, told to whoever serves.

A notice is written in the transaction that takes something away, so it exists exactly when the deed is done, also
when another process (the command line) did it. The server reads them in order and cuts what lives on the old truth.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from visiona.domain.ids import DeviceId, UserId, WorkspaceId


class NoticeKind(Enum):
    """What was taken away; in brackets, what `subject` names."""

    SESSION_ENDED = "session_ended"  # [session id]
    TOKEN_REVOKED = "token_revoked"  # [access token id]
    SESSION_TOKEN_REVOKED = "session_token_revoked"  # [session token id]
    DEVICE_DELETED = "device_deleted"  # [device id]
    USER_DISABLED = "user_disabled"  # [user id]
    MEMBER_REMOVED = "member_removed"  # [workspace id/user id]
    MEMBER_CHANGED = "member_changed"  # joined, or of another role [workspace id/user id]
    DEVICE_MOVED = "device_moved"  # [as DeviceMove spells it]


@dataclass(frozen=True, slots=True)
class Notice:
    """One notice; ids grow in the order of commits."""

    id: int
    kind: NoticeKind
    subject: str
    at: datetime


@dataclass(frozen=True, slots=True)
class DeviceMove:
    """What a DEVICE_MOVED notice says: where the device is now, and whose it is.

    Attributes:
        keep: who may use it there, as many as a workspace has members (a notice of 8 KB at the most). It names those
            and not who lost it: whoever is named nowhere has lost it too, also for a reason that was not heard of yet.
    """

    device_id: DeviceId
    workspace_id: WorkspaceId
    user_id: UserId
    keep: frozenset[UserId]

    @property
    def subject(self) -> str:
        """The notice's."""
        return f"{self.device_id}/{self.workspace_id}/{self.user_id}/{','.join(sorted(self.keep))}"

    @classmethod
    def of(cls, subject: str) -> "DeviceMove":
        """The other way round."""
        device_id, workspace_id, user_id, keep = subject.split("/")
        kept = frozenset(UserId(each) for each in keep.split(","))
        return cls(DeviceId(device_id), WorkspaceId(workspace_id), UserId(user_id), kept)


def member_subject(workspace_id: WorkspaceId, user_id: UserId) -> str:
    """The subject of a MEMBER_REMOVED or MEMBER_CHANGED notice."""
    return f"{workspace_id}/{user_id}"


def split_member_subject(subject: str) -> tuple[WorkspaceId, UserId]:
    """The other way round."""
    workspace_id, _, user_id = subject.partition("/")
    return WorkspaceId(workspace_id), UserId(user_id)
