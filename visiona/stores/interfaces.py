"""What every engine promises; tests/stores/contract holds them to it.

The unit of work is an *operation*: an async function of a `Tx` that awaits nothing but that `Tx`. It is handed over
whole, so an engine may run it inline (SQLite, memory) or on another event loop (a database driver), may run it again
from its start after a conflict with another transaction, and never stops half-way: it is finished or undone.
An operation therefore keeps no state outside itself and returns its result.

Others write at the same time, on some engines: a statement sees what was committed before it began, so what was read
may be otherwise a statement later. An operation that decides by what it read does one of three things:

- it lets the deed judge: what changes a row only as long as something holds says whether it did;
- it holds the row: `lock_or_none` gives it as it is now, and nobody else changes or holds it before this transaction
  ends. Whoever only reads is not kept waiting;
- it trusts a promise of the schema, and whoever runs it begins anew after the StoreConflict (services/afresh.py).

Nobody may wait in a circle, so rows are changed and held in this order, those of one kind by their ids: the first
administrator's turn, users, workspaces, invitations, models, devices, loads, pairing tokens, session tokens, one-time links, people's sessions,
sign-ins under way, events, audit entries, notices. Housekeeping waits for nobody: it leaves out what is held.

Every call may raise StoreUnavailable, before or after which nothing was changed; or all of it, where the error says that
this is in doubt (`is_in_doubt`: a server was lost while it committed). Methods named `…_or_none` return None where
nothing is found. Lists come newest first, unless said otherwise, and never more than `limit` items, which is itself at
most `MAX_ROWS`. Times are zoned and kept to the microsecond.
"""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Protocol, TypeVar

from visiona.domain.access import Role
from visiona.domain.ids import UserId, WorkspaceId
from visiona.domain.notices import Notice, NoticeKind
from visiona.domain.users import User
from visiona.domain.workspaces import Membership, Workspace
from visiona.stores.audit import AuditStore
from visiona.stores.devices import DeviceEventStore, DeviceStore
from visiona.stores.invitations import InvitationStore
from visiona.stores.loads import LoadStore
from visiona.stores.models import ModelStore
from visiona.stores.one_time_links import OneTimeLinkStore
from visiona.stores.rates import RateStore
from visiona.stores.sessions import (
    IdentityStore,
    PendingLoginRows,
    PendingLoginStore,
    SessionStore,
    UserSessionRows,
)
from visiona.stores.tokens import AccessTokenStore, PairingTokenStore, SessionTokenStore

T = TypeVar("T")

Ping = Callable[[], Awaitable[str | None]]
"""Raises StoreUnavailable unless the store answers; gives what a person should know of it all the same, if anything."""

MAX_ROWS = 1000
"""No single question returns more: an answer is built in one go and everything else waits meanwhile."""


class UserStore(Protocol):
    """Accounts."""

    async def add(self, user: User) -> None:
        """Raises StoreConflict(about="email") if another account has the address, whatever its case."""
        ...

    async def get_or_none(self, user_id: UserId) -> User | None: ...

    async def lock_or_none(self, user_id: UserId) -> User | None:
        """The user, held until this transaction ends: also for whatever is counted for each user."""
        ...

    async def by_email_or_none(self, email: str) -> User | None: ...

    async def list_all(self, limit: int, after_email: str = "") -> list[User]:
        """By e-mail address, those after the one given."""
        ...

    async def set_disabled(self, user_id: UserId, at: datetime | None) -> bool:
        """Disables, or with None enables; False if it was so already or there is no such user."""
        ...

    async def set_password_hash(self, user_id: UserId, password_hash: str | None) -> bool: ...

    async def any_with_password(self) -> bool:
        """Whether anybody has one, disabled accounts included."""
        ...


class WorkspaceStore(Protocol):
    """Workspaces and who is in them. Deleted workspaces are found by nothing but `get_or_none`."""

    async def add(self, workspace: Workspace) -> None:
        """Raises StoreConflict(about="workspace") for a second personal workspace of one user."""
        ...

    async def get_or_none(self, workspace_id: WorkspaceId) -> Workspace | None: ...

    async def lock_or_none(self, workspace_id: WorkspaceId) -> Workspace | None:
        """The workspace, held until this transaction ends: also for whatever is counted for each workspace."""
        ...

    async def list_of_user(self, user_id: UserId, limit: int) -> list[tuple[Workspace, Role]]:
        """Those the user is a member of: the personal one first, then by age."""
        ...

    async def role_or_none(self, workspace_id: WorkspaceId, user_id: UserId) -> Role | None: ...

    async def rename(self, workspace_id: WorkspaceId, name: str, at: datetime) -> bool: ...

    async def delete(self, workspace_id: WorkspaceId, at: datetime) -> bool:
        """Soft; False for a personal or already deleted one."""
        ...

    async def add_member(self, membership: Membership) -> None:
        """Raises StoreConflict(about="member") if the user is one, (about="reference") if either is unknown."""
        ...

    async def members(self, workspace_id: WorkspaceId, limit: int) -> list[Membership]:
        """The oldest membership first."""
        ...

    async def people(self, workspace_id: WorkspaceId, limit: int) -> list[tuple[Membership, User]]:
        """As `members`, with who they are."""
        ...

    async def set_role(self, workspace_id: WorkspaceId, user_id: UserId, role: Role) -> bool: ...

    async def remove_member(self, workspace_id: WorkspaceId, user_id: UserId) -> bool: ...


class NoticeStore(Protocol):
    """Notices, in the order in which they were committed."""

    async def append(self, kind: NoticeKind, subject: str, at: datetime) -> None: ...

    async def after(self, notice_id: int, limit: int) -> list[Notice]:
        """Those with a greater id, the smallest first; without those of a kind that only a newer server knows."""
        ...

    async def last_id(self) -> int:
        """The greatest id there ever was, 0 before the first. Purging does not lower it."""
        ...

    async def purge(self, before: datetime, limit: int) -> int: ...


class Tx(Protocol):
    """One transaction, as an operation sees it."""

    @property
    def users(self) -> UserStore: ...
    @property
    def workspaces(self) -> WorkspaceStore: ...
    @property
    def invitations(self) -> InvitationStore: ...
    @property
    def access_tokens(self) -> AccessTokenStore: ...
    @property
    def pairing_tokens(self) -> PairingTokenStore: ...
    @property
    def session_tokens(self) -> SessionTokenStore: ...
    @property
    def devices(self) -> DeviceStore: ...
    @property
    def device_events(self) -> DeviceEventStore: ...
    @property
    def models(self) -> ModelStore: ...
    @property
    def model_loads(self) -> LoadStore: ...
    @property
    def audit(self) -> AuditStore: ...
    @property
    def notices(self) -> NoticeStore: ...
    @property
    def identities(self) -> IdentityStore: ...
    @property
    def user_sessions(self) -> UserSessionRows: ...
    @property
    def pending_logins(self) -> PendingLoginRows: ...
    @property
    def one_time_links(self) -> OneTimeLinkStore: ...


class Stores(Protocol):
    """All stores: the transactions of one engine, and people's sessions, which may live in another."""

    @property
    def sessions(self) -> SessionStore:
        """People's sessions."""
        ...

    @property
    def pending_logins(self) -> PendingLoginStore:
        """Sign-ins under way."""
        ...

    @property
    def rates(self) -> RateStore:
        """What may be done only so often."""
        ...

    async def read(self, operation: Callable[[Tx], Awaitable[T]]) -> T:
        """Runs an operation that changes nothing, on one consistent picture.

        Raises:
            StoreUnavailable: the engine cannot answer in time.
            Whatever the operation raises.
        """
        ...

    async def write(self, operation: Callable[[Tx], Awaitable[T]], *, waits: bool = True) -> T:
        """Runs an operation as one transaction: all of it is kept when this returns, none of it when this raises.

        Cancelling is safe: whenever it comes, all of it is kept or none.

        Args:
            operation: awaits nothing but its transaction.
            waits: False for what is not worth it: where others are writing just now, StoreUnavailable at once.

        Raises:
            StoreUnavailable: the engine cannot answer in time.
            StoreConflict: a promise of the schema would be broken.
            Whatever the operation raises.
        """
        ...

    async def ping(self) -> None:
        """Raises StoreUnavailable unless the database answers."""
        ...

    @property
    def pings(self) -> Mapping[str, Ping]:
        """How to ask each configured store by itself: `database`, and `redis` where there is one."""
        ...

    async def change_mark(self) -> int:
        """A number that differs from an earlier one if anything was committed since, by anybody; cheap to ask."""
        ...

    async def wait_notice(self, seconds: float) -> None:
        """Returns after so many seconds, or earlier: where somebody told us that there may be notices to read."""
        ...
