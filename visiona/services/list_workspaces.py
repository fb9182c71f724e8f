"""The workspaces a caller is in."""

from visiona.domain.access import Actor, Role
from visiona.domain.workspaces import Workspace
from visiona.stores.interfaces import MAX_ROWS, Stores, Tx


async def list_workspaces(stores: Stores, actor: Actor) -> list[tuple[Workspace, Role]]:
    """Each with the caller's role, the personal one first."""

    async def page(tx: Tx) -> list[tuple[Workspace, Role]]:
        return await tx.workspaces.list_of_user(actor.user_id, MAX_ROWS)

    return await stores.read(page)
