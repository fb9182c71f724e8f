"""All tables of the memory engine, and the promises that SQL would keep for us."""

from datetime import datetime, timedelta

from visiona.domain.audit import AuditEntry
from visiona.domain.devices import Device, DeviceEvent
from visiona.domain.ids import (
    AuditId,
    DeviceId,
    EventId,
    InvitationId,
    LoadId,
    ModelId,
    SessionId,
    TokenId,
    UserId,
    WorkspaceId,
)
from visiona.domain.invitations import Invitation
from visiona.domain.loads import KeptLoad
from visiona.domain.models import Model
from visiona.domain.notices import Notice
from visiona.domain.one_time_links import OneTimeLink
from visiona.domain.pairing import PairingToken
from visiona.domain.sessions import Identity, PendingLogin, UserSession
from visiona.domain.tokens import AccessToken, SessionToken
from visiona.domain.users import User
from visiona.domain.workspaces import Membership, Workspace
from visiona.stores.errors import StoreConflict
from visiona.stores.memory.tables import Journal, Table


class State:
    """The tables. Tokens are kept by their id; `…_by_hash` is the index over their hashes."""

    def __init__(self) -> None:
        self.journal = Journal()
        self.users: Table[UserId, User] = Table(self.journal)
        self.workspaces: Table[WorkspaceId, Workspace] = Table(self.journal)
        self.memberships: Table[tuple[WorkspaceId, UserId], Membership] = Table(self.journal)
        self.invitations: Table[InvitationId, Invitation] = Table(self.journal)
        self.access_tokens: Table[TokenId, AccessToken] = Table(self.journal)
        self.access_tokens_by_hash: Table[str, TokenId] = Table(self.journal)
        self.pairing_tokens: Table[TokenId, PairingToken] = Table(self.journal)
        self.pairing_tokens_by_hash: Table[str, TokenId] = Table(self.journal)
        self.session_tokens: Table[TokenId, SessionToken] = Table(self.journal)
        self.session_tokens_by_hash: Table[str, TokenId] = Table(self.journal)
        self.devices: Table[DeviceId, Device] = Table(self.journal)
        self.device_events: Table[EventId, DeviceEvent] = Table(self.journal)
        self.models: Table[ModelId, Model] = Table(self.journal)
        self.model_loads: Table[LoadId, KeptLoad] = Table(self.journal)
        self.audit_entries: Table[AuditId, AuditEntry] = Table(self.journal)
        self.identities: Table[tuple[str, str], Identity] = Table(self.journal)
        self.user_sessions: Table[SessionId, UserSession] = Table(self.journal)
        self.user_sessions_by_hash: Table[str, SessionId] = Table(self.journal)
        self.one_time_links: Table[str, OneTimeLink] = Table(self.journal)
        self.pending_logins: Table[str, PendingLogin] = Table(self.journal)
        self.notices: Table[int, Notice] = Table(self.journal)

    def need_user(self, user_id: UserId) -> None:
        """Raises StoreConflict for a reference to nobody."""
        _need(user_id in self.users, "reference")

    def need_workspace(self, workspace_id: WorkspaceId) -> None:
        """Raises StoreConflict for a reference to nothing."""
        _need(workspace_id in self.workspaces, "reference")

    def need_device(self, device_id: DeviceId) -> None:
        """Raises StoreConflict for a reference to nothing."""
        _need(device_id in self.devices, "reference")

    def need_model(self, model_id: ModelId) -> None:
        """Raises StoreConflict for a reference to nothing."""
        _need(model_id in self.models, "reference")


def need_ttl(created_at: datetime, expires_at: datetime | None, longest: timedelta | None) -> None:
    """Raises StoreConflict for a life that is over before it begins, or longer than allowed."""
    if expires_at is None:
        return
    life = expires_at - created_at
    _need(life > timedelta(0) and (longest is None or life <= longest), "ttl")


def need_new(is_new: bool, about: str) -> None:
    """Raises StoreConflict where there is one already."""
    _need(is_new, about)


def need_other(kept: bool) -> None:
    """Raises StoreConflict for a promise that has no name."""
    _need(kept, "other")


def _need(kept: bool, about: str) -> None:
    if not kept:
        raise StoreConflict(f"this would break a promise of the database ({about})", about=about)
