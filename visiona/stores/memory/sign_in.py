"""Identities, people's sessions and sign-ins under way, in memory."""

import heapq
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

from visiona.domain.ids import SessionId, UserId
from visiona.domain.sessions import Identity, PendingLogin, UserSession
from visiona.stores.memory.state import State, need_new


class MemoryIdentities:
    """See sessions.IdentityStore."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._identities = state.identities

    async def add(self, identity: Identity) -> None:
        key = (identity.issuer, identity.subject)
        need_new(key not in self._identities, "identity")
        self._state.need_user(identity.user_id)
        self._identities.put(key, identity)

    async def get_or_none(self, issuer: str, subject: str) -> Identity | None:
        return self._identities.get((issuer, subject))

    async def list_of_user(self, user_id: UserId, limit: int) -> list[Identity]:
        found = [identity for identity in self._identities.rows() if identity.user_id == user_id]
        return sorted(found, key=lambda identity: identity.created_at, reverse=True)[:limit]


class MemoryUserSessions:
    """See sessions.UserSessionRows."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._sessions = state.user_sessions
        self._by_hash = state.user_sessions_by_hash

    async def add(self, session: UserSession) -> None:
        is_new = session.id not in self._sessions and session.token_hash not in self._by_hash
        need_new(is_new, "session")
        self._state.need_user(session.user_id)
        self._sessions.put(session.id, session)
        self._by_hash.put(session.token_hash, session.id)

    async def by_hash_or_none(self, token_hash: str) -> UserSession | None:
        session_id = self._by_hash.get(token_hash)
        return self._sessions.get(session_id) if session_id is not None else None

    async def by_id_or_none(self, session_id: SessionId) -> UserSession | None:
        return self._sessions.get(session_id)

    async def note_use(self, session: UserSession) -> bool:
        known = self._sessions.get(session.id)
        if known is None:
            return False
        self._sessions.put(session.id, known.touched(session.last_seen_at))
        return True

    async def remove(self, session_ids: Sequence[SessionId]) -> list[SessionId]:
        found = [session for each in session_ids if (session := self._sessions.get(each)) is not None]
        for session in found:
            self._sessions.remove(session.id)
            self._by_hash.remove(session.token_hash)
        return [session.id for session in found]

    async def list_of_user(self, user_id: UserId, limit: int) -> list[UserSession]:
        return self._recent(lambda session: session.user_id == user_id, limit)

    async def list_of_subject(self, issuer: str, subject: str, limit: int) -> list[UserSession]:
        return self._recent(lambda each: (each.issuer, each.subject) == (issuer, subject), limit)

    async def list_of_sid(self, issuer: str, idp_sid: str, limit: int) -> list[UserSession]:
        return self._recent(lambda each: (each.issuer, each.idp_sid) == (issuer, idp_sid), limit)

    async def purge(self, ended_by: datetime, limit: int) -> int:
        over = [session.id for session in self._sessions.rows() if not session.is_live(ended_by)][:limit]
        return len(await self.remove(over))

    def _recent(self, is_meant: Callable[[UserSession], bool], limit: int) -> list[UserSession]:
        found = [session for session in self._sessions.rows() if is_meant(session)]
        return sorted(found, key=lambda session: (session.last_seen_at, session.id), reverse=True)[:limit]


class MemoryPendingLogins:
    """See sessions.PendingLoginRows."""

    def __init__(self, state: State) -> None:
        self._pending = state.pending_logins

    async def add(self, pending: PendingLogin) -> None:
        need_new(pending.state_hash not in self._pending, "state")
        self._pending.put(pending.state_hash, pending)

    async def get_or_none(self, state_hash: str) -> PendingLogin | None:
        return self._pending.get(state_hash)

    async def remove(self, state_hash: str) -> bool:
        if state_hash not in self._pending:
            return False
        self._pending.remove(state_hash)
        return True

    async def take_turns(self) -> None:
        """Nobody else is here."""

    async def trim(self, browser_hash: str, of_browser: int, of_all: int) -> int:
        of_this = [pending for pending in self._pending.rows() if pending.browser_hash == browser_hash]
        trimmed = self._forget_oldest(of_this, len(of_this) - of_browser)
        return trimmed + self._forget_oldest(self._pending.rows(), len(self._pending) - of_all)

    async def purge(self, ended_by: datetime, limit: int) -> int:
        over = [each.state_hash for each in self._pending.rows() if not each.is_live(ended_by)][:limit]
        for state_hash in over:
            await self.remove(state_hash)
        return len(over)

    def _forget_oldest(self, those: Iterable[PendingLogin], count: int) -> int:
        oldest = heapq.nsmallest(count, those, key=lambda each: (each.created_at, each.state_hash))
        for pending in oldest:
            self._pending.remove(pending.state_hash)
        return len(oldest)
