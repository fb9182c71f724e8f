"""What every engine promises; tests/stores/contract holds them to it.

The unit of work is an *operation*: an async function of a `Tx` that awaits nothing but that `Tx`. It is handed over
whole, so an engine may run it inline (SQLite, memory) or on another event loop (a database driver), may run it again
from its start after a conflict with another transaction, and never stops half-way: it is finished or undone.
An operation therefore keeps no state outside itself and returns its result.

Every call may raise StoreUnavailable, before or after which nothing was changed. Methods named `…_or_none` return
None where nothing is found. Lists come newest first, unless said otherwise, and never more than `limit` items, which
is itself at most `MAX_ROWS`. Times are zoned and kept to the microsecond.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Protocol, TypeVar

from visiona.domain.access import Role
from visiona.domain.causes import Cause
from visiona.domain.devices import Accelerator, Device, DeviceEvent
from visiona.domain.ids import DeviceId, TokenId, UserId, WorkspaceId
from visiona.domain.notices import Notice, NoticeKind
from visiona.domain.pages import Position
from visiona.domain.pairing import PairingToken
from visiona.domain.tokens import AccessToken, SessionToken
from visiona.domain.users import User
from visiona.domain.workspaces import Membership, Workspace
from visiona.stores.one_time_links import OneTimeLinkStore
from visiona.stores.sessions import (
    IdentityStore,
    PendingLoginRows,
    PendingLoginStore,
    SessionStore,
    UserSessionRows,
)

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

    async def set_role(self, workspace_id: WorkspaceId, user_id: UserId, role: Role) -> bool: ...

    async def remove_member(self, workspace_id: WorkspaceId, user_id: UserId) -> bool: ...


class AccessTokenStore(Protocol):
    """Personal access tokens, by their hash."""

    async def add(self, token: AccessToken) -> None:
        """Raises StoreConflict(about="token") for a known hash, (about="reference") for an unknown user."""
        ...

    async def get_or_none(self, token_id: TokenId) -> AccessToken | None: ...

    async def by_hash_or_none(self, token_hash: str) -> AccessToken | None: ...

    async def list_of_user(self, user_id: UserId, limit: int) -> list[AccessToken]: ...

    async def count_live(self, user_id: UserId, now: datetime) -> int: ...

    async def revoke(self, token_id: TokenId, at: datetime) -> bool:
        """False if it was revoked already or there is none."""
        ...

    async def touch(self, token_id: TokenId, at: datetime) -> None:
        """Notes the last use."""
        ...

    async def purge(self, ended_before: datetime, limit: int) -> int:
        """Forgets tokens that expired or were revoked before; says how many."""
        ...


class PairingTokenStore(Protocol):
    """One-time tokens, by their hash."""

    async def add(self, token: PairingToken) -> None:
        """Raises StoreConflict(about="token" | "reference" | "ttl"): at most 15 minutes of life."""
        ...

    async def get_or_none(self, token_id: TokenId) -> PairingToken | None: ...

    async def by_hash_or_none(self, token_hash: str) -> PairingToken | None: ...

    async def list_of_user(self, user_id: UserId, limit: int) -> list[PairingToken]: ...

    async def count_live(self, user_id: UserId, now: datetime) -> int:
        """How many could be exchanged now."""
        ...

    async def consume(self, token_hash: str, now: datetime, replay_hash: str | None) -> bool:
        """The one conditional update: marks it used if it is neither used, revoked nor expired.

        True for exactly one caller, however many there are.
        """
        ...

    async def set_device(self, token_id: TokenId, device_id: DeviceId) -> None:
        """Notes what it was exchanged for."""
        ...

    async def revoke(self, token_id: TokenId, at: datetime) -> bool: ...

    async def revoke_of_device(self, device_id: DeviceId, at: datetime) -> int:
        """All that were exchanged for the device; says how many were not revoked before."""
        ...

    async def purge(self, ended_before: datetime, limit: int) -> int:
        """Forgets tokens that expired before; says how many."""
        ...


class SessionTokenStore(Protocol):
    """Devices' tokens, by their hash."""

    async def add(self, token: SessionToken) -> None:
        """Raises StoreConflict(about="token" | "reference" | "ttl"): at most 90 days of life."""
        ...

    async def get_or_none(self, token_id: TokenId) -> SessionToken | None: ...

    async def by_hash_or_none(self, token_hash: str) -> SessionToken | None: ...

    async def list_of_user(self, user_id: UserId, limit: int) -> list[SessionToken]: ...

    async def list_of_device(self, device_id: DeviceId, limit: int) -> list[SessionToken]: ...

    async def revoke(self, token_id: TokenId, at: datetime) -> bool: ...

    async def revoke_of_device(self, device_id: DeviceId, at: datetime) -> list[TokenId]:
        """All that are not revoked yet; says which."""
        ...

    async def revoke_of_pairing_token(self, pairing_token_id: TokenId, at: datetime) -> list[TokenId]: ...

    async def purge(self, ended_before: datetime, limit: int) -> int:
        """Forgets tokens that expired before; says how many."""
        ...


class DeviceStore(Protocol):
    """Devices. Soft-deleted ones are found by nothing but `get_or_none`."""

    async def add(self, device: Device) -> None:
        """Raises StoreConflict(about="serial_number") if a device of the workspace, not deleted, has it."""
        ...

    async def get_or_none(self, device_id: DeviceId) -> Device | None:
        """Also a deleted one; see its `deleted_at`."""
        ...

    async def by_serial_or_none(self, workspace_id: WorkspaceId, serial_number: str) -> Device | None: ...

    async def list_in(
        self, workspace_ids: Sequence[WorkspaceId], limit: int, before: Position | None = None
    ) -> list[Device]:
        """Those of the workspaces; with `before`, those older than that position."""
        ...

    async def list_all(self, limit: int, before: Position | None = None) -> list[Device]:
        """Everybody's, for the operator."""
        ...

    async def count_in(self, workspace_ids: Sequence[WorkspaceId]) -> int: ...

    async def set_label(self, device_id: DeviceId, name: str, tags: Sequence[str], at: datetime) -> bool: ...

    async def set_paired(
        self,
        device_id: DeviceId,
        user_id: UserId,
        at: datetime,
        device_type: str | None,
        agent_version: str | None,
        instance: str | None,
    ) -> bool:
        """It was paired again; what is None stays as it was."""
        ...

    async def set_connected(
        self, device_id: DeviceId, at: datetime, agent_version: str | None, instance: str | None
    ) -> bool:
        """A tunnel came up; what is None stays as it was."""
        ...

    async def set_disconnected(
        self, device_id: DeviceId, at: datetime, cause: Cause, detail: str | None
    ) -> bool:
        """Its tunnel ended. Which of two tunnels is the later one is for the caller to know, not for the clock."""
        ...

    async def set_accelerators(
        self,
        device_id: DeviceId,
        at: datetime,
        accelerators: Sequence[Accelerator],
        agent_version: str | None,
    ) -> bool:
        """What the agent says it has now, whole; a version of None stays as it was."""
        ...

    async def delete(self, device_id: DeviceId, at: datetime) -> bool:
        """Soft; False if it was deleted already or there is none."""
        ...


class DeviceEventStore(Protocol):
    """Timelines of devices."""

    async def append(self, event: DeviceEvent) -> None: ...

    async def list_of_device(
        self, device_id: DeviceId, limit: int, before: Position | None = None
    ) -> list[DeviceEvent]: ...

    async def trim(self, device_id: DeviceId, keep: int) -> int:
        """Forgets all but the newest `keep`; says how many."""
        ...

    async def purge(self, before: datetime, limit: int) -> int:
        """Forgets those of before, of any device; says how many."""
        ...


class NoticeStore(Protocol):
    """Notices, in the order in which they were committed."""

    async def append(self, kind: NoticeKind, subject: str, at: datetime) -> None: ...

    async def after(self, notice_id: int, limit: int) -> list[Notice]:
        """Those with a greater id, the smallest first."""
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

    async def read(self, operation: Callable[[Tx], Awaitable[T]]) -> T:
        """Runs an operation that changes nothing, on one consistent picture.

        Raises:
            StoreUnavailable: the engine cannot answer in time.
            Whatever the operation raises.
        """
        ...

    async def write(self, operation: Callable[[Tx], Awaitable[T]], *, waits: bool = True) -> T:
        """Runs an operation as one transaction: all of it is kept when this returns, none of it when this raises.

        Cancelling is safe: it takes effect before the transaction begins or after it has ended, never within.

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
