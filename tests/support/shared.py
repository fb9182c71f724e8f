"""Workspaces that several are in, and what was said of them."""

from visiona.domain.access import Role
from visiona.domain.audit import EVERY_ENTRY, EVERYTHING
from visiona.domain.ids import WorkspaceId
from visiona.domain.notices import NoticeKind
from visiona.domain.workspaces import Membership, Workspace
from visiona.services.workspaces import create_workspace
from visiona.stores.interfaces import Stores

from tests.support.nouns import NOW, Home, a_home, put


async def joined(stores: Stores, workspace_id: WorkspaceId, home: Home, role: Role) -> None:
    """Somebody is in the workspace from now on."""
    await put(stores, Membership(workspace_id, home.user.id, role, NOW))


async def a_team(stores: Stores, home: Home) -> tuple[Workspace, Home, Home]:
    """A workspace of somebody's, with an admin and a plain member."""
    made = await create_workspace(stores, home.actor, "Lab", NOW)
    admin, member = await a_home(stores, "admin@example.com"), await a_home(stores, "member@example.com")
    await joined(stores, made.id, admin, Role.ADMIN)
    await joined(stores, made.id, member, Role.MEMBER)
    return made, admin, member


async def told(stores: Stores) -> list[tuple[NoticeKind, str]]:
    """The notices, the oldest first."""
    found = await stores.read(lambda tx: tx.notices.after(0, 1000))
    return [(notice.kind, notice.subject) for notice in found]


async def deeds(stores: Stores) -> list[tuple[str, str | None]]:
    """The log, the newest first."""
    found = await stores.read(lambda tx: tx.audit.list_in(EVERYTHING, EVERY_ENTRY, 1000, None))
    return [(each.deed, each.subject) for each in found]
