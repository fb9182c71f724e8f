"""Sessions and sign-ins under way, kept in the database: each deed is one transaction, its notices included."""

from collections.abc import Iterable
from datetime import datetime

from visiona.domain.ids import SessionId, UserId
from visiona.domain.notices import NoticeKind
from visiona.domain.sessions import (
    MAX_PENDING,
    MAX_PENDING_PER_BROWSER,
    MAX_SESSIONS_PER_USER,
    PendingLogin,
    UserSession,
)
from visiona.stores.interfaces import MAX_ROWS, Stores, Tx
from visiona.stores.sessions import Also, Ends


class KeptSessions:
    """See sessions.SessionStore."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores

    async def create(self, session: UserSession) -> None:
        async def keep(tx: Tx) -> None:
            # Held, so that one that begins at the same moment is counted too.
            await tx.users.lock_or_none(session.user_id)
            await tx.user_sessions.add(session)
            of_user = await tx.user_sessions.list_of_user(session.user_id, MAX_ROWS)
            others = [other for other in of_user if other.id != session.id]
            await _end(tx, others[MAX_SESSIONS_PER_USER - 1 :], session.created_at)

        await self._stores.write(keep)

    async def get_or_none(self, token_hash: str, now: datetime) -> UserSession | None:
        async def look_up(tx: Tx) -> UserSession | None:
            return await tx.user_sessions.by_hash_or_none(token_hash)

        return _live_or_none(await self._stores.read(look_up), now)

    async def by_id_or_none(self, session_id: SessionId, now: datetime) -> UserSession | None:
        async def look_up(tx: Tx) -> UserSession | None:
            return await tx.user_sessions.by_id_or_none(session_id)

        return _live_or_none(await self._stores.read(look_up), now)

    async def touch(self, token_hash: str, at: datetime) -> UserSession | None:
        async def note(tx: Tx) -> UserSession | None:
            session = _live_or_none(await tx.user_sessions.by_hash_or_none(token_hash), at)
            if session is None:
                return None
            return session.touched(at) if await tx.user_sessions.note_use(session.touched(at)) else None

        return await self._stores.write(note, waits=False)

    async def delete(
        self, session_id: SessionId, at: datetime, user_id: UserId | None = None, *, also: Also | None = None
    ) -> bool:
        async def end(tx: Tx) -> bool:
            session = await tx.user_sessions.by_id_or_none(session_id)
            if session is None or user_id not in {None, session.user_id}:
                return False
            return bool(await _end(tx, [session], at, also))

        return await self._stores.write(end)

    async def list_of_user(self, user_id: UserId, now: datetime) -> list[UserSession]:
        async def look_up(tx: Tx) -> list[UserSession]:
            return await tx.user_sessions.list_of_user(user_id, MAX_ROWS)

        return [session for session in await self._stores.read(look_up) if session.is_live(now)]

    async def delete_of_user(
        self, user_id: UserId, at: datetime, keep: SessionId | None = None, *, also: Also | None = None
    ) -> list[SessionId]:
        async def end(tx: Tx) -> list[SessionId]:
            of_user = await tx.user_sessions.list_of_user(user_id, MAX_ROWS)
            return await _end(tx, [session for session in of_user if session.id != keep], at, also)

        return await self._stores.write(end)

    async def delete_of_idp(
        self,
        issuer: str,
        subject: str | None,
        idp_sid: str | None,
        at: datetime,
        *,
        also: Also | None = None,
    ) -> list[SessionId]:
        if subject is None and idp_sid is None:
            raise ValueError("name a subject or a session of the provider")

        async def end(tx: Tx) -> list[SessionId]:
            if idp_sid is not None:
                found = await tx.user_sessions.list_of_sid(issuer, idp_sid, MAX_ROWS)
            else:
                found = await tx.user_sessions.list_of_subject(issuer, subject or "", MAX_ROWS)
            return await _end(tx, [each for each in found if subject in {None, each.subject}], at, also)

        return await self._stores.write(end)

    async def purge(self, now: datetime, limit: int) -> int:
        return await self._stores.write(lambda tx: tx.user_sessions.purge(now, limit))

    async def ends_after(self, position: str) -> Ends:
        return Ends((), position)


class KeptPendingLogins:
    """See sessions.PendingLoginStore."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores

    async def create(self, pending: PendingLogin) -> None:
        async def keep(tx: Tx) -> None:
            await tx.pending_logins.take_turns()
            # Room first: what came at the same moment as this one must not push it out.
            await tx.pending_logins.trim(pending.browser_hash, MAX_PENDING_PER_BROWSER - 1, MAX_PENDING - 1)
            await tx.pending_logins.add(pending)

        await self._stores.write(keep)

    async def take(self, state_hash: str, browser_hash: str, now: datetime) -> PendingLogin | None:
        async def take(tx: Tx) -> PendingLogin | None:
            pending = await tx.pending_logins.get_or_none(state_hash)
            if pending is None or pending.browser_hash != browser_hash:
                return None
            is_mine = await tx.pending_logins.remove(state_hash)
            return pending if is_mine and pending.is_live(now) else None

        return await self._stores.write(take)

    async def purge(self, now: datetime, limit: int) -> int:
        return await self._stores.write(lambda tx: tx.pending_logins.purge(now, limit))


async def _end(
    tx: Tx, sessions: Iterable[UserSession], at: datetime, also: Also | None = None
) -> list[SessionId]:
    """Says which it ended: not those that somebody else ended at the same moment."""
    ended = await tx.user_sessions.remove([session.id for session in sessions])
    if ended and also is not None:
        await also(tx, ended)
    for session_id in ended:
        await tx.notices.append(NoticeKind.SESSION_ENDED, session_id, at)
    return ended


def _live_or_none(session: UserSession | None, now: datetime) -> UserSession | None:
    return session if session is not None and session.is_live(now) else None
