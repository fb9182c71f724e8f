"""What the stores of tokens promise; each keeps hashes, never a token's text."""

from datetime import datetime
from typing import Protocol

from visiona.domain.ids import DeviceId, TokenId, UserId, WorkspaceId
from visiona.domain.pairing import PairingToken
from visiona.domain.tokens import AccessToken, SessionToken


class AccessTokenStore(Protocol):
    """Personal access tokens, by their hash."""

    async def add(self, token: AccessToken) -> None:
        """Raises StoreConflict(about="token") for a known hash, (about="reference") for an unknown user."""
        ...

    async def get_or_none(self, token_id: TokenId) -> AccessToken | None: ...

    async def by_hash_or_none(self, token_hash: str) -> AccessToken | None: ...

    async def list_of_user(self, user_id: UserId, limit: int) -> list[AccessToken]: ...

    async def count_live(self, user_id: UserId, now: datetime) -> int: ...

    async def list_made_with(self, user_id: UserId, token_id: TokenId, limit: int) -> list[AccessToken]:
        """The user's tokens that this one was used to make and that are not revoked, also expired ones."""
        ...

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

    async def revoke_of_workspace(
        self, workspace_id: WorkspaceId, at: datetime, user_id: UserId | None = None
    ) -> int:
        """All of the workspace, or those that this user made for it, that were neither used nor revoked; how many."""
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

    async def move_of_device(self, device_id: DeviceId, workspace_id: WorkspaceId, user_id: UserId) -> None:
        """All of the device belong there, and to this user, from now on; not to a pairing token of elsewhere."""
        ...

    async def revoke_of_pairing_token(self, pairing_token_id: TokenId, at: datetime) -> list[TokenId]: ...

    async def purge(self, ended_before: datetime, limit: int) -> int:
        """Forgets tokens that expired before; says how many."""
        ...
