"""What the API says and is told of workspaces and of who is in them, as types; see shapes.py."""

from typing import Annotated, Literal, NotRequired, TypedDict

from visiona.domain.access import Role
from visiona.web.json_schema import Says
from visiona.web.shapes import Count, DeviceItem, Id, Moment, Text

MailState = Literal["off", "limited", "queued", "sent", "failed"]
Language = Literal["en", "zh-TW", "zh-CN"]
Invitable = Literal["member", "admin"]


class WorkspaceItem(TypedDict):
    """One of the caller's workspaces; `role` is the caller's there."""

    id: Id
    name: str
    role: Role
    personal: bool
    created_at: Moment
    updated_at: Moment


class WorkspaceList(TypedDict):
    """All of the caller's workspaces, the personal one first."""

    items: list[WorkspaceItem]
    next_cursor: None


class WorkspaceName(TypedDict):
    """What a workspace is called."""

    name: Annotated[str, Says(min_length=1, max_length=120, example="Lab")]


class MemberItem(TypedDict):
    """Somebody who is in a workspace."""

    user_id: Id
    email: str
    name: str
    role: Role
    joined_at: Moment


class MemberList(TypedDict):
    """All of a workspace, the oldest membership first."""

    items: list[MemberItem]
    next_cursor: None


class RoleWish(TypedDict):
    """What a member shall be."""

    role: Role


class MemberRole(TypedDict):
    """What a member is now."""

    user_id: Id
    role: Role


class MemberGone(TypedDict):
    """Who is in the workspace no more, and how many pictures, streams and sockets of theirs were ended here."""

    user_id: Id
    sockets_closed: Count


class InvitationWish(TypedDict):
    """Whom to invite, and as what; as a member, unless said otherwise."""

    email: Annotated[str, Says(max_length=4096, example="bob@example.com")]
    role: NotRequired[Role]
    language: NotRequired[
        Annotated[Language, Says(description="of the mail; without it, of Accept-Language")]
    ]


class InvitationItem(TypedDict):
    """An invitation that waits."""

    id: Id
    email: str
    role: Invitable
    invited_by: Id
    created_at: Moment
    expires_at: Moment
    mail: NotRequired[
        Annotated[MailState, Says(description="what became of its mail, while the server knows")]
    ]
    mail_fault: NotRequired[str]


class InvitationList(TypedDict):
    """All of a workspace that wait, the newest first."""

    items: list[InvitationItem]
    next_cursor: None


class NewInvitation(InvitationItem):
    """An invitation with its text and the link that holds it, which are in this answer alone."""

    token: Annotated[str, Says(pattern="^vAi_[0-9a-f]{64}$")]
    link: str


class Acceptance(TypedDict):
    """The text of an invitation, as it stands in the link behind the `#`."""

    token: Text


class Joined(TypedDict):
    """The workspace that the caller is in now, and as what."""

    workspace_id: Id
    name: str
    role: Role


class Destination(TypedDict):
    """Where a device shall be."""

    workspace_id: Id


class MovedDevice(TypedDict):
    """A device as it is now, and how many pictures, streams and sockets over it were ended here."""

    device: DeviceItem
    sockets_closed: Count
