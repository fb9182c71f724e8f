"""Inviting people into a workspace, and accepting it. The link that is shown once leads to a page of the console.

The token stands behind the `#` of the link: no browser sends that to any server, so it is in no log and no Referer.
"""

from collections.abc import Callable
from datetime import datetime

from quart import Blueprint, Response, request

from visiona.domain.access import Role, Scope
from visiona.domain.errors import Conflict, Gone, Invalid
from visiona.domain.ids import InvitationId, WorkspaceId
from visiona.domain.invitations import Invitation
from visiona.domain.notices import NoticeKind, member_subject
from visiona.services.invitations import (
    accept_invitation,
    invite,
    list_invitations,
    withdraw_invitation,
)
from visiona.stores.interfaces import Stores
from visiona.web.answers import Json, moment, no_content, ok
from visiona.web.api.workspaces import read_role
from visiona.web.console.languages import LANGUAGES, preferred
from visiona.web.described import described
from visiona.web.guards import current_actor
from visiona.web.invitation_mail import InvitationMail
from visiona.web.json_body import Fields, body_fields
from visiona.web.revoking import Revoking
from visiona.web.workspace_shapes import (
    Acceptance,
    InvitationList,
    InvitationWish,
    Joined,
    NewInvitation,
)

PAGE = "/invitation"
"""The console's."""


def invitation_routes(
    stores: Stores,
    revoking: Revoking,
    base_url: Callable[[], str],
    mail: InvitationMail,
    now: Callable[[], datetime],
) -> Blueprint:
    """The routes.

    Args:
        stores: invitations and members.
        revoking: has the new member's tokens and sessions know the workspace.
        base_url: where browsers reach this server, without a slash at its end.
        mail: brings invitations to their addresses, if this server does.
        now: the wall clock.
    """
    routes = Blueprint("invitations", __name__)

    @routes.post("/api/workspaces/<workspace_id>/members")
    @described(answer=NewInvitation, status=201, body=InvitationWish, refusals=(Conflict,))
    async def ask(workspace_id: str) -> Response:
        """Invite the person of an e-mail address; the link is in this answer, and mailed where the server sends mail."""
        actor = current_actor(Scope.WORKSPACES)
        fields = await body_fields()
        role = read_role(fields.text_or_none("role") or Role.MEMBER.value)
        language = _language(fields)
        made = await invite(stores, actor, WorkspaceId(workspace_id), fields.text("email"), role, now())
        link = f"{base_url()}{PAGE}#{made.text}"
        became = await mail.send(actor, made, link, language)
        return ok({**_shown(made.invitation), "token": made.text, "link": link, **became}, 201)

    @routes.get("/api/workspaces/<workspace_id>/invitations")
    @described(answer=InvitationList)
    async def waiting(workspace_id: str) -> Response:
        """The invitations that wait, the newest first, never their text; and what became of their mails."""
        actor = current_actor(Scope.WORKSPACES)
        found = await list_invitations(stores, actor, WorkspaceId(workspace_id), now())
        return ok(
            {"items": [{**_shown(each), **mail.became(each.id)} for each in found], "next_cursor": None}
        )

    @routes.delete("/api/workspaces/<workspace_id>/invitations/<invitation_id>")
    @described(status=204)
    async def withdraw(workspace_id: str, invitation_id: str) -> Response:
        """Take an invitation back."""
        actor = current_actor(Scope.WORKSPACES)
        which = WorkspaceId(workspace_id), InvitationId(invitation_id)
        await withdraw_invitation(stores, actor, *which, now())
        return no_content()

    @routes.post("/api/invitations/accept")
    @described(answer=Joined, body=Acceptance, refusals=(Gone, Conflict))
    async def accept() -> Response:
        """Join the workspace one was invited to, by the address of one's own account."""
        actor = current_actor(Scope.WORKSPACES)
        fields = await body_fields()
        workspace, role = await accept_invitation(stores, actor, fields.text("token"), now())
        revoking.at_once(NoticeKind.MEMBER_CHANGED, member_subject(workspace.id, actor.user_id))
        return ok({"workspace_id": workspace.id, "name": workspace.name, "role": role.value})

    return routes


def _language(fields: Fields) -> str:
    """In which the person is written to: as asked for, else as whoever invites reads."""
    asked = fields.text_or_none("language")
    if asked is None:
        return preferred(request.headers.get("Accept-Language"))
    if asked not in LANGUAGES:
        raise Invalid("language: " + ", ".join(LANGUAGES))
    return asked


def _shown(invitation: Invitation) -> Json:
    return {
        "id": invitation.id,
        "email": invitation.email,
        "role": invitation.role.value,
        "invited_by": invitation.invited_by,
        "created_at": moment(invitation.created_at),
        "expires_at": moment(invitation.expires_at),
    }
