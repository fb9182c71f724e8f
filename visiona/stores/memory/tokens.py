"""Tokens of all three kinds in memory."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Generic, TypeVar

from visiona.domain.ids import DeviceId, TokenId, UserId, WorkspaceId
from visiona.domain.pairing import PAIRING_TOKEN_TTL, PairingToken, Redeemable, judge
from visiona.domain.tokens import SESSION_TOKEN_TTL, AccessToken, SessionToken
from visiona.stores.memory.state import State, need_new, need_ttl
from visiona.stores.memory.tables import Table

Tk = TypeVar("Tk", AccessToken, PairingToken, SessionToken)


class _Tokens(Generic[Tk]):
    """What the three kinds have in common."""

    def __init__(self, state: State, tokens: Table[TokenId, Tk], by_hash: Table[str, TokenId]) -> None:
        self._state = state
        self._tokens: Table[TokenId, Tk] = tokens
        self._by_hash = by_hash

    async def get_or_none(self, token_id: TokenId) -> Tk | None:
        return self._tokens.get(token_id)

    async def by_hash_or_none(self, token_hash: str) -> Tk | None:
        token_id = self._by_hash.get(token_hash)
        return self._tokens.get(token_id) if token_id is not None else None

    async def list_of_user(self, user_id: UserId, limit: int) -> list[Tk]:
        return self._newest((token for token in self._tokens.rows() if token.user_id == user_id), limit)

    async def revoke(self, token_id: TokenId, at: datetime) -> bool:
        token = self._tokens.get(token_id)
        if token is None or token.revoked_at is not None:
            return False
        self._tokens.put(token_id, replace(token, revoked_at=at))
        return True

    def _add(self, token: Tk) -> None:
        need_new(token.hash not in self._by_hash and token.id not in self._tokens, "token")
        self._tokens.put(token.id, token)
        self._by_hash.put(token.hash, token.id)

    def _remove(self, gone: list[Tk]) -> int:
        for token in gone:
            self._by_hash.remove(token.hash)
            self._tokens.remove(token.id)
        return len(gone)

    @staticmethod
    def _newest(tokens: Iterable[Tk], limit: int) -> list[Tk]:
        return sorted(tokens, key=lambda token: (token.created_at, token.id), reverse=True)[:limit]


class MemoryAccessTokens(_Tokens[AccessToken]):
    """See interfaces.AccessTokenStore."""

    def __init__(self, state: State) -> None:
        super().__init__(state, state.access_tokens, state.access_tokens_by_hash)

    async def add(self, token: AccessToken) -> None:
        self._state.need_user(token.user_id)
        need_ttl(token.created_at, token.expires_at, None)
        self._add(token)

    async def count_live(self, user_id: UserId, now: datetime) -> int:
        return sum(token.user_id == user_id and token.is_live(now) for token in self._tokens.rows())

    async def list_made_with(self, user_id: UserId, token_id: TokenId, limit: int) -> list[AccessToken]:
        about = (user_id, token_id)
        found = [each for each in self._tokens.rows() if (each.user_id, each.made_with) == about]
        return self._newest((each for each in found if each.revoked_at is None), limit)

    async def touch(self, token_id: TokenId, at: datetime) -> None:
        token = self._tokens.get(token_id)
        if token is not None:
            self._tokens.put(token_id, replace(token, last_used_at=at))

    async def purge(self, ended_before: datetime, limit: int) -> int:
        ended = [
            token
            for token in self._tokens.rows()
            if any(at is not None and at < ended_before for at in (token.expires_at, token.revoked_at))
        ]
        return self._remove(ended[:limit])


class MemoryPairingTokens(_Tokens[PairingToken]):
    """See interfaces.PairingTokenStore."""

    def __init__(self, state: State) -> None:
        super().__init__(state, state.pairing_tokens, state.pairing_tokens_by_hash)

    async def add(self, token: PairingToken) -> None:
        self._state.need_user(token.user_id)
        self._state.need_workspace(token.workspace_id)
        need_ttl(token.created_at, token.expires_at, PAIRING_TOKEN_TTL)
        self._add(token)

    async def count_live(self, user_id: UserId, now: datetime) -> int:
        mine = [token for token in self._tokens.rows() if token.user_id == user_id]
        return sum(isinstance(judge(token, now), Redeemable) for token in mine)

    async def consume(self, token_hash: str, now: datetime, replay_hash: str | None) -> bool:
        token = await self.by_hash_or_none(token_hash)
        if token is None or not isinstance(judge(token, now), Redeemable):
            return False
        self._tokens.put(token.id, replace(token, used_at=now, replay_hash=replay_hash))
        return True

    async def set_device(self, token_id: TokenId, device_id: DeviceId) -> None:
        token = self._tokens.get(token_id)
        if token is not None:
            self._state.need_device(device_id)
            self._tokens.put(token_id, replace(token, device_id=device_id))

    async def revoke_of_device(self, device_id: DeviceId, at: datetime) -> int:
        found = [token.id for token in self._tokens.rows() if token.device_id == device_id]
        return sum([await self.revoke(token_id, at) for token_id in found])

    async def revoke_of_workspace(
        self, workspace_id: WorkspaceId, at: datetime, user_id: UserId | None = None
    ) -> int:
        found = [
            token.id
            for token in self._tokens.rows()
            if token.workspace_id == workspace_id
            and token.used_at is None
            and user_id in {None, token.user_id}
        ]
        return sum([await self.revoke(token_id, at) for token_id in found])

    async def purge(self, ended_before: datetime, limit: int) -> int:
        ended = [token for token in self._tokens.rows() if token.expires_at < ended_before][:limit]
        gone = {token.id for token in ended}
        for session in list(self._state.session_tokens.rows()):
            if session.pairing_token_id in gone:
                self._state.session_tokens.put(session.id, replace(session, pairing_token_id=None))
        return self._remove(ended)


class MemorySessionTokens(_Tokens[SessionToken]):
    """See interfaces.SessionTokenStore."""

    def __init__(self, state: State) -> None:
        super().__init__(state, state.session_tokens, state.session_tokens_by_hash)

    async def add(self, token: SessionToken) -> None:
        self._state.need_user(token.user_id)
        self._state.need_workspace(token.workspace_id)
        self._state.need_device(token.device_id)
        need_ttl(token.created_at, token.expires_at, SESSION_TOKEN_TTL)
        self._add(token)

    async def list_of_device(self, device_id: DeviceId, limit: int) -> list[SessionToken]:
        return self._newest((token for token in self._tokens.rows() if token.device_id == device_id), limit)

    async def revoke_of_device(self, device_id: DeviceId, at: datetime) -> list[TokenId]:
        found = [token.id for token in self._tokens.rows() if token.device_id == device_id]
        return [token_id for token_id in found if await self.revoke(token_id, at)]

    async def move_of_device(self, device_id: DeviceId, workspace_id: WorkspaceId, user_id: UserId) -> None:
        self._state.need_workspace(workspace_id)
        self._state.need_user(user_id)
        for token in [token for token in self._tokens.rows() if token.device_id == device_id]:
            self._tokens.put(
                token.id, replace(token, workspace_id=workspace_id, user_id=user_id, pairing_token_id=None)
            )

    async def revoke_of_pairing_token(self, pairing_token_id: TokenId, at: datetime) -> list[TokenId]:
        found = [token.id for token in self._tokens.rows() if token.pairing_token_id == pairing_token_id]
        return [token_id for token_id in found if await self.revoke(token_id, at)]

    async def purge(self, ended_before: datetime, limit: int) -> int:
        ended = [token for token in self._tokens.rows() if token.expires_at < ended_before]
        return self._remove(ended[:limit])
