"""Nouns of the domain, ready-made, and stores that hold some."""

import hashlib
import itertools
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from visiona.domain.access import ALL_SCOPES, Actor, Role
from visiona.domain.audit import AuditEntry, Deed
from visiona.domain.devices import Device, DeviceEvent, EventKind
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
    uuid7,
)
from visiona.domain.invitations import INVITATION_TTL, Invitation
from visiona.domain.loads import LEASE, KeptLoad, Lease, Load
from visiona.domain.models import Model, ModelSource, ModelStatus
from visiona.domain.pairing import PAIRING_TOKEN_TTL, PairingToken
from visiona.domain.sessions import DEFAULT_LIMITS, UserSession
from visiona.domain.tokens import SESSION_TOKEN_TTL, AccessToken, SessionToken
from visiona.domain.users import User
from visiona.domain.workspaces import Membership, Workspace
from visiona.stores.interfaces import Stores, Tx

NOW = datetime(2030, 1, 1, tzinfo=UTC)
LATER = NOW + timedelta(seconds=1)

_numbers = itertools.count(1)


def new_id() -> str:
    """Another id; they sort as they were made."""
    return uuid7(next(_numbers), bytes(10))


def new_hash() -> str:
    """The hash of another token."""
    return hashlib.sha256(str(next(_numbers)).encode()).hexdigest()


def a_user(email: str = "ada@example.com", *, disabled_at: datetime | None = None) -> User:
    return User(UserId(new_id()), email, email.partition("@")[0], None, False, NOW, disabled_at)


def a_workspace(
    personal_of: UserId | None = None, *, name: str = "Lab", created_at: datetime = NOW
) -> Workspace:
    return Workspace(WorkspaceId(new_id()), name, personal_of, created_at, created_at)


@dataclass(frozen=True, slots=True)
class Home:
    """A user with a personal workspace."""

    user: User
    workspace: Workspace

    @property
    def actor(self) -> Actor:
        """The user, calling with every scope."""
        return Actor(
            user_id=self.user.id,
            email=self.user.email,
            name=self.user.name,
            credential_id=TokenId("a credential"),
            scopes=ALL_SCOPES,
            workspaces={self.workspace.id: Role.OWNER},
            personal_workspace=self.workspace.id,
            expires_at=None,
        )

    def device(
        self, *, serial_number: str | None = None, created_at: datetime = NOW, name: str = "Gate"
    ) -> Device:
        return Device(
            id=DeviceId(new_id()),
            workspace_id=self.workspace.id,
            user_id=self.user.id,
            name=name,
            device_type="edge",
            serial_number=serial_number,
            created_at=created_at,
            updated_at=created_at,
        )

    def model(self, *, chips: tuple[str, ...] = ("KL520",), created_at: datetime = NOW) -> Model:
        return Model(
            id=ModelId(new_id()),
            workspace_id=self.workspace.id,
            user_id=self.user.id,
            name="yolo",
            version="1",
            target_chips=chips,
            file_size=1,
            sha256=new_hash(),
            source=ModelSource.UPLOADED,
            status=ModelStatus.READY,
            created_at=created_at,
            updated_at=created_at,
        )

    def load(
        self,
        device: Device,
        model: Model,
        accelerator: str = "kl520-0",
        *,
        created_at: datetime = NOW,
        holder: str = "one",
    ) -> KeptLoad:
        """A load that one server has just begun."""
        load = Load(
            id=LoadId(new_id()),
            model_id=model.id,
            model_name=model.name,
            model_version=model.version,
            device_id=device.id,
            accelerator=accelerator,
            chip="KL520",
            workspace_id=device.workspace_id,
            user_id=self.user.id,
            sha256=model.sha256,
            size=model.file_size,
            created_at=created_at,
            updated_at=created_at,
        )
        return KeptLoad(load, Lease(holder, created_at + LEASE))

    def invitation(self, email: str, *, created_at: datetime = NOW) -> Invitation:
        return Invitation(
            id=InvitationId(new_id()),
            hash=new_hash(),
            workspace_id=self.workspace.id,
            email=email,
            role=Role.MEMBER,
            invited_by=self.user.id,
            created_at=created_at,
            expires_at=created_at + INVITATION_TTL,
        )

    def access_token(self, *, created_at: datetime = NOW, expires_at: datetime | None = None) -> AccessToken:
        return AccessToken(
            id=TokenId(new_id()),
            hash=new_hash(),
            prefix="vAp_01234567",
            user_id=self.user.id,
            name="script",
            scopes=ALL_SCOPES,
            created_at=created_at,
            expires_at=expires_at,
        )

    def pairing_token(
        self, *, created_at: datetime = NOW, ttl: timedelta = PAIRING_TOKEN_TTL, name: str | None = None
    ) -> PairingToken:
        return PairingToken(
            id=TokenId(new_id()),
            hash=new_hash(),
            prefix="vAc_01234567",
            user_id=self.user.id,
            workspace_id=self.workspace.id,
            name=name,
            created_at=created_at,
            expires_at=created_at + ttl,
        )

    def session(
        self, *, created_at: datetime = NOW, subject: str = "ada", idp_sid: str | None = None
    ) -> UserSession:
        return UserSession(
            id=SessionId(new_id()),
            token_hash=new_hash(),
            user_id=self.user.id,
            created_at=created_at,
            last_seen_at=created_at,
            idle=DEFAULT_LIMITS.idle,
            absolute_expires_at=created_at + DEFAULT_LIMITS.absolute,
            user_agent="Browser/1",
            address="192.0.2.1",
            issuer="https://id.example",
            subject=subject,
            idp_sid=idp_sid,
        )

    def session_token(
        self,
        device: Device,
        *,
        created_at: datetime = NOW,
        ttl: timedelta = SESSION_TOKEN_TTL,
        pairing_token_id: TokenId | None = None,
    ) -> SessionToken:
        return SessionToken(
            id=TokenId(new_id()),
            hash=new_hash(),
            prefix="vAs_01234567",
            user_id=self.user.id,
            workspace_id=device.workspace_id,
            device_id=device.id,
            pairing_token_id=pairing_token_id,
            created_at=created_at,
            expires_at=created_at + ttl,
        )


def a_builtin_model(*, chips: tuple[str, ...] = ("KL520",)) -> Model:
    return Model(
        id=ModelId(new_id()),
        workspace_id=None,
        user_id=None,
        name="yolo",
        version="1",
        target_chips=chips,
        file_size=1,
        sha256=new_hash(),
        source=ModelSource.BUILTIN,
        status=ModelStatus.READY,
        created_at=NOW,
        updated_at=NOW,
    )


def an_event(device: Device, *, at: datetime = NOW, kind: EventKind = EventKind.CONNECTED) -> DeviceEvent:
    return DeviceEvent(EventId(new_id()), device.id, kind, at)


def an_entry(
    deed: Deed = Deed.SIGN_IN,
    *,
    at: datetime = NOW,
    user_id: UserId | None = None,
    workspace_id: WorkspaceId | None = None,
    subject: str | None = None,
) -> AuditEntry:
    return AuditEntry(
        AuditId(new_id()), at, deed, user_id=user_id, workspace_id=workspace_id, subject=subject
    )


Noun = (
    User
    | Workspace
    | Membership
    | Invitation
    | AccessToken
    | PairingToken
    | SessionToken
    | Device
    | DeviceEvent
    | Model
    | KeptLoad
    | AuditEntry
)


async def put(stores: Stores, *nouns: Noun) -> None:
    """Adds each, in one transaction."""

    async def add(tx: Tx) -> None:
        for noun in nouns:
            await add_one(tx, noun)

    await stores.write(add)


async def add_one(tx: Tx, noun: Noun) -> None:
    match noun:
        case User():
            await tx.users.add(noun)
        case Workspace():
            await tx.workspaces.add(noun)
        case Membership():
            await tx.workspaces.add_member(noun)
        case Invitation():
            await tx.invitations.add(noun)
        case AccessToken():
            await tx.access_tokens.add(noun)
        case PairingToken():
            await tx.pairing_tokens.add(noun)
        case SessionToken():
            await tx.session_tokens.add(noun)
        case Device():
            await tx.devices.add(noun)
        case DeviceEvent():
            await tx.device_events.append(noun)
        case Model():
            await tx.models.add(noun)
        case KeptLoad():
            await tx.model_loads.add(noun.load, noun.lease)
        case AuditEntry():
            await tx.audit.append(noun)


async def a_home(stores: Stores, email: str = "ada@example.com") -> Home:
    """A user with a personal workspace, on record."""
    user = a_user(email)
    workspace = a_workspace(user.id, name=user.name)
    await put(stores, user, workspace, Membership(workspace.id, user.id, Role.OWNER, NOW))
    return Home(user, workspace)
