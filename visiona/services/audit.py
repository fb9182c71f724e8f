"""The audit log: noting a deed in its own transaction, and reading what was noted.

Who calls, and from where, is said once: at the edge where a request comes in, or by the command line. A service then
only names the deed. The log is not asked by anything that decides.
"""

from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import MappingProxyType
from typing import Protocol

from visiona.domain.access import Actor, Role
from visiona.domain.audit import (
    EVERYTHING,
    MAX_DETAILS,
    AuditEntry,
    AuditFilter,
    Deed,
    Outcome,
    Sight,
    Through,
    detail,
)
from visiona.domain.errors import NotAllowed
from visiona.domain.ids import AuditId, UserId, WorkspaceId
from visiona.domain.pages import Page, Position, position_of
from visiona.domain.users import User
from visiona.services.minting import mint_id
from visiona.services.paging import checked_limit, page_of
from visiona.stores.interfaces import MAX_ROWS, Stores, Tx

MAX_ADDRESS_CHARACTERS = 64


NO_DETAILS: Mapping[str, object] = MappingProxyType({})


class RefusalNotes(Protocol):
    """Takes down what was refused (services/refusals.py)."""

    def note(
        self,
        deed: Deed,
        why: str,
        *,
        subject: UserId | None = None,
        once: str | None = None,
        origin: "Origin | None" = None,
        details: Mapping[str, object] = NO_DETAILS,
    ) -> None:
        """Never waits, never raises."""
        ...


@dataclass(frozen=True, slots=True)
class Origin:
    """Where what is being done comes from.

    Attributes:
        user_id: who does it; None as long as nobody was identified.
        refusals: who is told of what is refused here; None where nobody keeps a record of that.
    """

    through: Through = Through.NOBODY
    address: str = ""
    request_id: str = ""
    user_id: UserId | None = None
    email: str | None = None
    credential_id: str | None = None
    refusals: RefusalNotes | None = field(default=None, repr=False, compare=False)


NOWHERE = Origin(Through.SERVER)
"""What nobody came in for."""

_origin: ContextVar[Origin] = ContextVar("origin", default=NOWHERE)


def set_origin(origin: Origin) -> None:
    """Holds from here on in this task, and in what it starts."""
    _origin.set(origin)


def set_caller(actor: Actor) -> None:
    """The caller is known now: what follows is this person's doing."""
    _origin.set(
        replace(
            _origin.get(),
            through=Through(actor.via.value),
            user_id=actor.user_id,
            email=actor.email,
            credential_id=actor.credential_id,
        )
    )


def current_origin() -> Origin:
    """Where what is being done here and now comes from."""
    return _origin.get()


def note_refused(
    deed: Deed, why: str, *, subject: UserId | None = None, once: str | None = None, **details: object
) -> None:
    """Takes down that something was refused here; written a moment later, and bounded (services/refusals.py).

    Args:
        why: for a person; never what was sent.
        subject: whose account it was about, if that is known.
        once: the digest of a credential: it is one line an hour, however often it comes.
    """
    refusals = current_origin().refusals
    if refusals is not None:
        refusals.note(deed, why, subject=subject, once=once, details=details)


async def note(
    tx: Tx,
    now: datetime,
    deed: Deed,
    *,
    by: User | None = None,
    through: Through | None = None,
    workspace_id: WorkspaceId | None = None,
    subject: str | None = None,
    outcome: Outcome = Outcome.OK,
    **details: object,
) -> None:
    """Writes one entry in the transaction of the deed: both are kept, or neither.

    Args:
        by: who did it, where that is not whom the edge has identified: somebody who signs in, or whose token was used.
        through: likewise.
        subject: the id of what it was done to.
        details: what else is worth knowing, by name; None is left out. Never a secret.
    """
    await tx.audit.append(
        entry_of(
            now,
            deed,
            by=by,
            through=through,
            workspace_id=workspace_id,
            subject=subject,
            outcome=outcome,
            details=details,
        )
    )


def entry_of(
    now: datetime,
    deed: Deed,
    *,
    by: User | None = None,
    through: Through | None = None,
    workspace_id: WorkspaceId | None = None,
    subject: str | None = None,
    outcome: Outcome = Outcome.OK,
    origin: Origin | None = None,
    details: Mapping[str, object],
) -> AuditEntry:
    """An entry from where this is called, unless an origin is given; see `note`."""
    origin = origin or current_origin()
    if by is not None:
        origin = replace(origin, user_id=by.id, email=by.email)
    given = [(name, detail(value)) for name, value in details.items() if value is not None]
    return AuditEntry(
        id=AuditId(mint_id(now)),
        at=now,
        deed=deed,
        outcome=outcome,
        user_id=origin.user_id,
        email=origin.email,
        credential_id=origin.credential_id,
        through=through or origin.through,
        address=origin.address[:MAX_ADDRESS_CHARACTERS],
        request_id=origin.request_id,
        workspace_id=workspace_id,
        subject=subject,
        details=dict(given[:MAX_DETAILS]),
    )


async def sight_of(tx: Tx, actor: Actor) -> Sight:
    """What of the log a caller may see; an administrator of the server sees everything.

    By what is true now: an export takes many pages, and who is removed meanwhile gets no more of them.

    Raises:
        NotAllowed: the account is disabled.
    """
    user = await tx.users.get_or_none(actor.user_id)
    if user is None or user.disabled_at is not None:
        raise NotAllowed("this account is disabled")
    if user.is_admin:
        return EVERYTHING
    workspaces = await tx.workspaces.list_of_user(user.id, MAX_ROWS)
    return Sight(user.id, tuple(each.id for each, role in workspaces if role is not Role.MEMBER))


async def list_audit(
    stores: Stores,
    actor: Actor | None,
    wanted: AuditFilter,
    *,
    limit: int,
    cursor: str | None = None,
) -> Page[AuditEntry]:
    """A page of what the caller may see, the newest first; None is the operator, who sees everything.

    Raises:
        Invalid: the limit or the cursor is none.
    """
    size = checked_limit(limit)
    before = position_of(cursor) if cursor is not None else None

    async def page(tx: Tx) -> list[AuditEntry]:
        sight = await sight_of(tx, actor) if actor is not None else EVERYTHING
        return [sight.part_of(entry) for entry in await tx.audit.list_in(sight, wanted, size + 1, before)]

    return page_of(await stores.read(page), size, _position)


def _position(entry: AuditEntry) -> Position:
    return Position(entry.at, entry.id)
